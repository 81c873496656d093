import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { type Bytes, concatBytes, parseHex } from "../../../lib/bytes.ts";
import { ProtocolError } from "../../../lib/errors.ts";
import { infoHashFromBytes, peerIdFromBytes } from "../../../lib/ids.ts";
import { messageBytesMax } from "../../../lib/limits/wire.ts";
import { FrameReader } from "../../../lib/wire/frame.ts";
import { encodeHandshake } from "../../../lib/wire/handshake.ts";
import { isTaken, mutationsOf, seededRandom, truncationsOf } from "../mutations.ts";

const hex = (text: string) => parseHex(text.replaceAll(" ", ""))!;
const handshake = encodeHandshake({
  infoHash: infoHashFromBytes(new Uint8Array(20).fill(0xaa)),
  peerId: peerIdFromBytes(new Uint8Array(20).fill(0x2d)),
  supportsExtensions: true,
  supportsFast: true,
});

/** A piece message whose block is longer than one read of the tests. */
function pieceMessage(length: number): Bytes {
  const bytes = new Uint8Array(13 + length).fill(0x5a);
  bytes.set(hex("00000000 07 00000001 00000000"));
  new DataView(bytes.buffer).setUint32(0, 9 + length);
  return bytes;
}

const messages = [hex("00000001 01"), hex("00000000"), pieceMessage(300), hex("00000005 04 00000003"), hex("00000000")];
const stream = concatBytes([handshake, ...messages]);
const frames = [handshake, ...messages.map((message) => message.slice(4))];

/** The frames that the reads give. */
function read(reads: Iterable<Uint8Array>, reader = new FrameReader()): Bytes[] {
  const found: Bytes[] = [];
  for (const bytes of reads) {
    reader.push(bytes, (buffer, start, end) => found.push(new Uint8Array(buffer.slice(start, end))));
  }
  return found;
}

/** A reader that is past its handshake. */
function openReader(): FrameReader {
  const reader = new FrameReader();
  read([handshake], reader);
  return reader;
}

Deno.test("FrameReader cuts one read into handshake and bodies", () => {
  assertEquals(read([stream]), frames);
});

Deno.test("FrameReader gives the same frames from one-byte feeds", () => {
  assertEquals(read(Array.from(stream, (byte) => Uint8Array.of(byte))), frames);
});

Deno.test("FrameReader gives the same frames wherever a read is cut in two", () => {
  for (let cut = 0; cut <= stream.length; cut++) {
    assertEquals(read([stream.subarray(0, cut), stream.subarray(cut)]), frames, `cut at ${cut}`);
  }
});

Deno.test("FrameReader gives the same frames from reads of random lengths", () => {
  for (let seed = 0; seed < 200; seed++) {
    const random = seededRandom(seed);
    const reads: Uint8Array[] = [];
    for (let at = 0; at < stream.length;) {
      const end = at + Math.floor(random() * 40);
      reads.push(stream.subarray(at, end));
      at = end;
    }
    assertEquals(read(reads), frames, `seed ${seed}`);
  }
});

Deno.test("FrameReader gives no frame of its own making from any truncation", () => {
  for (const bytes of truncationsOf(stream)) {
    const found = read([bytes]);
    assertEquals(found, frames.slice(0, found.length));
  }
});

Deno.test("FrameReader hands on a frame that lies whole in a read as a view of it", () => {
  const reader = openReader();
  const bytes = pieceMessage(100);
  let views = 0;
  reader.push(bytes, (buffer, start, end) => {
    if (buffer === bytes && start === 4 && end === bytes.length) views++;
  });
  assertEquals(views, 1);
  assertEquals(reader.carriedBytes, 0);
});

for (const length of ["ffffffff", "7fffffff", "80000000", "00100001"]) {
  Deno.test(`FrameReader refuses the length ${length} before memory is taken for it`, () => {
    const whole = openReader();
    assertThrows(() => read([hex(length)], whole), ProtocolError, `${Number.parseInt(length, 16)} bytes`);
    assertEquals(whole.carriedBytes, 0);
    const dripping = openReader();
    read([...hex(length)].slice(0, 3).map((byte) => Uint8Array.of(byte)), dripping);
    assertThrows(() => read([hex(length).slice(3)], dripping), ProtocolError);
    assertLess(dripping.carriedBytes, 5);
  });
}

Deno.test("FrameReader takes a body of exactly messageBytesMax", () => {
  const reader = openReader();
  const body = new Uint8Array(messageBytesMax).fill(1);
  const length = hex("00100000");
  assertEquals(read([length, body.subarray(0, 70_000), body.subarray(70_000)], reader).map((frame) => frame.length), [
    messageBytesMax,
  ]);
});

Deno.test("FrameReader keeps what has come, not what was announced", () => {
  const reader = openReader();
  read([hex("00100000 05 00")], reader);
  assertEquals(reader.carriedBytes, 6);
});

Deno.test("FrameReader refuses a start that is no handshake at the first wrong byte", () => {
  assertThrows(() => read([new TextEncoder().encode("GET / HTTP/1.1")]), ProtocolError, "does not speak BitTorrent");
  const reader = new FrameReader();
  read([hex("13"), new TextEncoder().encode("Bit")], reader);
  assertThrows(() => read([new TextEncoder().encode("X")], reader), ProtocolError);
});

Deno.test("FrameReader lets nothing but ProtocolError out of seeded mutations", () => {
  let takenCount = 0;
  for (const bytes of mutationsOf(stream, { seed: 11, count: 3_000 })) {
    if (isTaken(() => read([bytes.subarray(0, 90), bytes.subarray(90)]), "mutated")) takenCount++;
  }
  assert(takenCount > 100);
});
