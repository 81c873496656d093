/**
 * Whether the disk answers so fast that asking a worker costs more than reading at once, on the main thread.
 *
 * Data in the system's page cache come at 10 GiB/s, and two messages to a worker cost as much as 1 MiB of them. But a
 * disk that has to be waited for would stop the whole loop, so the time that reads take beyond that of memory is summed
 * up: at the bound all reads go to the workers for a while.
 */

/** Milliseconds for each byte that a read from memory may take, a busy machine included (1 MiB in 0.25 ms). */
const fastMsPerByte = 0.25 / (1024 * 1024);
/** Milliseconds that may be lost to slow reads before the workers take over. */
const lostMsMax = 8;
/** Milliseconds that they keep at it; then the disk is tried again: at most 2 % of the time is lost, one read aside. */
const workersTurnMs = 500;

export class ReadPace {
  #lostMs = 0;
  #workersUntil = -Infinity;

  /** Whether the next read may be made at once. */
  isFast(now: number): boolean {
    return now >= this.#workersUntil;
  }

  /** A read at once took from `start` to `end` (ms). */
  took(byteCount: number, start: number, end: number): void {
    this.#lostMs = Math.max(0, this.#lostMs + end - start - byteCount * fastMsPerByte);
    if (this.#lostMs <= lostMsMax) return;
    this.#workersUntil = end + Math.max(workersTurnMs, 50 * this.#lostMs);
    this.#lostMs = 0;
  }
}
