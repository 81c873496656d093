/**
 * Whether what is given to others still is what was verified: looks at the files while they are read, and now and then.
 *
 * A file that changed is not given to anybody until its pieces were hashed again; those that are right are offered again,
 * piece by piece, and so are those of a file that comes back. Owns which files are to be hashed again, and what was told of
 * them. What it costs is bounded, whatever the number of files: so many looks a second, so many a read, one thread.
 */
import { UserError } from "../../lib/errors.ts";
import type { PieceIndex } from "../../lib/ids.ts";
import {
  changedLookMsMax,
  lookMsMax,
  lookSeconds,
  looksPerSecondMax,
  readLooksPerSecondMax,
  recheckMaxMs,
  recheckMinMs,
  recheckRestMs,
  recheckRunBytes,
  recheckSoonMs,
} from "../../lib/limits/disk.ts";
import { PieceRuns } from "../../lib/piece_runs.ts";
import type { Input } from "../events.ts";
import type { FileChange, VerifiedFiles } from "./verified_files.ts";

/** What is told to people: a file is not (or not wholly) given any more, or is again. */
export type FileNews =
  | { readonly kind: "fileWrong"; readonly path: string; readonly why: string }
  | { readonly kind: "fileRight"; readonly path: string };

export interface DataWatchOptions {
  readonly files: VerifiedFiles;
  /** Nobody hashed the data: one piece that is wrong says that any may be. */
  readonly isTrusted: boolean;
  readonly now: () => number;
  readonly apply: (input: Input) => void;
  readonly tell: (news: FileNews) => void;
  /** A bug of ours. */
  readonly onFault: (error: unknown) => void;
}

export class DataWatch {
  readonly #options: DataWatchOptions;
  readonly #files: VerifiedFiles;
  /** Files to be hashed again, and when (monotonic ms). */
  readonly #due = new Map<number, number>();
  /** Files that could not be read: milliseconds until the next try. */
  readonly #delays = new Map<number, number>();
  /** By file that is in trouble: its right pieces before. */
  readonly #wholeCounts = new Map<number, number>();
  readonly #told = new Set<number>();
  /** By file that was hashed again: for how long it is not, which doubles while it goes on changing. */
  readonly #rests = new Map<number, { until: number; ms: number }>();
  #isTrusted: boolean;
  #nextFile = 0;
  #troubles = this.#wholeCounts.keys();
  #isTroublesTurn = false;
  #lookAt = -Infinity;
  /** The file that was looked at last because it was read, and when. */
  #readFile = -1;
  #readAt = -Infinity;
  /** Looks because of reads in this second, and when it began. */
  #readLooks = 0;
  #readSecondAt = -Infinity;
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: DataWatchOptions) {
    this.#options = options;
    this.#files = options.files;
    this.#isTrusted = options.isTrusted;
    this.#files.onRead((range) => this.#onRead(range));
  }

  /** Looks at the next files, and hashes again what is due. */
  tick(): void {
    this.#lookAround(this.#options.now());
    if (this.#running !== undefined || this.#nextDue() === undefined) return;
    this.#running = this.#recheckDue().catch(this.#options.onFault).finally(() => this.#running = undefined);
  }

  /** Somebody asks for the piece a second time: answers with `pieceChecked`. */
  async check(piece: PieceIndex): Promise<void> {
    const fileIndexes = this.#filesUnder(piece);
    for (const fileIndex of fileIndexes) this.#look(fileIndex);
    const isRight = await this.#isRight(piece) === true;
    if (this.#isClosed) return;
    this.#files.dropPiece(piece);
    if (!isRight && this.#files.have.has(piece)) this.#onWrong(fileIndexes, piece);
    this.#options.apply({ kind: "pieceChecked", piece, ok: this.#files.have.has(piece) });
  }

  /** The disk did not give these pieces, and they are in `have` no more. */
  onUnreadable(pieces: readonly PieceIndex[], why: string): void {
    for (const fileIndex of new Set(pieces.flatMap((piece) => this.#filesUnder(piece)))) {
      if (this.#look(fileIndex) || this.#due.has(fileIndex)) continue;
      this.#note(fileIndex, pieces.length);
      this.#tellWrong(fileIndex, why);
      this.#retry(fileIndex);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running;
  }

  #filesUnder(piece: PieceIndex): number[] {
    const spans = this.#files.layout.spansOfPiece(piece);
    return spans.map(({ fileIndex }) => fileIndex).filter((fileIndex) => this.#files.paths[fileIndex] !== "");
  }

  /** Looks at the files whose turn it is, and at those after one that changed for as long as these changed too. */
  #lookAround(now: number): void {
    const fileCount = this.#files.paths.length;
    const seconds = Math.min(lookSeconds, (now - this.#lookAt) / 1000);
    if (seconds < 1) return;
    this.#lookAt = now;
    const perSecond = Math.min(looksPerSecondMax, fileCount / lookSeconds);
    const count = Math.min(fileCount, Math.ceil(perSecond * seconds));
    let changedAt = -Infinity;
    for (let done = 0; done < fileCount; done++) {
      const isChanging = done - changedAt <= 2; // turns go to and fro
      const msMax = isChanging ? changedLookMsMax : lookMsMax;
      if ((done >= count && !isChanging) || this.#options.now() - now >= msMax) return;
      if (this.#look(this.#takeTurn())) changedAt = done;
    }
  }

  /** The file to look at next: every other time one that is in trouble, since it may have come back. */
  #takeTurn(): number {
    this.#isTroublesTurn = !this.#isTroublesTurn;
    if (this.#isTroublesTurn) {
      const next = this.#troubles.next();
      if (next.done !== true) return next.value;
      this.#troubles = this.#wholeCounts.keys();
    }
    const fileIndex = this.#nextFile;
    this.#nextFile = (this.#nextFile + 1) % this.#files.paths.length;
    return fileIndex;
  }

  /** @throws UserError when a file changed: the bytes that were read may not be what was verified */
  #onRead(range: { offset: number; length: number }): void {
    let isChanged = false;
    const now = this.#options.now();
    if (now - this.#readSecondAt >= 1_000) {
      this.#readSecondAt = now;
      this.#readLooks = 0;
    }
    for (const { fileIndex } of this.#files.layout.spansOf(range)) {
      if (this.#readLooks >= readLooksPerSecondMax) break;
      // Of a large file dozens of ranges are read in the time in which anybody could notice.
      if (fileIndex === this.#readFile && now - this.#readAt < readLookMs) continue;
      this.#readFile = fileIndex;
      this.#readAt = now;
      this.#readLooks++;
      if (this.#look(fileIndex)) isChanged = true;
    }
    if (isChanged) throw new UserError("give a piece", "its file has changed");
  }

  /** Whether the data of the file may have changed since it was looked at last. */
  #look(fileIndex: number): boolean {
    if (this.#files.paths[fileIndex] === "") return false;
    const change = this.#files.takeChange(fileIndex);
    if (change === undefined) return false;
    this.#onChange(fileIndex, change);
    return change.isOfData;
  }

  #onChange(fileIndex: number, { isOfData, why }: FileChange): void {
    const had = this.#files.piecesHad(fileIndex);
    this.#note(fileIndex, 0);
    if (isOfData && had.length > 0) {
      this.#lose(had);
      this.#tellWrong(fileIndex, why);
    }
    this.#delays.delete(fileIndex);
    this.#plan(fileIndex, recheckSoonMs);
  }

  /** A piece is wrong although nobody touched its files: they are hashed again while the rest is given. */
  #onWrong(fileIndexes: readonly number[], piece: PieceIndex): void {
    for (const fileIndex of fileIndexes) {
      this.#note(fileIndex, 0);
      this.#tellWrong(fileIndex, `piece ${piece} of the torrent is wrong`);
      this.#plan(fileIndex, 0);
    }
    this.#lose([piece]);
    if (!this.#isTrusted) return;
    this.#isTrusted = false;
    this.#files.paths.forEach((path, fileIndex) => {
      if (path !== "") this.#plan(fileIndex, 0);
    });
  }

  /** What the file had before its trouble began. @param lostCount pieces that were lost already */
  #note(fileIndex: number, lostCount: number): void {
    if (this.#wholeCounts.has(fileIndex)) return;
    this.#wholeCounts.set(fileIndex, this.#files.piecesHad(fileIndex).length + lostCount);
  }

  #plan(fileIndex: number, delayMs: number): void {
    this.#due.delete(fileIndex);
    this.#due.set(fileIndex, Math.max(this.#options.now() + delayMs, this.#rests.get(fileIndex)?.until ?? 0));
  }

  #rest(fileIndex: number): void {
    const now = this.#options.now();
    const last = this.#rests.get(fileIndex);
    const ms = last === undefined || now > last.until + last.ms ? recheckRestMs : Math.min(recheckMaxMs, 2 * last.ms);
    this.#rests.set(fileIndex, { until: now + ms, ms });
  }

  /** Tries an unreadable file again, each time after a longer while. */
  #retry(fileIndex: number): void {
    const delayMs = Math.min(recheckMaxMs, 2 * (this.#delays.get(fileIndex) ?? recheckMinMs / 2));
    this.#delays.set(fileIndex, delayMs);
    this.#plan(fileIndex, delayMs);
  }

  #lose(pieces: readonly PieceIndex[]): void {
    for (const piece of pieces) this.#files.have.clear(piece);
    this.#files.freshen();
    this.#options.apply({ kind: "piecesLost", pieces });
  }

  #nextDue(): number | undefined {
    const now = this.#options.now();
    for (const [fileIndex, at] of this.#due) if (at <= now) return fileIndex;
    return undefined;
  }

  /** One file after the other, until none is due. */
  async #recheckDue(): Promise<void> {
    for (let next = this.#nextDue(); next !== undefined && !this.#isClosed; next = this.#nextDue()) {
      this.#due.delete(next);
      await this.#recheck(next);
    }
  }

  /** Hashes the pieces of a file; what is right is offered, what is not is not. */
  async #recheck(fileIndex: number): Promise<void> {
    const pieces = this.#files.layout.piecesOfFile(fileIndex);
    if (pieces === undefined) return;
    this.#note(fileIndex, 0);
    this.#files.freshen();
    const all = { first: pieces.first, count: pieces.last - pieces.first + 1 };
    const runs = new PieceRuns([all], this.#files.layout);
    let isReadable = true;
    for (let run = runs.take(recheckRunBytes); run !== undefined; run = runs.take(recheckRunBytes)) {
      const right: PieceIndex[] = [];
      const wrong: PieceIndex[] = [];
      for (let piece = run.first; piece < run.first + run.count; piece++) {
        const isRight = await this.#isRight(piece);
        if (this.#isClosed || this.#due.get(fileIndex) !== undefined) return; // it changed again meanwhile
        if (isRight === undefined) isReadable = false;
        if (isRight !== this.#files.have.has(piece)) (isRight ? right : wrong).push(piece as PieceIndex);
      }
      for (const piece of right) this.#files.have.set(piece);
      if (right.length > 0) this.#options.apply({ kind: "piecesFound", pieces: right });
      const lost = wrong.filter((piece) => this.#files.have.has(piece));
      if (lost.length > 0) this.#lose(lost);
    }
    this.#judge(fileIndex, isReadable);
  }

  /** Undefined where the piece cannot be read. */
  async #isRight(piece: number): Promise<boolean | undefined> {
    try {
      return (await this.#files.check({ first: piece, count: 1 }))[0];
    } catch (error) {
      if (error instanceof UserError || this.#isClosed) return undefined;
      throw error;
    }
  }

  #judge(fileIndex: number, isReadable: boolean): void {
    this.#rest(fileIndex);
    const lacking = (this.#wholeCounts.get(fileIndex) ?? 0) - this.#files.piecesHad(fileIndex).length;
    if (!isReadable) this.#retry(fileIndex);
    else this.#delays.delete(fileIndex);
    const many = lacking === 1 ? "1 piece of it is" : `${lacking} pieces of it are`;
    if (lacking > 0) return this.#tellWrong(fileIndex, `${many} not the torrent's`);
    this.#wholeCounts.delete(fileIndex);
    if (this.#told.delete(fileIndex)) this.#options.tell({ kind: "fileRight", path: this.#files.paths[fileIndex] });
  }

  #tellWrong(fileIndex: number, why: string): void {
    if (this.#told.has(fileIndex)) return;
    this.#told.add(fileIndex);
    this.#options.tell({ kind: "fileWrong", path: this.#files.paths[fileIndex], why });
  }
}

/** Milliseconds between two looks at a file that is read all the time. */
const readLookMs = 20;
