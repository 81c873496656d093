/** Luck that follows from a seed: everything in a simulated world that could be otherwise is drawn here. */
import { seededRandom } from "../../lib/mutations.ts";

export class Luck {
  /** A number in [0, 1). */
  readonly next: () => number;

  constructor(seed: number) {
    // Neighbouring seeds would begin alike.
    this.next = seededRandom(Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995);
    for (let i = 0; i < 4; i++) this.next();
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** A whole number in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  between(min: number, max: number): number {
    return min + this.next() * (max - min);
  }

  pick<Choice>(...choices: readonly Choice[]): Choice {
    return choices[this.below(choices.length)];
  }

  /** One of the list; undefined when it is empty. */
  of<Item>(items: Iterable<Item>): Item | undefined {
    const list = [...items];
    return list[this.below(list.length)];
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}
