/**
 * How often something was refused, by reason: a fixed set of reasons, so that nobody can make it grow.
 *
 * Counted where it is refused, so that what is granted costs nothing.
 */
export class Refusals<Reason extends string> {
  readonly #counts: Record<Reason, number>;

  constructor(reasons: readonly Reason[]) {
    this.#counts = Object.fromEntries(reasons.map((reason) => [reason, 0])) as Record<Reason, number>;
  }

  add(reason: Reason): void {
    this.#counts[reason]++;
  }

  /** Each reason with its count since the start; a copy. */
  get counts(): Readonly<Record<Reason, number>> {
    return { ...this.#counts };
  }
}
