/**
 * The sockets and trackers of one info hash: feeds a core with what they say, and performs what it wants of them.
 *
 * The core may change while connections stand: a MetadataFetch is followed by the Torrent that it found. Inputs are applied
 * one after the other in the order they come; an effect that is answered at once becomes the next input of the same turn.
 */
import { type AnnounceReply, TrackerFailure } from "../../lib/announce/request.ts";
import type { Endpoint } from "../../lib/endpoint.ts";
import { ProtocolError, UserError } from "../../lib/errors.ts";
import type { InfoHash } from "../../lib/ids.ts";
import type { Socket } from "../../lib/io/network.ts";
import { dialTimeoutMs } from "../../lib/limits/transfer.ts";
import type { AnnounceCall } from "../announcer.ts";
import type { ConnectionId, Effect, Input } from "../events.ts";
import type { Connection } from "./connection.ts";

/** A state machine for one info hash. */
export interface Core {
  readonly infoHash: InfoHash;
  apply(input: Input, now: number): Effect[];
  mayRead(connection: ConnectionId): boolean;
  wakeAt(now: number): number;
}

/** What a link needs of the engine. */
export interface LinkHost {
  now(): number;
  connect(endpoint: Endpoint, signal: AbortSignal): Promise<Socket>;
  /** Gives a new socket its number. */
  adopt(socket: Socket): Connection;
  /** Asks a tracker. @throws as AnnounceClient.announce() does */
  announce(call: AnnounceCall, signal: AbortSignal): Promise<AnnounceReply>;
  /** The link has something to do at this time (monotonic ms). */
  wakeAt(at: number): void;
}

/** Effects that are not of sockets or trackers. */
export type OwnEffect = Exclude<Effect, { kind: "send" | "dial" | "close" | "announce" }>;

/** Whose core it is. */
export interface LinkOwner {
  perform(effect: OwnEffect): void;
  /** The core failed: a bug of ours. */
  onFault(error: unknown): void;
  onTrackerFailed(failure: { url: string; why: string }): void;
  onTick(): void;
  /** The core was told to stop: waits for what is under way elsewhere. */
  drain(): Promise<void>;
  /** Everything has ended. */
  close(): Promise<void>;
}

/** Milliseconds that trackers have to hear our goodbye. */
const goodbyeMs = 1_500;

export class SwarmLink {
  readonly #host: LinkHost;
  readonly #connections = new Map<ConnectionId, Connection>();
  readonly #inputs: Input[] = [];
  readonly #announces = new Set<Promise<void>>();
  readonly #ending = new AbortController();
  /** Those whose reading waits until their peer has taken what was sent. */
  readonly #written = new Map<ConnectionId, () => void>();
  #core: Core;
  #owner: LinkOwner;
  #isApplying = false;
  #isStopping = false;

  constructor(host: LinkHost, core: Core, owner: LinkOwner) {
    this.#host = host;
    this.#core = core;
    this.#owner = owner;
  }

  get infoHash(): InfoHash {
    return this.#core.infoHash;
  }

  /** From now on another core, which has taken the connections over from the one before it, hears what they say. */
  handTo(core: Core, owner: LinkOwner): void {
    this.#core = core;
    this.#owner = owner;
    this.apply({ kind: "handedOver" });
  }

  /** Takes an input in and performs what follows from it, before it returns. */
  apply(input: Input): void {
    this.#inputs.push(input);
    if (this.#isApplying) return;
    this.#isApplying = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
        for (const effect of this.#core.apply(next, this.#host.now())) this.#perform(effect);
      }
    } catch (error) {
      this.#inputs.length = 0;
      this.#owner.onFault(error);
    } finally {
      this.#isApplying = false;
    }
    this.#host.wakeAt(this.#core.wakeAt(this.#host.now()));
  }

  tick(): void {
    this.apply({ kind: "tick" });
    this.#owner.onTick();
  }

  /** Serves a connection until it ends. `start` is what was read of it already. */
  async run(connection: Connection, isOutgoing: boolean, start?: Uint8Array): Promise<void> {
    const { id, endpoint } = connection;
    this.#connections.set(id, connection);
    this.apply({ kind: "connected", connection: id, endpoint, isOutgoing });
    if (start !== undefined) this.apply({ kind: "received", connection: id, bytes: start });
    while (this.#connections.has(id)) {
      if (!this.#core.mayRead(id)) await this.#whenWritten(id);
      const bytes = await connection.read();
      if (bytes === undefined) break;
      this.apply({ kind: "received", connection: id, bytes });
    }
    this.#lose(id);
    connection.close();
  }

  /** The connection has ended by itself. */
  #lose(id: ConnectionId): void {
    this.#connections.get(id)?.close();
    if (this.#connections.delete(id)) this.apply({ kind: "closed", connection: id });
  }

  /** Says goodbye to trackers and peers, and waits for what its owner still has to do. */
  async stop(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.apply({ kind: "stop" });
    const timer = setTimeout(() => this.#ending.abort(), goodbyeMs);
    await this.#owner.drain();
    await Promise.allSettled(this.#announces);
    clearTimeout(timer);
    this.#ending.abort();
    await this.#owner.close();
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case "send":
        return void this.#send(effect);
      case "announce":
        return track(this.#announces, this.#announce(effect));
      case "dial":
        return void this.#dial(effect.endpoint);
      case "close":
        this.#connections.get(effect.connection)?.close();
        this.#connections.delete(effect.connection);
        this.#written.get(effect.connection)?.();
        return;
      default:
        return this.#owner.perform(effect);
    }
  }

  async #send({ connection: id, bytes }: Extract<Effect, { kind: "send" }>): Promise<void> {
    const isWritten = await this.#connections.get(id)?.write(bytes);
    if (!isWritten) this.#lose(id);
    this.apply({ kind: "sent", connection: id, bytes });
    this.#written.get(id)?.();
  }

  async #whenWritten(id: ConnectionId): Promise<void> {
    while (this.#connections.has(id) && !this.#core.mayRead(id)) {
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

  async #announce({ call }: Extract<Effect, { kind: "announce" }>): Promise<void> {
    try {
      const reply = await this.#host.announce(call, this.#ending.signal);
      this.apply({ kind: "announced", id: call.id, reply });
    } catch (error) {
      if (!(error instanceof UserError || error instanceof ProtocolError)) throw error;
      const retryInMs = error instanceof TrackerFailure ? error.retryInMs : undefined;
      this.apply({ kind: "announceFailed", id: call.id, why: error.message, retryInMs });
      if (!this.#isStopping) this.#owner.onTrackerFailed({ url: call.url, why: error.message });
    }
  }
}

/** Keeps a piece of work in the set until it has ended. */
export function track(set: Set<Promise<void>>, work: Promise<void>): void {
  const tracked = work.finally(() => set.delete(tracked));
  set.add(tracked);
}
