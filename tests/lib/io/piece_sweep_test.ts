import { assert, assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../../lib/errors.ts";
import { PieceStatus } from "../../../lib/piece_status.ts";
import { PieceRuns } from "../../../lib/piece_runs.ts";
import { sweepPieces } from "../../../lib/io/piece_sweep.ts";
import { SharedSweep } from "../../../lib/io/shared_sweep.ts";
import { makeSample, type Sample, TempFolder } from "../../peer/io/sample_torrent.ts";

const never = new AbortController().signal;
const ignore = () => {};
const large = makeSample([{ path: ["a"], length: 13_000_000 }, { path: ["b"], length: 10_000_001 }], {
  length: 16_384,
});
const small = makeSample([{ path: ["a"], length: 150_000 }, { path: ["b"], length: 90_000 }]);

function optionsOf(sample: Sample, { folder, threadCount }: { folder: TempFolder; threadCount: number }) {
  const { metainfo } = sample;
  return {
    table: {
      paths: metainfo.files.map((_, i) => folder.at(`f${i}`)),
      lengths: metainfo.files.map((file) => file.length),
      pieceLength: metainfo.pieceLength,
      hashes: metainfo.pieces,
    },
    pieceCount: metainfo.pieceCount,
    byteCount: metainfo.totalLength,
    threadCount,
    bytesPerWorker: 2 ** 20,
    onProgress: ignore,
    signal: never,
  };
}

async function writeFiles(sample: Sample, folder: TempFolder): Promise<void> {
  for (const [i, bytes] of sample.contents.entries()) await Deno.writeFile(folder.at(`f${i}`), bytes);
}

for (const threadCount of [1, 3]) {
  Deno.test(`sweepPieces() finds every hash and every good piece on ${threadCount} threads`, async () => {
    await using folder = await TempFolder.make();
    await writeFiles(large, folder);
    const options = optionsOf(large, { folder, threadCount });
    const seen: number[] = [];
    const hashes = await sweepPieces("hash", { ...options, onProgress: (count) => seen.push(count) });
    assertEquals(new Uint8Array(hashes), large.metainfo.pieces);
    assertEquals(seen.at(-1), large.metainfo.pieceCount);
    const statuses = await sweepPieces("check", options);
    assert(statuses.every((status) => status === PieceStatus.good));
  });

  Deno.test(`sweepPieces() rejects with the file that cannot be read on ${threadCount} threads`, async () => {
    await using folder = await TempFolder.make();
    await writeFiles(large, folder);
    await Deno.truncate(folder.at("f1"), 100);
    const options = optionsOf(large, { folder, threadCount });
    await assertRejects(() => sweepPieces("hash", options), UserError, `${folder.at("f1")}: the file is shorter`);
  });

  Deno.test(`sweepPieces() rejects with the reason of its signal on ${threadCount} threads`, async () => {
    await using folder = await TempFolder.make();
    await writeFiles(large, folder);
    const options = { ...optionsOf(large, { folder, threadCount }), signal: AbortSignal.abort("SIGINT") };
    assertEquals(await sweepPieces("hash", options).then(() => "finished", (reason) => reason), "SIGINT");
  });
}

Deno.test("sweepPieces() stops when its signal says so", async () => {
  await using folder = await TempFolder.make();
  await writeFiles(large, folder);
  const stop = new AbortController();
  let done = 0;
  const options = {
    ...optionsOf(large, { folder, threadCount: 1 }),
    onProgress: (count: number) => {
      done = count;
      stop.abort("SIGINT");
    },
    signal: stop.signal,
  };
  assertEquals(await sweepPieces("hash", options).then(() => "finished", (reason) => reason), "SIGINT");
  assert(done < large.metainfo.pieceCount);
});

Deno.test("sweepPieces() checks only the runs that it is given", async () => {
  await using folder = await TempFolder.make();
  await writeFiles(small, folder);
  const runs = [{ first: 1, count: 2 }];
  const statuses = await sweepPieces("check", { ...optionsOf(small, { folder, threadCount: 1 }), runs });
  assertEquals([...statuses], [PieceStatus.absent, PieceStatus.good, PieceStatus.good, PieceStatus.absent]);
});

Deno.test("SharedSweep.take() gives each piece once, in parts that a thread does in a moment", () => {
  const plan = SharedSweep.plan("check", { runs: [{ first: 3, count: 700 }], pieceLength: 65_536, pieceCount: 1000 });
  const others = new SharedSweep(plan.memory);
  const pieces: number[] = [];
  for (let turn = 0;; turn++) {
    const run = (turn % 2 === 0 ? plan : others).take();
    if (run === undefined) break;
    assert(run.count <= 64);
    for (let i = 0; i < run.count; i++) pieces.push(run.first + i);
  }
  assertEquals(pieces, Array.from({ length: 700 }, (_, i) => i + 3));
});

Deno.test("SharedSweep.stop() ends the work of all threads", () => {
  const plan = SharedSweep.plan("hash", { runs: [{ first: 0, count: 9 }], pieceLength: 2 ** 24, pieceCount: 9 });
  const others = new SharedSweep(plan.memory);
  assertEquals(others.take(), { first: 0, count: 1 });
  plan.stop();
  assertEquals(others.take(), undefined);
});

Deno.test("PieceRuns.take() never joins two runs and never gives less than a piece", () => {
  const runs = new PieceRuns([{ first: 0, count: 3 }, { first: 7, count: 1 }], { pieceLength: 100 });
  const taken = [250, 250, 10].map((bytes) => runs.take(bytes));
  assertEquals(taken, [{ first: 0, count: 2 }, { first: 2, count: 1 }, { first: 7, count: 1 }]);
  assertEquals(runs.take(1000), undefined);
});
