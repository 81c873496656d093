/**
 * Local service discovery at work: one for all torrents of a run (BEP 14).
 *
 * Owns the sockets of the groups and the timer; when to send and what to believe is peer/discovery.ts's. Whatever goes
 * wrong is a warning: the tracker and `--peer` are still there.
 */
import type { Context } from "../../lib/cli/context.ts";
import { safeText } from "../../lib/cli/text.ts";
import { type Endpoint, formatEndpoint } from "../../lib/endpoint.ts";
import { ProtocolError } from "../../lib/errors.ts";
import type { InfoHash } from "../../lib/ids.ts";
import { MulticastSockets } from "../../lib/io/multicast.ts";
import {
  decodeLocalAnnounce,
  encodeLocalAnnounce,
  localDiscoveryGroups,
  localDiscoveryPort,
} from "../../lib/local_discovery.ts";
import type { MulticastLink } from "../../lib/multicast_links.ts";
import { Discovery, type Found } from "../discovery.ts";

export class LocalDiscovery {
  readonly #context: Context;
  /** The TCP port that peers reach us on. */
  readonly #port: number;
  readonly #discovery: Discovery;
  readonly #finders = new Map<InfoHash, (endpoints: Endpoint[]) => void>();
  readonly #opened: Promise<MulticastSockets>;
  #sockets: MulticastSockets | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  /** @param host what is listened on; `::` and `0.0.0.0` are all interfaces */
  constructor({ context, host, port }: { context: Context; host: string; port: number }) {
    this.#context = context;
    this.#port = port;
    this.#discovery = new Discovery({ random: context.random });
    this.#opened = this.#open(host);
  }

  /** Announces a torrent, which must not be private, and tells of others that have or want it. */
  add(infoHash: InfoHash, onFound: (endpoints: Endpoint[]) => void): void {
    this.#finders.set(infoHash, onFound);
    this.#discovery.add(infoHash, this.#context.now());
    this.#wake();
  }

  /** Not a word more about it, e.g. since it turned out to be private. */
  remove(infoHash: InfoHash): void {
    this.#finders.delete(infoHash);
    this.#discovery.remove(infoHash);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    (await this.#opened).close();
  }

  async #open(host: string): Promise<MulticastSockets> {
    const { network, now, warn } = this.#context;
    const sockets = await MulticastSockets.open({
      network,
      host,
      port: localDiscoveryPort,
      groups: localDiscoveryGroups,
      onPacket: (bytes, sender, links) => this.#hear(bytes, sender, links),
      onFault: (name, why) => warn(`local discovery does without ${safeText(name)}: ${safeText(why)}`),
      onLinks: () => {
        this.#discovery.restart(now());
        this.#wake();
      },
    });
    this.#sockets = sockets;
    if (sockets.links.length === 0 && !this.#isClosed) {
      warn("local discovery finds no network; trackers and --peer HOST:PORT work without it");
    }
    this.#wake();
    return sockets;
  }

  /** Sends what is due and sets the clock for the next time. */
  #wake(): void {
    if (this.#isClosed || this.#sockets === undefined) return;
    clearTimeout(this.#timer);
    const now = this.#context.now();
    const due = this.#discovery.due(now);
    if (due.length > 0) this.#send(this.#sockets, due);
    const at = this.#discovery.wakeAt(now);
    if (at !== Infinity) this.#timer = setTimeout(() => this.#wake(), Math.max(1, at - now));
  }

  async #send(sockets: MulticastSockets, infoHashes: readonly InfoHash[]): Promise<void> {
    const { cookie } = this.#discovery;
    await sockets.send(({ family }) => {
      return infoHashes.map((infoHash) => encodeLocalAnnounce({ family, port: this.#port, infoHash, cookie }));
    });
  }

  #hear(bytes: Uint8Array, { host }: Endpoint, links: readonly MulticastLink[]): void {
    const now = this.#context.now();
    if (!this.#discovery.accepts(host, links.flatMap(({ networks }) => networks), now)) return;
    const all = this.#understand(bytes, host, now);
    for (const found of all) this.#tell(found);
    if (all.length > 0) this.#wake(); // to answer a newcomer
  }

  /** Silence to what is malformed. */
  #understand(bytes: Uint8Array, host: string, now: number): Found[] {
    try {
      return this.#discovery.hear(decodeLocalAnnounce(bytes), host, now);
    } catch (error) {
      if (error instanceof ProtocolError) return [];
      throw error;
    }
  }

  #tell({ infoHash, endpoint }: Found): void {
    if (this.#context.verbose) this.#context.log(`found ${formatEndpoint(endpoint)} on this network`);
    this.#finders.get(infoHash)?.([endpoint]);
  }
}
