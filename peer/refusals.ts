/**
 * What was refused, and how often: a small counter by reason, for people and programs to look at.
 *
 * Reasons are our own words with their numbers taken out; they are bounded in number and length all the same, so that no
 * peer can make this grow.
 */
import { refusalReasonsMax } from "../lib/limits/transfer.ts";

/** Letters of a reason. */
const reasonLengthMax = 64;
/** What is counted of reasons above the bound. */
const other = "something else";

export class Refusals {
  readonly #counts = new Map<string, number>();

  count(why: string): void {
    const reason = why.slice(0, reasonLengthMax).replace(/\d+/g, "N");
    const isRoom = this.#counts.has(reason) || this.#counts.size < refusalReasonsMax;
    const key = isRoom ? reason : other;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  /** Reason -> how often; adds up several of them. */
  static sum(all: readonly Refusals[]): Record<string, number> {
    const sum: Record<string, number> = {};
    for (const refusals of all) {
      for (const [reason, count] of refusals.#counts) sum[reason] = (sum[reason] ?? 0) + count;
    }
    return sum;
  }
}
