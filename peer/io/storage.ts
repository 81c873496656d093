/**
 * The files of one torrent: what is there, storing pieces, reading blocks, the resume file.
 *
 * Owns `have`, the answer to "which pieces are on disk and right": a piece is in it only after its hash matched and its
 * bytes were written. Hashing, reading and writing happen in the workers (lib/io/piece_files.ts), where files may lie is
 * destination.ts's matter, and which files are not ours to touch foreign_files.ts's.
 */
import { resolve } from "node:path";
import { Bitfield } from "../../lib/bitfield.ts";
import type { Bytes } from "../../lib/bytes.ts";
import type { PieceIndex } from "../../lib/ids.ts";
import { PieceStatus } from "../../lib/piece_status.ts";
import { PieceFiles, type StoreAnswer } from "../../lib/io/piece_files.ts";
import type { PiecePool } from "../../lib/io/piece_pool.ts";
import { isOnDisk, type Metainfo } from "../../lib/metainfo.ts";
import {
  checkFreeSpace,
  destinationPaths,
  destinationState,
  freeSpaceOf,
  markExecutables,
  prepareDestination,
  sourcePaths,
  sourceState,
  surveyDestination,
} from "./destination.ts";
import { refuseForeign } from "./foreign_files.ts";
import { PartFile } from "./part_file.ts";
import { checkData } from "./data_check.ts";
import { assumedStatuses } from "../piece_check.ts";
import { PieceReader } from "./piece_reader.ts";
import { PieceWriter } from "./piece_writer.ts";
import { flushFiles, ResumeFile } from "./resume_file.ts";
import { FileSelection } from "../file_selection.ts";
import type { FileState } from "../resume.ts";
import { checkAside, settle } from "./aside_pieces.ts";

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
  /** What is to be downloaded; all without it. Other files are never written to. */
  readonly selection?: FileSelection | undefined;
}

export class Storage {
  /** Pieces that are on disk and right. */
  readonly have: Bitfield;
  readonly #options: StorageOptions;
  readonly #paths: readonly string[];
  readonly #files: PieceFiles;
  readonly #selection: FileSelection;
  /** Where bytes of unwanted files are kept; undefined where there are none. */
  readonly #part: PartFile | undefined;
  readonly #reader: PieceReader;
  readonly #writer: PieceWriter;
  readonly #resumeFile: ResumeFile;
  #states: FileState[];
  /** By file: it was not there before we came. */
  readonly #createdByUs: boolean[] = [];
  /** Files written to since the last resume file. */
  #dirtyFiles = new Set<number>();
  #saving: Promise<void> | undefined;
  #isFinished = false;

  private constructor(
    options: StorageOptions,
    { states, paths, part }: { states: FileState[]; paths: readonly string[]; part: PartFile | undefined },
  ) {
    const { metainfo, directory, mode, pool } = options;
    this.#options = options;
    this.#states = states;
    this.#paths = paths;
    this.#selection = selectionOf(options);
    this.#part = part;
    this.#files = new PieceFiles({
      pool,
      layout: metainfo.layout,
      paths,
      lengths: metainfo.files.map((file) => file.length),
      hashes: metainfo.pieces,
      writable: mode === "download",
      aside: part?.table,
    });
    const files = this.#files;
    this.#reader = new PieceReader({ files, layout: metainfo.layout });
    this.#writer = new PieceWriter({ files, part, onStored: (piece) => this.#addStored(piece) });
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
    const { metainfo, directory, mode } = options;
    if (mode === "seed") {
      const paths = options.paths ?? sourcePaths(metainfo, directory);
      const states = paths.map(sourceState);
      return new Storage(options, { states, paths, part: PartFile.toRead(metainfo, { directory, states }) });
    }
    const selection = selectionOf(options);
    const isWanted = (fileIndex: number) => selection.isWanted(fileIndex);
    const states = surveyDestination({ metainfo, directory, isWanted });
    const part = PartFile.toWrite(metainfo, { directory, selection, states });
    let neededBytes = Math.max(0, selection.asideBytes - (part?.allocatedBytes ?? 0));
    metainfo.files.forEach((file, i) => {
      if (isOnDisk(file) && isWanted(i)) neededBytes += Math.max(0, file.length - states[i].allocated);
    });
    checkFreeSpace({ directory, neededBytes });
    return new Storage(options, { states, paths: destinationPaths(metainfo, directory), part });
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
    const { metainfo, mode, resume } = this.#options;
    this.#look();
    const saved = mode === "download" ? await this.#resumeFile.read() : undefined;
    metainfo.files.forEach((_, i) => {
      const isThere = this.#states[i].length >= 0;
      const wasOurs = saved?.files[i].createdByUs === true;
      // A file that is not wanted is not made: what is there later is somebody else's.
      this.#createdByUs[i] = this.#selection.isWanted(i) ? wasOurs || !isThere : wasOurs && isThere;
    });
    const [files, states] = [this.#files, this.#states];
    const statuses = await checkData({
      metainfo,
      files,
      states,
      saved: resume ? saved : undefined,
      onProgress,
      signal,
    });
    const { pieceLength } = metainfo;
    const scattered = this.#part === undefined
      ? []
      : await checkAside(this.#part, { files: this.#files, statuses, pieceLength, signal });
    this.#believe(statuses);
    const missingBytes = this.#selection.pieces.countMissingFrom(this.have) * pieceLength;
    this.#writer.expect({ missingBytes, pieceLength });
    if (mode === "download") await this.#prepare(statuses, scattered, signal);
    return this.have;
  }

  async #prepare(statuses: Uint8Array, scattered: readonly PieceIndex[], signal: AbortSignal): Promise<void> {
    const { metainfo, directory } = this.#options;
    await refuseForeign(metainfo, {
      states: this.#states,
      statuses,
      isExempt: (fileIndex) => this.#createdByUs[fileIndex] || !this.#selection.isWanted(fileIndex),
      paths: this.#paths,
      hasData: (fileIndex) => this.#files.hasData(fileIndex),
    });
    prepareDestination({ metainfo, directory, isWanted: (fileIndex) => this.#selection.isWanted(fileIndex) });
    // It must be on record that the files are ours before the first byte goes into them.
    if (!this.#isComplete || scattered.length > 0) await this.#writeResume();
    if (scattered.length > 0) {
      const settled = await settle(this.#part!, scattered, { files: this.#files, signal });
      for (const piece of settled) this.#addStored(piece);
    }
    this.#isFinished = this.#isComplete;
    if (this.#isFinished && this.#selection.isAll) await this.#resumeFile.remove();
  }

  get #isComplete(): boolean {
    return !this.#selection.pieces.hasAnyMissingFrom(this.have);
  }

  /** Believes in every file that has its full length, without hashing (`--no-verify`). */
  assumeWhole(): Bitfield {
    this.#look();
    return this.#believe(assumedStatuses(this.#options.metainfo, this.#states));
  }

  #believe(statuses: Uint8Array): Bitfield {
    statuses.forEach((status, piece) => {
      if (status === PieceStatus.good) this.have.set(piece);
      else this.have.clear(piece);
    });
    return this.have;
  }

  /**
   * Hashes the piece and, if it is right, writes it and adds it to `have`.
   *
   * @param buffer the piece at its beginning; its memory is gone here until it is given back
   */
  storePiece(piece: PieceIndex, buffer: Bytes): StoreAnswer | Promise<StoreAnswer> {
    return this.#writer.store(piece, buffer);
  }

  #addStored(piece: PieceIndex): void {
    this.have.set(piece);
    for (const { fileIndex } of this.#options.metainfo.layout.spansOfPiece(piece)) {
      if (this.#paths[fileIndex] !== "" && this.#selection.isWanted(fileIndex)) this.#dirtyFiles.add(fileIndex);
    }
  }

  /**
   * A block of a piece in `have`: at once when the piece is in memory, so that a caller can wait for the first block of a
   * piece and take the others as they come.
   *
   * @returns a view that is valid until the next await; the promise rejects with UserError on a disk error
   */
  readBlock(piece: PieceIndex, begin: number, length: number): Bytes | Promise<Bytes> {
    return this.#reader.block(piece, begin, length);
  }

  /** Bytes that the disk of the download has free; undefined where the system does not tell. */
  get freeBytes(): number | undefined {
    return freeSpaceOf(resolve(this.#options.directory));
  }

  /** Bytes of a piece, as memory and room for it are counted. */
  get pieceLength(): number {
    return this.#options.metainfo.pieceLength;
  }

  /** Nobody asks for blocks any more: their memory is given back. */
  restCache(): void {
    this.#reader.rest();
  }

  /** The piece could not be read: it counts as missing. */
  forget(piece: PieceIndex): void {
    this.have.clear(piece);
  }

  /** Flushes the data, then records what is there. One save at a time: a second call waits for the first. */
  async saveResume(): Promise<void> {
    if (this.#options.mode === "seed" || this.#isFinished) return;
    this.#saving ??= this.#save().finally(() => this.#saving = undefined);
    await this.#saving;
  }

  /**
   * The download is complete: sets executable bits and removes the resume file. While a part file is left for when more
   * files are wanted, the resume file stays beside it and says which files are ours.
   *
   * @returns rejects with UserError
   */
  async finish(): Promise<void> {
    const { metainfo, directory, mode } = this.#options;
    if (mode === "seed") return;
    await this.#writer.settle();
    await this.#saving?.catch(() => {});
    this.#isFinished = true;
    markExecutables({ metainfo, directory, isWanted: (fileIndex) => this.#selection.isWanted(fileIndex) });
    if (this.keptAside !== undefined) return await this.#writeOwners();
    this.#part?.remove();
    await this.#resumeFile.remove();
  }

  /** The part file, where it keeps something that is nowhere else. */
  get keptAside(): string | undefined {
    return this.#selection.isAll || !this.#part?.isNeeded(this.have) ? undefined : this.#part.path;
  }

  /** Waits for what is being stored and saved, and closes the files. */
  async close(): Promise<void> {
    await Promise.allSettled([this.#writer.settle(), this.#saving]);
    this.#files.close();
  }

  #look(): void {
    const { metainfo, directory, mode } = this.#options;
    const isWanted = (fileIndex: number) => this.#selection.isWanted(fileIndex);
    this.#states = mode === "seed"
      ? this.#paths.map(sourceState)
      : surveyDestination({ metainfo, directory, isWanted });
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

  /** What the part file holds is not vouched for: it is checked at each start. */
  async #writeResume(have = this.have): Promise<void> {
    const inFiles = have.clone();
    for (const piece of this.#part?.pieces ?? []) if (this.#part!.has(piece)) inFiles.clear(piece);
    await this.#resumeFile.write({
      infoHash: this.#options.metainfo.infoHash,
      have: inFiles,
      files: this.#states.map(({ length, mtimeMs }, i) => ({ length, mtimeMs, createdByUs: this.#createdByUs[i] })),
    });
  }

  /** Which files are ours, and nothing else: nothing was flushed, so nothing is vouched for. */
  async #writeOwners(): Promise<void> {
    const { metainfo } = this.#options;
    await this.#resumeFile.write({
      infoHash: metainfo.infoHash,
      have: Bitfield.empty(metainfo.pieceCount),
      files: this.#createdByUs.map((createdByUs) => ({ length: -1, mtimeMs: 0, createdByUs })),
    });
  }
}

function selectionOf({ metainfo, selection }: StorageOptions): FileSelection {
  return selection ?? FileSelection.all(metainfo.layout);
}
