import { assertEquals, assertRejects } from "@std/assert";
import type { Bytes } from "../../../lib/bytes.ts";
import { UserError } from "../../../lib/errors.ts";
import type { PieceIndex } from "../../../lib/ids.ts";
import { PiecePool } from "../../../lib/io/piece_pool.ts";
import { Storage } from "../../../peer/io/storage.ts";
import { makeSample, pieceLength, type Sample, sampleBytes, TempFolder } from "./sample_torrent.ts";

/** What a download may touch: opens a storage over what the test has put into the folder, and checks. */
const isWindows = Deno.build.os === "windows";
const folder = makeSample([
  { path: ["a.bin"], length: 3 * pieceLength },
  { path: ["sub", "b.bin"], length: 3 * pieceLength + 500 },
]);
const single = makeSample([{ path: [], length: 4 * pieceLength }]);

async function begin(
  sample: Sample,
  directory: string,
): Promise<{ pieces: number[]; storage: Storage; pool: PiecePool }> {
  const pool = new PiecePool({ workerCount: 1 });
  try {
    const { metainfo } = sample;
    const storage = await Storage.open({ metainfo, directory, mode: "download", pool, resume: true });
    const have = await storage.check(() => {}, new AbortController().signal);
    const pieces = Array.from({ length: have.length }, (_, i) => i).filter((i) => have.has(i));
    return { pieces, storage, pool };
  } catch (error) {
    pool.close();
    throw error;
  }
}

/** The pieces that a download would take over. */
async function piecesTakenOver(sample: Sample, directory: string): Promise<number[]> {
  const { pieces, storage, pool } = await begin(sample, directory);
  await storage.close();
  pool.close();
  return pieces;
}

async function assertRefused(sample: Sample, directory: string, why: string): Promise<void> {
  await assertRejects(() => begin(sample, directory), UserError, why);
}

async function put(path: string, bytes: Uint8Array): Promise<void> {
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  await Deno.writeFile(path, bytes);
}

Deno.test({
  name: "a download does not go through a link in the place of a folder",
  ignore: isWindows,
  async fn() {
    await using temp = await TempFolder.make();
    await Deno.mkdir(temp.at("outside"));
    await Deno.mkdir(temp.at("in", "sample"), { recursive: true });
    await Deno.symlink(temp.at("outside"), temp.at("in", "sample", "sub"));
    await assertRefused(folder, temp.at("in"), `${temp.at("in", "sample", "sub")}: a link is in the way`);
    assertEquals([...Deno.readDirSync(temp.at("outside"))], []);
  },
});

Deno.test({
  name: "a download does not go through a link in the place of its root folder",
  ignore: isWindows,
  async fn() {
    await using temp = await TempFolder.make();
    await Deno.mkdir(temp.at("outside"));
    await Deno.symlink(temp.at("outside"), temp.at("sample"));
    await assertRefused(folder, temp.path, "a link is in the way");
    assertEquals([...Deno.readDirSync(temp.at("outside"))], []);
  },
});

Deno.test({
  name: "a download does not write to a file through a link, dangling or not",
  ignore: isWindows,
  async fn() {
    await using temp = await TempFolder.make();
    await Deno.symlink(temp.at("precious"), temp.at("sample"));
    await assertRefused(single, temp.path, `${temp.at("sample")}: a link is in the way`);
    await Deno.writeTextFile(temp.at("precious"), "mine");
    await assertRefused(single, temp.path, "a link is in the way");
    assertEquals(await Deno.readTextFile(temp.at("precious")), "mine");
  },
});

Deno.test({
  name: "a download goes into a folder that the user named by a link",
  ignore: isWindows,
  async fn() {
    await using temp = await TempFolder.make();
    await Deno.mkdir(temp.at("real"));
    await Deno.symlink(temp.at("real"), temp.at("link"));
    assertEquals(await piecesTakenOver(folder, temp.at("link")), []);
    assertEquals(Deno.statSync(temp.at("real", "sample", "sub")).isDirectory, true);
  },
});

Deno.test("a download refuses a folder where a file is to be, and a file where a folder is to be", async () => {
  await using temp = await TempFolder.make();
  await Deno.mkdir(temp.at("one", "sample"), { recursive: true });
  await assertRefused(single, temp.at("one"), "something that is no file is in the way");
  await put(temp.at("two", "sample"), new Uint8Array(10));
  await assertRefused(folder, temp.at("two"), "a file is in the way of a folder");
  await Deno.writeTextFile(temp.at("three"), "");
  await assertRefused(folder, temp.at("three"), temp.at("three"));
});

Deno.test({
  name: "a download refuses a fifo in the place of a file, and does not wait for it",
  ignore: isWindows,
  async fn() {
    await using temp = await TempFolder.make();
    await new Deno.Command("mkfifo", { args: [temp.at("sample")] }).output();
    await assertRefused(single, temp.path, "something that is no file is in the way");
  },
});

const others: [string, Uint8Array<ArrayBuffer>][] = [
  ["of the torrent's length", sampleBytes(4 * pieceLength, 99)],
  ["that is shorter", sampleBytes(70_000, 99)],
  ["that is shorter and ends with a block", sampleBytes(2 * pieceLength, 99)],
  ["that is longer", sampleBytes(5 * pieceLength, 99)],
  ["of a few bytes", sampleBytes(3, 99)],
];
for (const [what, bytes] of others) {
  Deno.test(`a download keeps its hands off another file ${what}`, async () => {
    await using temp = await TempFolder.make();
    await put(temp.at("sample"), bytes);
    await assertRefused(single, temp.path, `${temp.at("sample")}: a file of that name is there`);
    assertEquals(await Deno.readFile(temp.at("sample")), bytes);
    assertEquals(Array.from(Deno.readDirSync(temp.path), (entry) => entry.name), ["sample"]);
  });
}

Deno.test("a download keeps its hands off a whole other file beside files that are the torrent's", async () => {
  await using temp = await TempFolder.make();
  await folder.write(temp.path, [0]);
  await put(temp.at("sample", "sub", "b.bin"), sampleBytes(3 * pieceLength + 500, 99));
  await assertRefused(folder, temp.path, "b.bin: a file of that name is there");
});

Deno.test("a download keeps its hands off a file that begins as the torrent's does and is longer", async () => {
  await using temp = await TempFolder.make();
  const longer = new Uint8Array(4 * pieceLength + 9).fill(7);
  longer.set(single.contents[0].subarray(0, 3 * pieceLength));
  await put(temp.at("sample"), longer);
  await assertRefused(single, temp.path, "a file of that name is there");
});

Deno.test("a download refuses data where the torrent has an empty file", async () => {
  const sample = makeSample([{ path: ["a"], length: pieceLength }, { path: ["empty"], length: 0 }]);
  await using temp = await TempFolder.make();
  await sample.write(temp.path, [0]);
  await put(temp.at("sample", "empty"), new Uint8Array([1]));
  await assertRefused(sample, temp.path, "empty: a file of that name is there");
});

Deno.test("a download continues a full-length file with holes, as Transmission and libtorrent leave it", async () => {
  await using temp = await TempFolder.make();
  const bytes = new Uint8Array(4 * pieceLength);
  bytes.set(single.piece(2), 2 * pieceLength);
  bytes.set(single.piece(1).subarray(0, 32_768), pieceLength);
  await put(temp.at("sample"), bytes);
  assertEquals(await piecesTakenOver(single, temp.path), [2]);
});

Deno.test("a download continues a file that ends with a block, as aria2 leaves it", async () => {
  await using temp = await TempFolder.make();
  await put(temp.at("sample"), single.contents[0].subarray(0, pieceLength + 16_384));
  assertEquals(await piecesTakenOver(single, temp.path), [0]);
});

Deno.test("a download continues files of zeros, and of no bytes, and makes nothing of them before it has data", async () => {
  await using temp = await TempFolder.make();
  await put(temp.at("zeros", "sample"), new Uint8Array(4 * pieceLength));
  assertEquals(await piecesTakenOver(single, temp.at("zeros")), []);
  await put(temp.at("none", "sample"), new Uint8Array(0));
  assertEquals(await piecesTakenOver(single, temp.at("none")), []);
  assertEquals((await Deno.stat(temp.at("none", "sample"))).size, 0);
});

Deno.test("a download takes over its own file, whatever is in it", async () => {
  await using temp = await TempFolder.make();
  const { storage, pool } = await begin(single, temp.path);
  const { ok } = await storage.storePiece(0 as PieceIndex, single.piece(0));
  assertEquals(ok, true);
  // As a crash in the middle of a write leaves it: no piece is right, and there is no gap in the first.
  await storage.close();
  const torn = new Uint8Array(4 * pieceLength);
  torn.set(sampleBytes(pieceLength, 50));
  await Deno.writeFile(temp.at("sample"), torn.subarray(0, 60_000));
  pool.close();
  assertEquals(await piecesTakenOver(single, temp.path), []);
});

Deno.test("a download of whole data finds it whole and leaves it as it is", async () => {
  await using temp = await TempFolder.make();
  await folder.write(temp.path);
  const before = await Deno.stat(temp.at("sample", "a.bin"));
  assertEquals((await piecesTakenOver(folder, temp.path)).length, folder.metainfo.pieceCount);
  assertEquals((await Deno.stat(temp.at("sample", "a.bin"))).mtime, before.mtime);
  assertEquals(Array.from(Deno.readDirSync(temp.path), (entry) => entry.name), ["sample"]);
});

Deno.test({
  name: "a download into a folder that may not be written to says so before it begins",
  // root may write everywhere
  ignore: isWindows || Deno.uid() === 0,
  async fn() {
    await using temp = await TempFolder.make();
    await Deno.mkdir(temp.at("locked"), { mode: 0o555 });
    await assertRefused(folder, temp.at("locked"), "permission denied");
  },
});

async function mount(path: string, options: string): Promise<boolean> {
  const { success } = await new Deno.Command("mount", {
    args: ["-t", "tmpfs", "-o", options, "tmpfs", path],
    stderr: "null",
  }).output();
  return success;
}

async function unmount(path: string): Promise<void> {
  await new Deno.Command("umount", { args: [path] }).output();
}

const mayMount = Deno.build.os === "linux" && Deno.uid() === 0;

Deno.test({
  name: "a download tells which file the full disk refused, and goes on when there is room again",
  ignore: !mayMount,
  async fn() {
    await using temp = await TempFolder.make();
    await Deno.mkdir(temp.at("tiny"));
    if (!(await mount(temp.at("tiny"), "size=512k"))) return;
    try {
      const { storage, pool } = await begin(single, temp.at("tiny"));
      await Deno.writeFile(temp.at("tiny", "filler"), new Uint8Array(384 * 1024));
      const store = (piece: number, bytes: Bytes) => storage.storePiece(piece as PieceIndex, bytes);
      assertEquals((await store(0, single.piece(0))).ok, true);
      const refused = await store(1, single.piece(1));
      assertEquals(refused.error?.message, `cannot write ${temp.at("tiny", "sample")}: the disk is full`);
      await Deno.remove(temp.at("tiny", "filler"));
      assertEquals((await store(1, refused.buffer)).ok, true, "the piece that came back is not what went");
      await storage.close();
      pool.close();
      assertEquals(await piecesTakenOver(single, temp.at("tiny")), [0, 1]);
    } finally {
      await unmount(temp.at("tiny"));
    }
  },
});

Deno.test({
  name: "a download into a read-only file system says so before it begins",
  ignore: !mayMount,
  async fn() {
    await using temp = await TempFolder.make();
    await Deno.mkdir(temp.at("fixed"));
    if (!(await mount(temp.at("fixed"), "ro,size=64m"))) return;
    try {
      await assertRefused(folder, temp.at("fixed"), "the file system is read-only");
    } finally {
      await unmount(temp.at("fixed"));
    }
  },
});
