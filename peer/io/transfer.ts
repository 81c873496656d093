/**
 * One torrent at work: feeds its Torrent with what sockets, disk and trackers say, and performs the effects.
 *
 * Inputs are applied one after the other in the order they come; an effect that is answered at once (a block from the
 * cache) becomes the next input of the same turn.
 */
import { TrackerFailure } from "../../lib/announce/request.ts";
import type { Endpoint } from "../../lib/endpoint.ts";
import { ProtocolError, reasonOf, UserError } from "../../lib/errors.ts";
import type { PieceIndex } from "../../lib/ids.ts";
import type { Socket } from "../../lib/io/network.ts";
import { dialTimeoutMs, resumeSaveMs } from "../../lib/limits.ts";
import type { CheckedBlockRange, ConnectionId, Effect, Input } from "../events.ts";
import type { Torrent } from "../torrent.ts";
import { announce } from "./announce_client.ts";
import type { Connection } from "./connection.ts";
import type { Storage, StoreResult } from "./storage.ts";

/** What a transfer needs of the engine. */
export interface TransferHost {
  now(): number;
  connect(endpoint: Endpoint, signal: AbortSignal): Promise<Socket>;
  /** Gives a new socket its number. */
  adopt(socket: Socket): Connection;
  /** The transfer has something to do at this time (monotonic ms). */
  wakeAt(at: number): void;
}

/** What a transfer tells of its life, for people and programs; `failed` ends it. */
export type TransferEvent =
  | Extract<Effect, { kind: "peerJoined" | "peerLeft" | "peerBanned" | "pieceDone" }>
  | { readonly kind: "complete" }
  | { readonly kind: "trackerFailed"; readonly url: string; readonly why: string }
  | { readonly kind: "resumeNotSaved"; readonly why: string }
  | { readonly kind: "failed"; readonly error: unknown };

/** Milliseconds that trackers have to hear our goodbye. */
const goodbyeMs = 1_500;

function isPending(read: Uint8Array | Promise<Uint8Array>): read is Promise<Uint8Array> {
  return read instanceof Promise;
}

export class Transfer {
  readonly torrent: Torrent;
  readonly #storage: Storage;
  readonly #host: TransferHost;
  readonly #onEvent: (event: TransferEvent) => void;
  readonly #connections = new Map<ConnectionId, Connection>();
  readonly #inputs: Input[] = [];
  readonly #announces = new Set<Promise<void>>();
  readonly #stores = new Set<Promise<void>>();
  readonly #ending = new AbortController();
  #isApplying = false;
  #isStopping = false;
  #savedAt: number;
  #hasUnsaved = false;

  constructor({ torrent, storage, host, onEvent }: {
    torrent: Torrent;
    storage: Storage;
    host: TransferHost;
    onEvent: (event: TransferEvent) => void;
  }) {
    this.torrent = torrent;
    this.#storage = storage;
    this.#host = host;
    this.#onEvent = onEvent;
    this.#savedAt = host.now();
  }

  /** Takes an input in and performs what follows from it, before it returns. */
  apply(input: Input): void {
    this.#inputs.push(input);
    if (this.#isApplying) return;
    this.#isApplying = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
        for (const effect of this.torrent.apply(next, this.#host.now())) this.#perform(effect);
      }
    } catch (error) {
      this.#inputs.length = 0;
      this.#onEvent({ kind: "failed", error });
    } finally {
      this.#isApplying = false;
    }
    this.#host.wakeAt(this.torrent.wakeAt(this.#host.now()));
  }

  /** Serves a connection until it ends. `start` is what was read of it already. */
  async run(connection: Connection, isOutgoing: boolean, start?: Uint8Array): Promise<void> {
    const { id, endpoint } = connection;
    this.#connections.set(id, connection);
    this.apply({ kind: "connected", connection: id, endpoint, isOutgoing });
    if (start !== undefined) this.apply({ kind: "received", connection: id, bytes: start });
    while (this.#connections.has(id)) {
      if (!this.torrent.mayRead(id)) await this.#whenWritten(id);
      const bytes = await connection.read();
      if (bytes === undefined) break;
      this.apply({ kind: "received", connection: id, bytes });
    }
    if (this.#connections.delete(id)) this.apply({ kind: "closed", connection: id });
    connection.close();
  }

  /** Nothing was missing at the start: finishes as if the last piece had just come. */
  settle(): void {
    this.#complete();
  }

  tick(): void {
    this.apply({ kind: "tick" });
    if (this.#hasUnsaved && this.#host.now() - this.#savedAt >= resumeSaveMs) this.#saveResume();
  }

  /** Says goodbye to trackers and peers, waits for what is being written, and saves the resume file. */
  async stop(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.apply({ kind: "stop" });
    const timer = setTimeout(() => this.#ending.abort(), goodbyeMs);
    await Promise.allSettled(this.#stores);
    if (!this.torrent.isComplete) await this.#saveResume();
    await Promise.allSettled(this.#announces);
    clearTimeout(timer);
    this.#ending.abort();
    await this.#storage.close();
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case "send":
        return void this.#send(effect);
      case "readBlocks":
        return this.#readBlocks(effect.connection, effect.ranges);
      case "storePiece":
        return this.#storePiece(effect);
      case "announce":
        return this.#track(this.#announces, this.#announce(effect));
      case "dial":
        return void this.#dial(effect.endpoint);
      case "close":
        this.#connections.get(effect.connection)?.close();
        this.#connections.delete(effect.connection);
        this.#written.get(effect.connection)?.();
        return;
      case "complete":
        return void this.#complete();
      case "diskFailed":
        return this.#onEvent({ kind: "failed", error: effect.error });
      case "pieceDone":
        this.#hasUnsaved = true;
        return this.#onEvent(effect);
      default:
        return this.#onEvent(effect);
    }
  }

  #track(set: Set<Promise<void>>, work: Promise<void>): void {
    const tracked = work.finally(() => set.delete(tracked));
    set.add(tracked);
  }

  // Sockets

  async #send({ connection: id, bytes }: Extract<Effect, { kind: "send" }>): Promise<void> {
    const isWritten = await this.#connections.get(id)?.write(bytes);
    if (isWritten) this.apply({ kind: "sent", connection: id, bytes });
    else this.#connections.get(id)?.close(); // its read ends too, and tells the torrent
    this.#written.get(id)?.();
  }

  /** Those whose reading waits until their peer has taken what was sent. */
  readonly #written = new Map<ConnectionId, () => void>();

  async #whenWritten(id: ConnectionId): Promise<void> {
    while (this.#connections.has(id) && !this.torrent.mayRead(id)) {
      await new Promise<void>((resolve) => this.#written.set(id, resolve));
    }
    this.#written.delete(id);
  }

  async #dial(endpoint: Endpoint): Promise<void> {
    let socket: Socket;
    try {
      const signal = AbortSignal.any([this.#ending.signal, AbortSignal.timeout(dialTimeoutMs)]);
      socket = await this.#host.connect(endpoint, signal);
    } catch {
      return this.apply({ kind: "dialFailed", endpoint });
    }
    await this.run(this.#host.adopt(socket), true);
  }

  // Disk

  #readBlocks(connection: ConnectionId, ranges: readonly CheckedBlockRange[]): void {
    const reads = this.#read(ranges);
    if (reads.some(isPending)) return void this.#awaitBlocks(connection, ranges, reads);
    this.apply({ kind: "blocksRead", connection, ranges, blocks: reads as Uint8Array[] });
  }

  #read(ranges: readonly CheckedBlockRange[]): (Uint8Array | Promise<Uint8Array>)[] {
    return ranges.map(({ piece, begin, length }) => this.#storage.readBlock(piece, begin, length));
  }

  /**
   * Some blocks were not in the cache. Its views die with the first wait, so all are looked up again when the last has
   * come; only where some are gone once more, because many peers press, is each copied the moment it is here.
   */
  async #awaitBlocks(
    connection: ConnectionId,
    ranges: readonly CheckedBlockRange[],
    reads: readonly (Uint8Array | Promise<Uint8Array>)[],
  ): Promise<void> {
    try {
      await Promise.all(reads);
      let blocks = this.#read(ranges);
      if (blocks.some(isPending)) {
        blocks = await Promise.all(
          blocks.map((read) => isPending(read) ? read.then((view) => view.slice()) : read.slice()),
        );
      }
      this.apply({ kind: "blocksRead", connection, ranges, blocks: blocks as Uint8Array[] });
    } catch (error) {
      this.apply({ kind: "readFailed", connection, ranges, why: reasonOf(error) });
    }
  }

  #storePiece({ piece, buffer }: Extract<Effect, { kind: "storePiece" }>): void {
    const stored = this.#storage.storePiece(piece, buffer);
    if (stored instanceof Promise) this.#track(this.#stores, this.#awaitStore(piece, stored));
    else this.#applyStored(piece, stored);
  }

  async #awaitStore(piece: PieceIndex, store: Promise<StoreResult>): Promise<void> {
    try {
      this.#applyStored(piece, await store);
    } catch (error) {
      this.apply({ kind: "storeFailed", piece, error });
    }
  }

  #applyStored(piece: PieceIndex, { ok, buffer }: StoreResult): void {
    this.apply({ kind: ok ? "pieceStored" : "pieceBad", piece, buffer });
  }

  async #complete(): Promise<void> {
    try {
      await Promise.allSettled(this.#stores);
      await this.#storage.finish();
      this.#onEvent({ kind: "complete" });
    } catch (error) {
      this.#onEvent({ kind: "failed", error });
    }
  }

  /** A fault costs only time: what is not vouched for is checked at the next start. */
  async #saveResume(): Promise<void> {
    this.#savedAt = this.#host.now();
    this.#hasUnsaved = false;
    try {
      await this.#storage.saveResume();
    } catch (error) {
      this.#onEvent({ kind: "resumeNotSaved", why: reasonOf(error) });
    }
  }

  // Trackers

  async #announce({ call }: Extract<Effect, { kind: "announce" }>): Promise<void> {
    try {
      const reply = await announce(call, { signal: this.#ending.signal });
      this.apply({ kind: "announced", id: call.id, reply });
    } catch (error) {
      if (!(error instanceof UserError || error instanceof ProtocolError)) throw error;
      const retryInMs = error instanceof TrackerFailure ? error.retryInMs : undefined;
      this.apply({ kind: "announceFailed", id: call.id, why: error.message, retryInMs });
      if (!this.#isStopping) this.#onEvent({ kind: "trackerFailed", url: call.url, why: error.message });
    }
  }
}
