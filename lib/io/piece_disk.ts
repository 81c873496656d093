/**
 * Pieces on disk, synchronously: what a disk worker does with its files. Owns the descriptors and one read buffer; knows
 * no messages (piece_worker.ts) and no torrent but its geometry and hashes.
 */
import fs from "node:fs";
import { type Bytes, equalBytes } from "../bytes.ts";
import { idLength, type PieceIndex } from "../ids.ts";
import { type FileSpan, Layout } from "../layout.ts";
import { hashBufferBytes } from "../limits/disk.ts";
import { blockLength } from "../limits/wire.ts";
import { PieceStatus } from "../piece_status.ts";
import { codeOf, describeFailure, type DiskFailure } from "./disk_error.ts";
import { FileHandles } from "./file_handles.ts";
import { FileSequence } from "./file_sequence.ts";
import { isZero, PieceHasher, sha1 } from "./piece_hasher.ts";
import { type FileTable, FileUse } from "./piece_job.ts";
import { inPartFile, placesOf, touchesIgnored } from "./piece_places.ts";

/** A call of the file system that failed, with its path; thrown to the worker's loop only. */
export class DiskFault extends Error {
  override readonly name = "DiskFault";
  constructor(readonly failure: DiskFailure) {
    super(failure.message);
  }
}

interface OpenTable {
  readonly table: FileTable;
  readonly layout: Layout;
}

export class PieceDisk {
  readonly #handles = new FileHandles();
  readonly #sequence = new FileSequence();
  readonly #tables = new Map<number, OpenTable>();
  readonly #hasher = new PieceHasher();
  readonly #buffer: Bytes = new Uint8Array(hashBufferBytes);

  open(table: FileTable): void {
    this.#tables.set(table.id, {
      table: table.aside === undefined ? table : { ...table, paths: [...table.paths, table.aside.path] },
      layout: new Layout({ pieceLength: table.pieceLength, fileLengths: table.lengths }),
    });
  }

  /** Closes the table's files: at their places there may be others now. */
  release(tableId: number): void {
    this.#handles.forget(tableId);
    this.#sequence.forget(tableId);
  }

  /** Closes the table's files and forgets it. */
  forget(tableId: number): void {
    this.release(tableId);
    this.#tables.delete(tableId);
  }

  /**
   * Writes the piece if its hash is right.
   *
   * @returns whether the hash was right
   * @throws DiskFault
   */
  store(tableId: number, { piece, bytes }: { piece: number; bytes: Bytes }): boolean {
    const { table, layout } = this.#table(tableId);
    const index = pieceIn(layout, piece);
    const content = bytes.subarray(0, layout.lengthOfPiece(index));
    if (!equalBytes(sha1(content), hashIn(table, piece))) return false;
    for (const span of placesOf(table, layout, { offset: layout.pieceOffset(index), length: content.length })) {
      const path = table.paths[span.fileIndex];
      if (path === "") continue;
      if ((table.aside?.uses[span.fileIndex] ?? FileUse.wanted) !== FileUse.wanted) {
        throw new Error(`piece ${piece} would be written to a file that nobody asked for`);
      }
      try {
        const descriptor = this.#handles.toWrite(table, span.fileIndex);
        writeAll(descriptor, content.subarray(span.rangeOffset, span.rangeOffset + span.length), span.fileOffset);
      } catch (error) {
        // What is tried again is opened anew: a descriptor of a disk that went and came back stays broken.
        this.#handles.forget(tableId);
        throw new DiskFault(describeFailure("write", path, error));
      }
    }
    return true;
  }

  /**
   * Reads a range of the torrent's bytes into `target`.
   *
   * @throws DiskFault also when a file is shorter than the torrent says
   */
  read(tableId: number, { offset, target }: { offset: number; target: Bytes }): void {
    const { table, layout } = this.#table(tableId);
    for (const span of placesOf(table, layout, { offset, length: target.length })) {
      const part = target.subarray(span.rangeOffset, span.rangeOffset + span.length);
      if (this.#readSpan(table, span, part) < part.length) throw shortFile(table, span);
    }
  }

  /**
   * Brings a piece whose bytes are partly in the part file to where they belong now: wanted files get theirs.
   *
   * @returns whether the piece was right
   * @throws DiskFault
   */
  settle(tableId: number, { piece }: { piece: number }): boolean {
    const { table, layout } = this.#table(tableId);
    return this.store(tableId, { piece, bytes: this.#gather(table, layout, pieceIn(layout, piece)) });
  }

  /** The hashes of `count` pieces from `first`, 20 bytes each. @throws DiskFault */
  hash(tableId: number, { first, count }: { first: number; count: number }): Bytes {
    const { table, layout } = this.#table(tableId);
    const hashes = new Uint8Array(count * idLength);
    for (let i = 0; i < count; i++) {
      const short = this.#feed(table, layout.spansOfPiece(pieceIn(layout, first + i)));
      if (short !== undefined) throw shortFile(table, short);
      hashes.set(this.#hasher.digest(), i * idLength);
    }
    return hashes;
  }

  /** A PieceStatus for each of `count` pieces from `first`. @throws DiskFault where a file is there but cannot be read */
  check(tableId: number, { first, count }: { first: number; count: number }): Bytes {
    const { table, layout } = this.#table(tableId);
    const statuses = new Uint8Array(count);
    for (let i = 0; i < count; i++) statuses[i] = this.#statusOf(table, layout, first + i);
    return statuses;
  }

  /** Whether a file exists and holds something else than zeros. @throws DiskFault */
  probe(tableId: number, { fileIndex }: { fileIndex: number }): boolean {
    const { table } = this.#table(tableId);
    for (let fileOffset = 0;; fileOffset += this.#buffer.length) {
      const span = { fileIndex, fileOffset, rangeOffset: 0, length: this.#buffer.length };
      const length = this.#readPresent(table, span, this.#buffer);
      if (!isZero(this.#buffer.subarray(0, length))) return true;
      if (length < this.#buffer.length) return false;
    }
  }

  #table(tableId: number): OpenTable {
    const open = this.#tables.get(tableId);
    if (open === undefined) throw new Error(`no files are open under the number ${tableId}`);
    return open;
  }

  #statusOf(table: FileTable, layout: Layout, piece: number): PieceStatus {
    const inFiles = this.#statusInFiles(table, layout, piece);
    if (inFiles === PieceStatus.good || (table.aside?.positions[piece] ?? 0) === 0) return inFiles;
    const index = pieceIn(layout, piece);
    const range = { offset: layout.pieceOffset(index), length: layout.lengthOfPiece(index) };
    if (this.#isRight(table, piece, placesOf(table, layout, range))) return PieceStatus.aside;
    return equalBytes(sha1(this.#gather(table, layout, index)), hashIn(table, piece)) ? PieceStatus.scattered : inFiles;
  }

  /** Whether the bytes at these places are there and have the hash of the piece; undefined when they are not there. */
  #isRight(table: FileTable, piece: number, places: readonly FileSpan[]): boolean | undefined {
    if (this.#feed(table, places, { absentIsShort: true }) === undefined) {
      return equalBytes(this.#hasher.digest(), hashIn(table, piece));
    }
    this.#hasher.reset();
    return undefined;
  }

  #statusInFiles(table: FileTable, layout: Layout, piece: number): PieceStatus {
    const index = pieceIn(layout, piece);
    if (touchesIgnored(table, layout, index)) return PieceStatus.absent;
    const isRight = this.#isRight(table, piece, layout.spansOfPiece(index));
    if (isRight === undefined) return PieceStatus.absent;
    if (isRight) return PieceStatus.good;
    // Only a download asks whether it may go on with what is there.
    return table.writable && this.#hasGap(table, layout, piece) ? PieceStatus.badWithGap : PieceStatus.bad;
  }

  /**
   * The bytes of a piece whose selection has changed since it was stored: a stretch is in the part file unless there are
   * but zeros, and else in its file. Whoever asks compares the hash.
   */
  #gather(table: FileTable, layout: Layout, piece: PieceIndex): Bytes {
    const content = new Uint8Array(layout.lengthOfPiece(piece));
    for (const span of layout.spansOfPiece(piece)) {
      const target = content.subarray(span.rangeOffset, span.rangeOffset + span.length);
      target.fill(0, this.#readPresent(table, inPartFile(table, piece, span), target));
      if (!isZero(target) || table.aside!.uses[span.fileIndex] === FileUse.ignored) continue;
      target.fill(0, this.#readPresent(table, span, target));
    }
    return content;
  }

  /** Feeds what lies at these places to the hasher; returns the place that is not wholly on disk, if there is one. */
  #feed(table: FileTable, places: readonly FileSpan[], { absentIsShort = false } = {}): FileSpan | undefined {
    const buffer = this.#buffer;
    let filled = 0;
    for (const span of places) {
      for (let done = 0; done < span.length;) {
        const length = Math.min(span.length - done, buffer.length - filled);
        const target = buffer.subarray(filled, filled + length);
        if (this.#readNext(table, span, { done, target, absentIsShort }) < length) return span;
        done += length;
        filled += length;
        if (filled === buffer.length) {
          this.#hasher.update(buffer);
          filled = 0;
        }
      }
    }
    if (filled > 0) this.#hasher.update(buffer.subarray(0, filled));
    return undefined;
  }

  /** Whether a block of the piece is all zeros on disk, blocks that only pad aside. */
  #hasGap(table: FileTable, layout: Layout, piece: number): boolean {
    const index = pieceIn(layout, piece);
    for (let block = 0; block < layout.blockCountOf(index); block++) {
      const length = layout.lengthOfBlock(index, block);
      const offset = layout.pieceOffset(index) + block * blockLength;
      const spans = layout.spansOf({ offset, length }).filter((span) => table.paths[span.fileIndex] !== "");
      if (spans.length > 0 && spans.every((span) => this.#isZeroSpan(table, span))) return true;
    }
    return false;
  }

  #isZeroSpan(table: FileTable, span: FileSpan): boolean {
    const target = this.#buffer.subarray(0, span.length);
    return isZero(target.subarray(0, this.#readSpan(table, span, target)));
  }

  /** Like `#readSpan`, but what does not exist counts as empty. */
  #readPresent(table: FileTable, span: FileSpan, target: Bytes): number {
    try {
      return this.#readSpan(table, span, target);
    } catch (error) {
      if (error instanceof DiskFault && isOfAbsence(error.failure)) return 0;
      throw error;
    }
  }

  /** Like `#readSpan`, from `done` bytes into the span on, for who reads file after file. */
  #readNext(
    table: FileTable,
    { fileIndex, fileOffset }: FileSpan,
    { done, target, absentIsShort }: { done: number; target: Bytes; absentIsShort: boolean },
  ): number {
    const path = table.paths[fileIndex];
    if (path === "") {
      target.fill(0);
      return target.length;
    }
    try {
      return this.#sequence.read(table, { fileIndex, fileOffset: fileOffset + done }, target);
    } catch (error) {
      const failure = describeFailure("read", path, error);
      if (absentIsShort && isOfAbsence(failure)) return 0;
      throw new DiskFault(failure);
    }
  }

  /** Reads up to `target.length` bytes; fewer only at the end of the file. */
  #readSpan(table: FileTable, span: FileSpan, target: Bytes): number {
    const path = table.paths[span.fileIndex];
    if (path === "") {
      target.fill(0);
      return target.length;
    }
    try {
      const descriptor = this.#handles.toRead(table, span.fileIndex);
      let done = 0;
      while (done < target.length) {
        const got = fs.readSync(descriptor, target, done, target.length - done, span.fileOffset + done);
        if (got === 0) break;
        done += got;
      }
      return done;
    } catch (error) {
      throw new DiskFault(describeFailure("read", path, error));
    }
  }
}

function isOfAbsence({ code }: DiskFailure): boolean {
  return code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR";
}

function writeAll(descriptor: number, bytes: Bytes, position: number): void {
  for (let done = 0; done < bytes.length;) {
    done += fs.writeSync(descriptor, bytes, done, bytes.length - done, position + done);
  }
}

function pieceIn(layout: Layout, piece: number) {
  const index = layout.toPieceIndex(piece);
  if (index === undefined) throw new Error(`piece ${piece} is outside 0..${layout.pieceCount - 1}`);
  return index;
}

function hashIn(table: FileTable, piece: number): Uint8Array {
  if (table.hashes === undefined) throw new Error("these files have no hashes to compare with");
  return table.hashes.subarray(piece * idLength, (piece + 1) * idLength);
}

function shortFile(table: FileTable, span: FileSpan): DiskFault {
  const wanted = table.lengths[span.fileIndex];
  const message = `the file is shorter than its ${wanted} bytes`;
  return new DiskFault({ doing: "read", path: table.paths[span.fileIndex], code: codeOf(undefined), message });
}
