/**
 * Memory for batches of blocks on their way out, shared by all peers of a torrent: it is taken for the time of one write.
 *
 * Hundreds of peers that ask for a little each need few batches at a time, and one that asks for all of it gets the same
 * two again and again: memory made anew for each write costs more than the copy into it.
 */
import type { Bytes } from "../bytes.ts";
import { KiB, MiB } from "../limits/units.ts";
import { uploadBatchBytesMax } from "../limits/wire.ts";

/** Bytes of one batch: blocks, their heads, and what else is said meanwhile. */
export const batchBytes = uploadBatchBytesMax + 16 * KiB;
/** Batches that are kept while nobody needs them. */
const sparesMax = Math.floor(8 * MiB / batchBytes);

export class BatchMemory {
  readonly #spares: Bytes[] = [];

  /** `batchBytes` bytes; what they hold is left from before. */
  take(): Bytes {
    return this.#spares.pop() ?? new Uint8Array(batchBytes);
  }

  /** Takes back what `take` gave; other memory is left to the garbage collector. */
  give(bytes: Bytes): void {
    if (bytes.length === batchBytes && this.#spares.length < sparesMax) this.#spares.push(bytes);
  }
}
