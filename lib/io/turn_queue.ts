/**
 * A queue for those who want more than others: one of them has its turn at a time, and between two turns everybody else has
 * his. First come, first served.
 */

export class TurnQueue {
  readonly #waiting: (() => void)[] = [];
  #isRunning = false;

  /** Resolves when it is the caller's turn: at the earliest when all that has happened so far is dealt with. */
  turn(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    if (!this.#isRunning) this.#next();
    return promise;
  }

  #next(): void {
    this.#isRunning = this.#waiting.length > 0;
    if (!this.#isRunning) return;
    setTimeout(() => {
      this.#waiting.shift()!();
      this.#next();
    });
  }
}
