/** What one peer asked of us and has not got: first come, first served, bounded, and a cancel takes out. */
import { uploadQueueMax } from "../lib/limits/wire.ts";
import type { CheckedBlockRange } from "./events.ts";

export class UploadQueue {
  /** In the order they came; those before `#head` are gone. Taking the first of a Map costs more the longer it lives. */
  #ranges: CheckedBlockRange[] = [];
  #head = 0;

  get count(): number {
    return this.#ranges.length - this.#head;
  }

  /** Queues a request; false when the queue is full. */
  push(range: CheckedBlockRange): boolean {
    if (this.count >= uploadQueueMax) return false;
    this.#ranges.push(range);
    return true;
  }

  /** Takes a request out; false when it is not queued (any more). */
  cancel({ piece, begin, length }: CheckedBlockRange): boolean {
    for (let at = this.#head; at < this.#ranges.length; at++) {
      const queued = this.#ranges[at];
      if (queued.begin !== begin || queued.piece !== piece || queued.length !== length) continue;
      this.#ranges.splice(at, 1);
      return true;
    }
    return false;
  }

  /** The next request; it stays queued. */
  peek(): CheckedBlockRange | undefined {
    return this.#ranges[this.#head];
  }

  /** Takes the next request out. */
  shift(): CheckedBlockRange | undefined {
    if (this.count === 0) return undefined;
    const range = this.#ranges[this.#head++];
    if (this.#head >= uploadQueueMax) {
      this.#ranges.splice(0, this.#head);
      this.#head = 0;
    }
    return range;
  }

  /** Takes all requests out. */
  drain(): CheckedBlockRange[] {
    const ranges = this.#ranges.slice(this.#head);
    this.#ranges = [];
    this.#head = 0;
    return ranges;
  }
}
