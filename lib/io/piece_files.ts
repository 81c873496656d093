/**
 * The files of one torrent as pieces: what commands and the storage ask of the disk workers.
 *
 * Owns one table in a PiecePool. Reads, stores and checks run on any of its threads, in no promised order; only what
 * is named "now" runs on the caller's.
 */
import type { Bytes } from "../bytes.ts";
import type { UserError } from "../errors.ts";
import type { PieceIndex } from "../ids.ts";
import type { Layout } from "../layout.ts";
import { hashJobBytes } from "../limits/disk.ts";
import { errorOfFailure } from "./disk_error.ts";
import { DiskFault, PieceDisk } from "./piece_disk.ts";
import type { AsideTable, FileTable } from "./piece_job.ts";
import { bytesOf, type PiecePool } from "./piece_pool.ts";
import type { PieceRun, PieceRuns } from "../piece_runs.ts";

/** The result of one run: `bytes` are its statuses or its hashes. */
export interface PieceRunResult extends PieceRun {
  readonly bytes: Bytes;
}

/** What became of a piece that was to be stored, and its memory, given back. */
export interface StoreAnswer {
  /** The hash was right and the bytes are written. */
  readonly ok: boolean;
  readonly buffer: Bytes;
  /** Why the disk refused the piece; the hash was right then. */
  readonly error?: UserError;
}

export interface PieceFilesOptions {
  readonly pool: PiecePool;
  readonly layout: Layout;
  /** Absolute path of each file; empty for what is never on disk and reads as zeros. */
  readonly paths: readonly string[];
  readonly lengths: readonly number[];
  /** 20 bytes a piece; left out where they are to be found. */
  readonly hashes?: Uint8Array | undefined;
  readonly writable: boolean;
  readonly aside?: AsideTable | undefined;
}

export class PieceFiles {
  readonly #pool: PiecePool;
  readonly #layout: Layout;
  readonly #table: Omit<FileTable, "id">;
  readonly #tableId: number;
  /** For what is done on this thread; opened when that happens first. */
  #ownDisk: PieceDisk | undefined;

  constructor({ pool, layout, paths, lengths, hashes, writable, aside }: PieceFilesOptions) {
    this.#pool = pool;
    this.#layout = layout;
    this.#table = {
      paths,
      lengths,
      pieceLength: layout.pieceLength,
      hashes: hashes === undefined ? undefined : sharedCopy(hashes),
      writable,
      aside,
    };
    this.#tableId = pool.open(this.#table);
  }

  /**
   * Hashes the piece and, if it is right, writes it.
   *
   * @param bytes the piece at the beginning of a buffer of that length or more; its memory goes to a worker and is gone
   *   here until it comes back with the result
   * @returns rejects with Error when the pool is closed
   */
  async store(piece: PieceIndex, bytes: Bytes): Promise<StoreAnswer> {
    const job = { kind: "store", tableId: this.#tableId, piece, bytes } as const;
    const answer = await this.#pool.submit(job, { weight: bytes.length, transfer: bytes.buffer });
    const buffer = bytesOf(answer);
    return answer.refusal === undefined
      ? { ok: answer.ok, buffer }
      : { ok: false, buffer, error: errorOfFailure(answer.refusal) };
  }

  /**
   * Reads a range of the torrent's bytes.
   *
   * @param spare memory to read into if it is large enough; gone here
   * @returns rejects with UserError on a disk error or a short file
   */
  async read(range: { offset: number; length: number }, spare?: ArrayBuffer): Promise<Bytes> {
    const job = { kind: "read", tableId: this.#tableId, ...range, spare } as const;
    return bytesOf(await this.#pool.submit(job, { weight: range.length, transfer: spare }));
  }

  /**
   * Fills `target` with the torrent's bytes from `offset` on, at once and on this thread: for a disk that answers from
   * memory.
   *
   * @throws UserError on a disk error or a short file
   */
  readNow(offset: number, target: Bytes): void {
    this.#onThisThread((disk) => disk.read(this.#tableId, { offset, target }));
  }

  /**
   * `store` at once and on this thread, for torrents that are done before a worker has started.
   *
   * @returns whether the hash was right
   * @throws UserError on a disk error
   */
  storeNow(piece: PieceIndex, bytes: Bytes): boolean {
    return this.#onThisThread((disk) => disk.store(this.#tableId, { piece, bytes }));
  }

  /**
   * Brings a piece that was found scattered to where it belongs, at once and on this thread.
   *
   * @returns whether the piece was right
   * @throws UserError on a disk error
   */
  settleNow(piece: PieceIndex): boolean {
    return this.#onThisThread((disk) => disk.settle(this.#tableId, { piece }));
  }

  /** Whether a file exists and holds something else than zeros; rejects with UserError. */
  async hasData(fileIndex: number): Promise<boolean> {
    const answer = await this.#pool.submit({ kind: "probe", tableId: this.#tableId, fileIndex }, { weight: 1 });
    return answer.ok;
  }

  /**
   * Checks (a PieceStatus a piece) or hashes (20 bytes a piece) the runs on all threads.
   *
   * @param onResult called for each part of a run, in any order
   * @param signal stops between parts; the promise then rejects with its reason
   * @returns rejects with UserError on the first disk error
   */
  async work(
    kind: "check" | "hash",
    { runs, onResult, signal }: {
      runs: PieceRuns;
      onResult: (result: PieceRunResult) => void;
      signal: AbortSignal;
    },
  ): Promise<void> {
    let failed = false;
    const lane = async () => {
      while (!failed && !signal.aborted) {
        const run = runs.take(hashJobBytes);
        if (run === undefined) return;
        try {
          const job = { kind, tableId: this.#tableId, ...run } as const;
          const answer = await this.#pool.submit(job, { weight: run.count * this.#layout.pieceLength });
          onResult({ ...run, bytes: bytesOf(answer) });
        } catch (error) {
          failed = true;
          throw error;
        }
      }
    };
    // Two jobs a thread: one under way, one waiting, so that no thread is idle while its result travels.
    await Promise.all(Array.from({ length: 2 * this.#pool.workerCount }, lane));
    signal.throwIfAborted();
  }

  /** The PieceStatus of a few pieces that follow each other; rejects with UserError on a disk error. */
  async check(run: PieceRun): Promise<Bytes> {
    const job = { kind: "check", tableId: this.#tableId, ...run } as const;
    return bytesOf(await this.#pool.submit(job, { weight: run.count * this.#layout.pieceLength }));
  }

  /** Closes the files in all threads; who reads them next opens what is at their places then. */
  release(): void {
    this.#pool.release(this.#tableId);
    this.#ownDisk?.release(this.#tableId);
  }

  /** Closes the files in all threads. */
  close(): void {
    this.#pool.forget(this.#tableId);
    this.#ownDisk?.forget(this.#tableId);
    this.#ownDisk = undefined;
  }

  #onThisThread<T>(work: (disk: PieceDisk) => T): T {
    if (this.#ownDisk === undefined) {
      this.#ownDisk = new PieceDisk();
      this.#ownDisk.open({ ...this.#table, id: this.#tableId });
    }
    try {
      return work(this.#ownDisk);
    } catch (error) {
      throw error instanceof DiskFault ? errorOfFailure(error.failure) : error;
    }
  }
}

/** Hashes of a large torrent are 40 MiB: the threads share one copy. */
function sharedCopy(bytes: Uint8Array): Uint8Array<SharedArrayBuffer> {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}
