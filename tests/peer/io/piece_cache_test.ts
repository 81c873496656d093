import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import type { Bytes } from "../../../lib/bytes.ts";
import type { PieceIndex } from "../../../lib/ids.ts";
import { Layout } from "../../../lib/layout.ts";
import { extentBytesMax, pieceReadBytesMax } from "../../../lib/limits/disk.ts";
import { KiB, MiB } from "../../../lib/limits/units.ts";
import { PieceCache, type PieceSource } from "../../../peer/io/piece_cache.ts";

/** A disk whose byte at offset `x` is `x >> 14`, and which remembers what was read. */
class FakeDisk implements PieceSource {
  readonly reads: { offset: number; length: number }[] = [];
  readonly #isFast: boolean;

  constructor({ isFast = false } = {}) {
    this.#isFast = isFast;
  }

  readNow(offset: number, target: Bytes): boolean {
    if (this.#isFast) this.#fill(offset, target);
    return this.#isFast;
  }

  read({ offset, length }: { offset: number; length: number }, spare: ArrayBuffer | undefined): Promise<Bytes> {
    const bytes = spare === undefined ? new Uint8Array(length) : new Uint8Array(spare, 0, length);
    this.#fill(offset, bytes);
    return Promise.resolve(bytes);
  }

  #fill(offset: number, bytes: Bytes): void {
    this.reads.push({ offset, length: bytes.length });
    for (let at = 0; at < bytes.length;) {
      const end = at + 16_384 - (offset + at) % 16_384;
      bytes.fill((offset + at) >> 14, at, end);
      at = end;
    }
  }
}

const never: PieceSource["readNow"] = () => false;

const block = 16 * KiB;
const piece = (index: number) => index as PieceIndex;

Deno.test("PieceCache reads a piece once for all its blocks", async () => {
  const source = new FakeDisk();
  const layout = new Layout({ pieceLength: 256 * KiB, fileLengths: [MiB] });
  const cache = new PieceCache({ layout, source });
  const both = await Promise.all([cache.get(piece(1), 0, block), cache.get(piece(1), 32 * KiB, block)]);
  assertEquals(both.map((bytes) => bytes[0]), [16, 18]);
  const third = cache.get(piece(1), 240 * KiB, block);
  assertInstanceOf(third, Uint8Array);
  assertEquals(third[0], 31);
  assertEquals(source.reads, [{ offset: 256 * KiB, length: 256 * KiB }]);
});

Deno.test("PieceCache reads a part of a large piece, and joins a block that lies in two parts", async () => {
  const source = new FakeDisk();
  const layout = new Layout({ pieceLength: 4 * MiB, fileLengths: [8 * MiB] });
  const cache = new PieceCache({ layout, source });
  const bytes = await cache.get(piece(1), extentBytesMax - 5, 10);
  const at = 4 * MiB + extentBytesMax;
  assertEquals([...bytes], Array.from({ length: 10 }, (_, i) => (at - 5 + i) >> 14 & 255));
  assertEquals(source.reads.map((range) => range.length), [extentBytesMax, extentBytesMax]);
});

Deno.test("PieceCache reads no further than the end of the last piece", async () => {
  const source = new FakeDisk();
  const layout = new Layout({ pieceLength: 256 * KiB, fileLengths: [300 * KiB] });
  const bytes = await new PieceCache({ layout, source }).get(piece(1), 32 * KiB, 12 * KiB);
  assertEquals([bytes.length, source.reads[0].length], [12 * KiB, 44 * KiB]);
});

Deno.test("PieceCache stays within its memory and throws out what was used longest ago", async () => {
  const source = new FakeDisk();
  const layout = new Layout({ pieceLength: 256 * KiB, fileLengths: [64 * MiB] });
  const cache = new PieceCache({ layout, source, capacityBytes: MiB });
  for (let i = 0; i < 4; i++) await cache.get(piece(i), 0, block);
  cache.get(piece(0), block, block);
  await cache.get(piece(4), 0, block);
  assertInstanceOf(cache.get(piece(0), 0, block), Uint8Array);
  assertEquals(cache.memoryBytes, MiB);
  assertEquals(source.reads.length, 5);
  assertInstanceOf(cache.get(piece(1), 0, block), Promise);
});

Deno.test("PieceCache reads less at a time when many places are asked for a little each, and more again later", async () => {
  const source = new FakeDisk();
  const layout = new Layout({ pieceLength: MiB, fileLengths: [400 * MiB] });
  const cache = new PieceCache({ layout, source, capacityBytes: 4 * MiB });
  for (let i = 0; i < 200; i++) await cache.get(piece(i), 0, block);
  assertEquals(source.reads.at(-1)?.length, 128 * KiB);
  for (let i = 0; i < 400; i++) {
    for (let begin = 0; begin < MiB; begin += block) await cache.get(piece(i), begin, block);
  }
  assertEquals(source.reads.at(-1)?.length, MiB);
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
  const cache = new PieceCache({ layout, source: { readNow: never, read } });
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
  const disk = new FakeDisk();
  let failures = 1;
  const cache = new PieceCache({
    layout: new Layout({ pieceLength: 256 * KiB, fileLengths: [MiB] }),
    source: {
      readNow: never,
      read: (range, spare) => failures-- > 0 ? Promise.reject(new Error("no luck")) : disk.read(range, spare),
    },
  });
  await assertRejects(async () => await cache.get(piece(0), 0, block), Error, "no luck");
  assertEquals((await cache.get(piece(0), 0, block)).length, block);
});

Deno.test("PieceCache answers at once from a fast disk, and reads a piece once", () => {
  const source = new FakeDisk({ isFast: true });
  const cache = new PieceCache({ layout: new Layout({ pieceLength: 256 * KiB, fileLengths: [MiB] }), source });
  for (const begin of [0, block, 15 * block]) {
    const bytes = cache.get(piece(2), begin, block);
    assertInstanceOf(bytes, Uint8Array);
    assertEquals(bytes[0], 32 + begin / block);
  }
  assertEquals(source.reads, [{ offset: 512 * KiB, length: 256 * KiB }]);
});

Deno.test("PieceCache leaves all views of one turn as they are, however many reads throw them out", async () => {
  const source = new FakeDisk({ isFast: true });
  const layout = new Layout({ pieceLength: 256 * KiB, fileLengths: [64 * MiB] });
  const cache = new PieceCache({ layout, source, capacityBytes: MiB });
  for (let turn = 0; turn < 3; turn++) {
    const views = Array.from({ length: 30 }, (_, i) => cache.get(piece(30 * turn + i), 0, block));
    assertEquals(
      views.map((view) => view instanceof Promise ? -1 : view[0]),
      views.map((_, i) => (30 * turn + i) * 16 % 256),
    );
    await Promise.resolve();
  }
  assertEquals(cache.memoryBytes, MiB);
});

Deno.test("PieceCache rejects where a fast disk fails, and asks it again", async () => {
  const disk = new FakeDisk({ isFast: true });
  let failures = 1;
  const readNow = (offset: number, target: Bytes) => {
    if (failures-- > 0) throw new Error("no luck");
    return disk.readNow(offset, target);
  };
  const layout = new Layout({ pieceLength: 256 * KiB, fileLengths: [MiB] });
  const cache = new PieceCache({ layout, source: { readNow, read: disk.read } });
  await assertRejects(async () => await cache.get(piece(0), 0, block), Error, "no luck");
  assertInstanceOf(cache.get(piece(0), 0, block), Uint8Array);
});

Deno.test("PieceCache bounds what one turn reads at once, and reads the rest by and by", async () => {
  const source = new FakeDisk({ isFast: true });
  const layout = new Layout({ pieceLength: 256 * KiB, fileLengths: [64 * MiB] });
  const cache = new PieceCache({ layout, source, capacityBytes: MiB });
  const views = Array.from({ length: 100 }, (_, i) => cache.get(piece(i), 0, block));
  const atOnce = views.filter((view) => !(view instanceof Promise)).length;
  assert(atOnce >= 4 && atOnce * 256 * KiB <= pieceReadBytesMax + 2 * MiB, `${atOnce} pieces were read at once`);
  const first = await Promise.all(views.map(async (view) => (await view)[0]));
  assertEquals(first.slice(atOnce), first.map((_, i) => i * 16 % 256).slice(atOnce));
});

Deno.test("PieceCache.rest() gives its memory back, not while a read is under way, and reads anew later", async () => {
  const source = new FakeDisk({ isFast: true });
  const layout = new Layout({ pieceLength: 256 * KiB, fileLengths: [MiB] });
  const cache = new PieceCache({ layout, source });
  const view = cache.get(piece(1), 0, block);
  assertInstanceOf(view, Uint8Array);
  cache.rest();
  assertEquals([cache.memoryBytes, view.length], [0, 0]);
  assertEquals((await cache.get(piece(1), 0, block))[0], 16);
  assertEquals(source.reads.length, 2);

  const slow = new PieceCache({ layout, source: new FakeDisk() });
  const pending = slow.get(piece(1), 0, block);
  slow.rest();
  assertEquals((await pending)[0], 16);
});

Deno.test("PieceCache.drop() forgets a piece or all, and keeps nothing of reads that were under way", async () => {
  const source = new FakeDisk();
  const layout = new Layout({ pieceLength: 256 * KiB, fileLengths: [MiB] });
  const cache = new PieceCache({ layout, source });
  const readsOf = async (index: number) => {
    const before = source.reads.length;
    assertEquals((await cache.get(piece(index), 0, block))[0], 16 * index);
    return source.reads.length - before;
  };
  assertEquals([await readsOf(0), await readsOf(1), await readsOf(0)], [1, 1, 0]);
  cache.drop(piece(0));
  assertEquals([await readsOf(1), await readsOf(0)], [0, 1]);
  cache.drop();
  assertEquals([await readsOf(0), await readsOf(1), await readsOf(1)], [1, 1, 0]);
  for (const drop of [() => cache.drop(), () => cache.drop(piece(2))]) {
    const underWay = cache.get(piece(2), 0, block);
    drop();
    assertEquals((await underWay)[0], 32);
    assertEquals(await readsOf(2), 1, "it was read before it was dropped");
    cache.drop(piece(2));
  }
  assertEquals(cache.memoryBytes, 0);
});
