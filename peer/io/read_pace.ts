/**
 * Whether the disk answers so fast that asking a worker costs more than reading at once, on the main thread.
 *
 * Data in the system's page cache come at 10 GiB/s, and two messages to a worker cost as much as 1 MiB of them. But a
 * disk that has to be waited for would stop the whole loop: where slow reads outnumber the fast ones, all go to the
 * workers for a while. One slow read says nothing: on a busy machine the thread itself is made to wait now and then.
 */

/** Milliseconds for each byte that a read from memory takes at most, into fresh memory too (1 MiB in 1.5 ms). */
const fastMsPerByte = 1.5 / (1024 * 1024);
/** Slow reads, beyond as many fast ones, after which the workers take over. */
const slowReadsMax = 6;
/** Milliseconds that they keep at it at least; then the disk is tried again. */
const workersTurnMs = 500;
/** Their turn as a multiple of the time that was lost to slow reads: at most 2 % of all time is lost. */
const workersTurnPart = 50;

export class ReadPace {
  /** Slow reads less fast ones. */
  #slowCount = 0;
  #lostMs = 0;
  #workersUntil = -Infinity;

  /** Whether the next read may be made at once. */
  isFast(now: number): boolean {
    return now >= this.#workersUntil;
  }

  /** A read at once took from `start` to `end` (ms). */
  took(byteCount: number, start: number, end: number): void {
    if (end - start <= byteCount * fastMsPerByte) {
      if (this.#slowCount > 0) this.#slowCount--;
      else this.#lostMs = 0;
      return;
    }
    this.#lostMs += end - start;
    if (++this.#slowCount < slowReadsMax) return;
    this.#workersUntil = end + Math.max(workersTurnMs, workersTurnPart * this.#lostMs);
    this.#slowCount = 0;
    this.#lostMs = 0;
  }
}
