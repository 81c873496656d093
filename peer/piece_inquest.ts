/**
 * Who spoiled a piece: the blocks of a failed attempt are remembered by hash and sender, and compared with the piece
 * once it is whole and right, so that only the liar is banned and not who merely shared the piece with it.
 */
import { createHash } from "node:crypto";
import type { Bytes } from "../lib/bytes.ts";
import type { PieceIndex } from "../lib/ids.ts";
import type { Layout } from "../lib/layout.ts";
import { inquestsMax } from "../lib/limits/transfer.ts";
import { blockLength } from "../lib/limits/wire.ts";
import type { ConnectionId } from "./events.ts";
import type { ActivePiece } from "./piece_table.ts";

interface Exhibit {
  readonly block: number;
  readonly digest: string;
  readonly source: ConnectionId;
}

export class PieceInquest {
  readonly #layout: Layout;
  /** Failed attempts by piece, the oldest first; bounded. */
  readonly #exhibits = new Map<PieceIndex, Exhibit[]>();

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** Whether the piece failed before, with blocks of several peers: one peer alone must deliver it now. */
  isOpen(piece: PieceIndex): boolean {
    return this.#exhibits.has(piece);
  }

  /**
   * The piece failed its hash.
   *
   * @returns the peer to blame, where all blocks came from one; else undefined, and the blocks are remembered
   */
  failed(attempt: ActivePiece, buffer: Bytes): ConnectionId | undefined {
    const sources = new Set(attempt.sources);
    if (sources.size === 1) return attempt.sources[0];
    if (!this.#exhibits.has(attempt.piece) && this.#exhibits.size >= inquestsMax) {
      for (const oldest of this.#exhibits.keys()) {
        this.#exhibits.delete(oldest);
        break;
      }
    }
    this.#exhibits.set(attempt.piece, this.#blocksOf(attempt, buffer));
    return undefined;
  }

  /** The piece is right now: who delivered blocks that differ from it. */
  solved(piece: PieceIndex, buffer: Bytes): ConnectionId[] {
    const exhibits = this.#exhibits.get(piece);
    if (exhibits === undefined) return [];
    this.#exhibits.delete(piece);
    const liars = new Set<ConnectionId>();
    for (const { block, digest, source } of exhibits) {
      if (this.#digestOf(piece, block, buffer) !== digest) liars.add(source);
    }
    return [...liars];
  }

  #blocksOf(attempt: ActivePiece, buffer: Bytes): Exhibit[] {
    return Array.from({ length: attempt.blockCount }, (_, block) => ({
      block,
      digest: this.#digestOf(attempt.piece, block, buffer),
      source: attempt.sources[block],
    }));
  }

  #digestOf(piece: PieceIndex, block: number, buffer: Bytes): string {
    const begin = block * blockLength;
    const bytes = buffer.subarray(begin, begin + this.#layout.lengthOfBlock(piece, block));
    return createHash("sha1").update(bytes).digest("hex");
  }
}
