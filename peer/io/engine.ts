/**
 * The peer side of the program: the listening port, the clock, and the transfers that share both.
 *
 * An incoming connection belongs to nobody until its handshake names a torrent that is here; the number of those is
 * bounded, and one that says nothing is closed in time.
 */
import type { AnnounceReply } from "../../lib/announce/request.ts";
import { ProtocolError } from "../../lib/errors.ts";
import { connectOnAnyLink } from "../../lib/io/link_local.ts";
import { listenOn, listenOnNextFree } from "../../lib/io/listen.ts";
import type { Network, Socket, SocketListener } from "../../lib/io/network.ts";
import {
  handshakeTimeoutMs,
  socketsMax,
  socketsPerHostMax,
  unroutedConnectionsMax,
} from "../../lib/limits/transfer.ts";
import { readMemoryBytesMax } from "../../lib/limits/wire.ts";
import { handshakeLength } from "../../lib/wire/handshake.ts";
import type { AnnounceCall } from "../announcer.ts";
import { Client } from "../client.ts";
import type { MetadataFetch } from "../metadata_fetch.ts";
import { Refusals } from "../refusals.ts";
import { AnnounceClient } from "./announce_client.ts";
import { Connection } from "./connection.ts";
import type { Storage } from "./storage.ts";
import type { Torrent } from "../torrent.ts";
import { MetadataTask } from "./metadata_task.ts";
import type { LinkHost, SwarmLink } from "./swarm_link.ts";
import { Transfer, type TransferEvent } from "./transfer.ts";
import type { WebSeedClient } from "./web_seed_client.ts";

/** The port that is tried first, and how many after it before the system chooses (BEP 3 names 6881 to 6889). */
const firstPort = 6881;
const portTries = 100;
/** The clock never ticks faster, nor slower, than this. */
const tickMinMs = 2;
const tickMaxMs = 2_000;

export class Engine implements LinkHost {
  /** The TCP port that peers reach us on. */
  readonly port: number;
  readonly #network: Network;
  readonly #announceClient: AnnounceClient;
  readonly #listeners: readonly SocketListener[];
  readonly #client = new Client<SwarmLink>();
  readonly #accepting: Promise<void>[];
  readonly #unrouted = new Set<Connection>();
  readonly now: () => number;
  #nextConnectionId = 1;
  /** Why incoming connections were not let in; what torrents refused is theirs. */
  readonly refusals = new Refusals();
  /** Sockets that the system still holds for us: in all, and by the address at the far end. */
  #socketCount = 0;
  readonly #socketCounts = new Map<string, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;
  #isStopped = false;

  /**
   * Listens at once.
   *
   * @param port undefined: 6881 or the next free one
   * @throws UserError when the port cannot be had
   */
  constructor({ network, host, port, now }: {
    network: Network;
    host: string | undefined;
    port: number | undefined;
    now: () => number;
  }) {
    this.#network = network;
    this.#announceClient = new AnnounceClient({ network, host, now });
    this.now = now;
    this.#listeners = port === undefined
      ? listenOnNextFree(network, host, { port: firstPort, tries: portTries })
      : listenOn(network, host, port);
    this.port = this.#listeners[0].addr.port;
    this.#accepting = this.#listeners.map((listener) => this.#accept(listener));
  }

  /** The address that is listened on; `::` or `0.0.0.0` for all. */
  get host(): string {
    return this.#listeners[0].addr.hostname;
  }

  has(torrent: Pick<Torrent, "infoHash">): boolean {
    return this.#client.has(torrent.infoHash);
  }

  /** Puts a magnet link to work: its metadata is to be fetched. */
  fetch(fetch: MetadataFetch, onEvent: (event: TransferEvent) => void): MetadataTask {
    const task = new MetadataTask({ fetch, host: this, onEvent });
    this.#client.add(fetch.infoHash, task.link);
    task.link.tick();
    return task;
  }

  /** Puts a torrent to work. @param link of the MetadataTask that fetched it */
  add({ torrent, storage, webSeeds, link, onEvent }: {
    torrent: Torrent;
    storage: Storage;
    webSeeds?: WebSeedClient;
    link?: SwarmLink | undefined;
    onEvent: (event: TransferEvent) => void;
  }): Transfer {
    const transfer = new Transfer({ torrent, storage, webSeeds, link, host: this, onEvent });
    if (link === undefined) this.#client.add(torrent.infoHash, transfer.link);
    transfer.link.tick();
    return transfer;
  }

  /** Ends every transfer, then the listening. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const listener of this.#listeners) listener.close();
    for (const connection of this.#unrouted) connection.close();
    clearTimeout(this.#timer);
    await Promise.all([...this.#client.entries()].map((link) => link.stop()));
    this.#announceClient.close();
    await Promise.all(this.#accepting);
  }

  // For the links

  connect({ host, port }: { host: string; port: number }, signal: AbortSignal): Promise<Socket> {
    return connectOnAnyLink(this.#network, { hostname: host, port, signal });
  }

  announce(call: AnnounceCall, signal: AbortSignal): Promise<AnnounceReply> {
    return this.#announceClient.announce(call, { signal });
  }

  adopt(socket: Socket): Connection {
    const connection = new Connection(this.#nextConnectionId++, socket, {
      readBytesMax: () => readMemoryBytesMax / this.#socketCount,
      onGone: () => this.#countSocket(connection.endpoint.host, -1),
    });
    this.#countSocket(connection.endpoint.host, 1);
    return connection;
  }

  #countSocket(host: string, by: 1 | -1): void {
    this.#socketCount += by;
    const count = (this.#socketCounts.get(host) ?? 0) + by;
    if (count > 0) this.#socketCounts.set(host, count);
    else this.#socketCounts.delete(host);
  }

  wakeAt(at: number): void {
    if (at >= this.#timerAt || this.#isStopped) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => this.#tick(), Math.min(Math.max(at - this.now(), tickMinMs), tickMaxMs));
  }

  #tick(): void {
    this.#timerAt = Infinity;
    for (const link of this.#client.entries()) link.tick();
  }

  // Incoming

  async #accept(listener: SocketListener): Promise<void> {
    while (!this.#isStopped) {
      let socket: Socket;
      try {
        socket = await listener.accept();
      } catch {
        if (this.#isStopped) return;
        await new Promise((resolve) => setTimeout(resolve, 100)); // out of descriptors: let some be closed
        continue;
      }
      const connection = this.adopt(socket);
      if (this.#unrouted.size >= unroutedConnectionsMax) this.#closeOldestUnrouted(connection.endpoint.host);
      if (this.#socketCount > socketsMax) this.#refuse(connection, "there are too many connections");
      else if (this.#socketCounts.get(connection.endpoint.host)! > socketsPerHostMax) {
        this.#refuse(connection, "there are too many connections from its address");
      } else this.#route(connection);
    }
  }

  #refuse(connection: Connection, why: string): void {
    this.refusals.count(why);
    connection.close();
  }

  /**
   * Who has said nothing for longest makes room: a crowd of the silent keeps nobody out. A newcomer from an address that has
   * many of them takes the place of one of those.
   */
  #closeOldestUnrouted(host: string): void {
    let oldest: Connection | undefined;
    for (const connection of this.#unrouted) {
      oldest ??= connection;
      if (connection.endpoint.host !== host) continue;
      oldest = connection;
      break;
    }
    if (oldest === undefined) return;
    this.#unrouted.delete(oldest);
    this.#refuse(oldest, "others came while it said nothing");
  }

  async #route(connection: Connection): Promise<void> {
    this.#unrouted.add(connection);
    const timeout = setTimeout(() => this.#refuse(connection, "no handshake came"), handshakeTimeoutMs);
    const start = new Uint8Array(handshakeLength);
    let length = 0;
    let link: SwarmLink | "more" | undefined = "more";
    let rest: Uint8Array | undefined;
    try {
      while (link === "more") {
        const bytes = await connection.read();
        if (bytes === undefined) return connection.close();
        const taken = Math.min(bytes.length, start.length - length);
        start.set(bytes.subarray(0, taken), length);
        length += taken;
        rest = bytes.subarray(taken);
        link = this.#client.route(start.subarray(0, length));
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return this.#refuse(connection, error.message);
    } finally {
      clearTimeout(timeout);
      this.#unrouted.delete(connection);
    }
    if (link === undefined) return this.#refuse(connection, "its torrent is not here");
    if (this.#isStopped) return connection.close();
    const begun = new Uint8Array(length + (rest?.length ?? 0));
    begun.set(start.subarray(0, length));
    if (rest !== undefined) begun.set(rest, length);
    await link.run(connection, false, begun);
  }
}
