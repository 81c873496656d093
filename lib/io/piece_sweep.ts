/**
 * Hashing or checking many pieces with all cores, the main thread's too: for commands that do nothing else meanwhile.
 *
 * Starting a worker costs 20 ms of the main thread and of another core, which is a fifth of what all else costs for some
 * dozens of MiB: so the main thread takes its part, and workers are started as the amount of work is worth it.
 */
import { setImmediate } from "node:timers";
import { bytesWorthAWorker, ownHashJobBytes } from "../limits.ts";
import { errorOfFailure } from "./disk_error.ts";
import { DiskFault, PieceDisk } from "./piece_disk.ts";
import { PieceFiles, type PieceFilesOptions, type PieceRunResult } from "./piece_files.ts";
import type { FileTable } from "./piece_job.ts";
import { defaultWorkerCount, PiecePool } from "./piece_pool.ts";
import { type PieceRun, PieceRuns } from "./piece_runs.ts";

export interface PieceSweep extends Omit<PieceFilesOptions, "pool" | "writable"> {
  readonly runs: Iterable<PieceRun>;
  /** Bytes of all runs. */
  readonly byteCount: number;
  /** Threads, this one included; one a core without it. */
  readonly threadCount: number | undefined;
  /** Called for each part of a run, in any order. */
  readonly onResult: (result: PieceRunResult) => void;
  readonly signal: AbortSignal;
}

/**
 * Checks (a PieceStatus a piece) or hashes (20 bytes a piece) the runs.
 *
 * @returns rejects with UserError on the first disk error, and with the signal's reason when it aborts
 */
export async function sweepPieces(kind: "check" | "hash", sweep: PieceSweep): Promise<void> {
  const { layout, byteCount, threadCount = defaultWorkerCount(), onResult, signal } = sweep;
  const runs = new PieceRuns(sweep.runs, layout);
  const workerCount = Math.min(threadCount - 1, Math.floor(byteCount / bytesWorthAWorker));
  if (workerCount < 1) return await sweepHere(kind, { sweep, runs, signal });
  using pool = new PiecePool({ workerCount });
  const files = new PieceFiles({ ...sweep, pool, writable: false });
  // What fails in one place ends the work in the other.
  const failure = new AbortController();
  const either = AbortSignal.any([signal, failure.signal]);
  const parts = [
    files.work(kind, { runs, onResult, signal: either }),
    sweepHere(kind, { sweep, runs, signal: either }),
  ];
  try {
    await Promise.all(parts);
  } catch (error) {
    failure.abort();
    await Promise.allSettled(parts);
    throw error;
  }
}

async function sweepHere(
  kind: "check" | "hash",
  { sweep, runs, signal }: { sweep: PieceSweep; runs: PieceRuns; signal: AbortSignal },
): Promise<void> {
  const disk = new PieceDisk();
  disk.open({ ...tableOf(sweep), id: 1 });
  try {
    for (let run = runs.take(ownHashJobBytes); run !== undefined; run = runs.take(ownHashJobBytes)) {
      signal.throwIfAborted();
      sweep.onResult({ ...run, bytes: disk[kind](1, run) });
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    signal.throwIfAborted();
  } catch (error) {
    throw error instanceof DiskFault ? errorOfFailure(error.failure) : error;
  } finally {
    disk.forget(1);
  }
}

function tableOf({ layout, paths, lengths, hashes }: PieceSweep): Omit<FileTable, "id"> {
  return { paths, lengths, pieceLength: layout.pieceLength, hashes, writable: false };
}
