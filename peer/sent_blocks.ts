/**
 * What one peer was sent, so that it shows when it asks for something a second time: what it got may have been wrong.
 *
 * Block by block for the pieces that it is taking now, piece by piece for those before; that is as much memory as what the
 * peer has takes.
 */
import { Bitfield } from "../lib/bitfield.ts";
import type { Layout } from "../lib/layout.ts";
import { sentPiecesOpenMax } from "../lib/limits/transfer.ts";
import { blockLength } from "../lib/limits/wire.ts";
import type { CheckedBlockRange } from "./events.ts";

export class SentBlocks {
  /** Bytes that it was sent, and bytes that were hashed again because it asked a second time. */
  sentBytes = 0;
  checkedBytes = 0;
  readonly #layout: Layout;
  /** Pieces that were sent, wholly or in part, and are not open. */
  readonly #pieces: Bitfield;
  /** Blocks of pieces that are being sent, the piece that was touched least lately first. */
  readonly #open = new Map<number, Bitfield>();

  constructor(layout: Layout) {
    this.#layout = layout;
    this.#pieces = Bitfield.empty(layout.pieceCount);
  }

  /** Whether the range begins a block that was sent before. */
  has({ piece, begin }: CheckedBlockRange): boolean {
    // Who asks for less than a block at a time asks for the same block again and again.
    if (begin % blockLength !== 0) return false;
    return this.#open.get(piece)?.has(begin / blockLength) ?? this.#pieces.has(piece);
  }

  add({ piece, begin, length }: CheckedBlockRange): void {
    this.sentBytes += length;
    let blocks = this.#open.get(piece);
    if (blocks === undefined) {
      if (this.#pieces.has(piece)) return;
      blocks = Bitfield.empty(this.#layout.blockCountOf(piece));
      this.#open.set(piece, blocks);
      if (this.#open.size > sentPiecesOpenMax) this.#closeOldest();
    }
    const end = begin + length;
    for (let at = Math.floor(begin / blockLength); at * blockLength < end; at++) blocks.set(at);
    if (blocks.isFull) this.#close(piece);
  }

  /** The piece may be sent once more. */
  forget(piece: number): void {
    this.#pieces.clear(piece);
    this.#open.delete(piece);
  }

  /** The peer is gone: it will not go on where it was. */
  closeAll(): void {
    for (const piece of this.#open.keys()) this.#pieces.set(piece);
    this.#open.clear();
  }

  #closeOldest(): void {
    for (const piece of this.#open.keys()) return this.#close(piece);
  }

  #close(piece: number): void {
    this.#open.delete(piece);
    this.#pieces.set(piece);
  }
}
