/** A token bucket over bytes: what may pass now, and when the next bytes may. It is told the time. */

/** Seconds' worth that may be made up for, when whoever waits is woken late: else a busy machine loses of its rate. */
const lateMaxSeconds = 0.25;

export class RateLimiter {
  /** Bytes a second; Infinity lets everything pass. */
  readonly bytesPerSecond: number;
  /** Bytes that may pass at once after a pause. */
  readonly #burst: number;
  #tokens: number;
  #filledAt: number | undefined;
  /** Somebody was refused since, so that time which passes is not a pause. */
  #isWaitedFor = false;

  /** @param burstBytes at least one block, so that a block can ever pass */
  constructor(bytesPerSecond = Infinity, burstBytes = Math.max(32 * 1024, bytesPerSecond / 20)) {
    this.bytesPerSecond = bytesPerSecond;
    this.#burst = burstBytes;
    this.#tokens = burstBytes;
  }

  /** Takes `bytes` when the bucket is not in debt; a block larger than what is left puts it into debt, so the rate holds. */
  take(bytes: number, now: number): boolean {
    if (this.bytesPerSecond === Infinity) return true;
    this.#tokens = this.#tokensAt(now);
    this.#filledAt = now;
    this.#isWaitedFor = this.#tokens <= 0;
    if (this.#isWaitedFor) return false;
    this.#tokens -= bytes;
    return true;
  }

  /** When (monotonic ms) the next `take` can succeed; `now` if at once. */
  readyAt(now: number): number {
    if (this.bytesPerSecond === Infinity) return now;
    const tokens = this.#tokensAt(now);
    return tokens > 0 ? now : now + Math.ceil(((1 - tokens) / this.bytesPerSecond) * 1000);
  }

  #tokensAt(now: number): number {
    if (this.#filledAt === undefined || now === this.#filledAt) return this.#tokens;
    const most = this.#isWaitedFor ? Math.max(this.#burst, this.bytesPerSecond * lateMaxSeconds) : this.#burst;
    return Math.min(most, this.#tokens + ((now - this.#filledAt) / 1000) * this.bytesPerSecond);
  }
}
