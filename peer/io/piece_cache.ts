/**
 * Pieces in memory for uploads: a peer asks for a piece block by block, and the disk is asked once.
 *
 * Owns a bounded set of extents (a piece, or a part of a large one), least recently used out first; one read is under way
 * for an extent at most, and all reads together are bounded. Extents shrink when they are thrown out before they were
 * used up, as hundreds of peers at different places make it happen, and grow again when they are not.
 */
import type { Bytes } from "../../lib/bytes.ts";
import type { PieceIndex } from "../../lib/ids.ts";
import type { Layout } from "../../lib/layout.ts";
import { extentBytesMax, extentBytesMin, pieceCacheBytes, pieceReadBytesMax } from "../../lib/limits/disk.ts";
import { MiB } from "../../lib/limits/units.ts";

/** Where the bytes of the torrent come from. */
export interface PieceSource {
  /** Fills `target` from `offset` on, at once, where that is fast: false where it is not. @throws UserError */
  readNow(offset: number, target: Bytes): boolean;
  /** Reads in a worker, into `spare` if that is large enough. Rejects with UserError. */
  read(range: { offset: number; length: number }, spare: ArrayBuffer | undefined): Promise<Bytes>;
}

interface Extent {
  readonly bytes: Bytes;
  /** Bytes that were handed out of it. */
  served: number;
}

/** Extents thrown out between two looks at how well they were used. */
const judgedEvictions = 32;
/** Bytes of memory that waits for the next reads instead of being made anew for them. */
const spareBytesMax = 4 * MiB;

export class PieceCache {
  readonly #layout: Layout;
  readonly #source: PieceSource;
  readonly #capacityBytes: number;
  readonly #extents = new Map<number, Extent>();
  readonly #reads = new Map<number, Promise<Bytes>>();
  /** Reads that wait until fewer are under way. */
  readonly #waiting: (() => void)[] = [];
  readonly #spares: Bytes[] = [];
  /** Memory of extents thrown out in this turn: it may still be looked at. */
  #dropped: Bytes[] = [];
  #droppedBytes = 0;
  #newestKey = -1;
  #extentLength: number;
  #extentsPerPiece: number;
  #cachedBytes = 0;
  #readBytes = 0;
  #evictions = 0;
  #wastedEvictions = 0;

  constructor({ layout, source, capacityBytes = pieceCacheBytes }: {
    layout: Layout;
    source: PieceSource;
    capacityBytes?: number;
  }) {
    this.#layout = layout;
    this.#source = source;
    this.#extentLength = Math.min(extentBytesMax, layout.pieceLength);
    this.#extentsPerPiece = Math.ceil(layout.pieceLength / this.#extentLength);
    // An extent must outlive the turn in which it was read, or its readers would look at memory that was given away.
    this.#capacityBytes = Math.max(capacityBytes, 4 * this.#extentLength);
  }

  /** Bytes in memory now, reads under way included. */
  get memoryBytes(): number {
    return this.#cachedBytes + this.#readBytes;
  }

  /**
   * A range of a piece: at once when it is in memory, else when it was read.
   *
   * @returns a view that is valid until the next await; the promise rejects with UserError
   */
  get(piece: PieceIndex, begin: number, length: number): Bytes | Promise<Bytes> {
    const index = Math.floor(begin / this.#extentLength);
    const start = index * this.#extentLength;
    if (begin + length > start + this.#extentLength) return this.#join(piece, begin, length);
    const key = piece * this.#extentsPerPiece + index;
    let extent = this.#extents.get(key);
    if (extent === undefined) {
      try {
        extent = this.#loadNow(piece, index, key);
      } catch (error) {
        return Promise.reject(error);
      }
    }
    if (extent === undefined) {
      return this.#load(piece, index, key).then((bytes) => {
        const loaded = this.#extents.get(key);
        if (loaded?.bytes === bytes) loaded.served += length;
        return cut(bytes, begin - start, length);
      });
    }
    if (key !== this.#newestKey) {
      this.#extents.delete(key);
      this.#extents.set(key, extent);
      this.#newestKey = key;
    }
    extent.served += length;
    return cut(extent.bytes, begin - start, length);
  }

  /** Gives all memory back to the system, at once: to be called when nobody asks for anything any more. */
  rest(): void {
    if (this.#reads.size > 0) return;
    // Nothing would be made for hours that lets the garbage collector run; what is transferred is free now.
    for (const { bytes } of this.#extents.values()) bytes.buffer.transfer(0);
    for (const { buffer } of this.#spares) buffer.transfer(0);
    this.#forget();
  }

  /** Forgets what is in memory, of one piece or of all; reads under way are still answered. */
  drop(piece?: PieceIndex): void {
    if (piece === undefined) {
      this.#reads.clear();
      return this.#forget();
    }
    const firstKey = piece * this.#extentsPerPiece;
    for (let key = firstKey; key < firstKey + this.#extentsPerPiece; key++) {
      this.#reads.delete(key);
      const extent = this.#extents.get(key);
      if (extent === undefined) continue;
      this.#extents.delete(key);
      this.#cachedBytes -= extent.bytes.length;
    }
    this.#newestKey = -1;
  }

  /** A range that lies in more than one extent, copied together. */
  async #join(piece: PieceIndex, begin: number, length: number): Promise<Bytes> {
    const joined = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const untilEnd = this.#extentLength - (begin + done) % this.#extentLength;
      const part = this.get(piece, begin + done, Math.min(untilEnd, length - done));
      const bytes = part instanceof Promise ? await part : part;
      joined.set(bytes, done);
      done += bytes.length;
    }
    return joined;
  }

  /**
   * Reads an extent on this thread; undefined when the disk is slow, a worker reads it already, or this turn has thrown out
   * so much memory that more would have no bound.
   *
   * @throws UserError
   */
  #loadNow(piece: PieceIndex, index: number, key: number): Extent | undefined {
    if (this.#reads.has(key) || this.#droppedBytes >= pieceReadBytesMax) return undefined;
    const { offset, length } = this.#rangeOf(piece, index);
    const target = this.#memoryFor(length);
    if (!this.#source.readNow(offset, target)) {
      this.#keepSpare(target);
      return undefined;
    }
    return this.#insert(key, target);
  }

  #load(piece: PieceIndex, index: number, key: number): Promise<Bytes> {
    const running = this.#reads.get(key);
    if (running !== undefined) return running;
    const read: Promise<Bytes> = this.#readBounded(this.#rangeOf(piece, index)).then((bytes) => {
      // Not if it was dropped meanwhile, or the extents are others now.
      if (this.#reads.get(key) === read) this.#insert(key, bytes);
      return bytes;
    }).finally(() => {
      if (this.#reads.get(key) === read) this.#reads.delete(key);
    });
    this.#reads.set(key, read);
    return read;
  }

  #rangeOf(piece: PieceIndex, index: number): { offset: number; length: number } {
    const start = index * this.#extentLength;
    const length = Math.min(this.#extentLength, this.#layout.lengthOfPiece(piece) - start);
    return { offset: this.#layout.pieceOffset(piece) + start, length };
  }

  async #readBounded(range: { offset: number; length: number }): Promise<Bytes> {
    while (this.#readBytes > 0 && this.#readBytes + range.length > pieceReadBytesMax) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#readBytes += range.length;
    try {
      return await this.#source.read(range, this.#spares.pop()?.buffer);
    } finally {
      this.#readBytes -= range.length;
      this.#waiting.shift()?.();
    }
  }

  #memoryFor(length: number): Bytes {
    if (length === this.#extentLength) {
      const spare = this.#spares.pop();
      if (spare !== undefined) return spare;
    }
    return new Uint8Array(length);
  }

  #keepSpare(bytes: Bytes): void {
    const isUseful = this.#spares.length * this.#extentLength < spareBytesMax;
    if (isUseful && bytes.length === this.#extentLength) this.#spares.push(bytes);
  }

  #insert(key: number, bytes: Bytes): Extent {
    const extent = { bytes, served: 0 };
    this.#extents.set(key, extent);
    this.#newestKey = key;
    this.#cachedBytes += bytes.length;
    for (const [oldKey, old] of this.#extents) {
      if (this.#cachedBytes <= this.#capacityBytes || oldKey === key) break;
      this.#evict(oldKey, old);
    }
    if (this.#evictions >= judgedEvictions) this.#judge();
    return extent;
  }

  #evict(key: number, extent: Extent): void {
    this.#extents.delete(key);
    this.#cachedBytes -= extent.bytes.length;
    this.#evictions++;
    if (extent.served < extent.bytes.length / 2) this.#wastedEvictions++;
    // Its memory goes to a read of the next turn: views of it are good until this one ends.
    if (this.#dropped.length === 0) queueMicrotask(() => this.#reuseDropped());
    this.#dropped.push(extent.bytes);
    this.#droppedBytes += extent.bytes.length;
  }

  #reuseDropped(): void {
    for (const bytes of this.#dropped) this.#keepSpare(bytes);
    this.#dropped = [];
    this.#droppedBytes = 0;
  }

  /** Fits the length of an extent to how the last ones were used. */
  #judge(): void {
    const longest = Math.min(extentBytesMax, this.#layout.pieceLength);
    if (this.#wastedEvictions > judgedEvictions / 2 && this.#extentLength > extentBytesMin) {
      this.#resize(extentBytesMin);
    } else if (this.#wastedEvictions === 0 && this.#extentLength < longest) {
      this.#resize(Math.min(longest, this.#extentLength * 2));
    }
    this.#evictions = 0;
    this.#wastedEvictions = 0;
  }

  /** The keys change with the length, so the cache begins anew; reads under way are still answered. */
  #resize(extentLength: number): void {
    this.#extentLength = Math.ceil(extentLength);
    this.#extentsPerPiece = Math.ceil(this.#layout.pieceLength / this.#extentLength);
    this.#reads.clear();
    this.#forget();
  }

  #forget(): void {
    this.#extents.clear();
    this.#spares.length = 0;
    this.#cachedBytes = 0;
    this.#newestKey = -1;
  }
}

/** @throws Error when the extent is too short: our own bug */
function cut(bytes: Bytes, start: number, length: number): Bytes {
  if (start + length > bytes.length) {
    throw new Error(`bytes ${start}+${length} are outside an extent of ${bytes.length}`);
  }
  return bytes.subarray(start, start + length);
}
