/**
 * A few worker threads that hash, read and write, so that the main loop never waits for a disk or a SHA-1.
 *
 * Owns the threads and the way of a job to one of them and of its result back. Threads start when there is work for
 * them; jobs gather while a thread is busy, and leave in one message. Whose bytes these are is piece_files.ts's matter.
 */
import type { Bytes } from "../bytes.ts";
import { diskWorkersMax } from "../limits/disk.ts";
import { errorOfFailure } from "./disk_error.ts";
import type { AnsweredJob, FileTable, PieceJob, PieceResult } from "./piece_job.ts";

/** The answer to a job, failures aside. */
export type JobAnswer = Exclude<PieceResult, { readonly failure: unknown }>;

type WithoutId<T> = T extends unknown ? Omit<T, "id"> : never;
/** A job before the pool numbers it. */
export type NewJob = WithoutId<AnsweredJob>;

interface Pending {
  readonly thread: Thread;
  readonly weight: number;
  resolve(answer: JobAnswer): void;
  reject(error: Error): void;
}

interface Thread {
  readonly worker: Worker;
  /** Tables that this thread was told of. */
  readonly tables: Set<number>;
  /** Jobs that wait to be sent, and the memory that goes with them. */
  outbox: PieceJob[];
  transfer: ArrayBuffer[];
  /** Jobs that were sent and not answered. */
  sentCount: number;
  /** Those of them that the newest message began with. */
  newestCount: number;
  /** Bytes in jobs that are not answered yet. */
  queuedBytes: number;
}

/** Jobs queued at the least busy thread, in bytes, before another thread is started. */
const busyBytes = 1;

export class PiecePool {
  /** Most threads there will be. */
  readonly workerCount: number;
  readonly #threads: Thread[] = [];
  readonly #tables = new Map<number, FileTable>();
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #flushIsDue = false;
  #isClosed = false;

  /** @param workerCount threads at most; the default is one a core, 8 at most */
  constructor({ workerCount = defaultWorkerCount() }: { workerCount?: number } = {}) {
    this.workerCount = Math.max(1, workerCount);
  }

  /** Makes a table known; its number goes into the jobs. */
  open(table: Omit<FileTable, "id">): number {
    const id = ++this.#lastId;
    this.#tables.set(id, { ...table, id });
    return id;
  }

  /** Closes the table's files in every thread, after the jobs that were given before. */
  forget(tableId: number): void {
    this.#tables.delete(tableId);
    for (const thread of this.#threads) {
      if (thread.tables.delete(tableId)) this.#post(thread, { kind: "forget", tableId }, undefined);
    }
  }

  /** Closes the table's files in every thread, after the jobs that were given before; jobs that follow open them anew. */
  release(tableId: number): void {
    for (const thread of this.#threads) {
      if (thread.tables.has(tableId)) this.#post(thread, { kind: "release", tableId }, undefined);
    }
  }

  /**
   * Gives a job to the least busy thread.
   *
   * @param weight bytes that the job moves, to share the work out
   * @param transfer memory that goes with the job and is gone here
   * @returns rejects with UserError when the disk fails, with Error when the pool is closed
   */
  submit(
    job: NewJob,
    { weight, transfer }: { weight: number; transfer?: ArrayBuffer | undefined },
  ): Promise<JobAnswer> {
    if (this.#isClosed) return Promise.reject(new Error("the disk workers are closed"));
    const thread = this.#leastBusy();
    if (!thread.tables.has(job.tableId)) {
      const table = this.#tables.get(job.tableId);
      if (table === undefined) return Promise.reject(new Error(`no files are open under the number ${job.tableId}`));
      thread.tables.add(job.tableId);
      this.#post(thread, { kind: "open", table }, undefined);
    }
    const id = ++this.#lastId;
    thread.queuedBytes += weight;
    this.#post(thread, { ...job, id } as AnsweredJob, transfer);
    return new Promise((resolve, reject) => this.#pending.set(id, { thread, weight, resolve, reject }));
  }

  /** Ends all threads at once; jobs that are not answered yet are rejected. */
  close(): void {
    this.#isClosed = true;
    for (const thread of this.#threads) thread.worker.terminate();
    this.#threads.length = 0;
    this.#failAll(new Error("the disk workers are closed"));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #leastBusy(): Thread {
    let best: Thread | undefined;
    for (const thread of this.#threads) {
      if (best === undefined || thread.queuedBytes < best.queuedBytes) best = thread;
    }
    if (best !== undefined && (best.queuedBytes < busyBytes || this.#threads.length >= this.workerCount)) return best;
    return this.#startThread();
  }

  #startThread(): Thread {
    // This waits for some 20 ms until the thread is there: the others are not to wait for their jobs meanwhile.
    this.#flush();
    const worker = new Worker(new URL("./piece_worker.ts", import.meta.url), { type: "module" });
    const thread: Thread = {
      worker,
      tables: new Set(),
      outbox: [],
      transfer: [],
      sentCount: 0,
      newestCount: 0,
      queuedBytes: 0,
    };
    worker.onmessage = (event: MessageEvent<PieceResult[]>) => {
      thread.sentCount -= event.data.length;
      for (const result of event.data) this.#settle(result);
      this.#send(thread);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#failAll(new Error(`a disk worker failed: ${event.message}`));
    };
    this.#threads.push(thread);
    return thread;
  }

  #post(thread: Thread, job: PieceJob, transfer: ArrayBuffer | undefined): void {
    thread.outbox.push(job);
    if (transfer !== undefined) thread.transfer.push(transfer);
    if (this.#flushIsDue) return;
    this.#flushIsDue = true;
    queueMicrotask(() => {
      this.#flushIsDue = false;
      this.#flush();
    });
  }

  #flush(): void {
    for (const thread of this.#threads) this.#send(thread);
  }

  /**
   * Sends what waits, unless two messages are under way: one that is worked on and one that waits behind it. A message
   * costs as much as moving 64 KiB, so jobs gather into larger ones exactly while the thread is busy.
   */
  #send(thread: Thread): void {
    if (thread.outbox.length === 0 || thread.sentCount > thread.newestCount) return;
    thread.newestCount = thread.outbox.filter((job) => "id" in job).length;
    thread.sentCount += thread.newestCount;
    thread.worker.postMessage(thread.outbox, thread.transfer);
    thread.outbox = [];
    thread.transfer = [];
  }

  #settle(result: PieceResult): void {
    const pending = this.#pending.get(result.id);
    if (pending === undefined) return;
    this.#pending.delete(result.id);
    pending.thread.queuedBytes -= pending.weight;
    if ("failure" in result) pending.reject(errorOfFailure(result.failure));
    else pending.resolve(result);
  }

  #failAll(error: Error): void {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    for (const { thread, weight, reject } of all) {
      thread.queuedBytes -= weight;
      reject(error);
    }
  }
}

/** One a core, within bounds. */
export function defaultWorkerCount(): number {
  return Math.min(diskWorkersMax, Math.max(1, navigator.hardwareConcurrency));
}

/** The bytes of an answer. @throws Error when there are none */
export function bytesOf(answer: JobAnswer): Bytes {
  if (answer.bytes === undefined) throw new Error("a disk worker's answer has no bytes");
  return answer.bytes;
}
