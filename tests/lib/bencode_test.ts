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
import { bencodeDepthMax, bencodeTokensMax } from "../../lib/limits/torrent_file.ts";
import { isTaken, mutationsOf, seededRandom, truncationsOf } from "./mutations.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const decodeText = (text: string) => decodeBencode(utf8(text));
const encodeText = (value: BencodeInput) => new TextDecoder().decode(encodeBencode(value));

/** The value without its spans: what the encoder takes. */
function plain(node: BencodeNode): BencodeInput {
  if (node.kind === "list") return node.items.map(plain);
  if (node.kind === "dictionary") return new Map([...node.entries].map(([key, value]) => [key, plain(value)]));
  return node.value;
}

Deno.test("decodeBencode() reads the examples of BEP 3 with their spans", () => {
  assertEquals(decodeText("4:spam"), { kind: "bytes", value: utf8("spam"), start: 0, end: 6 });
  assertEquals(decodeText("0:"), { kind: "bytes", value: utf8(""), start: 0, end: 2 });
  assertEquals(decodeText("i3e"), { kind: "integer", value: 3, start: 0, end: 3 });
  assertEquals(decodeText("i-3e"), { kind: "integer", value: -3, start: 0, end: 4 });
  assertEquals(decodeText("i0e"), { kind: "integer", value: 0, start: 0, end: 3 });
  assertEquals(decodeText("l4:spam4:eggse"), {
    kind: "list",
    items: [
      { kind: "bytes", value: utf8("spam"), start: 1, end: 7 },
      { kind: "bytes", value: utf8("eggs"), start: 7, end: 13 },
    ],
    start: 0,
    end: 14,
  });
  assertEquals(decodeText("d4:spaml1:a1:bee"), {
    kind: "dictionary",
    entries: new Map<string, BencodeNode>([["spam", {
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
  assertEquals(decodeText("le"), { kind: "list", items: [], start: 0, end: 2 });
  assertEquals(decodeText("de"), { kind: "dictionary", entries: new Map(), start: 0, end: 2 });
});

Deno.test("decodeBencode() gives byte strings as views of the input", () => {
  const input = utf8("l4:spame");
  const node = decodeBencode(input);
  assert(node.kind === "list" && node.items[0].kind === "bytes");
  assertStrictEquals(node.items[0].value.buffer, input.buffer);
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
  assertEquals([...dictionaryOf(decodeText("d1:bi1e1:ai2ee"), "it").keys()], ["b", "a"]);
});

Deno.test("decodeBencode() keeps keys that are not UTF-8 apart", () => {
  const input = Uint8Array.of(0x64, 0x31, 0x3a, 0xff, 0x69, 0x31, 0x65, 0x31, 0x3a, 0xfe, 0x69, 0x32, 0x65, 0x65);
  const entries = dictionaryOf(decodeBencode(input), "it");
  assertEquals([...entries.keys()], ["\xff", "\xfe"]);
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
  assertEquals([dictionaryAt(entries, "d")?.size, dictionaryAt(entries, "l")], [1, undefined]);
});

Deno.test("textOf() replaces bad UTF-8 instead of throwing", () => {
  assertEquals(textOf(decodeBencode(Uint8Array.of(0x32, 0x3a, 0x61, 0xff))), "a\uFFFD");
});

Deno.test("dictionaryOf() names what is not a dictionary", () => {
  assertThrows(() => dictionaryOf(decodeText("le"), "the info section"), ProtocolError, "the info section is not");
  assertThrows(() => dictionaryOf(undefined, "the info section"), ProtocolError);
});
