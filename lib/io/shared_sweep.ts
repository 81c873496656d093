/**
 * The list of work that several threads share when they hash or check many pieces: each takes the next part by itself and
 * puts its results where they belong, in shared memory.
 *
 * No messages: a main thread that hashes too sees them late (its event loop looks for those of other threads only every
 * 31 turns while it has work of its own, which kept workers idle for 80 ms at a time).
 */
import { idLength } from "../ids.ts";
import { sweepPartBytes } from "../limits/disk.ts";
import type { PieceRun } from "../piece_runs.ts";

/** What the threads share, as it goes to a worker. */
export interface SharedSweepMemory {
  readonly kind: "check" | "hash";
  /** First piece and count of each part. */
  readonly parts: Int32Array<SharedArrayBuffer>;
  /** Next part, whether to stop, pieces done. */
  readonly state: Int32Array<SharedArrayBuffer>;
  /** For each piece of the torrent its PieceStatus (check) or its 20 bytes (hash). */
  readonly results: Uint8Array<SharedArrayBuffer>;
}

const nextSlot = 0;
const stopSlot = 1;
const doneSlot = 2;

export class SharedSweep {
  readonly memory: SharedSweepMemory;

  constructor(memory: SharedSweepMemory) {
    this.memory = memory;
  }

  /** The work of `runs`, not begun. */
  static plan(
    kind: "check" | "hash",
    { runs, pieceLength, pieceCount }: { runs: Iterable<PieceRun>; pieceLength: number; pieceCount: number },
  ): SharedSweep {
    const most = Math.max(1, Math.floor(sweepPartBytes / pieceLength));
    const parts: number[] = [];
    for (const { first, count } of runs) {
      for (let done = 0; done < count; done += most) parts.push(first + done, Math.min(most, count - done));
    }
    const resultLength = pieceCount * (kind === "hash" ? idLength : 1);
    const sharedParts = new Int32Array(new SharedArrayBuffer(4 * parts.length));
    sharedParts.set(parts);
    return new SharedSweep({
      kind,
      parts: sharedParts,
      state: new Int32Array(new SharedArrayBuffer(12)),
      results: new Uint8Array(new SharedArrayBuffer(resultLength)),
    });
  }

  /** The next part for the calling thread; undefined when there is none, or the work is to stop. */
  take(): PieceRun | undefined {
    const { state, parts } = this.memory;
    if (Atomics.load(state, stopSlot) !== 0) return undefined;
    const at = 2 * Atomics.add(state, nextSlot, 1);
    return at < parts.length ? { first: parts[at], count: parts[at + 1] } : undefined;
  }

  /** Puts the results of a part in their place. */
  finish({ first, count }: PieceRun, results: Uint8Array): void {
    this.memory.results.set(results, first * (this.memory.kind === "hash" ? idLength : 1));
    Atomics.add(this.memory.state, doneSlot, count);
  }

  /** No thread begins another part. */
  stop(): void {
    Atomics.store(this.memory.state, stopSlot, 1);
  }

  /** Pieces that are done, by all threads. */
  get doneCount(): number {
    return Atomics.load(this.memory.state, doneSlot);
  }
}
