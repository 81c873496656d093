/**
 * Which files of a torrent are wanted, and so which pieces are fetched and how many bytes count.
 *
 * A piece is wanted when a byte of it lies in a wanted file; what it holds of other files is not counted. Never changes:
 * another selection is another download.
 */
import { Bitfield } from "../lib/bitfield.ts";
import type { PieceIndex } from "../lib/ids.ts";
import type { Layout } from "../lib/layout.ts";

export class FileSelection {
  /** The pieces that are wanted. */
  readonly pieces: Bitfield;
  /** Bytes of the wanted files; of all files, padding included, when all are wanted. */
  readonly totalBytes: number;
  readonly #layout: Layout;
  /** By file: 1 for wanted; undefined when all are. */
  readonly #wanted: Uint8Array | undefined;

  private constructor(layout: Layout, wanted: Uint8Array | undefined) {
    this.#layout = layout;
    this.#wanted = wanted;
    if (wanted === undefined) {
      this.pieces = Bitfield.full(layout.pieceCount);
      this.totalBytes = layout.totalLength;
      return;
    }
    this.pieces = Bitfield.empty(layout.pieceCount);
    let totalBytes = 0;
    wanted.forEach((isWanted, fileIndex) => {
      const pieces = isWanted === 1 ? layout.piecesOfFile(fileIndex) : undefined;
      if (pieces === undefined) return;
      totalBytes += layout.lengthOfFile(fileIndex);
      for (let piece: number = pieces.first; piece <= pieces.last; piece++) this.pieces.set(piece);
    });
    this.totalBytes = totalBytes;
  }

  /** Every file. */
  static all(layout: Layout): FileSelection {
    return new FileSelection(layout, undefined);
  }

  /** @param wanted by file: 1 for those that are wanted; kept */
  static of(layout: Layout, wanted: Uint8Array): FileSelection {
    return new FileSelection(layout, wanted);
  }

  /** Nothing is left out. */
  get isAll(): boolean {
    return this.#wanted === undefined;
  }

  /** Bytes of wanted pieces that belong to no wanted file. */
  get asideBytes(): number {
    const { length, count } = this.pieces;
    if (count === 0) return 0;
    const last = (length - 1) as PieceIndex;
    const shortBy = this.pieces.has(last) ? this.#layout.pieceLength - this.#layout.lengthOfPiece(last) : 0;
    return count * this.#layout.pieceLength - shortBy - this.totalBytes;
  }

  isWanted(fileIndex: number): boolean {
    return this.#wanted === undefined || this.#wanted[fileIndex] === 1;
  }

  /** Bytes of the piece that lie in wanted files. */
  bytesIn(piece: PieceIndex): number {
    if (this.#wanted === undefined) return this.#layout.lengthOfPiece(piece);
    if (!this.pieces.has(piece)) return 0;
    let byteCount = 0;
    for (const { fileIndex, length } of this.#layout.spansOfPiece(piece)) {
      if (this.#wanted[fileIndex] === 1) byteCount += length;
    }
    return byteCount;
  }
}
