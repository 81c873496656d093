/** Runs of consecutive pieces, handed out part by part to whoever works on them. */

/** `count` pieces from `first` on. */
export interface PieceRun {
  readonly first: number;
  readonly count: number;
}

export class PieceRuns {
  readonly #runs: Iterator<PieceRun>;
  readonly #pieceLength: number;
  #first = 0;
  #left = 0;

  constructor(runs: Iterable<PieceRun>, { pieceLength }: { pieceLength: number }) {
    this.#runs = runs[Symbol.iterator]();
    this.#pieceLength = pieceLength;
  }

  /** The next pieces, about `byteCount` bytes of one run and one piece at least; undefined when all are handed out. */
  take(byteCount: number): PieceRun | undefined {
    if (this.#left === 0) {
      const next = this.#runs.next();
      if (next.done === true) return undefined;
      this.#first = next.value.first;
      this.#left = next.value.count;
    }
    const count = Math.min(this.#left, Math.max(1, Math.floor(byteCount / this.#pieceLength)));
    const run = { first: this.#first, count };
    this.#first += count;
    this.#left -= count;
    return run;
  }
}
