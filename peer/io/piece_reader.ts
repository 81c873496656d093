/**
 * Blocks on their way from the disk to peers: out of the cache, or read at once or in a worker.
 */
import type { Bytes } from "../../lib/bytes.ts";
import type { PieceIndex } from "../../lib/ids.ts";
import type { PieceFiles } from "../../lib/io/piece_files.ts";
import type { Layout } from "../../lib/layout.ts";
import { DiskPace } from "./disk_pace.ts";
import { PieceCache } from "./piece_cache.ts";

/** Milliseconds for 1 MiB read from memory into fresh memory, at most. */
const fastReadMs = 1.5;

export class PieceReader {
  readonly #files: PieceFiles;
  readonly #cache: PieceCache;
  readonly #pace = new DiskPace(fastReadMs);
  /** Sees each range after it was read and before its bytes are handed out; what it throws is the reader's error. */
  onRead: (range: { offset: number; length: number }) => void = () => {};

  constructor({ files, layout }: { files: PieceFiles; layout: Layout }) {
    this.#files = files;
    this.#cache = new PieceCache({
      layout,
      source: {
        readNow: (offset, target) => this.#readNow(offset, target),
        read: async (range, spare) => {
          const bytes = await this.#files.read(range, spare);
          this.onRead(range);
          return bytes;
        },
      },
    });
  }

  /**
   * A block: at once when it is in memory, so that a caller can wait for the first block of a piece and take the others as
   * they come.
   *
   * @returns a view that is valid until the next await; the promise rejects with UserError on a disk error
   */
  block(piece: PieceIndex, begin: number, length: number): Bytes | Promise<Bytes> {
    return this.#cache.get(piece, begin, length);
  }

  /** What is in memory may not be what is on disk. @param piece only this one */
  drop(piece?: PieceIndex): void {
    this.#cache.drop(piece);
  }

  /** Nobody asks for blocks any more: their memory is given back. */
  rest(): void {
    this.#cache.rest();
  }

  #readNow(offset: number, target: Bytes): boolean {
    const start = performance.now();
    if (!this.#pace.isFast(start)) return false;
    this.#files.readNow(offset, target);
    this.onRead({ offset, length: target.length });
    this.#pace.took(target.length, start, performance.now());
    return true;
  }
}
