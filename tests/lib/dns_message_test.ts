import { assertEquals, assertThrows } from "@std/assert";
import { formatHex, parseHex } from "../../lib/bytes.ts";
import { comparable, type DnsMessage, encodeDns } from "../../lib/dns_message.ts";
import { decodeDns } from "../../lib/dns_reader.ts";
import { ProtocolError } from "../../lib/errors.ts";
import { mutationsOf } from "./mutations.ts";

/** An answer of python3-zeroconf 0.47.3 to a browser, as it was on the wire. */
const zeroconfAnswer = parseHex(
  "000084000000000400000000085f6c6f63616c6274045f746370056c6f63616c00000c000100001194000e0466726f6d0670" +
    "7974686f6ec00cc02b0021800100000078000e000000001e6105736e616b65c01ac02b0010800100001194005903763d310d" +
    "6e3d66726f6d20707974686f6e07683d736e616b652b69683d61626162616261626162616261626162616261626162616261" +
    "62616261626162616261626162616203733d3503663d3106703d3638383103693d30c04b000180010000007800040a4d0002",
)!;
/** A question of avahi-browse 0.8, as it was on the wire. */
const avahiQuestion = parseHex("000000000001000000000000085f6c6f63616c6274045f746370056c6f63616c00000c0001")!;

const none = { id: 0, isResponse: true, questions: [], answers: [], authorities: [], additionals: [] } as const;

Deno.test("decodeDns() reads an answer of python3-zeroconf", () => {
  const { isResponse, answers, additionals } = decodeDns(zeroconfAnswer);
  const records = [...answers, ...additionals];
  assertEquals(isResponse, true);
  const pointer = records.find((record) => record.type === "PTR");
  assertEquals([pointer?.name, pointer?.type === "PTR" && pointer.target], [
    "_localbt._tcp.local",
    "from.python._localbt._tcp.local",
  ]);
  const place = records.find((record) => record.type === "SRV");
  assertEquals(place?.type === "SRV" && [place.target, place.port, place.isUnique], ["snake.local", 7777, true]);
  const text = records.find((record) => record.type === "TXT");
  assertEquals(text?.type === "TXT" && new TextDecoder().decode(text.entries[0]), "v=1");
  const address = records.find((record) => record.type === "A");
  assertEquals(address?.type === "A" && address.host, "10.77.0.2");
});

Deno.test("decodeDns() reads a question of avahi-browse", () => {
  const { isResponse, questions } = decodeDns(avahiQuestion);
  assertEquals([isResponse, questions], [false, [{ name: "_localbt._tcp.local", type: "PTR" }]]);
});

Deno.test("encodeDns() writes what RFC 1035 wants, byte by byte", () => {
  const message: DnsMessage = { ...none, isResponse: false, questions: [{ name: "_a._tcp.local", type: "PTR" }] };
  assertEquals(formatHex(encodeDns(message)), "000000000001000000000000025f61045f746370056c6f63616c00000c0001");
  const answer: DnsMessage = {
    ...none,
    answers: [{ type: "A", name: "x.local", ttl: 120, isUnique: true, host: "10.0.0.1" }],
  };
  assertEquals(
    formatHex(encodeDns(answer)),
    "000084000000000100000000" + "0178056c6f63616c00" + "0001" + "8001" + "00000078" + "0004" + "0a000001",
  );
});

Deno.test("encodeDns() and decodeDns() keep every kind of record", () => {
  const common = { name: "a b (c)._x._tcp.local", ttl: 120, isUnique: false };
  const message: DnsMessage = {
    ...none,
    answers: [
      { ...common, type: "PTR", target: "größe._x._tcp.local" },
      { ...common, type: "SRV", target: "host.local", port: 65535, isUnique: true },
      { ...common, type: "TXT", entries: [new Uint8Array([118, 61, 49]), new Uint8Array([110, 61])] },
      { ...common, type: "A", host: "192.168.1.5" },
      { ...common, type: "AAAA", host: "fe80::1" },
    ],
  };
  const decoded = decodeDns(encodeDns(message));
  const plain = (read: DnsMessage) =>
    JSON.parse(JSON.stringify(read, (_, value) => value instanceof Uint8Array ? [...value] : value));
  assertEquals(plain(decoded), plain(message));
});

Deno.test("comparable() makes names that differ in case alone equal, and leaves other letters", () => {
  assertEquals(comparable("_LocalBT._TCP.local ÄÖ"), "_localbt._tcp.local ÄÖ");
});

Deno.test("decodeDns() refuses names that lead around in a circle", () => {
  const loop = "000084000000000100000000" + "c00c" + "000c0001000000780002" + "c00c";
  assertThrows(() => decodeDns(parseHex(loop)!), ProtocolError);
  const pair = "000084000000000100000000" + "c00e" + "c00c" + "000c0001000000780002" + "c00c";
  assertThrows(() => decodeDns(parseHex(pair)!), ProtocolError);
});

Deno.test("decodeDns() refuses a header that tells of more records than the message can hold", () => {
  for (const at of [4, 6, 8, 10]) {
    const bytes = avahiQuestion.slice();
    bytes[at] = 0xff;
    assertThrows(() => decodeDns(bytes), ProtocolError, "too many records");
    bytes[at] = 0;
    bytes[at + 1] = 9;
    assertThrows(() => decodeDns(bytes), ProtocolError, "cut off");
  }
});

Deno.test("decodeDns() refuses a name of over 254 bytes, and one that follows too many pointers", () => {
  const label = "3f" + "61".repeat(63);
  const question = (name: string) => parseHex("000000000001000000000000" + name + "00" + "000c0001")!;
  assertEquals(decodeDns(question(label.repeat(3) + "3d" + "61".repeat(61))).questions[0].name.length, 253);
  assertThrows(() => decodeDns(question(label.repeat(3) + "3e" + "61".repeat(62))), ProtocolError, "too long");
  // a question of the root, then a record of text that holds pointers, each to the one in front of it
  const chain = (count: number) =>
    Array.from({ length: count }, (_, i) => (0xc000 | (i === 0 ? 12 : 28 + 2 * (i - 1))).toString(16)).join("");
  const message = (count: number) =>
    parseHex(
      "000084000001000200000000" + "00" + "000c0001" + "00" + "00630001" + "00000078" +
        (2 * count).toString(16).padStart(4, "0") + chain(count) + (0xc000 | (28 + 2 * (count - 1))).toString(16) +
        "0010000100000078" + "0000",
    )!;
  assertEquals(decodeDns(message(15)).answers.length, 1);
  assertThrows(() => decodeDns(message(17)), ProtocolError, "leads nowhere");
});

Deno.test("decodeDns() refuses records whose data is longer or shorter than they say", () => {
  const record = (type: string, length: string, data: string) =>
    decodeDns(parseHex("000084000000000100000000" + "0161" + "00" + type + "0001" + "00000078" + length + data)!);
  assertThrows(() => record("000c", "0002", "016100"), ProtocolError, "longer than it says");
  assertThrows(() => record("0010", "0002", "0376"), ProtocolError, "cut off");
  assertThrows(() => record("0001", "0004", "0a0000"), ProtocolError, "cut off");
  assertEquals(record("0001", "0003", "0a0000").answers, []);
  assertEquals(record("001c", "0004", "0a000001").answers, []);
  assertEquals(record("002f", "0003", "0a0000").answers, []);
});

Deno.test("decodeDns() throws nothing but ProtocolError, at every length and however the bytes are changed", () => {
  for (const bytes of [zeroconfAnswer, avahiQuestion]) {
    for (let length = 0; length < bytes.length; length++) attempt(bytes.subarray(0, length));
    for (const mutated of mutationsOf(bytes, { seed: 1, count: 3_000 })) attempt(mutated);
  }
});

function attempt(bytes: Uint8Array): void {
  try {
    decodeDns(bytes);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  }
}
