/**
 * A long range of a torrent as it comes from a server that knows no ranges: block after block is taken or passed over.
 *
 * Unlike WebRun it claims nothing ahead: whether a block is wanted is asked when its first byte comes.
 */
import type { PieceIndex } from "../lib/ids.ts";
import type { Layout } from "../lib/layout.ts";
import { blockLength } from "../lib/limits/wire.ts";
import type { ActivePiece } from "./piece_table.ts";

/** Asks for the block on behalf of the stream; undefined where it is not wanted. */
export type Claim = (piece: PieceIndex, block: number) => ActivePiece | undefined;

export class WebStream {
  /** Where it begins in the torrent's run of bytes. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
  readonly #layout: Layout;
  readonly #claim: Claim;
  #piece: PieceIndex;
  readonly #last: PieceIndex;
  #block = 0;
  /** Bytes of the block that came. */
  #blockBytes = 0;
  /** The piece of the block that is coming, if it is wanted. */
  #active: ActivePiece | undefined;
  #carry: Uint8Array | undefined;

  /** The range from the first byte of one piece to the last of another. */
  constructor(layout: Layout, { first, last, claim }: { first: PieceIndex; last: PieceIndex; claim: Claim }) {
    this.#layout = layout;
    this.#claim = claim;
    this.#piece = first;
    this.#last = last;
    this.offset = layout.pieceOffset(first);
    this.length = layout.pieceOffset(last) + layout.lengthOfPiece(last) - this.offset;
  }

  get isOver(): boolean {
    return this.#piece > this.#last;
  }

  /** The piece that begins with the next byte; undefined inside of one, and at the end. */
  get nextPiece(): PieceIndex | undefined {
    return this.#block === 0 && this.#blockBytes === 0 && !this.isOver ? this.#piece : undefined;
  }

  /** The block that came in part. */
  *rest(): Generator<{ readonly active: ActivePiece; readonly block: number }> {
    if (this.#active !== undefined) yield { active: this.#active, block: this.#block };
  }

  /** Cuts the next bytes into blocks and hands on those that are wanted. */
  push(bytes: Uint8Array, onBlock: (active: ActivePiece, block: number, bytes: Uint8Array) => void): void {
    for (let at = 0; at < bytes.length && !this.isOver;) {
      if (this.#blockBytes === 0) this.#active = this.#claim(this.#piece, this.#block);
      const length = this.#layout.lengthOfBlock(this.#piece, this.#block);
      const part = bytes.subarray(at, at + length - this.#blockBytes);
      at += part.length;
      const whole = this.#active === undefined ? undefined : this.#join(part, length);
      this.#blockBytes += part.length;
      if (this.#blockBytes < length) return;
      if (this.#active !== undefined && whole !== undefined) onBlock(this.#active, this.#block, whole);
      this.#next();
    }
  }

  /** The block once its last part is here: a view of that part if it is all of it. */
  #join(part: Uint8Array, length: number): Uint8Array | undefined {
    if (part.length === length) return part;
    this.#carry ??= new Uint8Array(blockLength);
    this.#carry.set(part, this.#blockBytes);
    return this.#blockBytes + part.length === length ? this.#carry.subarray(0, length) : undefined;
  }

  #next(): void {
    this.#active = undefined;
    this.#blockBytes = 0;
    if (++this.#block < this.#layout.blockCountOf(this.#piece)) return;
    this.#block = 0;
    this.#piece = (this.#piece + 1) as PieceIndex;
  }
}
