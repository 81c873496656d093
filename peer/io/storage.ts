/**
 * The files of one torrent: what is there, storing pieces, reading blocks, the resume file.
 *
 * Owns `have`, the answer to "which pieces are on disk and right": a piece is in it only after its hash matched and its
 * bytes were written. Hashing, reading and writing happen in the workers (lib/io/piece_files.ts), where files may lie is
 * destination.ts's matter, and which files are not ours to touch foreign_files.ts's.
 */
import { Bitfield } from "../../lib/bitfield.ts";
import type { Bytes } from "../../lib/bytes.ts";
import type { PieceIndex } from "../../lib/ids.ts";
import { bytesWorthAWorker, pieceBytesStoredAtOnce } from "../../lib/limits.ts";
import { PieceStatus } from "../../lib/io/piece_job.ts";
import { PieceFiles } from "../../lib/io/piece_files.ts";
import type { PiecePool } from "../../lib/io/piece_pool.ts";
import { PieceRuns } from "../../lib/io/piece_runs.ts";
import type { Metainfo } from "../../lib/metainfo.ts";
import {
  checkFreeSpace,
  destinationPaths,
  destinationState,
  type FileState,
  isOnDisk,
  markExecutables,
  prepareDestination,
  sourcePaths,
  sourceState,
  surveyDestination,
} from "./destination.ts";
import { DiskPace } from "./disk_pace.ts";
import { foreignFileError, isForeign } from "./foreign_files.ts";
import { PieceCache } from "./piece_cache.ts";
import { planCheck, runsOf, sampleOf, vouchedFiles } from "./piece_check.ts";
import { flushFiles, ResumeFile } from "./resume_file.ts";
import type { ResumeState } from "../resume.ts";

/** Milliseconds for 1 MiB read from memory into fresh memory, at most. */
const fastReadMs = 1.5;
/** Milliseconds for 1 MiB hashed and written to memory, a few new files included, at most. */
const fastStoreMs = 5;

/** Whether the hash of a piece was right, and its memory, given back. */
export interface StoreResult {
  readonly ok: boolean;
  readonly buffer: Bytes;
}

export interface StorageOptions {
  readonly metainfo: Metainfo;
  /** The data are, or are to be, at `directory` + path of each file. */
  readonly directory: string;
  /** Absolute paths of the files to seed, where they are known; else they are looked for in `directory`. */
  readonly paths?: readonly string[] | undefined;
  /** `seed`: nothing is written, links are followed, what is missing is missing. */
  readonly mode: "seed" | "download";
  readonly pool: PiecePool;
  /** Believe the resume file where the files are as it says; it is written in any case. */
  readonly resume: boolean;
  /** Which files, by their index, are to be downloaded; all without it. Only these count for the space needed. */
  readonly isWanted?: (fileIndex: number) => boolean;
}

export class Storage {
  /** Pieces that are on disk and right. */
  readonly have: Bitfield;
  readonly #options: StorageOptions;
  readonly #paths: readonly string[];
  readonly #files: PieceFiles;
  readonly #cache: PieceCache;
  readonly #readPace = new DiskPace(fastReadMs);
  readonly #storePace = new DiskPace(fastStoreMs);
  /** Handing pieces to workers costs more than it gains: so little is missing, or the pieces are so small. */
  #storesAtOnce = false;
  readonly #resumeFile: ResumeFile;
  #states: FileState[];
  /** By file: it was not there before we came. */
  readonly #createdByUs: boolean[] = [];
  /** Files written to since the last resume file. */
  #dirtyFiles = new Set<number>();
  readonly #stores = new Set<Promise<unknown>>();
  #saving: Promise<void> | undefined;
  #isFinished = false;

  private constructor(options: StorageOptions, states: FileState[], paths: readonly string[]) {
    const { metainfo, directory, mode, pool } = options;
    this.#options = options;
    this.#states = states;
    this.#paths = paths;
    this.#files = new PieceFiles({
      pool,
      layout: metainfo.layout,
      paths,
      lengths: metainfo.files.map((file) => file.length),
      hashes: metainfo.pieces,
      writable: mode === "download",
    });
    this.#cache = new PieceCache({
      layout: metainfo.layout,
      source: {
        readNow: (offset, target) => this.#readNow(offset, target),
        read: (range, spare) => this.#files.read(range, spare),
      },
    });
    this.#resumeFile = new ResumeFile({ metainfo, directory });
    this.have = Bitfield.empty(metainfo.pieceCount);
  }

  /**
   * Looks at the places of all files. Nothing is written yet.
   *
   * @returns rejects with UserError when something other than a file or folder is in the way, or the space is too little
   */
  // deno-lint-ignore require-await -- what it throws is to arrive as a rejection
  static async open(options: StorageOptions): Promise<Storage> {
    const { metainfo, directory, mode, isWanted = () => true } = options;
    if (mode === "seed") {
      const paths = options.paths ?? sourcePaths(metainfo, directory);
      return new Storage(options, paths.map(sourceState), paths);
    }
    const states = surveyDestination(metainfo, directory);
    let neededBytes = 0;
    metainfo.files.forEach((file, i) => {
      if (isOnDisk(file) && isWanted(i)) neededBytes += Math.max(0, file.length - states[i].allocated);
    });
    checkFreeSpace({ directory, neededBytes });
    return new Storage(options, states, destinationPaths(metainfo, directory));
  }

  /**
   * Finds out which pieces are there, and prepares the destination of a download: folders, empty files, resume file.
   *
   * Files that are as the resume file says are believed, but for a sample; the others are hashed by all workers.
   *
   * @param onProgress told the bytes looked at so far, of all of them
   * @returns `have`; rejects with UserError on a disk error or where a file is not ours to touch, and with the signal's
   *   reason when it aborts
   */
  async check(onProgress: (bytesChecked: number) => void, signal: AbortSignal): Promise<Bitfield> {
    const { metainfo, directory, mode, resume, isWanted = () => true } = this.#options;
    this.#look();
    const saved = mode === "download" ? await this.#resumeFile.read() : undefined;
    metainfo.files.forEach((_, i) => {
      this.#createdByUs[i] = saved?.files[i].createdByUs === true || this.#states[i].length < 0;
    });
    const statuses = await this.#checkPieces(resume ? saved : undefined, onProgress, signal);
    for (let piece = 0; piece < statuses.length; piece++) {
      if (statuses[piece] === PieceStatus.good) this.have.set(piece);
      else this.have.clear(piece);
    }
    const missingBytes = (this.have.length - this.have.count) * metainfo.pieceLength;
    this.#storesAtOnce = missingBytes <= bytesWorthAWorker || metainfo.pieceLength <= pieceBytesStoredAtOnce;
    if (mode === "seed") return this.have;
    await this.#refuseForeign(statuses);
    prepareDestination({ metainfo, directory, isWanted });
    this.#isFinished = this.have.isFull;
    // It must be on record that the files are ours before the first byte goes into them.
    if (this.#isFinished) await this.#resumeFile.remove();
    else await this.#writeResume();
    return this.have;
  }

  /** Believes in every file that has its full length, without hashing (`--no-verify`). */
  assumeWhole(): Bitfield {
    const { metainfo } = this.#options;
    this.#look();
    const statuses = new Uint8Array(metainfo.pieceCount).fill(PieceStatus.good);
    metainfo.files.forEach((file, i) => {
      const pieces = metainfo.layout.piecesOfFile(i);
      if (pieces === undefined || !isOnDisk(file) || this.#states[i].length >= file.length) return;
      statuses.fill(PieceStatus.absent, pieces.first, pieces.last + 1);
    });
    statuses.forEach((status, piece) => {
      if (status === PieceStatus.good) this.have.set(piece);
      else this.have.clear(piece);
    });
    return this.have;
  }

  /**
   * Hashes the piece and, if it is right, writes it and adds it to `have`: at once where that is sooner done than said to
   * a worker.
   *
   * @param buffer the piece at its beginning; its memory is gone here until it is given back
   * @returns the promise rejects with UserError on a disk error
   */
  storePiece(piece: PieceIndex, buffer: Bytes): StoreResult | Promise<StoreResult> {
    const start = performance.now();
    if (!this.#storesAtOnce || !this.#storePace.isFast(start)) return this.#storeInWorker(piece, buffer);
    try {
      const ok = this.#files.storeNow(piece, buffer);
      this.#storePace.took(buffer.length, start, performance.now());
      if (ok) this.#addStored(piece);
      return { ok, buffer };
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #storeInWorker(piece: PieceIndex, buffer: Bytes): Promise<StoreResult> {
    const store = this.#files.store(piece, buffer).then((result) => {
      if (result.ok) this.#addStored(piece);
      return result;
    }).finally(() => this.#stores.delete(store));
    this.#stores.add(store);
    return store;
  }

  #addStored(piece: PieceIndex): void {
    this.have.set(piece);
    for (const { fileIndex } of this.#options.metainfo.layout.spansOfPiece(piece)) {
      if (this.#paths[fileIndex] !== "") this.#dirtyFiles.add(fileIndex);
    }
  }

  /**
   * A block of a piece in `have`: at once when the piece is in memory, so that a caller can wait for the first block of a
   * piece and take the others as they come.
   *
   * @returns a view that is valid until the next await; the promise rejects with UserError on a disk error
   */
  readBlock(piece: PieceIndex, begin: number, length: number): Bytes | Promise<Bytes> {
    return this.#cache.get(piece, begin, length);
  }

  /** The piece could not be read: it counts as missing. */
  forget(piece: PieceIndex): void {
    this.have.clear(piece);
  }

  #readNow(offset: number, target: Bytes): boolean {
    const start = performance.now();
    if (!this.#readPace.isFast(start)) return false;
    this.#files.readNow(offset, target);
    this.#readPace.took(target.length, start, performance.now());
    return true;
  }

  /** Flushes the data, then records what is there. One save at a time: a second call waits for the first. */
  async saveResume(): Promise<void> {
    if (this.#options.mode === "seed" || this.#isFinished) return;
    this.#saving ??= this.#save().finally(() => this.#saving = undefined);
    await this.#saving;
  }

  /** The download is complete: sets executable bits and removes the resume file. Rejects with UserError. */
  async finish(): Promise<void> {
    if (this.#options.mode === "seed") return;
    await Promise.allSettled(this.#stores);
    await this.#saving?.catch(() => {});
    this.#isFinished = true;
    markExecutables(this.#options.metainfo, this.#options.directory);
    await this.#resumeFile.remove();
  }

  /** Waits for what is being stored and saved, and closes the files. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#stores, this.#saving]);
    this.#files.close();
  }

  #look(): void {
    const { metainfo, directory, mode } = this.#options;
    this.#states = mode === "seed" ? this.#paths.map(sourceState) : surveyDestination(metainfo, directory);
  }

  /** A PieceStatus for each piece. */
  async #checkPieces(
    saved: ResumeState | undefined,
    onProgress: (bytesChecked: number) => void,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const { metainfo } = this.#options;
    const vouched = vouchedFiles(saved, this.#states);
    const plan = planCheck({ metainfo, states: this.#states, have: saved?.have, vouched });
    if (saved !== undefined && !(await this.#sampleIsGood(plan.believed, signal))) {
      return await this.#checkPieces(undefined, onProgress, signal);
    }
    let bytesChecked = metainfo.totalLength - plan.toCheckBytes;
    onProgress(bytesChecked);
    await this.#files.work("check", {
      runs: new PieceRuns(runsOf(plan.mustCheck), metainfo),
      onResult: ({ first, bytes }) => {
        plan.statuses.set(bytes, first);
        bytesChecked = Math.min(metainfo.totalLength, bytesChecked + bytes.length * metainfo.pieceLength);
        onProgress(bytesChecked);
      },
      signal,
    });
    return plan.statuses;
  }

  async #sampleIsGood(believed: readonly number[], signal: AbortSignal): Promise<boolean> {
    let isGood = true;
    await this.#files.work("check", {
      runs: new PieceRuns(sampleOf(believed).map((first) => ({ first, count: 1 })), this.#options.metainfo),
      onResult: ({ bytes }) => isGood &&= bytes[0] === PieceStatus.good,
      signal,
    });
    return isGood;
  }

  /** @throws UserError */
  async #refuseForeign(statuses: Uint8Array): Promise<void> {
    const { metainfo } = this.#options;
    let offset = 0;
    for (const [fileIndex, file] of metainfo.files.entries()) {
      const { length } = this.#states[fileIndex];
      if (length >= 0 && !this.#createdByUs[fileIndex]) {
        const existing = { fileIndex, offset, length, wantedLength: file.length };
        const hasData = (index: number) => this.#files.hasData(index);
        if (await isForeign(existing, { layout: metainfo.layout, statuses, hasData })) {
          throw foreignFileError(this.#paths[fileIndex]);
        }
      }
      offset += file.length;
    }
  }

  async #save(): Promise<void> {
    const dirty = this.#dirtyFiles;
    this.#dirtyFiles = new Set();
    // What is in `have` now was written before the flush begins; what comes meanwhile is for the next time.
    const have = this.have.clone();
    try {
      await flushFiles([...dirty].map((fileIndex) => this.#paths[fileIndex]));
      for (const fileIndex of dirty) this.#states[fileIndex] = destinationState(this.#paths[fileIndex]);
      await this.#writeResume(have);
    } catch (error) {
      for (const fileIndex of dirty) this.#dirtyFiles.add(fileIndex);
      throw error;
    }
  }

  async #writeResume(have = this.have): Promise<void> {
    await this.#resumeFile.write({
      infoHash: this.#options.metainfo.infoHash,
      have,
      files: this.#states.map(({ length, mtimeMs }, i) => ({ length, mtimeMs, createdByUs: this.#createdByUs[i] })),
    });
  }
}
