/** What one peer asked of us and has not got: first come, first served, bounded, and a cancel takes out. */
import { uploadQueueMax } from "../lib/limits.ts";
import type { CheckedBlockRange } from "./events.ts";

export class UploadQueue {
  /** By piece and begin, in the order they came. */
  readonly #ranges = new Map<number, CheckedBlockRange>();

  get count(): number {
    return this.#ranges.size;
  }

  /** Queues a request; false when the queue is full. The same request twice counts once. */
  push(range: CheckedBlockRange): boolean {
    const key = keyOf(range);
    if (this.#ranges.size >= uploadQueueMax && !this.#ranges.has(key)) return false;
    this.#ranges.set(key, range);
    return true;
  }

  /** Takes a request out; false when it is not queued (any more). */
  cancel(range: CheckedBlockRange): boolean {
    const queued = this.#ranges.get(keyOf(range));
    return queued?.length === range.length && this.#ranges.delete(keyOf(range));
  }

  /** The next request; it stays queued. */
  peek(): CheckedBlockRange | undefined {
    for (const range of this.#ranges.values()) return range;
    return undefined;
  }

  /** Takes the next request out. */
  shift(): CheckedBlockRange | undefined {
    const range = this.peek();
    if (range !== undefined) this.#ranges.delete(keyOf(range));
    return range;
  }

  /** Takes all requests out. */
  drain(): CheckedBlockRange[] {
    const ranges = [...this.#ranges.values()];
    this.#ranges.clear();
    return ranges;
  }
}

/** Both parts are below 2^32, a piece below 2^21: the sum is exact. */
function keyOf(range: CheckedBlockRange): number {
  return range.piece * 2 ** 32 + range.begin;
}
