/**
 * Which missing piece a peer is asked for next: rarest first, sequential or random (a pure structure; luck comes in).
 *
 * Missing pieces stand in one array, sorted by how many connected peers have them, so that a peer that comes or goes
 * moves a piece in constant time and the rarest are found without looking at the rest. Peers that have everything are
 * not counted: they change no order.
 */
import type { Bitfield } from "../lib/bitfield.ts";
import type { PieceIndex } from "../lib/ids.ts";

export type PickStrategy = "rarest-first" | "sequential" | "random";

export class PiecePicker {
  readonly strategy: PickStrategy;
  readonly #random: () => number;
  /** Missing pieces by rising availability. */
  readonly #order: Int32Array;
  /** Where a piece stands in `#order`; -1 when it is not missing. */
  readonly #position: Int32Array;
  /** Peers (without those that have all) that have the piece. */
  readonly #availability: Uint16Array;
  /** `#bucketEnd[a]`: one past the last place of the pieces whose availability is at most `a`. */
  readonly #bucketEnd: number[] = [0];
  #count = 0;
  /** No missing piece has a lower index. */
  #lowest = 0;

  /** @param isMissing which pieces are to be picked at the start */
  constructor(
    { pieceCount, strategy, random, isMissing }: {
      pieceCount: number;
      strategy: PickStrategy;
      random: () => number;
      isMissing: (piece: PieceIndex) => boolean;
    },
  ) {
    this.strategy = strategy;
    this.#random = random;
    this.#order = new Int32Array(pieceCount);
    this.#position = new Int32Array(pieceCount).fill(-1);
    this.#availability = new Uint16Array(pieceCount);
    for (let piece = 0; piece < pieceCount; piece++) {
      if (!isMissing(piece as PieceIndex)) continue;
      this.#place(piece, this.#count++);
    }
    this.#bucketEnd[0] = this.#count;
  }

  /** How many pieces can be picked. */
  get count(): number {
    return this.#count;
  }

  /** How many of them no connected peer has, those that have all aside. */
  get unheldCount(): number {
    return this.#bucketEnd[0];
  }

  /** Whether the piece is one of those that can be picked. */
  isPickable(piece: PieceIndex): boolean {
    return this.#position[piece] !== -1;
  }

  /** Connected peers that have the piece, without those that have all. */
  availabilityOf(piece: PieceIndex): number {
    return this.#availability[piece];
  }

  /** The piece is missing (again). */
  add(piece: PieceIndex): void {
    if (this.#position[piece] !== -1) throw new Error(`piece ${piece} can be picked already`);
    const availability = this.#availability[piece];
    this.#growBuckets(availability);
    let hole = this.#count++;
    for (let bucket = this.#bucketEnd.length - 1; bucket > availability; bucket--) {
      const first = this.#bucketEnd[bucket - 1];
      if (first !== hole) this.#place(this.#order[first], hole);
      hole = first;
      this.#bucketEnd[bucket]++;
    }
    this.#bucketEnd[availability]++;
    this.#place(piece, hole);
    if (piece < this.#lowest) this.#lowest = piece;
  }

  /** The piece is not missing any more: it is being received. */
  remove(piece: PieceIndex): void {
    let hole = this.#position[piece];
    if (hole === -1) throw new Error(`piece ${piece} cannot be picked`);
    this.#position[piece] = -1;
    for (let bucket = this.#availability[piece]; bucket < this.#bucketEnd.length; bucket++) {
      const last = --this.#bucketEnd[bucket];
      if (last !== hole) this.#place(this.#order[last], hole);
      hole = last;
    }
    this.#count--;
  }

  /** One more peer has the piece. */
  increase(piece: PieceIndex): void {
    const availability = this.#availability[piece]++;
    this.#growBuckets(availability + 1);
    if (this.#position[piece] === -1) return;
    this.#swap(this.#position[piece], --this.#bucketEnd[availability]);
  }

  /** One peer less has the piece. */
  decrease(piece: PieceIndex): void {
    const availability = this.#availability[piece]--;
    if (this.#position[piece] === -1) return;
    this.#swap(this.#position[piece], this.#bucketEnd[availability - 1]++);
  }

  /** A peer came with these pieces (`by` 1) or left with them (`by` -1). */
  countPeer(has: Bitfield, by: 1 | -1): void {
    if (has.isEmpty) return;
    for (let piece = 0; piece < has.length; piece++) {
      if (!has.has(piece)) continue;
      if (by === 1) this.increase(piece as PieceIndex);
      else this.decrease(piece as PieceIndex);
    }
  }

  /**
   * A missing piece that the peer has, by the strategy; -1 when it has none.
   *
   * @param isFirst while we have hardly anything, any piece will do: what is rare comes slowly
   */
  pick(has: Bitfield, { isFirst = false } = {}): PieceIndex | -1 {
    if (this.#count === 0) return -1;
    if (this.strategy === "sequential") return this.#pickLowest(has);
    if (this.strategy === "random" || isFirst) return this.#pickBetween(has, 0, this.#count);
    let start = has.isFull ? 0 : this.#bucketEnd[0];
    for (let bucket = has.isFull ? 0 : 1; bucket < this.#bucketEnd.length; bucket++) {
      const end = this.#bucketEnd[bucket];
      const piece = this.#pickBetween(has, start, end);
      if (piece !== -1) return piece;
      start = end;
    }
    return -1;
  }

  /** Whether {@linkcode pick} could choose this missing piece for who has it: then whoever proposes it has a say. */
  mayPick(piece: PieceIndex, { isFirst = false } = {}): boolean {
    if (this.strategy === "sequential") return false;
    if (this.strategy === "random" || isFirst) return true;
    const availability = this.#availability[piece];
    return availability === 0 || this.#bucketEnd[availability - 1] === 0;
  }

  /** From a random place of `#order` between `start` and `end`, once around. */
  #pickBetween(has: Bitfield, start: number, end: number): PieceIndex | -1 {
    const size = end - start;
    if (size === 0) return -1;
    const offset = Math.floor(this.#random() * size);
    for (let i = 0; i < size; i++) {
      const piece = this.#order[start + ((offset + i) % size)];
      if (has.has(piece)) return piece as PieceIndex;
    }
    return -1;
  }

  #pickLowest(has: Bitfield): PieceIndex | -1 {
    while (this.#lowest < this.#position.length && this.#position[this.#lowest] === -1) this.#lowest++;
    for (let piece = this.#lowest; piece < this.#position.length; piece++) {
      if (this.#position[piece] !== -1 && has.has(piece)) return piece as PieceIndex;
    }
    return -1;
  }

  #growBuckets(availability: number): void {
    while (this.#bucketEnd.length <= availability) this.#bucketEnd.push(this.#count);
  }

  #swap(a: number, b: number): void {
    const pieceA = this.#order[a];
    this.#place(this.#order[b], a);
    this.#place(pieceA, b);
  }

  #place(piece: number, position: number): void {
    this.#order[position] = piece;
    this.#position[piece] = position;
  }
}
