import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import type { Bytes } from "../../../lib/bytes.ts";
import type { PieceIndex } from "../../../lib/ids.ts";
import { Layout } from "../../../lib/layout.ts";
import { extentBytesMax, KiB, MiB } from "../../../lib/limits.ts";
import { PieceCache } from "../../../peer/io/piece_cache.ts";

/** A disk whose byte at offset `x` is `x >> 14`, and which remembers what was read. */
function makeDisk() {
  const reads: { offset: number; length: number }[] = [];
  const read = (range: { offset: number; length: number }): Promise<Bytes> => {
    reads.push(range);
    const bytes = new Uint8Array(range.length);
    for (let at = 0; at < bytes.length;) {
      const end = at + 16_384 - (range.offset + at) % 16_384;
      bytes.fill((range.offset + at) >> 14, at, end);
      at = end;
    }
    return Promise.resolve(bytes);
  };
  return { reads, read };
}

const block = 16 * KiB;
const piece = (index: number) => index as PieceIndex;

Deno.test("PieceCache reads a piece once for all its blocks", async () => {
  const { reads, read } = makeDisk();
  const layout = new Layout({ pieceLength: 256 * KiB, fileLengths: [MiB] });
  const cache = new PieceCache({ layout, read });
  const both = await Promise.all([cache.get(piece(1), 0, block), cache.get(piece(1), 32 * KiB, block)]);
  assertEquals(both.map((bytes) => bytes[0]), [16, 18]);
  const third = cache.get(piece(1), 240 * KiB, block);
  assertInstanceOf(third, Uint8Array);
  assertEquals(third[0], 31);
  assertEquals(reads, [{ offset: 256 * KiB, length: 256 * KiB }]);
});

Deno.test("PieceCache reads a part of a large piece, and joins a block that lies in two parts", async () => {
  const { reads, read } = makeDisk();
  const layout = new Layout({ pieceLength: 4 * MiB, fileLengths: [8 * MiB] });
  const cache = new PieceCache({ layout, read });
  const bytes = await cache.get(piece(1), extentBytesMax - 5, 10);
  const at = 4 * MiB + extentBytesMax;
  assertEquals([...bytes], Array.from({ length: 10 }, (_, i) => (at - 5 + i) >> 14 & 255));
  assertEquals(reads.map((range) => range.length), [extentBytesMax, extentBytesMax]);
});

Deno.test("PieceCache reads no further than the end of the last piece", async () => {
  const { reads, read } = makeDisk();
  const layout = new Layout({ pieceLength: 256 * KiB, fileLengths: [300 * KiB] });
  const bytes = await new PieceCache({ layout, read }).get(piece(1), 32 * KiB, 12 * KiB);
  assertEquals([bytes.length, reads[0].length], [12 * KiB, 44 * KiB]);
});

Deno.test("PieceCache stays within its memory and throws out what was used longest ago", async () => {
  const { reads, read } = makeDisk();
  const layout = new Layout({ pieceLength: 256 * KiB, fileLengths: [64 * MiB] });
  const cache = new PieceCache({ layout, read, capacityBytes: MiB });
  for (let i = 0; i < 4; i++) await cache.get(piece(i), 0, block);
  cache.get(piece(0), block, block);
  await cache.get(piece(4), 0, block);
  assertInstanceOf(cache.get(piece(0), 0, block), Uint8Array);
  assertEquals(cache.memoryBytes, MiB);
  assertEquals(reads.length, 5);
  assertInstanceOf(cache.get(piece(1), 0, block), Promise);
});

Deno.test("PieceCache reads less at a time when many places are asked for a little each, and more again later", async () => {
  const { reads, read } = makeDisk();
  const layout = new Layout({ pieceLength: MiB, fileLengths: [400 * MiB] });
  const cache = new PieceCache({ layout, read, capacityBytes: 4 * MiB });
  for (let i = 0; i < 200; i++) await cache.get(piece(i), 0, block);
  assertEquals(reads.at(-1)?.length, 128 * KiB);
  for (let i = 0; i < 400; i++) {
    for (let begin = 0; begin < MiB; begin += block) await cache.get(piece(i), begin, block);
  }
  assertEquals(reads.at(-1)?.length, MiB);
});

Deno.test("PieceCache bounds the reads that are under way", async () => {
  const layout = new Layout({ pieceLength: MiB, fileLengths: [100 * MiB] });
  const gates: (() => void)[] = [];
  let underWay = 0;
  let most = 0;
  const read = async ({ length }: { length: number }) => {
    most = Math.max(most, underWay += length);
    await new Promise<void>((resolve) => gates.push(resolve));
    underWay -= length;
    return new Uint8Array(length);
  };
  const cache = new PieceCache({ layout, read });
  let answered = 0;
  const all = Array.from({ length: 60 }, async (_, i) => {
    await cache.get(piece(i), 0, block);
    answered++;
  });
  while (answered < 60) {
    await Promise.resolve();
    gates.shift()?.();
  }
  await Promise.all(all);
  assert(most <= 16 * MiB, `${most} bytes at once`);
});

Deno.test("PieceCache asks the disk again after a read failed", async () => {
  const { read } = makeDisk();
  let failures = 1;
  const cache = new PieceCache({
    layout: new Layout({ pieceLength: 256 * KiB, fileLengths: [MiB] }),
    read: (range) => failures-- > 0 ? Promise.reject(new Error("no luck")) : read(range),
  });
  await assertRejects(async () => await cache.get(piece(0), 0, block), Error, "no luck");
  assertEquals((await cache.get(piece(0), 0, block)).length, block);
});
