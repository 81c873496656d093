/** Bytes a second from (bytes, now) samples: a sliding window of ten slots, cheap enough for every read of a socket. */

const slotCount = 10;

export class RateMeter {
  readonly #slotMs: number;
  readonly #slots = new Float64Array(slotCount);
  /** Number of the slot that `now` fell into last. */
  #slot = -1;
  #firstSlot = -1;
  #sum = 0;
  #total = 0;

  /** @param windowMs the span that the rate is taken over */
  constructor(windowMs = 2_000) {
    this.#slotMs = windowMs / slotCount;
  }

  /** Bytes in all since the beginning. */
  get total(): number {
    return this.#total;
  }

  /** Counts bytes at `now` (monotonic ms). */
  add(bytes: number, now: number): void {
    this.#advance(now);
    this.#slots[this.#slot % slotCount] += bytes;
    this.#sum += bytes;
    this.#total += bytes;
  }

  /** Bytes a second over the window, or over the time since the first sample where that is shorter. */
  rate(now: number): number {
    if (this.#slot < 0) return 0;
    this.#advance(now);
    const slots = Math.min(slotCount, this.#slot - this.#firstSlot + 1);
    return this.#sum / ((slots * this.#slotMs) / 1000);
  }

  #advance(now: number): void {
    const slot = Math.floor(now / this.#slotMs);
    if (this.#slot < 0) this.#slot = this.#firstSlot = slot;
    if (slot - this.#slot >= slotCount) {
      this.#slots.fill(0);
      this.#sum = 0;
      this.#slot = slot;
    }
    while (this.#slot < slot) {
      this.#slot++;
      const oldest = this.#slot % slotCount;
      this.#sum -= this.#slots[oldest];
      this.#slots[oldest] = 0;
    }
  }
}
