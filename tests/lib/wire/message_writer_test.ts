import { assert, assertEquals, assertLess, assertStrictEquals } from "@std/assert";
import { parseHex } from "../../../lib/bytes.ts";
import { KiB } from "../../../lib/limits/units.ts";
import { sendMemoryBytesMax } from "../../../lib/limits/wire.ts";
import { batchBytes, BatchMemory } from "../../../lib/wire/batch_memory.ts";
import { decodeMessage, MessageId } from "../../../lib/wire/message.ts";
import { MessageWriter } from "../../../lib/wire/message_writer.ts";

const hex = (text: string) => parseHex(text.replaceAll(" ", ""))!;

Deno.test("MessageWriter puts messages one behind the other and begins anew after take()", () => {
  const out = new MessageWriter();
  out.bytes(hex("0102"));
  out.bare(MessageId.interested);
  out.keepAlive();
  assertEquals(out.take(), hex("0102 00000001 02 00000000"));
  assertEquals(out.length, 0);
  assertEquals(out.take(), new Uint8Array(0));
  out.bare(MessageId.choke);
  assertEquals(out.take(), hex("00000001 00"));
});

Deno.test("MessageWriter keeps what stands in it when it grows", () => {
  const out = new MessageWriter();
  const block = new Uint8Array(16_384).fill(7);
  for (let piece = 0; piece < 5; piece++) out.block(piece, 0, block);
  const taken = out.take();
  assertEquals(taken.length, 5 * (13 + block.length));
  for (let piece = 0; piece < 5; piece++) {
    const start = piece * (13 + block.length);
    assertEquals(decodeMessage(taken, start + 4, start + 13 + block.length), { kind: "piece", piece, begin: 0, block });
  }
});

Deno.test("MessageWriter grows beyond a batch", () => {
  const out = new MessageWriter();
  const block = new Uint8Array(batchBytes / 2).fill(7);
  for (let piece = 0; piece < 5; piece++) out.block(piece, 0, block);
  const taken = out.take();
  assertEquals(taken.length, 5 * (13 + block.length));
  const last = 4 * (13 + block.length);
  assertEquals(decodeMessage(taken, last + 4, taken.length), { kind: "piece", piece: 4, begin: 0, block });
});

Deno.test("MessageWriter never writes into what was taken and not given back", () => {
  const out = new MessageWriter();
  for (const length of [100, 20 * KiB, batchBytes]) {
    out.block(0, 0, new Uint8Array(length).fill(1));
    const first = out.take();
    for (let count = 0; count < 3; count++) {
      out.block(0, 0, new Uint8Array(length).fill(2));
      out.take();
    }
    assert(first.subarray(13).every((byte) => byte === 1), `${length} bytes changed`);
  }
});

Deno.test("MessageWriter uses its own memory again for small messages", () => {
  const out = new MessageWriter();
  out.keepAlive();
  const first = out.take();
  out.recycle(first);
  out.bare(MessageId.choke);
  const second = out.take();
  assertStrictEquals(second.buffer, first.buffer);
  assertEquals(second, hex("00000001 00"));
});

Deno.test("MessageWriter gives the memory of blocks back for all to use", () => {
  const memory = new BatchMemory();
  const one = new MessageWriter(memory);
  const other = new MessageWriter(memory);
  one.block(0, 0, new Uint8Array(16 * KiB));
  const first = one.take();
  one.recycle(first);
  one.keepAlive();
  assertLess(one.take().buffer.byteLength, 16 * KiB);
  other.block(0, 0, new Uint8Array(16 * KiB));
  assertStrictEquals(other.take().buffer, first.buffer);
});

Deno.test("BatchMemory keeps no more than 8 MiB", () => {
  const memory = new BatchMemory();
  const taken = Array.from({ length: 40 }, () => memory.take(batchBytes));
  for (const bytes of taken) memory.give(bytes);
  const again = Array.from({ length: 40 }, () => memory.take(batchBytes));
  const kept = again.filter((bytes) => taken.includes(bytes));
  assertEquals(kept.length, Math.floor(8 * 1024 * KiB / batchBytes));
});

Deno.test("BatchMemory gives little at a time while much is out, and all again when it is back", () => {
  const memory = new BatchMemory();
  const taken = [];
  while (!memory.isScarce) taken.push(memory.take(16 * KiB));
  assertLess(memory.outBytes, sendMemoryBytesMax + 2 * batchBytes);
  assertEquals(memory.take(20_000).length, 20_000);
  for (const bytes of taken) memory.give(bytes);
  assertEquals([memory.isScarce, memory.outBytes], [false, 20_000]);
});

Deno.test("MessageWriter gives back what it holds, written or not, when its peer is gone", () => {
  const memory = new BatchMemory();
  const out = new MessageWriter(memory);
  out.block(0, 0, new Uint8Array(16 * KiB));
  const written = out.take();
  out.block(0, 0, new Uint8Array(16 * KiB));
  out.discard();
  assertEquals(memory.outBytes, batchBytes);
  out.recycle(written);
  assertEquals(memory.outBytes, 0);
});
