/**
 * Which adjacent blocks a web seed is asked for next. Pieces that nobody fetches come first, and where one ends the next
 * is taken along, so that a request is long; what peers are asked for is left to them until nothing else is left.
 */
import type { PieceIndex } from "../lib/ids.ts";
import { requestersPerBlockMax } from "../lib/limits/transfer.ts";
import { webStreamGapBytesMax } from "../lib/limits/web_seeds.ts";
import type { Downloader } from "./downloader.ts";
import type { PiecePicker } from "./piece_picker.ts";
import type { ActivePiece, PieceTable } from "./piece_table.ts";
import { type RunPart, WebRun } from "./web_run.ts";
import type { WebSeed } from "./web_seed.ts";
import { WebStream } from "./web_stream.ts";

/** Places that are tried by chance before all are looked at from the last one on. */
const triesMax = 32;

/** What web seeds are needed for: for all that is missing, or only for what no connected peer has. */
export type WebNeed = "everything" | "unheld";

interface Wish {
  readonly seed: WebSeed;
  readonly need: WebNeed;
  /** Bytes of the run, if more than a block. */
  readonly bytesMax: number;
  /** Whether this block is left to requests that are under way: the seed's own, and those of others that are not slow. */
  readonly isAsked: (active: ActivePiece, block: number) => boolean;
}

export class WebSeedChoice {
  readonly #table: PieceTable;
  readonly #picker: PiecePicker;
  readonly #downloader: Downloader;
  readonly #random: () => number;

  constructor({ table, picker, downloader, random }: {
    table: PieceTable;
    picker: PiecePicker;
    downloader: Downloader;
    random: () => number;
  }) {
    this.#table = table;
    this.#random = random;
    this.#picker = picker;
    this.#downloader = downloader;
  }

  /** The next run, whose blocks now count as asked for; undefined when there is none. */
  choose(wish: Wish): WebRun | undefined {
    const active = this.#openPiece(wish);
    if (active !== undefined) return this.#runFrom(active, active.nextOpenBlock(), wish, isOpen);
    if (wish.need === "unheld" || this.#picker.count > 0) return undefined;
    return this.#duplicate(wish);
  }

  /** From the first piece that can be begun to the last one, for a seed that knows no ranges; undefined when there is none. */
  chooseStream(seed: WebSeed, need: WebNeed): WebStream | undefined {
    const { layout } = this.#table;
    let first: PieceIndex | undefined;
    let last: PieceIndex | undefined;
    for (let piece = 0 as PieceIndex; piece < layout.pieceCount; piece = (piece + 1) as PieceIndex) {
      if (!this.#mayBegin(piece, seed, need)) continue;
      if (last !== undefined && !this.#isNear(last, piece)) break;
      first ??= piece;
      last = piece;
    }
    if (first === undefined || last === undefined) return undefined;
    return new WebStream(layout, { first, last, claim: (piece, block) => this.#claim(piece, block, seed, need) });
  }

  /** Whether the way from one piece to the other is short, or cannot be spared since they share a file. */
  #isNear(from: PieceIndex, to: PieceIndex): boolean {
    const { layout } = this.#table;
    return (to - from) * layout.pieceLength <= webStreamGapBytesMax ||
      layout.spansOfPiece(from).at(-1)!.fileIndex === layout.spansOfPiece(to)[0].fileIndex;
  }

  #claim(piece: PieceIndex, block: number, seed: WebSeed, need: WebNeed): ActivePiece | undefined {
    let active = this.#table.active(piece);
    if (active === undefined && block === 0 && this.#mayBegin(piece, seed, need)) {
      active = this.#downloader.begin(piece, seed.source);
    }
    if (active === undefined || !isOpen(active, block)) return undefined;
    if (active.isExclusive && active.owner !== seed.source) return undefined;
    this.#downloader.ask(active, block);
    return active;
  }

  /** A piece with blocks that nobody is asked for: its own, nobody's, a new one, or a peer's, in this order. */
  #openPiece(wish: Wish): ActivePiece | undefined {
    const { seed, need } = wish;
    let orphan: ActivePiece | undefined;
    let other: ActivePiece | undefined;
    for (const active of this.#table.openPieces()) {
      if (!seed.has(active.piece)) continue;
      if (active.owner === seed.source) return active;
      if (active.owner === undefined && this.#isNeeded(active.piece, need)) orphan ??= active;
      if (active.owner !== undefined && !active.isExclusive && need === "everything") other ??= active;
    }
    if (orphan === undefined) return this.#begin(wish) ?? other;
    orphan.owner = seed.source;
    return orphan;
  }

  #begin({ seed, need }: Wish): ActivePiece | undefined {
    const { count, unheldCount } = this.#picker;
    if (!this.#table.mayActivate || (need === "everything" ? count : unheldCount) === 0) return undefined;
    const { pieceCount } = this.#table.layout;
    const start = this.#startFor(seed, need);
    for (let i = 0; i < pieceCount; i++) {
      const piece = ((start + i) % pieceCount) as PieceIndex;
      if (this.#mayBegin(piece, seed, need)) return this.#downloader.begin(piece, seed.source);
    }
    return undefined;
  }

  /**
   * Where to look for a piece: right after the last one, else anywhere. To go on behind pieces that another peer has would
   * be to run beside it, and to fetch all that it fetches.
   */
  #startFor(seed: WebSeed, need: WebNeed): number {
    if (this.#picker.strategy === "sequential") return 0;
    const { pieceCount } = this.#table.layout;
    let start = seed.cursor;
    for (let tries = 0; tries < triesMax && !this.#mayBegin(start as PieceIndex, seed, need); tries++) {
      start = Math.floor(this.#random() * pieceCount);
    }
    return start;
  }

  #mayBegin(piece: PieceIndex, seed: WebSeed, need: WebNeed): boolean {
    return this.#picker.isPickable(piece) && seed.has(piece) && this.#isNeeded(piece, need);
  }

  #isNeeded(piece: PieceIndex, need: WebNeed): boolean {
    return need === "everything" || this.#picker.availabilityOf(piece) === 0;
  }

  /** The run of blocks from this one on that pass the test, into the next pieces while they may be begun. */
  #runFrom(first: ActivePiece, firstBlock: number, wish: Wish, test: BlockTest): WebRun {
    const parts: RunPart[] = [];
    let bytes = 0;
    let active: ActivePiece | undefined = first;
    for (let start = firstBlock; active !== undefined; start = 0) {
      let block = start;
      while (block < active.blockCount && bytes < wish.bytesMax && (block === start || test(active, block))) {
        bytes += this.#table.layout.lengthOfBlock(active.piece, block);
        this.#downloader.ask(active, block++);
      }
      parts.push({ active, firstBlock: start, blockCount: block - start });
      wish.seed.cursor = (active.piece + 1) % this.#table.layout.pieceCount;
      active = block === active.blockCount ? this.#following(active, bytes, wish) : undefined;
    }
    return new WebRun(this.#table.layout, parts);
  }

  /** The next piece, if it fits whole and may be begun. */
  #following({ piece }: ActivePiece, bytes: number, { seed, need, bytesMax }: Wish): ActivePiece | undefined {
    const { layout } = this.#table;
    const next = layout.toPieceIndex(piece + 1);
    if (next === undefined || bytes + layout.lengthOfPiece(next) > bytesMax || !this.#table.mayActivate) {
      return undefined;
    }
    return this.#mayBegin(next, seed, need) ? this.#downloader.begin(next, seed.source) : undefined;
  }

  /** Nothing is open: blocks that others are asked for and have not delivered. */
  #duplicate(wish: Wish): WebRun | undefined {
    const test: BlockTest = (active, block) =>
      !active.isReceived(block) && active.requesters[block] < requestersPerBlockMax && !wish.isAsked(active, block);
    for (const active of this.#table.activePieces()) {
      if (active.isExclusive || active.owner === wish.seed.source || !wish.seed.has(active.piece)) continue;
      for (let block = 0; block < active.blockCount; block++) {
        if (test(active, block)) return this.#runFrom(active, block, wish, test);
      }
    }
    return undefined;
  }
}

type BlockTest = (active: ActivePiece, block: number) => boolean;

const isOpen: BlockTest = (active, block) => !active.isReceived(block) && active.requesters[block] === 0;
