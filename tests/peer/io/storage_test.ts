import { assert, assertEquals, assertFalse, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { createHash } from "node:crypto";
import type { Bytes } from "../../../lib/bytes.ts";
import { UserError } from "../../../lib/errors.ts";
import type { PieceIndex } from "../../../lib/ids.ts";
import { PiecePool } from "../../../lib/io/piece_pool.ts";
import { Layout } from "../../../lib/layout.ts";
import { FileSelection } from "../../../peer/file_selection.ts";
import { resumeFileName } from "../../../peer/resume.ts";
import { Storage, type StorageOptions } from "../../../peer/io/storage.ts";
import { atRest, makeSample, pieceLength, type Sample, sampleBytes, TempFolder } from "./sample_torrent.ts";

const never = new AbortController().signal;
const ignore = () => {};
const isWindows = Deno.build.os === "windows";

/** Files and workers of one test. */
class Scene implements AsyncDisposable {
  readonly pool = new PiecePool({ workerCount: 2 });
  readonly #storages: Storage[] = [];
  private constructor(readonly folder: TempFolder, readonly sample: Sample) {}

  static async make(sample: Sample): Promise<Scene> {
    return new Scene(await TempFolder.make(), sample);
  }

  get directory(): string {
    return this.folder.at("download");
  }

  get resumePath(): string {
    return this.folder.at("download", resumeFileName(this.sample.metainfo));
  }

  pathOf(fileIndex: number): string {
    return this.sample.pathOf(this.directory, fileIndex);
  }

  async open(options: Partial<StorageOptions> = {}): Promise<Storage> {
    const storage = await Storage.open({
      metainfo: this.sample.metainfo,
      directory: this.directory,
      mode: "download",
      pool: this.pool,
      resume: true,
      ...options,
    });
    this.#storages.push(storage);
    return storage;
  }

  async openChecked(options: Partial<StorageOptions> = {}): Promise<Storage> {
    const storage = await this.open(options);
    await storage.check(ignore, never);
    return storage;
  }

  async store(storage: Storage, pieces: readonly number[]): Promise<void> {
    for (const piece of pieces) {
      const { ok } = await storage.storePiece(piece as PieceIndex, this.sample.piece(piece));
      assert(ok, `piece ${piece} was refused`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const storage of this.#storages) await storage.close();
    this.pool.close();
    await this.folder[Symbol.asyncDispose]();
  }
}

function piecesOf(storage: Storage): number[] {
  return Array.from({ length: storage.have.length }, (_, i) => i).filter((i) => storage.have.has(i));
}

async function block(storage: Storage, piece: number, begin = 0, length = 16_384): Promise<Bytes> {
  return (await storage.readBlock(piece as PieceIndex, begin, length)).slice();
}

const single = makeSample([{ path: [], length: 5 * pieceLength + 1000 }]);
const folder = makeSample([
  { path: ["a.txt"], length: 100_000 },
  { path: ["empty"], length: 0 },
  { path: ["deep", "er", "b.bin"], length: 200_000 },
  { path: [".pad", "1"], length: 27_680, attr: "p" },
  { path: ["deep", "tool"], length: 70_000, attr: "x" },
]);

Deno.test("Storage stores every piece, reads it back and leaves the files as they are in the torrent", async () => {
  await using scene = await Scene.make(folder);
  const storage = await scene.openChecked();
  assert(storage.have.isEmpty);
  const all = Array.from({ length: storage.have.length }, (_, i) => i);
  await scene.store(storage, all);
  assert(storage.have.isFull);
  for (const piece of all) {
    const length = Math.min(16_384, folder.piece(piece).length);
    assertEquals(await block(storage, piece, 0, length), folder.piece(piece).slice(0, length));
  }
  await storage.finish();
  for (const i of [0, 1, 2, 4]) assertEquals(await Deno.readFile(scene.pathOf(i)), folder.contents[i]);
  const names = Array.from(Deno.readDirSync(scene.folder.at("download", "sample")), (entry) => entry.name).sort();
  assertEquals(names, ["a.txt", "deep", "empty"], "padding was written");
  assertEquals(Array.from(Deno.readDirSync(scene.directory), (entry) => entry.name), ["sample"]);
});

Deno.test({
  name: "Storage.finish() sets the executable bit of the files that have it",
  ignore: isWindows,
  async fn() {
    await using scene = await Scene.make(folder);
    const storage = await scene.openChecked();
    await scene.store(storage, Array.from({ length: storage.have.length }, (_, i) => i));
    await storage.finish();
    assertEquals((await Deno.stat(scene.pathOf(4))).mode! & 0o100, 0o100);
    assertEquals((await Deno.stat(scene.pathOf(0))).mode! & 0o111, 0);
  },
});

Deno.test("Storage.storePiece() refuses a piece with a wrong byte and writes nothing", async () => {
  await using scene = await Scene.make(single);
  const storage = await scene.openChecked();
  const bad = single.piece(2);
  bad[9] ^= 4;
  const { ok, buffer } = await storage.storePiece(2 as PieceIndex, bad);
  assertFalse(ok);
  assertEquals(buffer.length, pieceLength);
  assertFalse(storage.have.has(2));
  assertEquals((await Deno.stat(scene.pathOf(0)).catch(() => undefined))?.size, undefined);
});

Deno.test("Storage.readBlock() gives the blocks of a piece", async () => {
  await using scene = await Scene.make(single);
  await single.write(scene.directory);
  const storage = await scene.openChecked({ mode: "seed" });
  assertEquals(await block(storage, 1), single.piece(1).slice(0, 16_384));
  const second = storage.readBlock(1 as PieceIndex, 16_384, 16_384);
  assertInstanceOf(second, Uint8Array);
  assertEquals(second.slice(), single.piece(1).slice(16_384, 32_768));
});

Deno.test("Storage.readBlock() rejects when a file was cut behind its back", async () => {
  await using scene = await Scene.make(single);
  await single.write(scene.directory);
  const storage = await scene.openChecked({ mode: "seed" });
  await Deno.truncate(scene.pathOf(0), 100_000);
  await assertRejects(() => block(storage, 4), UserError, "shorter");
});

Deno.test("Storage.check() in seed mode finds the whole pieces of partial data and writes nothing", async () => {
  await using scene = await Scene.make(folder);
  await folder.write(scene.directory, [0, 1, 4]);
  await Deno.truncate(scene.pathOf(0), 90_000);
  const storage = await scene.openChecked({ mode: "seed" });
  // Piece 0 lies in a.txt alone; 5 and 6 hold padding and the tool.
  assertEquals(piecesOf(storage), [0, 5, 6]);
  assertEquals(Array.from(Deno.readDirSync(scene.directory), (entry) => entry.name), ["sample"]);
});

Deno.test("Storage.check() counts bytes up to the total", async () => {
  await using scene = await Scene.make(single);
  await single.write(scene.directory);
  const storage = await scene.open();
  const seen: number[] = [];
  await storage.check((bytes) => seen.push(bytes), never);
  assertEquals(seen.at(-1), single.metainfo.totalLength);
  assertEquals(seen, seen.toSorted((a, b) => a - b));
});

Deno.test("Storage.check() goes on where another storage stopped, without hashing what the resume file vouches for", async () => {
  await using scene = await Scene.make(single);
  const first = await scene.openChecked();
  await scene.store(first, [0, 3, 5]);
  await atRest(scene.pathOf(0));
  await first.saveResume();
  await first.close();
  const second = await scene.open();
  const seen: number[] = [];
  await second.check((bytes) => seen.push(bytes), never);
  assertEquals(piecesOf(second), [0, 3, 5]);
  assertEquals(seen, [single.metainfo.totalLength], "pieces were hashed");
});

Deno.test("Storage.check() hashes again what changed after the resume file was written", async () => {
  await using scene = await Scene.make(single);
  const first = await scene.openChecked();
  await scene.store(first, [0, 3]);
  await first.saveResume();
  await scene.store(first, [4]);
  // As kill -9 leaves it: no save after piece 4.
  const second = await scene.openChecked();
  assertEquals(piecesOf(second), [0, 3, 4]);
});

Deno.test("Storage.check() does not believe a resume file whose pieces are not what it says", async () => {
  await using scene = await Scene.make(single);
  const first = await scene.openChecked();
  await scene.store(first, [0, 1, 2]);
  await first.saveResume();
  await first.close();
  const { mtime, atime } = await Deno.stat(scene.pathOf(0));
  {
    using file = await Deno.open(scene.pathOf(0), { write: true });
    await file.seek(pieceLength + 5, Deno.SeekMode.Start);
    await file.write(new Uint8Array([0]));
  }
  await Deno.utime(scene.pathOf(0), atime!, mtime!);
  const second = await scene.openChecked();
  assertEquals(piecesOf(second), [0, 2]);
});

for (
  const [what, spoil] of [
    ["cut", (bytes: Uint8Array) => bytes.subarray(0, bytes.length - 7)],
    ["empty", () => new Uint8Array(0)],
    ["altered", (bytes: Uint8Array) => bytes.map((byte, i) => i === 60 ? byte ^ 1 : byte)],
  ] as const
) {
  Deno.test(`Storage.check() finds the pieces although the resume file is ${what}`, async () => {
    await using scene = await Scene.make(single);
    const first = await scene.openChecked();
    await scene.store(first, [1, 5]);
    await first.saveResume();
    await first.close();
    await Deno.writeFile(scene.resumePath, spoil(await Deno.readFile(scene.resumePath)));
    const second = await scene.openChecked();
    assertEquals(piecesOf(second), [1, 5]);
  });
}

Deno.test("Storage.check() believes no resume file when told so", async () => {
  await using scene = await Scene.make(single);
  const first = await scene.openChecked();
  await scene.store(first, [1]);
  await first.close();
  const second = await scene.open({ resume: false });
  const seen: number[] = [];
  await second.check((bytes) => seen.push(bytes), never);
  assert(seen.length > 1, "nothing was hashed");
  assertEquals(piecesOf(second), [1]);
});

Deno.test("Storage.check() rejects with the reason of its signal", async () => {
  await using scene = await Scene.make(single);
  await single.write(scene.directory);
  const storage = await scene.open();
  const reason = await storage.check(ignore, AbortSignal.abort("SIGINT")).then(() => "none", (reason) => reason);
  assertEquals(reason, "SIGINT");
});

Deno.test("Storage.saveResume() vouches for the pieces that were stored", async () => {
  await using scene = await Scene.make(single);
  const first = await scene.openChecked();
  await scene.store(first, [2]);
  await atRest(scene.pathOf(0));
  await first.saveResume();
  await first.close();
  const second = await scene.open();
  const seen: number[] = [];
  await second.check((bytes) => seen.push(bytes), never);
  assertEquals([piecesOf(second), seen.length], [[2], 1]);
});

Deno.test("Storage.saveResume() called twice at once writes one whole file", async () => {
  await using scene = await Scene.make(single);
  const storage = await scene.openChecked();
  await scene.store(storage, [0]);
  await Promise.all([storage.saveResume(), storage.saveResume()]);
  assert((await Deno.stat(scene.resumePath)).isFile);
  assertEquals(Array.from(Deno.readDirSync(scene.directory), (entry) => entry.name).length, 2);
});

Deno.test("Storage.open() refuses a download that needs more than is free", async () => {
  const huge = makeSample([{ path: [], length: 1000 }]);
  await using scene = await Scene.make(huge);
  const file = { ...huge.metainfo.files[0], length: 2 ** 52 };
  const metainfo = { ...huge.metainfo, files: [file] };
  await assertRejects(() => scene.open({ metainfo }), UserError, "it needs 4 PiB, and");
  assertEquals([...Deno.readDirSync(scene.folder.path)], []);
});

Deno.test("Storage.open() counts only the wanted files as needed space", async () => {
  const two = makeSample([{ path: ["a"], length: 1000 }, { path: ["b"], length: 1000 }]);
  await using scene = await Scene.make(two);
  const files = [two.metainfo.files[0], { ...two.metainfo.files[1], length: 2 ** 52 }];
  await scene.open({
    metainfo: { ...two.metainfo, files },
    selection: FileSelection.of(two.metainfo.layout, Uint8Array.of(1, 0)),
  });
});

Deno.test("Storage.check() makes no empty file that is not wanted", async () => {
  await using scene = await Scene.make(folder);
  await scene.openChecked({ selection: FileSelection.of(folder.metainfo.layout, Uint8Array.of(1, 0, 1, 1, 1)) });
  assertEquals(await Deno.stat(scene.pathOf(1)).then(() => "made", () => "none"), "none");
});

Deno.test("Storage.assumeWhole() takes pieces whose files have their full length, unread", async () => {
  await using scene = await Scene.make(folder);
  await folder.write(scene.directory);
  await Deno.writeFile(scene.pathOf(0), new Uint8Array(100_000));
  await Deno.truncate(scene.pathOf(4), 69_999);
  const storage = await scene.open({ mode: "seed" });
  const have = storage.assumeWhole();
  assert(have.has(0));
  assertFalse(have.has(have.length - 1));
});

Deno.test("Storage.storePiece() tells the path when the disk refuses", async () => {
  await using scene = await Scene.make(folder);
  const storage = await scene.openChecked();
  await Deno.mkdir(scene.pathOf(0));
  const { ok, error } = await storage.storePiece(0 as PieceIndex, folder.piece(0));
  assertFalse(ok);
  assertStringIncludes(error!.message, `cannot write ${scene.pathOf(0)}: `);
  assertFalse(storage.have.has(0));
});

Deno.test("Storage continues a download whose data lies beyond 4 GiB", async () => {
  const length = 4 * 2 ** 30 + 3 * pieceLength;
  const last = sampleBytes(pieceLength);
  await using scene = await Scene.make(single);
  const layout = new Layout({ pieceLength, fileLengths: [length] });
  const pieces = new Uint8Array(20 * layout.pieceCount);
  pieces.set(createHash("sha1").update(last).digest(), 20 * (layout.pieceCount - 1));
  const files = [{ ...single.metainfo.files[0], length }];
  const metainfo = { ...single.metainfo, files, layout, pieces, pieceCount: layout.pieceCount, totalLength: length };
  const storage = await scene.openChecked({ metainfo });
  const piece = (layout.pieceCount - 1) as PieceIndex;
  assert((await storage.storePiece(piece, last)).ok);
  assertEquals(await block(storage, piece, pieceLength - 16_384), sampleBytes(pieceLength).slice(-16_384));
  await storage.close();
  const again = await scene.openChecked({ metainfo });
  assertEquals(piecesOf(again), [piece]);
});
