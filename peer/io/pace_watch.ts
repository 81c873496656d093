/** Ends what has become too slow: no first word, or too few bytes, within a time. */

export class PaceWatch {
  /** Aborts when it is too slow, or when the signal that was given does. */
  readonly signal: AbortSignal;
  readonly #abort = new AbortController();
  readonly #timeoutMs: number;
  readonly #bytesWanted: number;
  #bytes = 0;
  #timer: ReturnType<typeof setTimeout>;

  /** @param bytes how many must come in each `timeoutMs` */
  constructor({ signal, timeoutMs, bytes }: { signal: AbortSignal; timeoutMs: number; bytes: number }) {
    this.signal = AbortSignal.any([signal, this.#abort.signal]);
    this.#timeoutMs = timeoutMs;
    this.#bytesWanted = bytes;
    this.#timer = this.#start();
  }

  get isTooSlow(): boolean {
    return this.#abort.signal.aborted;
  }

  /** Bytes came. */
  moved(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < this.#bytesWanted) return;
    this.#bytes = 0;
    clearTimeout(this.#timer);
    this.#timer = this.#start();
  }

  /** All is there. */
  end(): void {
    clearTimeout(this.#timer);
  }

  #start(): ReturnType<typeof setTimeout> {
    return setTimeout(() => this.#abort.abort(), this.#timeoutMs);
  }
}
