/** Storage of a download of some files: what is written where, and what becomes of pieces that they share with others. */
import { assert, assertEquals, assertFalse, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { UserError } from "../../../lib/errors.ts";
import type { PieceIndex } from "../../../lib/ids.ts";
import { PiecePool } from "../../../lib/io/piece_pool.ts";
import { FileSelection } from "../../../peer/file_selection.ts";
import { Storage, type StorageOptions } from "../../../peer/io/storage.ts";
import { partFileName, resumeFileName } from "../../../peer/resume.ts";
import { atRest, makeSample, pieceLength, sampleBytes, TempFolder } from "./sample_torrent.ts";

const never = new AbortController().signal;
const isWindows = Deno.build.os === "windows";

/** Pieces 0 to 7: a is in 0 and 1, b in 1 to 4, c in 4, d in 4 to 7; padding, an empty file and a tool stand at the end. */
const sample = makeSample([
  { path: ["a"], length: 1.5 * pieceLength },
  { path: ["b"], length: 3 * pieceLength },
  { path: ["deep", "c"], length: 1000 },
  { path: ["deep", "d"], length: 2.5 * pieceLength },
  { path: ["pad"], length: 500, attr: "p" },
  { path: ["none"], length: 0 },
  { path: ["tool"], length: 3000, attr: "x" },
]);
const { metainfo } = sample;
const [a, b, c, d, , , tool] = [0, 1, 2, 3, 4, 5, 6];

class Scene implements AsyncDisposable {
  readonly #pool = new PiecePool({ workerCount: 2 });
  #storage: Storage | undefined;
  private constructor(readonly folder: TempFolder) {}

  static async make(): Promise<Scene> {
    return new Scene(await TempFolder.make());
  }

  get directory(): string {
    return this.folder.at("download");
  }

  get partPath(): string {
    return this.folder.at("download", partFileName(metainfo));
  }

  get resumePath(): string {
    return this.folder.at("download", resumeFileName(metainfo));
  }

  /** Closes what was open, opens and checks anew. Without files all are wanted. */
  async open(files?: readonly number[], options: Partial<StorageOptions> = {}): Promise<Storage> {
    await this.#storage?.close();
    const wanted = Uint8Array.from(metainfo.files, (_, i) => files?.includes(i) ? 1 : 0);
    const selection = files && FileSelection.of(metainfo.layout, wanted);
    this.#storage = await Storage.open({
      ...{ metainfo, directory: this.directory, mode: "download", pool: this.#pool, resume: true, selection },
      ...options,
    });
    await this.#storage.check(() => {}, never);
    return this.#storage;
  }

  async store(pieces: readonly number[]): Promise<void> {
    for (const piece of pieces) {
      const { ok } = await this.#storage!.storePiece(piece as PieceIndex, sample.piece(piece));
      assert(ok, `piece ${piece} was refused`);
    }
  }

  /** Downloads the files as one run does. */
  async fetch(files: readonly number[], pieces: readonly number[]): Promise<Storage> {
    const storage = await this.open(files);
    await this.store(pieces);
    await storage.finish();
    return storage;
  }

  /** Names of files and folders, those in folders too. */
  names(folder = this.directory): string[] {
    const names = Array.from(Deno.readDirSync(folder)).flatMap(({ name, isDirectory }) =>
      isDirectory ? [name, ...this.names(`${folder}/${name}`).map((inner) => `${name}/${inner}`)] : [name]
    );
    return names.sort();
  }

  async assertHolds(files: readonly number[]): Promise<void> {
    for (const i of files) {
      assertEquals(await Deno.readFile(sample.pathOf(this.directory, i)), sample.contents[i], `file ${i}`);
    }
  }

  pathOf(fileIndex: number): string {
    return sample.pathOf(this.directory, fileIndex);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#storage?.close();
    this.#pool.close();
    await this.folder[Symbol.asyncDispose]();
  }
}

function had({ have }: Storage): number[] {
  return Array.from({ length: have.length }, (_, i) => i).filter((i) => have.has(i));
}

/** Every block of every piece that is had, as it would be sent. */
async function assertServes(storage: Storage): Promise<void> {
  for (const piece of had(storage)) {
    const whole = sample.piece(piece);
    for (let begin = 0; begin < whole.length; begin += 16_384) {
      const length = Math.min(16_384, whole.length - begin);
      const block = await storage.readBlock(piece as PieceIndex, begin, length);
      assertEquals(block, whole.subarray(begin, begin + length), `piece ${piece} at ${begin}`);
    }
  }
}

const partName = partFileName(metainfo);
const resumeName = resumeFileName(metainfo);

Deno.test("Storage of some files writes them alone, keeps shared bytes in one part file, and serves whole pieces", async () => {
  await using scene = await Scene.make();
  const storage = await scene.fetch([b], [1, 2, 3, 4]);
  await scene.assertHolds([b]);
  assertEquals(scene.names(), [partName, resumeName, "sample", "sample/b"].sort());
  assertEquals(storage.keptAside, scene.partPath);
  assertEquals(had(storage), [1, 2, 3, 4]);
  await assertServes(storage);
});

Deno.test("Storage of some files takes up little more than these and what they share", async () => {
  await using scene = await Scene.make();
  await scene.fetch([c], [4]);
  const taken = [scene.partPath, scene.pathOf(c)].map((path) => Deno.statSync(path).blocks! * 512);
  assert(taken[0] + taken[1] <= pieceLength + 16_384, `${taken} bytes on the disk`);
  assert(Deno.statSync(scene.partPath).size <= 2 * pieceLength, "the part file grows with the torrent");
});

Deno.test("Storage takes the kept bytes when more files are wanted, and removes the part file at the end", async () => {
  await using scene = await Scene.make();
  await scene.fetch([b], [1, 2, 3, 4]);
  const more = await scene.open([b, c, d]);
  assertEquals(had(more), [1, 2, 3, 4]);
  await scene.assertHolds([b, c]);
  await assertServes(more);
  await scene.store([5, 6, 7]);
  await more.finish();
  await scene.assertHolds([b, c, d]);
  const all = await scene.open();
  assertEquals(had(all), [1, 2, 3, 4, 5, 6, 7]);
  await scene.store([0]);
  assertEquals(all.keptAside, undefined);
  await all.finish();
  await scene.assertHolds([a, b, c, d, tool]);
  assertEquals(scene.names(), [
    "sample",
    ...["a", "b", "deep", "deep/c", "deep/d", "none", "tool"].map((name) => `sample/${name}`),
  ]);
});

Deno.test("Storage goes on with another selection, also one that has nothing in common with the first", async () => {
  await using scene = await Scene.make();
  await scene.fetch([b], [1, 2, 3, 4]);
  const other = await scene.open([a, c]);
  assertEquals(had(other), [1, 2, 3, 4]);
  await scene.assertHolds([b, c]);
  await assertServes(other);
  await scene.store([0]);
  await other.finish();
  await scene.assertHolds([a, b, c]);
});

Deno.test("Storage of an interrupted partial download goes on from its resume file", async () => {
  await using scene = await Scene.make();
  const first = await scene.open([b]);
  await scene.store([1, 3]);
  await first.saveResume();
  const second = await scene.open([b]);
  assertEquals(had(second), [1, 3]);
  await assertServes(second);
  const narrower = await scene.open([a]);
  assertEquals(had(narrower), [1, 3]);
  await assertServes(narrower);
});

Deno.test("Storage needs no resume file to find what is in the part file", async () => {
  await using scene = await Scene.make();
  await scene.fetch([b], [1, 2, 3, 4]);
  await Deno.remove(scene.resumePath);
  assertEquals(had(await scene.open([b], { resume: false })), [1, 2, 3, 4]);
});

Deno.test("Storage never writes to a file that nobody asked for, nor believes it", async () => {
  await using scene = await Scene.make();
  const mine = sampleBytes(sample.contents[a].length, 99);
  await Deno.mkdir(scene.folder.at("download", "sample"), { recursive: true });
  await Deno.writeFile(scene.pathOf(a), mine);
  await Deno.writeFile(scene.pathOf(tool), Uint8Array.of(1), { mode: 0o600 });
  await scene.fetch([b], [1, 2, 3, 4]);
  const again = await scene.open([b]);
  assertEquals(had(again), [1, 2, 3, 4]);
  await assertServes(again);
  assertEquals(await Deno.readFile(scene.pathOf(a)), mine);
  assertEquals(await Deno.readFile(scene.pathOf(tool)), Uint8Array.of(1));
  if (!isWindows) assertEquals(Deno.statSync(scene.pathOf(tool)).mode! & 0o777, 0o600);
  await assertRejects(() => scene.open([a, b]), UserError, "its data is not the torrent's");
  assertEquals(await Deno.readFile(scene.pathOf(a)), mine);
});

Deno.test("Storage refuses a small foreign file though all that it needs of it is in the part file", async () => {
  await using scene = await Scene.make();
  await scene.fetch([b], [1, 2, 3, 4]);
  const mine = sampleBytes(1000, 99);
  await Deno.mkdir(scene.folder.at("download", "sample", "deep"));
  await Deno.writeFile(scene.pathOf(c), mine);
  await assertRejects(() => scene.open([b, c]), UserError, "its data is not the torrent's");
  assertEquals(await Deno.readFile(scene.pathOf(c)), mine);
});

Deno.test("Storage counts right data under an unwanted name as had, and only reads it", async () => {
  await using scene = await Scene.make();
  await sample.write(scene.directory, [a, c]);
  const before = Deno.statSync(scene.pathOf(a));
  const storage = await scene.open([b]);
  assertEquals(had(storage), [0]);
  await scene.store([1, 2, 3, 4]);
  await storage.finish();
  assertEquals(had(await scene.open([b])), [0, 1, 2, 3, 4]);
  const after = Deno.statSync(scene.pathOf(a));
  assertEquals([after.size, after.mtime], [before.size, before.mtime]);
});

Deno.test({
  name: "Storage follows no link under an unwanted name, and does not fail for it",
  ignore: isWindows,
  async fn() {
    await using scene = await Scene.make();
    await sample.write(scene.folder.at("elsewhere"));
    await Deno.mkdir(scene.folder.at("download", "sample"), { recursive: true });
    await Deno.symlink(scene.folder.at("elsewhere", "sample", "a"), scene.pathOf(a));
    await Deno.symlink(scene.folder.at("elsewhere", "sample", "deep"), scene.folder.at("download", "sample", "deep"));
    const storage = await scene.open([b]);
    assertEquals(had(storage), []);
    await scene.store([1, 2, 3, 4]);
    await assertServes(storage);
    assertEquals(had(await scene.open([b])), [1, 2, 3, 4]);
  },
});

Deno.test({
  name: "Storage follows no link in the place of the part file",
  ignore: isWindows,
  async fn() {
    await using scene = await Scene.make();
    const victim = scene.folder.at("victim");
    await Deno.writeTextFile(victim, "precious");
    await Deno.mkdir(scene.directory);
    await Deno.symlink(victim, scene.partPath);
    await assertRejects(() => scene.open([b]), UserError, "a link is in the way");
    await Deno.remove(scene.partPath);
    const storage = await scene.open([b]);
    await Deno.symlink(victim, scene.partPath); // laid after the look at it: replaced, not followed
    await scene.store([1]);
    await Deno.remove(scene.partPath);
    await Deno.symlink(victim, scene.partPath);
    assertMatch((await storage.storePiece(4 as PieceIndex, sample.piece(4))).error!.message, /link/);
    assertEquals(await Deno.readTextFile(victim), "precious");
  },
});

const spoiled: [name: string, spoil: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array, left: number[]][] = [
  ["changed", (bytes) => (bytes[24 + pieceLength / 4] ^= 1, bytes), [2, 3, 4]],
  ["cut", (bytes) => bytes.subarray(0, pieceLength), [1, 2, 3]],
  ["emptied", () => new Uint8Array(), [2, 3]],
  ["replaced by noise", (bytes) => sampleBytes(bytes.length, 5), [2, 3]],
  ["of another torrent", (bytes) => (bytes[0] ^= 1, bytes), [2, 3]],
  ["with a piece that is none", (bytes) => (bytes[20] = 0xff, bytes), [2, 3]],
  ["with the same piece twice", (bytes) => (bytes.set(bytes.slice(0, 24), pieceLength + 24), bytes), [1, 2, 3]],
];
for (const [name, spoil, left] of spoiled) {
  Deno.test(`Storage believes nothing in a part file that is ${name}, and mends it`, async () => {
    await using scene = await Scene.make();
    await scene.fetch([b], [1, 2, 3, 4]);
    await Deno.writeFile(scene.partPath, spoil(await Deno.readFile(scene.partPath)));
    const storage = await scene.open([b]);
    assertEquals(had(storage), left);
    await scene.store([1, 4].filter((piece) => !left.includes(piece)));
    await assertServes(storage);
    const again = await scene.open([b, c]);
    assertEquals(had(again), [1, 2, 3, 4]);
    await scene.assertHolds([b, c]);
  });
}

Deno.test("Storage that seeds gives pieces that lie partly in the part file, and changes nothing", async () => {
  await using scene = await Scene.make();
  await scene.fetch([b], [1, 2, 3, 4]);
  const before = scene.names();
  const seed = await scene.open(undefined, { mode: "seed" });
  assertEquals(had(seed), [1, 2, 3, 4]);
  await assertServes(seed);
  await Deno.remove(scene.partPath);
  assertEquals(had(await scene.open(undefined, { mode: "seed" })), [2, 3]);
  assertEquals(scene.names(), before.filter((name) => name !== partName));
});

Deno.test("Storage leaves nothing beside files that share no piece with others", async () => {
  const apart = makeSample([{ path: ["x"], length: pieceLength }, { path: ["y"], length: pieceLength }]);
  await using folder = await TempFolder.make();
  using pool = new PiecePool({ workerCount: 1 });
  const selection = FileSelection.of(apart.metainfo.layout, Uint8Array.of(0, 1));
  const options = { metainfo: apart.metainfo, directory: folder.path, mode: "download", pool, resume: true } as const;
  const storage = await Storage.open({ ...options, selection });
  await storage.check(() => {}, never);
  await storage.storePiece(1 as PieceIndex, apart.piece(1));
  await storage.finish();
  await storage.close();
  assertEquals(Array.from(Deno.readDirSync(folder.path), ({ name }) => name), ["sample"]);
  assertFalse(Array.from(Deno.readDirSync(folder.at("sample"))).some(({ name }) => name === "x"));
});

Deno.test("Storage whose file was taken away counts its pieces as lost", async () => {
  await using scene = await Scene.make();
  const storage = await scene.fetch([b], [1, 2, 3, 4]);
  const error = await assertRejects(async () => {
    const seed = await scene.open(undefined, { mode: "seed" });
    await Deno.remove(scene.pathOf(b));
    await seed.readBlock(2 as PieceIndex, 0, 16_384);
  }, UserError);
  assertStringIncludes(error.message, "there is no such file");
  storage.forget(2 as PieceIndex);
  assertEquals(had(storage), [1, 3, 4]);
});

Deno.test("Storage lets its resume file vouch for no piece that lies in the part file", async () => {
  // the middle file is foreign, and its piece is none of those that are looked at again by way of a sample
  const long = makeSample([
    { path: ["head"], length: 10.5 * pieceLength },
    { path: ["foreign"], length: 1000 },
    { path: ["tail"], length: 29 * pieceLength },
  ]);
  await using folder = await TempFolder.make();
  using pool = new PiecePool({ workerCount: 1 });
  await Deno.mkdir(folder.at("sample"));
  await Deno.writeFile(folder.at("sample", "foreign"), sampleBytes(1000, 77));
  const selection = FileSelection.of(long.metainfo.layout, Uint8Array.of(1, 0, 1));
  const open = async () => {
    const { metainfo } = long;
    const storage = await Storage.open({
      ...{ metainfo, directory: folder.path, mode: "download", pool, resume: true, selection },
    });
    await storage.check(() => {}, never);
    return storage;
  };
  const first = await open();
  for (let piece = 0; piece < 40; piece++) await first.storePiece(piece as PieceIndex, long.piece(piece));
  for (const name of ["head", "tail"]) await atRest(folder.at("sample", name));
  await first.saveResume();
  await first.close();
  await Deno.remove(folder.at(partFileName(long.metainfo)));
  const second = await open();
  assertEquals([second.have.count, second.have.has(10)], [39, false]);
  await second.close();
});

Deno.test("Storage cuts off what a crash left behind the last slot of the part file", async () => {
  await using scene = await Scene.make();
  await scene.fetch([b], [1, 2, 3, 4]);
  await Deno.writeFile(scene.partPath, new Uint8Array(10 * pieceLength), { append: true });
  await scene.open([b, d]);
  await scene.store([7]);
  assert(Deno.statSync(scene.partPath).size < 3 * (pieceLength + 24));
});

Deno.test("Storage keeps no part file that has nothing which is not in the files", async () => {
  await using scene = await Scene.make();
  await scene.fetch([b], [1, 2, 3, 4]);
  await sample.write(scene.directory);
  const storage = await scene.open([b]);
  assertEquals([storage.have.isFull, storage.keptAside], [true, undefined]);
  await storage.finish();
  assertFalse(scene.names().some((name) => name.startsWith(".")));
});
