/**
 * How many seconds of a peer's rate are kept in flight, found by trying less.
 *
 * A full second is safe with every client, also with those that answer in pulses (Transmission, every half second). But a
 * slow source that is booked out for a second by each of several receivers sends the same last pieces to all of them:
 * 1.2 copies of the file instead of 1.05 with four receivers. So, while the rate holds, less is kept in flight.
 */

const spanMaxSeconds = 1;
const spanMinSeconds = 0.25;
/** What is enough for a peer that proposes pieces, since those answer at once; half of it shows whether less will do. */
const proposerSeconds = 0.5;
/** Milliseconds between two looks at the rate; longer than the meter's window. */
const lookMs = 1_100;
/** Milliseconds before less is tried again, after it cost rate. */
const restMs = 20_000;
/** A rate within this part of the last one is the same rate: half a span costs a pulsing peer half its rate, chance less. */
const tolerance = 0.4;

export class RequestSpan {
  #seconds = spanMaxSeconds;
  #lookAt = 0;
  #lastRate = 0;
  /** The span was cut at the last look. */
  #isTrying = false;

  get seconds(): number {
    return this.#seconds;
  }

  /** The peer proposes pieces: many wait for it, and it does not answer in pulses. */
  shorten(): void {
    this.#seconds = Math.min(this.#seconds, proposerSeconds);
  }

  /** Looks at the rate (bytes a second), while the window is what holds it. */
  look(rate: number, now: number): void {
    if (now < this.#lookAt) return;
    this.#lookAt = now + lookMs;
    const isSteady = this.#lastRate > 0 && rate <= this.#lastRate * (1 + tolerance);
    if (this.#isTrying && rate < this.#lastRate * (1 - tolerance)) {
      this.#seconds = spanMaxSeconds;
      this.#isTrying = false;
      this.#lookAt = now + restMs;
    } else if (isSteady && rate > 0) {
      this.#isTrying = this.#seconds > spanMinSeconds;
      this.#seconds = Math.max(this.#seconds / 2, spanMinSeconds);
    } else {
      this.#isTrying = false;
    }
    this.#lastRate = rate;
  }
}
