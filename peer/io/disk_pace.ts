/**
 * Whether the disk answers so fast that asking a worker costs more than doing the work at once, on the main thread.
 *
 * Data in the system's page cache come and go at 5 to 10 GiB/s, and two messages to a worker cost as much as 1 MiB of
 * them. But a disk that has to be waited for would stop the whole loop: where slow calls outnumber the fast ones, all
 * go to the workers for a while. One slow call says nothing: on a busy machine the thread itself is made to wait at times.
 */

import { MiB } from "../../lib/limits/units.ts";

/** Slow calls, beyond as many fast ones, after which the workers take over. */
const slowCallsMax = 6;
/** Milliseconds that they keep at it at least; then the disk is tried again. */
const workersTurnMs = 500;
/** Their turn as a multiple of the time that was lost to slow calls: at most 2 % of all time is lost. */
const workersTurnPart = 50;

export class DiskPace {
  readonly #fastMsPerMiB: number;
  /** Slow calls less fast ones. */
  #slowCount = 0;
  #lostMs = 0;
  #workersUntil = -Infinity;

  /** @param fastMsPerMiB milliseconds that a call of 1 MiB takes at most where nothing is waited for; less counts as 1 MiB */
  constructor(fastMsPerMiB: number) {
    this.#fastMsPerMiB = fastMsPerMiB;
  }

  /** Whether the next call may be made at once. */
  isFast(now: number): boolean {
    return now >= this.#workersUntil;
  }

  /** A call took from `start` to `end` (ms). */
  took(byteCount: number, start: number, end: number): void {
    if (end - start <= Math.max(1, byteCount / MiB) * this.#fastMsPerMiB) {
      if (this.#slowCount > 0) this.#slowCount--;
      else this.#lostMs = 0;
      return;
    }
    this.#lostMs += end - start;
    if (++this.#slowCount < slowCallsMax) return;
    this.#workersUntil = end + Math.max(workersTurnMs, workersTurnPart * this.#lostMs);
    this.#slowCount = 0;
    this.#lostMs = 0;
  }
}
