/** The progress of hashing, shown: rate and time left from the bytes done. */
import type { Context } from "../../lib/cli/context.ts";
import { ProgressLine } from "../../lib/cli/progress.ts";
import { RateMeter } from "../../lib/rate_meter.ts";

export class WorkProgress {
  readonly #context: Context;
  readonly #line: ProgressLine;
  readonly #meter = new RateMeter();
  readonly #label: string;
  readonly #totalBytes: number;
  #doneBytes = 0;

  /** @param label safe text: what is done with what */
  constructor(context: Context, { label, totalBytes }: { label: string; totalBytes: number }) {
    this.#context = context;
    this.#line = new ProgressLine(context);
    this.#label = label;
    this.#totalBytes = totalBytes;
  }

  /** Tells the bytes that are done so far; more than the total are not told. */
  update(doneBytes: number): void {
    const now = this.#context.now();
    const done = Math.min(this.#totalBytes, doneBytes);
    this.#meter.add(done - this.#doneBytes, now);
    this.#doneBytes = done;
    const bytesPerSecond = this.#meter.rate(now);
    this.#line.update({
      label: this.#label,
      bytes: this.#doneBytes,
      totalBytes: this.#totalBytes,
      bytesPerSecond,
      etaSeconds: (this.#totalBytes - this.#doneBytes) / bytesPerSecond,
    });
  }

  finish(): void {
    this.#line.finish();
  }
}
