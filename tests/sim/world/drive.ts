/**
 * The disk of a simulated machine: what programs see of a torrent's files, and what a power cut leaves of them.
 *
 * What was written and not flushed is lost, kept or torn by a power cut, each write for itself; the resume file is replaced
 * as a whole. Times of change have the machine's granularity, some file systems know no less than 2 s.
 */
import { Bitfield } from "../../../lib/bitfield.ts";
import { type Bytes, equalBytes } from "../../../lib/bytes.ts";
import type { PieceIndex } from "../../../lib/ids.ts";
import { settlesAt } from "../../../peer/piece_check.ts";
import { type FileState, noFile } from "../../../peer/resume.ts";
import { bytesOf, type WorldContent } from "./content.ts";
import type { Luck } from "./luck.ts";

interface Write {
  readonly offset: number;
  readonly bytes: Bytes;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}

interface Version {
  /** -1 when it is not there. */
  length: number;
  mtimeMs: number;
  /** Of the file itself; systems tell whole seconds. */
  ctimeMs: number;
  inode: number;
  readonly bytes: Bytes;
}

interface VirtualFile {
  readonly seen: Version;
  readonly durable: Version;
  /** Since the last flush. */
  readonly writes: Write[];
}

/** Bytes that a disk writes whole or not at all. */
const sectorBytes = 512;
/** What machines' clocks show when a world begins, ms since 1970. */
const epochMs = 1_700_000_000_000;

export class Drive {
  /** Pieces of which all bytes are right, as programs see them. */
  readonly right: Bitfield;
  /** Pieces that somebody else than the program has spoiled since it last looked. */
  readonly spoiled = new Set<number>();
  /** Of these, while no program ran: the next one has to find out. */
  readonly spoiledAtRest = new Set<number>();
  isFull = false;
  /** Of all reads and writes that fail. */
  faultRate = 0;
  /** The resume file as programs see it. */
  resume: Bytes | undefined;
  /** Every resume file that ever was: one may come back from a backup. */
  readonly oldResumes: Bytes[] = [];
  #durableResume: Bytes | undefined;
  #nextInode = 1;
  readonly #content: WorldContent;
  readonly #luck: Luck;
  readonly #now: () => number;
  readonly #granuleMs: number;
  readonly #files: VirtualFile[];

  /** @param now monotonic ms of the world */
  constructor(content: WorldContent, luck: Luck, now: () => number) {
    this.#content = content;
    this.#luck = luck;
    this.#now = now;
    this.#granuleMs = luck.pick(1, 4, 2_000);
    this.right = Bitfield.empty(content.metainfo.pieceCount);
    this.#files = content.metainfo.files.map(({ length }) => ({
      seen: { ...noFile, bytes: new Uint8Array(length) },
      durable: { ...noFile, bytes: new Uint8Array(length) },
      writes: [],
    }));
  }

  /** What was there before the world began. */
  lay(piece: PieceIndex): void {
    this.write(piece, bytesOf(this.#content, piece));
    this.#files.forEach((_, i) => this.flush(i)());
  }

  get states(): FileState[] {
    return this.#files.map((_, fileIndex) => this.stateOf(fileIndex));
  }

  stateOf(fileIndex: number): FileState {
    const { length, mtimeMs, ctimeMs, inode } = this.#files[fileIndex].seen;
    if (length < 0) return { ...noFile, allocated: 0, isSettled: true };
    const stamp = { length, mtimeMs, ctimeMs: Math.floor(ctimeMs / 1_000) * 1_000, inode };
    return { ...stamp, allocated: length, isSettled: this.#clock() >= settlesAt(stamp) };
  }

  /** Undefined for what somebody spoiled: that a program finds out about such bytes is for the tests of real disks. */
  readBlock(piece: PieceIndex, begin: number, length: number): Bytes | undefined {
    return this.spoiled.has(piece) ? undefined : this.#read(piece, begin, length);
  }

  /** Undefined where a file is not that long. */
  #read(piece: PieceIndex, begin: number, length: number): Bytes | undefined {
    const { layout } = this.#content.metainfo;
    const block = new Uint8Array(length);
    for (const span of layout.spansOf({ offset: layout.pieceOffset(piece) + begin, length })) {
      const { seen } = this.#files[span.fileIndex];
      if (seen.length < span.fileOffset + span.length) return undefined;
      block.set(seen.bytes.subarray(span.fileOffset, span.fileOffset + span.length), span.rangeOffset);
    }
    return block;
  }

  /** Writes a piece, or, when the program is killed meanwhile, only some of its sectors. */
  write(piece: PieceIndex, buffer: Uint8Array, { isTorn = false } = {}): void {
    for (const { fileIndex, fileOffset, rangeOffset, length } of this.#content.metainfo.layout.spansOfPiece(piece)) {
      const bytes = buffer.slice(rangeOffset, rangeOffset + length) as Bytes;
      const written = isTorn ? bytes.subarray(0, this.#luck.below(length + 1)) : bytes;
      if (isTorn && written.length === 0) continue;
      const file = this.#files[fileIndex];
      const write = { offset: fileOffset, bytes: written, mtimeMs: this.#mtime(), ctimeMs: this.#clock() };
      if (file.seen.length < 0) file.seen.inode = this.#nextInode++;
      apply(file.seen, write);
      file.writes.push(write);
    }
    this.#look([piece]);
  }

  /** Begins to flush a file; what it returns is called at the end of that, if it comes to it. */
  flush(fileIndex: number): () => void {
    const { seen, durable, writes } = this.#files[fileIndex];
    const { length, mtimeMs, ctimeMs, inode } = seen;
    const bytes = seen.bytes.slice();
    const count = writes.length;
    return () => {
      durable.bytes.set(bytes);
      Object.assign(durable, { length, mtimeMs, ctimeMs, inode });
      writes.splice(0, count);
    };
  }

  /** The new resume file has the old one's place; it stays there once `settleResume` was called. */
  replaceResume(bytes: Bytes | undefined): void {
    this.resume = bytes;
    if (bytes !== undefined) this.oldResumes.push(bytes);
  }

  settleResume(): void {
    this.#durableResume = this.resume;
  }

  cutPower(): void {
    for (const { seen, durable, writes } of this.#files) {
      for (const write of writes.splice(0)) {
        const manner = this.#luck.next();
        if (manner < 0.4) continue;
        if (durable.length < 0) durable.inode = seen.inode;
        apply(durable, manner < 0.7 ? write : this.#tear(write));
      }
      const { length, mtimeMs, ctimeMs, inode } = durable;
      seen.bytes.set(durable.bytes);
      Object.assign(seen, { length, mtimeMs, ctimeMs, inode });
    }
    if (this.#luck.chance(0.5)) this.resume = this.#durableResume;
    else this.#durableResume = this.resume;
    // Some file systems promise nothing of a rename.
    if (this.resume !== undefined && this.#luck.chance(0.05)) {
      this.resume = this.#durableResume = this.resume.slice(0, this.#luck.below(this.resume.length));
    }
    this.#look(this.#allPieces());
  }

  /**
   * Somebody cuts a file off, removes it, or writes something else into it.
   *
   * @param isAtRest no program runs
   * @returns its index; undefined when there is none to spoil
   */
  damage({ isAtRest }: { isAtRest: boolean }): number | undefined {
    const fileIndex = this.#luck.below(this.#files.length);
    const { seen } = this.#files[fileIndex];
    if (seen.length <= 0) return undefined;
    const manner = this.#luck.next();
    if (manner < 0.4) seen.bytes[this.#luck.below(seen.length)] ^= 1;
    else seen.length = manner < 0.6 ? -1 : this.#luck.below(seen.length);
    seen.bytes.fill(0, Math.max(0, seen.length));
    seen.mtimeMs = this.#mtime();
    seen.ctimeMs = this.#clock();
    const pieces = this.#content.metainfo.layout.piecesOfFile(fileIndex)!;
    const before = this.right.clone();
    this.#look(this.#allPieces().slice(pieces.first, pieces.last + 1));
    for (const piece of this.#allPieces()) {
      if (!before.has(piece) || this.right.has(piece)) continue;
      this.spoiled.add(piece);
      if (isAtRest) this.spoiledAtRest.add(piece);
    }
    this.flush(fileIndex)();
    return fileIndex;
  }

  #allPieces(): PieceIndex[] {
    return Array.from({ length: this.right.length }, (_, piece) => piece as PieceIndex);
  }

  #tear({ bytes, ...write }: Write): Write {
    const torn = bytes.slice();
    for (let at = 0; at < torn.length; at += sectorBytes) {
      if (this.#luck.chance(0.5)) torn.fill(0, at, at + sectorBytes);
    }
    return { ...write, bytes: torn };
  }

  #mtime(): number {
    return Math.floor(this.#clock() / this.#granuleMs) * this.#granuleMs;
  }

  /** Milliseconds since 1970. */
  #clock(): number {
    return epochMs + this.#now();
  }

  /** Compares the pieces with what they should be. */
  #look(pieces: readonly PieceIndex[]): void {
    for (const piece of pieces) {
      const wanted = bytesOf(this.#content, piece);
      const found = this.#read(piece, 0, wanted.length);
      if (found !== undefined && equalBytes(found, wanted)) {
        this.right.set(piece);
        this.spoiled.delete(piece);
      } else this.right.clear(piece);
    }
  }
}

function apply(version: Version, { offset, bytes, mtimeMs, ctimeMs }: Write): void {
  version.bytes.set(bytes, offset);
  version.length = Math.max(version.length, offset + bytes.length);
  version.mtimeMs = mtimeMs;
  version.ctimeMs = ctimeMs;
}
