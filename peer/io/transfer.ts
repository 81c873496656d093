/**
 * One torrent at work: its Torrent on a SwarmLink, and the storage that answers what it asks of the disk.
 */
import { reasonOf } from "../../lib/errors.ts";
import type { PieceIndex } from "../../lib/ids.ts";
import type { StoreAnswer } from "../../lib/io/piece_files.ts";
import { isLoss, patienceWith } from "../../lib/io/disk_error.ts";
import { cacheRestMs } from "../../lib/limits/disk.ts";
import { resumeSaveMs } from "../../lib/limits/transfer.ts";
import type { CheckedBlockRange, ConnectionId, Effect, Input } from "../events.ts";
import type { Torrent } from "../torrent.ts";
import { DataWatch, type FileNews } from "./data_watch.ts";
import { RoomWatch } from "./room_watch.ts";
import { FlushFault, type Storage } from "./storage.ts";
import type { WebSeedClient, WebTaker } from "./web_seed_client.ts";
import { type LinkHost, type LinkOwner, type OwnEffect, SwarmLink, track } from "./swarm_link.ts";

/** What a transfer tells of its life, for people and programs; `failed` ends it. */
export type TransferEvent =
  | Extract<Effect, { kind: "peerJoined" | "peerLeft" | "peerBanned" | "pieceDone" | "webSeedFailed" }>
  | Extract<Effect, { kind: "diskPaused" | "diskResumed" }>
  | FileNews
  | { readonly kind: "complete" }
  | { readonly kind: "trackerFailed"; readonly url: string; readonly why: string }
  | { readonly kind: "resumeNotSaved"; readonly why: string }
  | { readonly kind: "failed"; readonly error: unknown };

function isPending(read: Uint8Array | Promise<Uint8Array>): read is Promise<Uint8Array> {
  return read instanceof Promise;
}

/** Pieces of one batch above which its blocks have little in common. */
const piecesTogetherMax = 4;

function isScattered(ranges: readonly CheckedBlockRange[]): boolean {
  return new Set(ranges.map(({ piece }) => piece)).size > piecesTogetherMax;
}

/** Copies of the blocks; the array lets go of the views. */
function copyEach(reads: (Uint8Array | Promise<Uint8Array>)[]): Promise<Uint8Array[]> {
  for (const [i, read] of reads.entries()) {
    reads[i] = isPending(read) ? read.then((view) => view.slice()) : read.slice();
  }
  return Promise.all(reads);
}

export class Transfer implements LinkOwner, WebTaker {
  readonly torrent: Torrent;
  readonly link: SwarmLink;
  readonly #storage: Storage;
  readonly #webSeeds: WebSeedClient | undefined;
  readonly #host: LinkHost;
  readonly #onEvent: (event: TransferEvent) => void;
  readonly #stores = new Set<Promise<void>>();
  readonly #room: RoomWatch;
  /** While nothing is written. */
  #watch: DataWatch | undefined;
  #savedAt: number;
  #hasUnsaved = false;
  /** When blocks were last asked for; Infinity while none are in memory. */
  #readAt = Infinity;

  /** @param link with the connections that a MetadataFetch made; a new one if left out */
  constructor({ torrent, storage, webSeeds, host, link, onEvent }: {
    torrent: Torrent;
    storage: Storage;
    /** Needed where the torrent has web seeds. */
    webSeeds?: WebSeedClient | undefined;
    host: LinkHost;
    link?: SwarmLink | undefined;
    onEvent: (event: TransferEvent) => void;
  }) {
    this.torrent = torrent;
    this.#storage = storage;
    this.#webSeeds = webSeeds;
    this.#host = host;
    this.#onEvent = onEvent;
    this.#savedAt = host.now();
    this.#room = new RoomWatch({ freeBytes: () => storage.freeBytes, neededBytes: storage.pieceLength });
    this.link = link ?? new SwarmLink(host, torrent, this);
    link?.handTo(torrent, this);
    if (storage.isReadOnly) this.#watch = this.#startWatch();
  }

  /** Takes an input in and performs what follows from it, before it returns. */
  apply(input: Input): void {
    this.link.apply(input);
  }

  mayReadWeb(request: number): boolean {
    return this.torrent.mayReadWeb(request, this.#host.now());
  }

  /** Nothing was missing at the start: finishes as if the last piece had just come. */
  settle(): void {
    this.#complete();
  }

  #startWatch(): DataWatch {
    return new DataWatch({
      files: this.#storage.verified,
      isTrusted: this.#storage.isTrusted,
      now: () => this.#host.now(),
      apply: (input) => this.apply(input),
      tell: (news) => this.#onEvent(news),
      onFault: (error) => this.onFault(error),
    });
  }

  // For the link

  onTick(): void {
    this.#watch?.tick();
    if (this.#room.hasGrown(this.#host.now())) this.apply({ kind: "diskHasRoom" });
    if (this.#host.now() - this.#readAt > cacheRestMs) {
      this.#readAt = Infinity;
      this.#storage.restCache();
    }
    if (this.#hasUnsaved && this.#host.now() - this.#savedAt >= resumeSaveMs) this.#saveResume();
  }

  onFault(error: unknown): void {
    this.#onEvent({ kind: "failed", error });
  }

  onTrackerFailed(failure: { url: string; why: string }): void {
    this.#onEvent({ kind: "trackerFailed", ...failure });
  }

  /** Waits for what is being written, and saves the resume file. */
  async drain(): Promise<void> {
    await Promise.allSettled(this.#stores);
    if (!this.torrent.isComplete) await this.#saveResume({ isLast: true });
  }

  async close(): Promise<void> {
    await this.#webSeeds?.close();
    await this.#watch?.close();
    await this.#storage.close();
  }

  perform(effect: OwnEffect): void {
    switch (effect.kind) {
      case "readBlocks":
        return this.#readBlocks(effect.connection, effect.ranges);
      case "storePiece":
        return this.#storePiece(effect);
      case "fetchWeb":
        return this.#webSeeds?.fetch(effect, this);
      case "cancelWeb":
        return this.#webSeeds?.cancel(effect.request);
      case "complete":
        return void this.#complete();
      case "metadata":
        return; // of a MetadataFetch only
      case "checkPiece":
        return void this.#checkPiece(effect.piece).catch((error) => this.onFault(error));
      case "diskPaused":
        this.#room.begin(this.#host.now());
        return this.#onEvent(effect);
      case "diskResumed":
        this.#room.end();
        return this.#onEvent(effect);
      case "diskFailed":
        return this.#onEvent({ kind: "failed", error: effect.error });
      case "pieceDone":
        this.#hasUnsaved = true;
        return this.#onEvent(effect);
      default:
        return this.#onEvent(effect);
    }
  }

  // Disk

  #readBlocks(connection: ConnectionId, ranges: readonly CheckedBlockRange[]): void {
    this.#readAt = this.#host.now();
    const reads = this.#read(ranges);
    if (reads.some(isPending)) return void this.#awaitBlocks(connection, ranges, reads);
    this.apply({ kind: "blocksRead", connection, ranges, blocks: reads as Uint8Array[] });
  }

  #read(ranges: readonly CheckedBlockRange[]): (Uint8Array | Promise<Uint8Array>)[] {
    return ranges.map(({ piece, begin, length }) => this.#storage.readBlock(piece, begin, length));
  }

  /**
   * Some blocks were not in the cache. Its views die with the first wait, so all are looked up again when the last has
   * come. Where some are gone once more, because many peers press, or the batch lies all over the torrent, each is copied
   * the moment it is here: a view that waits for the others holds all that was read with it.
   */
  async #awaitBlocks(
    connection: ConnectionId,
    ranges: readonly CheckedBlockRange[],
    reads: (Uint8Array | Promise<Uint8Array>)[],
  ): Promise<void> {
    try {
      let blocks = reads;
      if (!isScattered(ranges)) {
        await Promise.all(reads);
        blocks = this.#read(ranges);
      }
      if (blocks.some(isPending)) blocks = await copyEach(blocks);
      this.apply({ kind: "blocksRead", connection, ranges, blocks: blocks as Uint8Array[] });
    } catch (error) {
      const lost = await this.#lostPieces(ranges);
      this.apply({ kind: "readFailed", connection, ranges, lost, why: reasonOf(error) });
      if (lost.length > 0) this.#watch?.onUnreadable(lost, reasonOf(error));
    }
  }

  /** The pieces whose files cannot be had at a second try either: they are ours no longer. */
  async #lostPieces(ranges: readonly CheckedBlockRange[]): Promise<PieceIndex[]> {
    const outcomes = await Promise.allSettled(this.#read(ranges));
    const lost = new Set<PieceIndex>();
    outcomes.forEach((outcome, i) => {
      if (outcome.status === "rejected" && isLoss(outcome.reason)) lost.add(ranges[i].piece);
    });
    for (const piece of lost) this.#storage.forget(piece);
    return [...lost];
  }

  /** While data is still written, what turns out to be wrong is fetched again; nobody looks after the files then. */
  async #checkPiece(piece: PieceIndex): Promise<void> {
    if (this.#watch !== undefined) return await this.#watch.check(piece);
    const ok = await this.#storage.isRight(piece);
    if (!ok) this.#storage.forget(piece);
    this.apply({ kind: "pieceChecked", piece, ok });
  }

  #storePiece({ piece, buffer }: Extract<Effect, { kind: "storePiece" }>): void {
    const stored = this.#storage.storePiece(piece, buffer);
    if (stored instanceof Promise) track(this.#stores, this.#awaitStore(piece, stored));
    else this.#applyStored(piece, stored);
  }

  async #awaitStore(piece: PieceIndex, store: Promise<StoreAnswer>): Promise<void> {
    try {
      this.#applyStored(piece, await store);
    } catch (error) {
      this.apply({ kind: "storeFailed", piece, error });
    }
  }

  #applyStored(piece: PieceIndex, { ok, buffer, error }: StoreAnswer): void {
    if (error === undefined) return this.apply({ kind: ok ? "pieceStored" : "pieceBad", piece, buffer });
    const patience = patienceWith(error);
    if (patience === "none") return this.apply({ kind: "storeFailed", piece, error });
    this.apply({ kind: "storeRefused", piece, buffer, error, isBrief: patience === "brief" });
  }

  async #complete(): Promise<void> {
    try {
      await Promise.allSettled(this.#stores);
      await this.#storage.finish();
      this.#watch ??= this.#startWatch();
      this.#onEvent({ kind: "complete" });
    } catch (error) {
      this.#onEvent({ kind: "failed", error });
    }
  }

  /** A fault costs only time: what is not vouched for is checked at the next start. */
  async #saveResume(moment: { isLast?: boolean } = {}): Promise<void> {
    this.#savedAt = this.#host.now();
    this.#hasUnsaved = false;
    try {
      await this.#storage.saveResume(moment);
    } catch (error) {
      const isDataLost = error instanceof FlushFault && isLoss(error.cause) && !moment.isLast;
      if (isDataLost) this.#onEvent({ kind: "failed", error: error.cause });
      else this.#onEvent({ kind: "resumeNotSaved", why: reasonOf(error) });
    }
  }
}
