/**
 * Pieces on their way to the disk: hashed, and written if they are right, at once or in a worker.
 *
 * Owns which of the two it is, and what is under way. A piece that the disk refuses comes back with its bytes, so that it
 * can be tried again.
 */
import type { Bytes } from "../../lib/bytes.ts";
import { UserError } from "../../lib/errors.ts";
import type { PieceIndex } from "../../lib/ids.ts";
import type { PieceFiles, StoreAnswer } from "../../lib/io/piece_files.ts";
import { bytesWorthAWorker, pieceBytesStoredAtOnce } from "../../lib/limits/disk.ts";
import { DiskPace } from "./disk_pace.ts";
import type { PartFile } from "./part_file.ts";

/** Milliseconds for 1 MiB hashed and written to memory, a few new files included, at most. */
const fastStoreMs = 5;

export class PieceWriter {
  readonly #files: PieceFiles;
  readonly #part: PartFile | undefined;
  readonly #onStored: (piece: PieceIndex) => void;
  readonly #pace = new DiskPace(fastStoreMs);
  readonly #stores = new Set<Promise<unknown>>();
  /** Handing pieces to workers costs more than it gains: so little is missing, or the pieces are so small. */
  #storesAtOnce = false;

  /** @param onStored told of each piece that is on disk now, before its store is answered */
  constructor({ files, part, onStored }: {
    files: PieceFiles;
    part: PartFile | undefined;
    onStored: (piece: PieceIndex) => void;
  }) {
    this.#files = files;
    this.#part = part;
    this.#onStored = onStored;
  }

  /** So much is to come. */
  expect({ missingBytes, pieceLength }: { missingBytes: number; pieceLength: number }): void {
    this.#storesAtOnce = missingBytes <= bytesWorthAWorker || pieceLength <= pieceBytesStoredAtOnce;
  }

  /**
   * Stores a piece: at once where that is sooner done than said to a worker.
   *
   * @param buffer the piece at its beginning; its memory is gone here until it is given back
   */
  store(piece: PieceIndex, buffer: Bytes): StoreAnswer | Promise<StoreAnswer> {
    const start = performance.now();
    try {
      this.#part?.makeRoom(piece);
      if (!this.#storesAtOnce || !this.#pace.isFast(start)) return this.#storeInWorker(piece, buffer);
      const ok = this.#files.storeNow(piece, buffer);
      this.#pace.took(buffer.length, start, performance.now());
      if (ok) this.#onStored(piece);
      return { ok, buffer };
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return { ok: false, buffer, error };
    }
  }

  #storeInWorker(piece: PieceIndex, buffer: Bytes): Promise<StoreAnswer> {
    const store = this.#files.store(piece, buffer).then((answer) => {
      if (answer.ok) this.#onStored(piece);
      return answer;
    }).finally(() => this.#stores.delete(store));
    this.#stores.add(store);
    return store;
  }

  /** Waits for what is under way. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#stores);
  }
}
