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
import { reasonOf, UserError } from "../../lib/errors.ts";
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
import { FileLedger } from "./file_ledger.ts";
import { refuseForeign } from "./foreign_files.ts";
import { PartFile } from "./part_file.ts";
import { PieceReader } from "./piece_reader.ts";
import { PieceSurvey } from "./piece_survey.ts";
import { PieceWriter } from "./piece_writer.ts";
import { assumedStatuses, vouchedFiles } from "../piece_check.ts";
import { ResumeFile } from "./resume_file.ts";
import { FileSelection } from "../file_selection.ts";
import type { FileState } from "../resume.ts";
import { checkAside, settle } from "./aside_pieces.ts";
import { VerifiedFiles } from "./verified_files.ts";

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

/** Data that was written may never have reached the disk: nothing is to be relied upon. */
export class FlushFault extends Error {
  override readonly name = "FlushFault";
  constructor(override readonly cause: unknown) {
    super(reasonOf(cause));
  }
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
  readonly #ledger: FileLedger;
  #saving: Promise<void> | undefined;
  #isFinished = false;
  #isTrusted = false;

  private constructor(
    options: StorageOptions,
    { states, paths, part }: { states: FileState[]; paths: readonly string[]; part: PartFile | undefined },
  ) {
    const { metainfo, directory, mode, pool } = options;
    this.#options = options;
    this.#paths = paths;
    this.#selection = selectionOf(options);
    const lengths = metainfo.files.map((file) => file.length);
    const isWanted = (fileIndex: number) => this.#selection.isWanted(fileIndex);
    this.#ledger = new FileLedger({ paths, lengths, states, isWanted });
    this.#part = part;
    this.#files = new PieceFiles({
      pool,
      layout: metainfo.layout,
      paths,
      lengths,
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
    const { metainfo: { pieceLength }, mode, resume } = this.#options;
    this.#look();
    const saved = mode === "download" ? await this.#resumeFile.read() : undefined;
    const believed = resume ? await this.#survey.believable(saved, signal) : undefined;
    this.#ledger.claim(saved, vouchedFiles(believed, this.#ledger.states));
    const statuses = await this.#survey.check(believed, onProgress, signal);
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
      states: this.#ledger.states,
      statuses,
      isExempt: (fileIndex) => this.#ledger.isOurs(fileIndex) || !this.#selection.isWanted(fileIndex),
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
  }

  get #survey(): PieceSurvey {
    return new PieceSurvey({ metainfo: this.#options.metainfo, files: this.#files, states: this.#ledger.states });
  }

  get #isComplete(): boolean {
    return !this.#selection.pieces.hasAnyMissingFrom(this.have);
  }

  /** Believes in every file that has its full length, without hashing (`--no-verify`). */
  assumeWhole(): Bitfield {
    this.#isTrusted = true;
    this.#look();
    return this.#believe(assumedStatuses(this.#options.metainfo, this.#ledger.states));
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
    for (const { fileIndex } of this.#options.metainfo.layout.spansOfPiece(piece)) this.#ledger.wrote(fileIndex);
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

  /** Whether the piece is still on disk as it should be. */
  async isRight(piece: PieceIndex): Promise<boolean> {
    this.#reader.drop(piece);
    const [isRight] = await this.verified.check({ first: piece, count: 1 }).catch(() => [false]);
    return isRight;
  }

  /** The files while nothing is written to them: of a seeder, or of a download that has finished. */
  get verified(): VerifiedFiles {
    const { metainfo: { layout }, mode } = this.#options;
    return new VerifiedFiles({
      ...{
        layout,
        have: this.have,
        paths: this.#paths,
        ledger: this.#ledger,
        files: this.#files,
        reader: this.#reader,
      },
      lookAt: mode === "seed" ? sourceState : destinationState,
    });
  }

  /** Nothing is ever written. */
  get isReadOnly(): boolean {
    return this.#options.mode === "seed";
  }

  /** Its data was not hashed by us. */
  get isTrusted(): boolean {
    return this.#isTrusted;
  }

  /**
   * Flushes the data, then records what is there. One save at a time: a second call waits for the first.
   *
   * @param isLast nothing will be stored any more: takes a second longer where that saves the next start much hashing
   */
  async saveResume({ isLast = false } = {}): Promise<void> {
    if (this.#options.mode === "seed" || this.#isFinished) return;
    if (isLast) await this.#saving?.catch(() => {}); // it began too early to be the last
    this.#saving ??= this.#save({ isLast }).finally(() => this.#saving = undefined);
    await this.#saving;
  }

  /**
   * The download is complete: makes sure that the files are still what was written, sets executable bits, puts all on the
   * disk itself, and only then removes the resume file: until then a power cut costs nothing but time. While a part file
   * is left for when more files are wanted, the resume file stays beside it and says which files are ours.
   *
   * @returns rejects with UserError
   */
  async finish(): Promise<void> {
    const { metainfo, directory, mode } = this.#options;
    if (mode === "seed") return;
    await this.#writer.settle();
    await this.#saving?.catch(() => {});
    await this.#verifyChanged();
    this.#isFinished = true;
    markExecutables({ metainfo, directory, isWanted: (fileIndex) => this.#selection.isWanted(fileIndex) });
    await this.#ledger.flush();
    await this.#ledger.flushFolders();
    if (this.keptAside !== undefined) return await this.#writeResume();
    this.#part?.remove();
    await this.#resumeFile.remove();
  }

  /** Files that others wrote to meanwhile have to be right all the same. */
  async #verifyChanged(): Promise<void> {
    const changed = this.#ledger.findChanged();
    if (await this.#survey.areWhole(changed)) return;
    const path = this.#paths[changed[0]];
    throw new UserError(`finish ${path}`, "another program changed or removed it meanwhile", {
      hint: "the same command finds out what is missing, and fetches it",
    });
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
    this.#ledger.look(
      mode === "seed" ? this.#paths.map(sourceState) : surveyDestination({ metainfo, directory, isWanted }),
    );
  }

  async #save({ isLast }: { isLast: boolean }): Promise<void> {
    // What is in `have` now was written before the flush begins; what comes meanwhile is for the next time.
    const have = this.have.clone();
    await this.#ledger.flush().catch((error) => {
      throw new FlushFault(error);
    });
    await this.#writeResume(have);
    if (isLast && await this.#ledger.settle()) await this.#writeResume(have);
  }

  /** What the part file holds is not vouched for: it is checked at each start. */
  async #writeResume(have = this.have): Promise<void> {
    const inFiles = have.clone();
    for (const piece of this.#part?.pieces ?? []) if (this.#part!.has(piece)) inFiles.clear(piece);
    await this.#resumeFile.write({
      infoHash: this.#options.metainfo.infoHash,
      have: inFiles,
      files: this.#ledger.entries(),
    });
  }
}

function selectionOf({ metainfo, selection }: StorageOptions): FileSelection {
  return selection ?? FileSelection.all(metainfo.layout);
}
