/** What one peer asked of us and has not got: first come, first served, bounded, and a cancel takes out. */
import { uploadQueueMax } from "../lib/limits.ts";
import type { CheckedBlockRange } from "./events.ts";

export class UploadQueue {
  /** In the order they came; those before `#head` are gone. Taking the first of a Map costs more the longer it lives. */
  #ranges: CheckedBlockRange[] = [];
  #head = 0;
  /** The keys of what is queued. */
  readonly #keys = new Set<number>();

  get count(): number {
    return this.#keys.size;
  }

  /** Queues a request; false when the queue is full. The same request twice counts once. */
  push(range: CheckedBlockRange): boolean {
    const key = keyOf(range);
    if (this.#keys.has(key)) return true;
    if (this.#keys.size >= uploadQueueMax) return false;
    this.#keys.add(key);
    this.#ranges.push(range);
    return true;
  }

  /** Takes a request out; false when it is not queued (any more). */
  cancel(range: CheckedBlockRange): boolean {
    const key = keyOf(range);
    if (!this.#keys.has(key)) return false;
    const at = this.#ranges.findIndex((queued, i) => i >= this.#head && keyOf(queued) === key);
    if (this.#ranges[at].length !== range.length) return false;
    this.#ranges.splice(at, 1);
    return this.#keys.delete(key);
  }

  /** The next request; it stays queued. */
  peek(): CheckedBlockRange | undefined {
    return this.#ranges[this.#head];
  }

  /** Takes the next request out. */
  shift(): CheckedBlockRange | undefined {
    const range = this.#ranges[this.#head];
    if (range === undefined) return undefined;
    this.#keys.delete(keyOf(range));
    this.#head++;
    if (this.#head === this.#ranges.length || this.#head >= uploadQueueMax) this.#forgetTaken();
    return range;
  }

  /** Takes all requests out. */
  drain(): CheckedBlockRange[] {
    const ranges = this.#ranges.slice(this.#head);
    this.#ranges = [];
    this.#head = 0;
    this.#keys.clear();
    return ranges;
  }

  #forgetTaken(): void {
    this.#ranges = this.#ranges.slice(this.#head);
    this.#head = 0;
  }
}

/** Both parts are below 2^32, a piece below 2^21: the sum is exact. */
function keyOf(range: CheckedBlockRange): number {
  return range.piece * 2 ** 32 + range.begin;
}
