/**
 * Things to do at moments of a virtual clock, the earliest first and those of one moment in the order they came, or in any
 * other that is wanted.
 */

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export class EventQueue {
  /** A binary heap. */
  readonly #heap: Entry[] = [];
  readonly #orderOf: () => number;
  #count = 0;

  /** @param orderOf draws the order of what happens at the same moment; no two may be the same */
  constructor(orderOf?: () => number) {
    this.#orderOf = orderOf ?? (() => this.#count++);
  }

  /** When the next thing happens; Infinity if nothing does. */
  get nextAt(): number {
    return this.#heap[0]?.at ?? Infinity;
  }

  add(at: number, run: () => void): void {
    const heap = this.#heap;
    heap.push({ at, order: this.#orderOf(), run });
    for (let child = heap.length - 1; child > 0;) {
      const parent = (child - 1) >> 1;
      if (!isBefore(heap[child], heap[parent])) break;
      [heap[child], heap[parent]] = [heap[parent], heap[child]];
      child = parent;
    }
  }

  /** Takes out what is to be done next. */
  take(): () => void {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop()!;
    if (heap.length > 0) heap[0] = last;
    for (let parent = 0;;) {
      const left = 2 * parent + 1;
      if (left >= heap.length) break;
      const child = left + 1 < heap.length && isBefore(heap[left + 1], heap[left]) ? left + 1 : left;
      if (!isBefore(heap[child], heap[parent])) break;
      [heap[child], heap[parent]] = [heap[parent], heap[child]];
      parent = child;
    }
    return first.run;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
