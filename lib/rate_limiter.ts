/** A token bucket over bytes: what may pass now, and when the next bytes may. It is told the time. */

export class RateLimiter {
  /** Bytes a second; Infinity lets everything pass. */
  readonly bytesPerSecond: number;
  /** Bytes that may pass at once after a pause. */
  readonly #burst: number;
  #tokens: number;
  #filledAt: number | undefined;

  /** @param burstBytes at least one block, so that a block can ever pass */
  constructor(bytesPerSecond = Infinity, burstBytes = Math.max(32 * 1024, bytesPerSecond / 20)) {
    this.bytesPerSecond = bytesPerSecond;
    this.#burst = burstBytes;
    this.#tokens = 0;
  }

  /** Takes `bytes` when the bucket is not in debt; a block larger than what is left puts it into debt, so the rate holds. */
  take(bytes: number, now: number): boolean {
    if (this.bytesPerSecond === Infinity) return true;
    this.#fill(now);
    if (this.#tokens <= 0) return false;
    this.#tokens -= bytes;
    return true;
  }

  /** When (monotonic ms) the next `take` can succeed; `now` if at once. */
  readyAt(now: number): number {
    if (this.bytesPerSecond === Infinity) return now;
    this.#fill(now);
    return this.#tokens > 0 ? now : now + Math.ceil(((1 - this.#tokens) / this.bytesPerSecond) * 1000);
  }

  #fill(now: number): void {
    this.#filledAt ??= now - 1000 * this.#burst / this.bytesPerSecond;
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#filledAt) / 1000) * this.bytesPerSecond);
    this.#filledAt = now;
  }
}
