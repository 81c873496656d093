/**
 * The thread side of piece_pool.ts: takes jobs, does them with PieceDisk, sends results back, buffers transferred.
 *
 * A compiled program contains this module only when it is named: `deno compile --include lib/io/piece_worker.ts`.
 */
import type { Bytes } from "../bytes.ts";
import { resultBatchBytes } from "../limits/disk.ts";
import { describeFailure } from "./disk_error.ts";
import { DiskFault, PieceDisk } from "./piece_disk.ts";
import type { AnsweredJob, PieceJob, PieceResult } from "./piece_job.ts";
import { SharedSweep } from "./shared_sweep.ts";

/** What this module uses of a worker's global scope. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<PieceJob[]>) => void) | null;
  postMessage(message: PieceResult[], transfer: ArrayBuffer[]): void;
}

const scope = globalThis as unknown as WorkerScope;
const disk = new PieceDisk();

function perform(job: AnsweredJob): PieceResult {
  const { id, tableId } = job;
  switch (job.kind) {
    case "store":
      return store(job);
    case "read": {
      const memory = job.spare !== undefined && job.spare.byteLength >= job.length
        ? job.spare
        : new ArrayBuffer(job.length);
      const target: Bytes = new Uint8Array(memory, 0, job.length);
      disk.read(tableId, { offset: job.offset, target });
      return { id, ok: true, bytes: target };
    }
    case "hash":
      return { id, ok: true, bytes: disk.hash(tableId, job) };
    case "check":
      return { id, ok: true, bytes: disk.check(tableId, job) };
    case "sweep": {
      const sweep = new SharedSweep(job.memory);
      for (let run = sweep.take(); run !== undefined; run = sweep.take()) {
        sweep.finish(run, disk[job.memory.kind](tableId, run));
      }
      return { id, ok: true };
    }
    case "probe":
      return { id, ok: disk.probe(tableId, job) };
  }
}

/** A piece that the disk refuses goes back with its bytes. */
function store(job: Extract<AnsweredJob, { kind: "store" }>): PieceResult {
  const { id, tableId, bytes } = job;
  try {
    return { id, ok: disk.store(tableId, job), bytes };
  } catch (error) {
    if (!(error instanceof DiskFault)) throw error;
    return { id, ok: false, bytes, refusal: error.failure };
  }
}

function answer(job: AnsweredJob): PieceResult {
  try {
    return perform(job);
  } catch (error) {
    const failure = error instanceof DiskFault ? error.failure : describeFailure("use", "the disk", error);
    return { id: job.id, failure };
  }
}

scope.onmessage = ({ data: jobs }) => {
  let results: PieceResult[] = [];
  let transfer: ArrayBuffer[] = [];
  let byteCount = 0;
  const send = () => {
    if (results.length > 0) scope.postMessage(results, transfer);
    results = [];
    transfer = [];
    byteCount = 0;
  };
  for (const job of jobs) {
    if (job.kind === "open") disk.open(job.table);
    else if (job.kind === "forget") disk.forget(job.tableId);
    else if (job.kind === "release") disk.release(job.tableId);
    else {
      const result = answer(job);
      results.push(result);
      if ("bytes" in result && result.bytes !== undefined) {
        transfer.push(result.bytes.buffer);
        byteCount += result.bytes.byteLength;
      }
      if (byteCount >= resultBatchBytes || job.kind === "hash" || job.kind === "check") send();
    }
  }
  send();
};
