import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { parseHex } from "../../../lib/bytes.ts";
import { ProtocolError } from "../../../lib/errors.ts";
import { decodeMessage, type Message, MessageId } from "../../../lib/wire/message.ts";
import { MessageWriter } from "../../../lib/wire/message_writer.ts";
import { isTaken, mutationsOf, truncationsOf } from "../mutations.ts";

const hex = (text: string) => parseHex(text.replaceAll(" ", ""))!;
const decode = (bytes: Uint8Array) => decodeMessage(bytes, 0, bytes.length);

interface Golden {
  /** With its length prefix, as the BEP lays it out. */
  readonly bytes: string;
  readonly message: Message;
  readonly write: (out: MessageWriter) => void;
}

const range = { piece: 1, begin: 0x4000, length: 0x4000 };
const rangeHex = "00000001 00004000 00004000";

/** Laid out by hand from the text of BEP 3, BEP 6 and BEP 10. */
const goldens: readonly Golden[] = [
  { bytes: "00000000", message: { kind: "keepAlive" }, write: (out) => out.keepAlive() },
  { bytes: "00000001 00", message: { kind: "choke" }, write: (out) => out.bare(MessageId.choke) },
  { bytes: "00000001 01", message: { kind: "unchoke" }, write: (out) => out.bare(MessageId.unchoke) },
  { bytes: "00000001 02", message: { kind: "interested" }, write: (out) => out.bare(MessageId.interested) },
  { bytes: "00000001 03", message: { kind: "notInterested" }, write: (out) => out.bare(MessageId.notInterested) },
  {
    bytes: "00000005 04 00010203",
    message: { kind: "have", piece: 0x10203 },
    write: (out) => out.piece(MessageId.have, 0x10203),
  },
  {
    bytes: "00000003 05 a080",
    message: { kind: "bitfield", payload: hex("a080") },
    write: (out) => out.bitfield(hex("a080")),
  },
  {
    bytes: `0000000d 06 ${rangeHex}`,
    message: { kind: "request", ...range },
    write: (out) => out.range(MessageId.request, 1, 0x4000, 0x4000),
  },
  {
    bytes: "0000000c 07 00000002 00008000 616263",
    message: { kind: "piece", piece: 2, begin: 0x8000, block: hex("616263") },
    write: (out) => out.block(2, 0x8000, hex("616263")),
  },
  {
    bytes: `0000000d 08 ${rangeHex}`,
    message: { kind: "cancel", ...range },
    write: (out) => out.range(MessageId.cancel, 1, 0x4000, 0x4000),
  },
  {
    bytes: "00000005 0d 00000007",
    message: { kind: "suggest", piece: 7 },
    write: (out) => out.piece(MessageId.suggest, 7),
  },
  { bytes: "00000001 0e", message: { kind: "haveAll" }, write: (out) => out.bare(MessageId.haveAll) },
  { bytes: "00000001 0f", message: { kind: "haveNone" }, write: (out) => out.bare(MessageId.haveNone) },
  {
    bytes: `0000000d 10 ${rangeHex}`,
    message: { kind: "reject", ...range },
    write: (out) => out.range(MessageId.reject, 1, 0x4000, 0x4000),
  },
  {
    bytes: "00000005 11 00000009",
    message: { kind: "allowedFast", piece: 9 },
    write: (out) => out.piece(MessageId.allowedFast, 9),
  },
  {
    bytes: "00000004 14 03 6465",
    message: { kind: "extended", id: 3, payload: hex("6465") },
    write: (out) => out.extended(3, hex("6465")),
  },
];

for (const { bytes, message, write } of goldens) {
  Deno.test(`MessageWriter and decodeMessage() agree with the golden bytes of ${message.kind}`, () => {
    const golden = hex(bytes);
    const out = new MessageWriter();
    write(out);
    assertEquals(out.length, golden.length);
    assertEquals(out.take(), golden);
    assertEquals(decode(golden.subarray(4)), message);
  });

  Deno.test(`decodeMessage() refuses a ${message.kind} that is too short or too long`, () => {
    if (message.kind === "keepAlive") return;
    const body = hex(bytes).subarray(4);
    const isOpenEnded = ["bitfield", "piece", "extended"].includes(message.kind);
    const least = { bitfield: 1, piece: 10, extended: 2 }[message.kind as string] ?? body.length;
    for (const part of truncationsOf(body)) {
      if (part.length === 0 || part.length >= least) continue;
      assertThrows(() => decode(part), ProtocolError);
    }
    const longer = new Uint8Array(body.length + 1);
    longer.set(body);
    if (!isOpenEnded) assertThrows(() => decode(longer), ProtocolError, "wanted");
  });
}

Deno.test("decodeMessage() rejects a have frame with a 5-byte payload in plain words", () => {
  const error = assertThrows(() => decode(hex("04 0000000000")), ProtocolError);
  assertEquals(error.message, "a message of id 4 with a payload of 5 bytes, wanted 4");
});

Deno.test("decodeMessage() reads the port message, which we never send", () => {
  assertEquals(decode(hex("09 1ae1")), { kind: "port", port: 6881 });
  assertThrows(() => decode(hex("09 1a")), ProtocolError);
});

Deno.test("decodeMessage() names ids that it does not know, whatever their payload", () => {
  for (const id of [10, 11, 12, 18, 19, 21, 22, 23, 255]) {
    assertEquals(decode(Uint8Array.of(id)), { kind: "unknown", id });
    assertEquals(decode(Uint8Array.of(id, 1, 2, 3)), { kind: "unknown", id });
  }
});

Deno.test("decodeMessage() reads numbers above 2^31 as positive", () => {
  assertEquals(decode(hex("06 ffffffff fffffffe 80000000")), {
    kind: "request",
    piece: 0xffffffff,
    begin: 0xfffffffe,
    length: 0x80000000,
  });
});

Deno.test("decodeMessage() hands on a block as a view of the bytes, not a copy", () => {
  const buffer = hex("eeee 07 00000002 00008000 616263 eeee");
  const message = decodeMessage(buffer, 2, 14);
  assert(message.kind === "piece");
  assertEquals(message.block, hex("616263"));
  assertStrictEquals(message.block.buffer, buffer.buffer);
  assertEquals(message.block.byteOffset, 11);
});

Deno.test("decodeMessage() lets nothing but ProtocolError out of seeded mutations", () => {
  let takenCount = 0;
  goldens.forEach(({ bytes }, index) => {
    const body = hex(bytes).subarray(4);
    if (body.length === 0) return;
    for (const mutated of mutationsOf(body, { seed: index, count: 1_000 })) {
      if (isTaken(() => decode(mutated), bytes)) takenCount++;
    }
  });
  assert(takenCount > 1_000, `only ${takenCount} were taken: the mutations say little`);
});
