import { assert, assertEquals, assertGreater, assertLess, assertStrictEquals, assertThrows } from "@std/assert";
import {
  type BencodeInput,
  type BencodeNode,
  bytesAt,
  decodeBencode,
  decodeBencodePrefix,
  dictionaryAt,
  dictionaryOf,
  encodeBencode,
  integerAt,
  listAt,
  textAt,
  textOf,
} from "../../lib/bencode.ts";
import { ProtocolError } from "../../lib/errors.ts";
import { bencodeDepthMax, bencodeTokensMax, bencodeUnsortedKeysMax } from "../../lib/limits/torrent_file.ts";
import { isTaken, mutationsOf, seededRandom, truncationsOf } from "./mutations.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const decodeText = (text: string) => decodeBencode(utf8(text));
const encodeText = (value: BencodeInput) => new TextDecoder().decode(encodeBencode(value));

/** The value without its spans: what the encoder takes. */
function plain(node: BencodeNode): BencodeInput {
  if (node.kind === "list") return Array.from(node, plain);
  if (node.kind === "dictionary") return new Map([...node].map(([key, value]) => [key, plain(value)]));
  return node.value;
}

/** The value with its spans, and those of everything in it. */
function spelled(node: BencodeNode): unknown {
  const { kind, start, end } = node;
  if (node.kind === "list") return { kind, items: Array.from(node, spelled), start, end };
  if (node.kind === "dictionary") {
    return { kind, entries: new Map([...node].map(([key, value]) => [key, spelled(value)])), start, end };
  }
  return { kind, value: node.value, start, end };
}

const spelledText = (text: string) => spelled(decodeText(text));

Deno.test("decodeBencode() reads the examples of BEP 3 with their spans", () => {
  assertEquals(spelledText("4:spam"), { kind: "bytes", value: utf8("spam"), start: 0, end: 6 });
  assertEquals(spelledText("0:"), { kind: "bytes", value: utf8(""), start: 0, end: 2 });
  assertEquals(spelledText("i3e"), { kind: "integer", value: 3, start: 0, end: 3 });
  assertEquals(spelledText("i-3e"), { kind: "integer", value: -3, start: 0, end: 4 });
  assertEquals(spelledText("i0e"), { kind: "integer", value: 0, start: 0, end: 3 });
  assertEquals(spelledText("l4:spam4:eggse"), {
    kind: "list",
    items: [
      { kind: "bytes", value: utf8("spam"), start: 1, end: 7 },
      { kind: "bytes", value: utf8("eggs"), start: 7, end: 13 },
    ],
    start: 0,
    end: 14,
  });
  assertEquals(spelledText("d4:spaml1:a1:bee"), {
    kind: "dictionary",
    entries: new Map([["spam", {
      kind: "list",
      items: [
        { kind: "bytes", value: utf8("a"), start: 8, end: 11 },
        { kind: "bytes", value: utf8("b"), start: 11, end: 14 },
      ],
      start: 7,
      end: 15,
    }]]),
    start: 0,
    end: 16,
  });
  assertEquals(spelledText("le"), { kind: "list", items: [], start: 0, end: 2 });
  assertEquals(spelledText("de"), { kind: "dictionary", entries: new Map(), start: 0, end: 2 });
});

Deno.test("decodeBencode() gives byte strings as views of the input", () => {
  const input = utf8("l4:spame");
  const node = decodeBencode(input);
  assert(node.kind === "list");
  const [item] = node;
  assert(item.kind === "bytes");
  assertStrictEquals(item.value.buffer, input.buffer);
});

for (
  const [what, text] of Object.entries({
    "nothing": "",
    "a bare word": "hello",
    "leading zeros in an integer": "i03e",
    "an integer of two zeros": "i00e",
    "-0": "i-0e",
    "a negative number with a leading zero": "i-03e",
    "a plus sign": "i+3e",
    "an integer without digits": "ie",
    "a minus alone": "i-e",
    "two minus signs": "i--3e",
    "a space in an integer": "i 3e",
    "a fraction": "i1.5e",
    "an exponent": "i1e5e",
    "hexadecimal": "i0x10e",
    "an integer that does not end": "i3",
    "an integer beyond 2^53": "i9007199254740992e",
    "an integer below -2^53": "i-9007199254740992e",
    "an integer of 21 digits": "i100000000000000000000e",
    "leading zeros in a length": "03:abc",
    "two zeros as a length": "00:",
    "a negative length": "-1:a",
    "a length without its colon": "3",
    "a string that ends too early": "4:abc",
    "a length of 2^64 - 1": "18446744073709551615:a",
    "a length of 21 digits": "111111111111111111111:a",
    "a length of a gigabyte": "1073741824:a",
    "a list that does not end": "l4:spam",
    "a dictionary that does not end": "d4:spami1e",
    "a key without a value": "d4:spame",
    "an integer as a key": "di1e4:spame",
    "a list as a key": "dle4:spame",
    "a key twice": "d1:ai1e1:ai2ee",
    "a key twice, apart": "d1:ai1e1:bi1e1:ai2ee",
    "a key twice, behind the first that is out of order": "d1:bi1e1:ale1:ci1e1:ai2ee",
    "a key twice in a dictionary inside another that is not sorted": "d1:bi1e1:ad1:bi1e1:ai1e1:bi1eee",
    "a key twice behind a dictionary that is not sorted": "d1:bi1e1:ad1:bi1e1:ai1ee1:bi1ee",
    "an end alone": "e",
    "something after the value": "i1ei2e",
    "a line end after the value": "i1e\n",
    "a key of 5000 bytes": `d5000:${"k".repeat(5000)}i1ee`,
  })
) {
  Deno.test(`decodeBencode() rejects ${what}`, () => {
    assertThrows(() => decodeText(text), ProtocolError);
  });
}

Deno.test("decodeBencode() takes the largest and the smallest safe integer", () => {
  assertEquals(plain(decodeText("i9007199254740991e")), Number.MAX_SAFE_INTEGER);
  assertEquals(plain(decodeText("i-9007199254740991e")), Number.MIN_SAFE_INTEGER);
});

Deno.test("decodeBencode() takes unsorted keys and keeps their order", () => {
  assertEquals(Array.from(dictionaryOf(decodeText("d1:bi1e1:ai2ee"), "it"), ([key]) => key), ["b", "a"]);
});

Deno.test("decodeBencode() keeps keys that are not UTF-8 apart", () => {
  const input = Uint8Array.of(0x64, 0x31, 0x3a, 0xff, 0x69, 0x31, 0x65, 0x31, 0x3a, 0xfe, 0x69, 0x32, 0x65, 0x65);
  const entries = dictionaryOf(decodeBencode(input), "it");
  assertEquals(Array.from(entries, ([key]) => key), ["\xff", "\xfe"]);
});

Deno.test("decodeBencode() takes the deepest nesting that is allowed and rejects one level more", () => {
  const nested = (depth: number) => "l".repeat(depth) + "e".repeat(depth);
  assertEquals(decodeText(nested(bencodeDepthMax)).end, 2 * bencodeDepthMax);
  assertThrows(() => decodeText(nested(bencodeDepthMax + 1)), ProtocolError, "nested deeper");
});

Deno.test("decodeBencode() survives a million levels of nesting, closed or not", () => {
  assertThrows(() => decodeText("l".repeat(1e6)), ProtocolError, "nested deeper");
  assertThrows(() => decodeText("l".repeat(1e6) + "e".repeat(1e6)), ProtocolError, "nested deeper");
  assertThrows(() => decodeText("d1:a".repeat(1e6)), ProtocolError, "nested deeper");
});

Deno.test("decodeBencode() rejects more values than its limit", () => {
  assertThrows(() => decodeText(`l${"i0e".repeat(bencodeTokensMax)}e`), ProtocolError, "values");
});

Deno.test("decodeBencode() takes keys that are one the beginning of the other, and the same in dictionaries apart", () => {
  assertEquals(encodeText(plain(decodeText("d2:aai1e1:ad1:bi2e1:ad1:bi3eeee"))), "d1:ad1:ad1:bi3ee1:bi2ee2:aai1ee");
  assertEquals(encodeText(plain(decodeText("ld1:bi1e1:ai2eed1:bi1e1:ai2eee"))), "ld1:ai2e1:bi1eed1:ai2e1:bi1eee");
});

Deno.test("decodeBencode() holds so many keys that are not sorted, and no more, in all dictionaries that are open", () => {
  const keys = (count: number, end = "e") =>
    `d${Array.from({ length: count }, (_, i) => `6:${100_000 + (i + 1) % count}0:`).join("")}${end}`;
  const half = bencodeUnsortedKeysMax / 2;
  assertEquals(decodeText(`l${keys(half)}${keys(half)}${keys(half)}e`).kind, "list");
  assertThrows(() => decodeText(`${keys(half, "")}1:x${keys(half + 10)}e`), ProtocolError, "not sorted");
});

Deno.test("decodeBencode() keeps next to nothing of three million values", () => {
  // Each took a hundred bytes and more as long as each was an object.
  const before = Deno.memoryUsage();
  const values = bencodeTokensMax - 1;
  const node = decodeText(`l${"le".repeat(values)}e`);
  const { heapUsed, external } = Deno.memoryUsage();
  assert(node.kind === "list");
  assertEquals(node.length, values);
  assertLess(heapUsed + external - before.heapUsed - before.external, 120e6); // the text, its bytes and 24 MB
});

Deno.test("decodeBencodePrefix() says where the rest begins", () => {
  assertEquals(decodeBencodePrefix(utf8("d8:msg_typei1eerest")).end, 15);
});

Deno.test("encodeBencode() sorts keys by their raw bytes, capitals first and latin1 last", () => {
  assertEquals(
    encodeBencode({ b: 1, "\xff": 2, B: 3, a: 4, aa: 5, "": 6 }),
    Uint8Array.from([..."d0:i6e1:Bi3e1:ai4e2:aai5e1:bi1e1:\xffi2ee"].map((c) => c.charCodeAt(0))),
  );
});

Deno.test("encodeBencode() writes every kind of value and leaves undefined members out", () => {
  assertEquals(
    encodeText({ list: [1, -2, "é", utf8("ab"), []], none: undefined, map: new Map([["k", 0]]) }),
    "d4:listli1ei-2e2:é2:ablee3:mapd1:ki0eee",
  );
  assertEquals(encodeText(-0), "i0e");
});

Deno.test("encodeBencode() refuses what no reader could take back", () => {
  for (const value of [1.5, NaN, Infinity, 2 ** 53]) assertThrows(() => encodeBencode(value), RangeError);
  assertThrows(() => encodeBencode({ "日": 1 }), RangeError);
});

Deno.test("encodeBencode() is not limited by the call stack", () => {
  let deep: BencodeInput = [];
  for (let i = 0; i < 1e5; i++) deep = [deep];
  assertEquals(encodeBencode(deep).length, 2 * (1e5 + 1));
});

Deno.test("encodeBencode() and decodeBencode() agree on random values", () => {
  const random = seededRandom(1);
  const below = (limit: number) => Math.floor(random() * limit);
  const bytes = () => Uint8Array.from({ length: below(20) }, () => below(256));
  const make = (depth: number): BencodeInput => {
    const kind = below(depth > 4 ? 2 : 4);
    if (kind === 0) return below(2 ** 40) - 2 ** 39;
    if (kind === 1) return bytes();
    const items = Array.from({ length: below(5) }, () => make(depth + 1));
    if (kind === 2) return items;
    return new Map(items.map((item) => [String.fromCharCode(...bytes()), item]));
  };
  for (let i = 0; i < 500; i++) {
    const encoded = encodeBencode(make(0));
    assertEquals(encodeBencode(plain(decodeBencode(encoded))), encoded);
  }
});

const sample = encodeBencode({
  announce: "http://one.test/announce",
  info: { files: [{ length: 5, path: ["a", "b"] }], "piece length": 16384, pieces: new Uint8Array(20) },
  numbers: [0, -1, 1234567890123],
});

Deno.test("decodeBencode() rejects every truncation of a good value", () => {
  for (const truncated of truncationsOf(sample)) {
    assert(!isTaken(() => decodeBencode(truncated), `the first ${truncated.length} bytes`));
  }
});

Deno.test("decodeBencode() meets 5,000 mutations with a value or a ProtocolError", () => {
  let takenCount = 0;
  for (const mutated of mutationsOf(sample, { seed: 2, count: 5000 })) {
    if (isTaken(() => decodeBencode(mutated), String(mutated))) takenCount++;
  }
  assertGreater(takenCount, 100);
  assertLess(takenCount, 4900);
});

Deno.test("the getters give a value of their kind and undefined for any other", () => {
  const entries = dictionaryOf(decodeText("d1:ii7e1:s4:caf\u{e9}1:lli1ee1:dd1:xi1eee".replace("4:", "5:")), "it");
  assertEquals([integerAt(entries, "i"), integerAt(entries, "s"), integerAt(entries, "no")], [7, undefined, undefined]);
  assertEquals([textAt(entries, "s"), textAt(entries, "i")], ["café", undefined]);
  assertEquals([bytesAt(entries, "s"), bytesAt(entries, "l")], [utf8("café"), undefined]);
  assertEquals([listAt(entries, "l")?.length, listAt(entries, "d")], [1, undefined]);
  assertEquals([[...dictionaryAt(entries, "d") ?? []].length, dictionaryAt(entries, "l")], [1, undefined]);
});

Deno.test("textOf() replaces bad UTF-8 instead of throwing", () => {
  assertEquals(textOf(decodeBencode(Uint8Array.of(0x32, 0x3a, 0x61, 0xff))), "a\uFFFD");
});

Deno.test("dictionaryOf() names what is not a dictionary", () => {
  assertThrows(() => dictionaryOf(decodeText("le"), "the info section"), ProtocolError, "the info section is not");
  assertThrows(() => dictionaryOf(undefined, "the info section"), ProtocolError);
});
