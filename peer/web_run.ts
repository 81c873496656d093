/** Adjacent blocks that one request to a web seed fetches, and how far it has come. Bytes in, blocks out. */
import type { Layout } from "../lib/layout.ts";
import { blockLength } from "../lib/limits/wire.ts";
import type { ActivePiece } from "./piece_table.ts";

/** Adjacent blocks of one piece. */
export interface RunPart {
  readonly active: ActivePiece;
  readonly firstBlock: number;
  readonly blockCount: number;
}

/** Takes a block; the bytes are valid until it returns. */
type OnBlock = (active: ActivePiece, block: number, bytes: Uint8Array) => void;

export class WebRun {
  /** Where it begins in the torrent's run of bytes. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
  readonly #layout: Layout;
  readonly #parts: readonly RunPart[];
  #part = 0;
  /** In the part: how many of its blocks came. */
  #blockCount = 0;
  /** The beginning of a block whose end has not come yet. */
  #carry: Uint8Array | undefined;
  #carriedBytes = 0;

  /** @param parts at least one; each ends where the next begins */
  constructor(layout: Layout, parts: readonly RunPart[]) {
    this.#layout = layout;
    this.#parts = parts;
    const [{ active, firstBlock }] = parts;
    this.offset = layout.pieceOffset(active.piece) + firstBlock * blockLength;
    const last = parts[parts.length - 1];
    const lastBlock = last.firstBlock + last.blockCount - 1;
    this.length = layout.pieceOffset(last.active.piece) + lastBlock * blockLength +
      layout.lengthOfBlock(last.active.piece, lastBlock) - this.offset;
  }

  /** Whether every block has come. */
  get isOver(): boolean {
    return this.#part === this.#parts.length;
  }

  /** The blocks that have not come. */
  *rest(): Generator<{ readonly active: ActivePiece; readonly block: number }> {
    for (let i = this.#part; i < this.#parts.length; i++) {
      const { active, firstBlock, blockCount } = this.#parts[i];
      for (let at = i === this.#part ? this.#blockCount : 0; at < blockCount; at++) {
        yield { active, block: firstBlock + at };
      }
    }
  }

  /** Cuts the next bytes into blocks; what comes after the last one is left out. */
  push(bytes: Uint8Array, onBlock: OnBlock): void {
    for (let at = 0; at < bytes.length && !this.isOver;) {
      const { active, firstBlock } = this.#parts[this.#part];
      const block = firstBlock + this.#blockCount;
      const length = this.#layout.lengthOfBlock(active.piece, block);
      const taken = Math.min(length - this.#carriedBytes, bytes.length - at);
      const part = bytes.subarray(at, at + taken);
      at += taken;
      if (taken === length) onBlock(active, block, part);
      else if (!this.#carryOn(part, length)) return;
      else onBlock(active, block, this.#carry!.subarray(0, length));
      this.#next();
    }
  }

  /** Puts a block together; returns whether it is whole. */
  #carryOn(part: Uint8Array, length: number): boolean {
    this.#carry ??= new Uint8Array(blockLength);
    this.#carry.set(part, this.#carriedBytes);
    this.#carriedBytes += part.length;
    if (this.#carriedBytes < length) return false;
    this.#carriedBytes = 0;
    return true;
  }

  #next(): void {
    if (++this.#blockCount < this.#parts[this.#part].blockCount) return;
    this.#part++;
    this.#blockCount = 0;
  }
}
