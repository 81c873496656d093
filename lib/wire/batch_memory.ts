/**
 * Memory for batches of blocks on their way out, shared by all peers of a torrent: it is taken for the time of one write.
 *
 * Hundreds of peers that ask for a little each need few batches at a time, and one that asks for all of it gets the same
 * two again and again: memory made anew for each write costs more than the copy into it. What is out is counted, also for
 * those who take nothing of what they asked for: above `sendMemoryBytesMax` it is scarce, and handed out by the little.
 */
import type { Bytes } from "../bytes.ts";
import { KiB, MiB } from "../limits/units.ts";
import { sendMemoryBytesMax, uploadBatchBytesMax } from "../limits/wire.ts";

/** Bytes of memory that a writer has of its own, which is not from here: some hundred requests fit. */
export const ownBytesMax = 8 * KiB;
/** Bytes of one batch: blocks, their heads, and what else is said meanwhile. */
export const batchBytes = uploadBatchBytesMax + 16 * KiB;
/** Batches that are kept while nobody needs them. */
const sparesMax = Math.floor(8 * MiB / batchBytes);

export class BatchMemory {
  readonly #spares: Bytes[] = [];
  #outBytes = 0;

  /** Bytes that were taken and not given back. */
  get outBytes(): number {
    return this.#outBytes;
  }

  /** So much waits to be taken by peers that each may have only little of it. */
  get isScarce(): boolean {
    return this.#outBytes > sendMemoryBytesMax;
  }

  /** Memory for at least so many bytes, more where there is plenty; what it holds is left from before. */
  take(byteCount: number): Bytes {
    const memory = this.#memoryFor(byteCount);
    this.#outBytes += memory.length;
    return memory;
  }

  #memoryFor(byteCount: number): Bytes {
    if (this.isScarce) return new Uint8Array(byteCount);
    return byteCount > batchBytes ? new Uint8Array(2 * byteCount) : this.#spares.pop() ?? new Uint8Array(batchBytes);
  }

  /** Takes back what `take` gave; a writer's own memory is none of that. */
  give(bytes: Bytes): void {
    if (bytes.length <= ownBytesMax) return;
    this.#outBytes -= bytes.length;
    if (bytes.length === batchBytes && this.#spares.length < sparesMax) this.#spares.push(bytes);
    // A flood would make more of it than the garbage collector, which does not see it as its own, comes for.
    else bytes.buffer.transfer(0);
  }
}
