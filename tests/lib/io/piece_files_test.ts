import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { UserError } from "../../../lib/errors.ts";
import type { PieceIndex } from "../../../lib/ids.ts";
import { PieceFiles } from "../../../lib/io/piece_files.ts";
import { PieceStatus } from "../../../lib/piece_status.ts";
import { PiecePool } from "../../../lib/io/piece_pool.ts";
import { PieceRuns } from "../../../lib/piece_runs.ts";
import { Layout } from "../../../lib/layout.ts";
import { makeSample, type Sample, TempFolder } from "../../peer/io/sample_torrent.ts";

const never = new AbortController().signal;

function open(sample: Sample, { folder, pool, writable }: { folder: TempFolder; pool: PiecePool; writable: boolean }) {
  const { metainfo } = sample;
  return new PieceFiles({
    pool,
    layout: metainfo.layout,
    paths: metainfo.files.map((_, i) => folder.at(`f${i}`)),
    lengths: metainfo.files.map((file) => file.length),
    hashes: metainfo.pieces,
    writable,
  });
}

const sample = makeSample([{ path: ["a"], length: 150_000 }, { path: ["b"], length: 90_000 }]);

Deno.test("PieceFiles.store() transfers the buffer there and back", async () => {
  await using folder = await TempFolder.make();
  using pool = new PiecePool({ workerCount: 2 });
  const files = open(sample, { folder, pool, writable: true });
  const buffer = sample.piece(0);
  const stored = files.store(0 as PieceIndex, buffer);
  await Promise.resolve();
  assertEquals(buffer.byteLength, 0, "the memory is still here");
  const { ok, buffer: back } = await stored;
  assert(ok);
  assertEquals(back, sample.piece(0));
});

Deno.test("PieceFiles.read() gives what store() wrote, from any thread", async () => {
  await using folder = await TempFolder.make();
  using pool = new PiecePool({ workerCount: 2 });
  const files = open(sample, { folder, pool, writable: true });
  const pieces = Array.from({ length: sample.metainfo.pieceCount }, (_, i) => i);
  await Promise.all(pieces.map((i) => files.store(i as PieceIndex, sample.piece(i))));
  const ranges = await Promise.all(
    pieces.map((i) => files.read({ offset: i * 65_536, length: sample.piece(i).length }, new ArrayBuffer(65_536))),
  );
  ranges.forEach((bytes, i) => assertEquals(bytes, sample.piece(i)));
});

Deno.test("PieceFiles.read() rejects with the path of a file that is short or gone", async () => {
  await using folder = await TempFolder.make();
  using pool = new PiecePool({ workerCount: 1 });
  const files = open(sample, { folder, pool, writable: false });
  await Deno.writeFile(folder.at("f0"), sample.contents[0].subarray(0, 1000));
  await assertRejects(
    () => files.read({ offset: 900, length: 200 }),
    UserError,
    `read ${folder.at("f0")}: the file is sho`,
  );
  await assertRejects(
    () => files.read({ offset: 150_000, length: 200 }),
    UserError,
    `read ${folder.at("f1")}: there is no such file`,
  );
});

Deno.test("PieceFiles.storeNow() writes a piece at once, a wrong one never, and throws with the path", async () => {
  await using folder = await TempFolder.make();
  using pool = new PiecePool({ workerCount: 1 });
  const files = open(sample, { folder, pool, writable: true });
  const wrong = sample.piece(0);
  wrong[77] ^= 1;
  assertEquals(files.storeNow(0 as PieceIndex, wrong), false);
  assertEquals(files.storeNow(0 as PieceIndex, sample.piece(0)), true);
  assertEquals((await Deno.readFile(folder.at("f0"))).subarray(0, 65_536), sample.piece(0));
  await Deno.mkdir(folder.at("f1"));
  assertThrows(() => files.storeNow(3 as PieceIndex, sample.piece(3)), UserError, `write ${folder.at("f1")}`);
  files.close();
});

Deno.test("PieceFiles.readNow() gives the same at once, or throws with the path", async () => {
  await using folder = await TempFolder.make();
  using pool = new PiecePool({ workerCount: 1 });
  const files = open(sample, { folder, pool, writable: false });
  await Deno.writeFile(folder.at("f0"), sample.contents[0]);
  await Deno.writeFile(folder.at("f1"), sample.contents[1].subarray(0, 1000));
  const target = new Uint8Array(1500);
  files.readNow(149_000, target.subarray(0, 1400));
  const whole = new Uint8Array([...sample.contents[0].subarray(149_000), ...sample.contents[1].subarray(0, 400)]);
  assertEquals(target.subarray(0, 1400), whole);
  assertThrows(() => files.readNow(149_700, target), UserError, `read ${folder.at("f1")}: the file is sho`);
  files.close();
});

Deno.test("PieceFiles.work() hashes and checks every piece once", async () => {
  await using folder = await TempFolder.make();
  using pool = new PiecePool({ workerCount: 2 });
  const small = makeSample([{ path: ["a"], length: 40_000_000 }], { length: 16_384 });
  await Deno.writeFile(folder.at("f0"), small.contents[0]);
  const files = open(small, { folder, pool, writable: false });
  const all = () => new PieceRuns([{ first: 0, count: small.metainfo.pieceCount }], small.metainfo);
  const hashes = new Uint8Array(small.metainfo.pieces.length);
  let count = 0;
  await files.work("hash", {
    runs: all(),
    onResult: (result) => {
      hashes.set(result.bytes, 20 * result.first);
      count += result.count;
    },
    signal: never,
  });
  assertEquals(count, small.metainfo.pieceCount);
  assertEquals(hashes, small.metainfo.pieces);
  const statuses: number[] = [];
  await files.work("check", { runs: all(), onResult: ({ bytes }) => statuses.push(...bytes), signal: never });
  assertEquals(statuses.filter((status) => status === PieceStatus.good).length, small.metainfo.pieceCount);
});

Deno.test("PieceFiles.work() stops when its signal aborts", async () => {
  await using folder = await TempFolder.make();
  using pool = new PiecePool({ workerCount: 1 });
  const length = 200_000_000;
  await Deno.writeFile(folder.at("f0"), new Uint8Array(0));
  await Deno.truncate(folder.at("f0"), length);
  const layout = new Layout({ pieceLength: 1 << 20, fileLengths: [length] });
  const files = new PieceFiles({ pool, layout, paths: [folder.at("f0")], lengths: [length], writable: false });
  const stop = new AbortController();
  let count = 0;
  const work = files.work("hash", {
    runs: new PieceRuns([{ first: 0, count: layout.pieceCount }], layout),
    onResult: (result) => {
      count += result.count;
      stop.abort("SIGINT");
    },
    signal: stop.signal,
  });
  assertEquals(await work.then(() => "finished", (reason) => reason), "SIGINT");
  assert(count < layout.pieceCount, `${count} pieces of ${layout.pieceCount} were hashed`);
});

Deno.test("PiecePool.close() rejects what is under way and what comes after", async () => {
  await using folder = await TempFolder.make();
  const pool = new PiecePool({ workerCount: 1 });
  const files = open(sample, { folder, pool, writable: true });
  const store = files.store(0 as PieceIndex, sample.piece(0));
  pool.close();
  await assertRejects(() => store, Error, "closed");
  await assertRejects(() => files.hasData(0), Error, "closed");
});
