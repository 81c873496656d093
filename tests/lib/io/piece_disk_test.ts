import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { createHash } from "node:crypto";
import { concatBytes } from "../../../lib/bytes.ts";
import { DiskFault, PieceDisk } from "../../../lib/io/piece_disk.ts";
import type { FileTable } from "../../../lib/io/piece_job.ts";
import { PieceStatus } from "../../../lib/piece_status.ts";
import { openFilesPerWorkerMax } from "../../../lib/limits/disk.ts";
import { sampleBytes, TempFolder } from "../../peer/io/sample_torrent.ts";

const pieceLength = 1024;
const isLinux = Deno.build.os === "linux";

/** Files of these lengths in `folder`, `-` for padding, open under the number 1. */
function openDisk(folder: TempFolder, lengths: readonly number[], { writable = true, padding = [] as number[] } = {}) {
  const contents = lengths.map((length, i) =>
    padding.includes(i) ? new Uint8Array(length) : sampleBytes(length, i + 1)
  );
  const whole = concatBytes(contents);
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < whole.length; at += pieceLength) pieces.push(whole.slice(at, at + pieceLength));
  const hashes = new Uint8Array(new SharedArrayBuffer(20 * pieces.length));
  pieces.forEach((piece, i) => hashes.set(createHash("sha1").update(piece).digest(), 20 * i));
  const paths = lengths.map((_, i) => padding.includes(i) ? "" : folder.at(`f${i}`));
  const table: FileTable = { id: 1, paths, lengths, pieceLength, hashes, writable };
  const disk = new PieceDisk();
  disk.open(table);
  return { disk, paths, contents, pieces, whole, hashes };
}

Deno.test("PieceDisk.store() writes a piece over the borders of files, and leaves padding out", async () => {
  await using folder = await TempFolder.make();
  const { disk, paths, contents, pieces } = openDisk(folder, [1500, 548, 0, 600], { padding: [1] });
  pieces.forEach((bytes, piece) => assert(disk.store(1, { piece, bytes })));
  assertEquals(await Deno.readFile(paths[0]), contents[0]);
  assertEquals(await Deno.readFile(paths[3]), contents[3]);
  assertEquals(Array.from(Deno.readDirSync(folder.path), (entry) => entry.name).sort(), ["f0", "f3"]);
  disk.forget(1);
});

Deno.test("PieceDisk.store() writes nothing of a piece whose hash is wrong", async () => {
  await using folder = await TempFolder.make();
  const { disk, pieces } = openDisk(folder, [2048]);
  pieces[0][77] ^= 1;
  assertFalse(disk.store(1, { piece: 0, bytes: pieces[0] }));
  assertEquals([...Deno.readDirSync(folder.path)], []);
});

Deno.test("PieceDisk.store() makes a file its full length with its first piece", async () => {
  await using folder = await TempFolder.make();
  const { disk, pieces, paths } = openDisk(folder, [5000]);
  assert(disk.store(1, { piece: 1, bytes: pieces[1] }));
  assertEquals((await Deno.stat(paths[0])).size, 5000);
  disk.forget(1);
});

Deno.test("PieceDisk.store() takes a piece that lies at the beginning of a longer buffer", async () => {
  await using folder = await TempFolder.make();
  const { disk, paths, contents, pieces } = openDisk(folder, [1500]);
  const longer = new Uint8Array(4096).fill(9);
  longer.set(pieces[1]);
  assert(disk.store(1, { piece: 1, bytes: longer }));
  assertEquals((await Deno.readFile(paths[0])).subarray(1024), contents[0].subarray(1024));
  disk.forget(1);
});

Deno.test({
  name: "PieceDisk.store() does not write through a link at the file's path",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using folder = await TempFolder.make();
    const { disk, paths, pieces } = openDisk(folder, [1024]);
    await Deno.writeTextFile(folder.at("precious"), "mine");
    await Deno.symlink(folder.at("precious"), paths[0]);
    const error = assertThrows(() => disk.store(1, { piece: 0, bytes: pieces[0] }), DiskFault);
    assertEquals(error.failure.code, "ELOOP");
    assertEquals(await Deno.readTextFile(folder.at("precious")), "mine");
  },
});

Deno.test("PieceDisk.store() tells the path and the code of what the system refuses", async () => {
  await using folder = await TempFolder.make();
  const { disk, paths, pieces } = openDisk(folder, [1024]);
  await Deno.mkdir(paths[0]);
  const error = assertThrows(() => disk.store(1, { piece: 0, bytes: pieces[0] }), DiskFault);
  assertEquals([error.failure.doing, error.failure.path, error.failure.code], ["write", paths[0], "EISDIR"]);
});

Deno.test("PieceDisk.check() tells good, wrong, unfinished and absent pieces apart", async () => {
  await using folder = await TempFolder.make();
  const length = 32 * 1024;
  const { disk, paths, contents } = openDisk(folder, [3 * length, length]);
  contents[0][length + 5] ^= 1;
  contents[0].fill(0, 2 * length, 3 * length);
  await Deno.writeFile(paths[0], contents[0]);
  const statuses = disk.check(1, { first: 0, count: 4 * 32 });
  assertEquals(statuses[0], PieceStatus.good);
  assertEquals(statuses[32], PieceStatus.bad);
  assertEquals(statuses[33], PieceStatus.good);
  assertEquals(statuses[64], PieceStatus.badWithGap);
  assertEquals(statuses[96], PieceStatus.absent);
  disk.forget(1);
});

Deno.test("PieceDisk.check() does not take padding for a gap", async () => {
  await using folder = await TempFolder.make();
  const { disk, paths, contents } = openDisk(folder, [300, 724], { padding: [1] });
  contents[0][0] ^= 1;
  await Deno.writeFile(paths[0], contents[0]);
  assertEquals([...disk.check(1, { first: 0, count: 1 })], [PieceStatus.bad]);
  disk.forget(1);
});

Deno.test("PieceDisk.hash() finds the hashes that the pieces have, and says which file is short", async () => {
  await using folder = await TempFolder.make();
  const { disk, paths, contents, hashes } = openDisk(folder, [1500, 700, 3000], { writable: false });
  for (const [i, path] of paths.entries()) await Deno.writeFile(path, contents[i]);
  assertEquals(disk.hash(1, { first: 0, count: 6 }), new Uint8Array(hashes));
  disk.forget(1);
  const again = openDisk(folder, [1500, 700, 3000], { writable: false });
  await Deno.truncate(paths[1], 699);
  const error = assertThrows(() => again.disk.hash(1, { first: 0, count: 6 }), DiskFault, "shorter than its 700 bytes");
  assertEquals(error.failure.path, paths[1]);
  again.disk.forget(1);
});

Deno.test("PieceDisk.read() reads a range over the borders of files, padding as zeros", async () => {
  await using folder = await TempFolder.make();
  const { disk, paths, contents, whole } = openDisk(folder, [1500, 200, 3000], { padding: [1] });
  for (const i of [0, 2]) await Deno.writeFile(paths[i], contents[i]);
  const target = new Uint8Array(1000).fill(9);
  disk.read(1, { offset: 1400, target });
  assertEquals(target, whole.slice(1400, 2400));
  disk.forget(1);
});

Deno.test("PieceDisk.probe() tells a file with data from one of zeros, an empty one and none", async () => {
  await using folder = await TempFolder.make();
  const length = 700_000;
  const { disk, paths } = openDisk(folder, [length, length, length, length]);
  await Deno.writeFile(paths[0], new Uint8Array(length));
  const late = new Uint8Array(length);
  late[length - 2] = 1;
  await Deno.writeFile(paths[1], late);
  await Deno.writeFile(paths[2], new Uint8Array(0));
  assertEquals([0, 1, 2, 3].map((fileIndex) => disk.probe(1, { fileIndex })), [false, true, false, false]);
  disk.forget(1);
});

Deno.test({
  name: "PieceDisk keeps a bounded number of files open, and none after forget()",
  ignore: !isLinux,
  async fn() {
    await using folder = await TempFolder.make();
    const count = openFilesPerWorkerMax + 20;
    const { disk, pieces, paths, contents } = openDisk(folder, Array.from({ length: count }, () => pieceLength));
    // Only descriptors of these files: others of the process come and go while a test runs.
    const openFiles = () => descriptorTargets().filter((target) => paths.includes(target)).length;
    pieces.forEach((bytes, piece) => disk.store(1, { piece, bytes }));
    assertEquals(openFiles(), openFilesPerWorkerMax);
    assert(disk.check(1, { first: 0, count }).every((status) => status === PieceStatus.good));
    disk.forget(1);
    assertEquals(openFiles(), 0);
    assertEquals(await Deno.readFile(paths[count - 1]), contents[count - 1]);
  },
});

Deno.test("PieceDisk stores, reads and checks beyond 4 GiB", async () => {
  await using folder = await TempFolder.make();
  const big = 5 * 2 ** 30;
  const last = sampleBytes(512 * 1024);
  const length = 512 * 1024;
  const pieceCount = big / length;
  const hashes = new Uint8Array(new SharedArrayBuffer(20 * pieceCount));
  hashes.set(createHash("sha1").update(last).digest(), 20 * (pieceCount - 1));
  const path = folder.at("big");
  const disk = new PieceDisk();
  disk.open({ id: 1, paths: [path], lengths: [big], pieceLength: length, hashes, writable: true });
  assert(disk.store(1, { piece: pieceCount - 1, bytes: last }));
  assertEquals((await Deno.stat(path)).size, big);
  assertEquals([...disk.check(1, { first: pieceCount - 2, count: 2 })], [PieceStatus.badWithGap, PieceStatus.good]);
  const target = new Uint8Array(1000);
  disk.read(1, { offset: big - 1000, target });
  assertEquals(target, last.slice(-1000));
  disk.forget(1);
});

/** The paths behind the open descriptors of this process. */
function descriptorTargets(): string[] {
  const targets: string[] = [];
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      targets.push(Deno.readLinkSync(`/proc/self/fd/${name}`));
    } catch (error) {
      // Closed since it was listed (the listing's own descriptor always is).
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return targets;
}
