/**
 * Hashing or checking many pieces with all cores, the main thread's too: for commands that do nothing else meanwhile.
 *
 * Starting a worker keeps the main thread waiting for 20 ms, in which it could hash 32 MiB: so it takes its part, and
 * workers are started as the amount of work is worth it.
 */
import { setImmediate, setTimeout } from "node:timers";
import { bytesWorthAWorker } from "../limits/disk.ts";
import { errorOfFailure } from "./disk_error.ts";
import { DiskFault, PieceDisk } from "./piece_disk.ts";
import type { FileTable } from "./piece_job.ts";
import { defaultWorkerCount, PiecePool } from "./piece_pool.ts";
import type { PieceRun } from "../piece_runs.ts";
import { SharedSweep } from "./shared_sweep.ts";

/**
 * Milliseconds after which the main thread has nothing to do for a moment: only then does Deno's event loop look for
 * signals and for messages of the workers, unless it has gone round some dozens of times. A rest takes over 1 ms.
 */
const restEveryMs = 200;

export interface SweepOptions {
  /** The files; nothing is written to them. */
  readonly table: Omit<FileTable, "id" | "writable">;
  readonly pieceCount: number;
  /** Pieces to work on; all without it. */
  readonly runs?: Iterable<PieceRun>;
  /** Bytes of all runs. */
  readonly byteCount: number;
  /** Threads at most, this one included; one a core without it. */
  readonly threadCount: number | undefined;
  /** Bytes for which another thread is started. */
  readonly bytesPerWorker?: number;
  /** Told the pieces done so far, by all threads. */
  readonly onProgress: (doneCount: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Checks (a PieceStatus a piece, absent where it is not in the runs) or hashes (20 bytes a piece).
 *
 * @returns the results of all pieces; rejects with UserError on the first disk error, and with the signal's reason when
 *   it aborts
 */
export async function sweepPieces(kind: "check" | "hash", options: SweepOptions): Promise<Uint8Array> {
  const { table, pieceCount, byteCount, threadCount = defaultWorkerCount(), onProgress, signal } = options;
  const { runs = [{ first: 0, count: pieceCount }], bytesPerWorker = bytesWorthAWorker } = options;
  const sweep = SharedSweep.plan(kind, { runs, pieceLength: table.pieceLength, pieceCount });
  using pool = new PiecePool({ workerCount: threadCount - 1 });
  const tableId = pool.open({ ...table, writable: false });
  const workerCount = Math.min(threadCount - 1, Math.floor(byteCount / bytesPerWorker));
  const workers = Array.from(
    { length: workerCount },
    () => pool.submit({ kind: "sweep", tableId, memory: sweep.memory }, { weight: 1 }),
  );
  try {
    await Promise.all([...workers, sweepHere(sweep, { table, onProgress, signal })]);
  } catch (error) {
    sweep.stop();
    // The others' failures, if any, are the same or come from the end of the pool.
    for (const worker of workers) worker.catch(() => {});
    throw error;
  }
  onProgress(sweep.doneCount);
  return sweep.memory.results;
}

async function sweepHere(
  sweep: SharedSweep,
  { table, onProgress, signal }: Pick<SweepOptions, "table" | "onProgress" | "signal">,
): Promise<void> {
  const disk = new PieceDisk();
  disk.open({ ...table, id: 1, writable: false });
  let restedAt = performance.now();
  try {
    for (let run = sweep.take(); run !== undefined; run = sweep.take()) {
      signal.throwIfAborted();
      sweep.finish(run, disk[sweep.memory.kind](1, run));
      onProgress(sweep.doneCount);
      const isRestDue = performance.now() - restedAt > restEveryMs;
      await new Promise<void>((resolve) => isRestDue ? setTimeout(resolve, 1) : setImmediate(resolve));
      if (isRestDue) restedAt = performance.now();
    }
    signal.throwIfAborted();
  } catch (error) {
    throw error instanceof DiskFault ? errorOfFailure(error.failure) : error;
  } finally {
    disk.forget(1);
  }
}
