/**
 * Room for the rows of all lists of peers: runs of 2, 4, 8 … rows, cut from blocks and given again when they are free.
 *
 * An array for each list would cost 300 bytes beside its rows, ten times what the one peer of a small swarm needs, and
 * leave a dead one behind whenever a list grows. A run is a number: its block, and the row in it where it begins.
 */

/** 32-bit words of a row. */
export const rowWords = 4;
/** log2 of the rows of a block; longer runs have a block of their own. */
const blockShift = 12;
const blockMask = (1 << blockShift) - 1;

const noWords = new Int32Array(0);

export class RowStore {
  readonly #blocks: Int32Array<ArrayBuffer>[] = [];
  /** By the log2 of the rows: runs that are free. */
  readonly #free: number[][] = Array.from({ length: blockShift + 1 }, () => []);
  /** The same: where the next run is cut, or -1. */
  readonly #next: number[] = new Array<number>(blockShift + 1).fill(-1);
  readonly #freeBlocks: number[] = [];

  /** Takes a run of 2^`shift` rows, whatever they hold. */
  take(shift: number): number {
    if (shift > blockShift) return this.#addBlock(shift);
    const free = this.#free[shift].pop();
    if (free !== undefined) return free;
    let run = this.#next[shift];
    if (run === -1) run = this.#addBlock(blockShift);
    const after = run + (1 << shift);
    this.#next[shift] = (after & blockMask) === 0 ? -1 : after;
    return run;
  }

  /** Gives a run of 2^`shift` rows back. */
  release(run: number, shift: number): void {
    if (shift <= blockShift) this.#free[shift].push(run);
    else {
      this.#blocks[run >>> blockShift] = noWords;
      this.#freeBlocks.push(run >>> blockShift);
    }
  }

  /** The words of the run's block. */
  wordsOf(run: number): Int32Array<ArrayBuffer> {
    return this.#blocks[run >>> blockShift];
  }

  /** Where the run begins among the words of its block. */
  startOf(run: number): number {
    return (run & blockMask) * rowWords;
  }

  #addBlock(shift: number): number {
    const number = this.#freeBlocks.pop() ?? this.#blocks.length;
    this.#blocks[number] = new Int32Array(rowWords << shift);
    return number << blockShift;
  }
}
