/**
 * The geometry of a torrent: bytes, pieces, blocks and files. The only file that divides.
 *
 * The files of a torrent lie end to end in one run of bytes (BEP 3), which is cut into pieces of `pieceLength` bytes (the
 * last may be shorter), each cut into blocks of 16 KiB (the last of a piece may be shorter). A file may be empty.
 */
import type { PieceIndex } from "./ids.ts";
import { blockLength } from "./limits/wire.ts";

/** A part of one file: `length` bytes at `fileOffset`, which lie `rangeOffset` bytes into the range that was asked for. */
export interface FileSpan {
  readonly fileIndex: number;
  readonly fileOffset: number;
  readonly rangeOffset: number;
  readonly length: number;
}

export class Layout {
  /** Bytes of every piece but the last. */
  readonly pieceLength: number;
  /** Bytes of all files. */
  readonly totalLength: number;
  readonly pieceCount: number;
  /** Blocks of every piece but the last. */
  readonly blocksPerPiece: number;
  /** Where each file begins in the run of bytes, and at the end the total: one longer than the list of files. */
  readonly #fileOffsets: Float64Array;

  /** @param fileLengths bytes of each file in order; the sum is the total and is above zero */
  constructor({ pieceLength, fileLengths }: { pieceLength: number; fileLengths: readonly number[] }) {
    this.pieceLength = pieceLength;
    this.#fileOffsets = new Float64Array(fileLengths.length + 1);
    for (let i = 0; i < fileLengths.length; i++) this.#fileOffsets[i + 1] = this.#fileOffsets[i] + fileLengths[i];
    this.totalLength = this.#fileOffsets[fileLengths.length];
    this.pieceCount = Math.ceil(this.totalLength / pieceLength);
    this.blocksPerPiece = Math.ceil(pieceLength / blockLength);
  }

  /** The number as a piece index; undefined when it is not one of this torrent. */
  toPieceIndex(value: number): PieceIndex | undefined {
    return Number.isInteger(value) && value >= 0 && value < this.pieceCount ? (value as PieceIndex) : undefined;
  }

  /** Where the piece begins in the run of bytes. */
  pieceOffset(piece: PieceIndex): number {
    return piece * this.pieceLength;
  }

  /** Bytes of this piece. */
  lengthOfPiece(piece: PieceIndex): number {
    return Math.min(this.pieceLength, this.totalLength - piece * this.pieceLength);
  }

  /** Blocks of this piece. */
  blockCountOf(piece: PieceIndex): number {
    return Math.ceil(this.lengthOfPiece(piece) / blockLength);
  }

  /** Bytes of block `block` (0-based) of this piece. */
  lengthOfBlock(piece: PieceIndex, block: number): number {
    return Math.min(blockLength, this.lengthOfPiece(piece) - block * blockLength);
  }

  /** Whether the range lies inside the piece and is not empty. */
  isRangeInPiece(piece: PieceIndex, { begin, length }: { begin: number; length: number }): boolean {
    return begin >= 0 && length > 0 && begin + length <= this.lengthOfPiece(piece);
  }

  /** The block that begins at `begin` and has `length` bytes; -1 when there is no such block. */
  blockAt(piece: PieceIndex, { begin, length }: { begin: number; length: number }): number {
    const block = begin / blockLength;
    if (!Number.isInteger(block) || block < 0 || block >= this.blockCountOf(piece)) return -1;
    return this.lengthOfBlock(piece, block) === length ? block : -1;
  }

  /** The parts of files under a range of the run of bytes, in order; empty files have none. */
  spansOf({ offset, length }: { offset: number; length: number }): FileSpan[] {
    const spans: FileSpan[] = [];
    const end = Math.min(offset + length, this.totalLength);
    let at = offset;
    for (let fileIndex = this.#fileAt(offset); at < end; fileIndex++) {
      const fileEnd = this.#fileOffsets[fileIndex + 1];
      const spanEnd = Math.min(end, fileEnd);
      if (spanEnd > at) {
        spans.push({
          fileIndex,
          fileOffset: at - this.#fileOffsets[fileIndex],
          rangeOffset: at - offset,
          length: spanEnd - at,
        });
        at = spanEnd;
      }
    }
    return spans;
  }

  /** The parts of files under a piece, in order. */
  spansOfPiece(piece: PieceIndex): FileSpan[] {
    return this.spansOf({ offset: this.pieceOffset(piece), length: this.lengthOfPiece(piece) });
  }

  /** Bytes of this file. */
  lengthOfFile(fileIndex: number): number {
    return this.#fileOffsets[fileIndex + 1] - this.#fileOffsets[fileIndex];
  }

  /** The first and the last piece that a file touches; undefined for an empty file. */
  piecesOfFile(fileIndex: number): { first: PieceIndex; last: PieceIndex } | undefined {
    const start = this.#fileOffsets[fileIndex];
    const end = this.#fileOffsets[fileIndex + 1];
    if (start === end) return undefined;
    return {
      first: Math.floor(start / this.pieceLength) as PieceIndex,
      last: Math.floor((end - 1) / this.pieceLength) as PieceIndex,
    };
  }

  /** Index of the last file that begins at or before `offset`. */
  #fileAt(offset: number): number {
    let low = 0;
    let high = this.#fileOffsets.length - 2;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#fileOffsets[middle] <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
