/**
 * Fast random numbers for choosing peers and moments (xorshift32); nothing secret depends on them.
 *
 * An answer takes 50 of them: through the runtime's own that was a tenth of an announce's time.
 */
export class Dice {
  #state: number;

  /** @param random a number in [0, 1), for the start */
  constructor(random: number) {
    // Zero would stay zero.
    this.#state = (random * 2 ** 32) | 1;
  }

  /** A number in [0, 1). */
  next(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return (state >>> 0) * 2 ** -32;
  }
}
