/**
 * Peer exchange (BEP 11): tells each peer who else is here, and takes what it tells with little trust.
 *
 * Told are peers that we are connected to and whose listening address is known, as the difference to what was told before:
 * soon after the beginning, then at most once a minute. Taken is at most a message a minute from each peer and so many
 * addresses in all; who says more is not listened to. What is taken is hearsay to PeerPool.
 */
import { canonicalHost, type Endpoint, formatEndpoint, isLoopback } from "../lib/endpoint.ts";
import {
  pexAddressesPerPeerMax,
  pexEntriesMax,
  pexFirstDelayMs,
  pexIntervalMs,
  pexReceiveMinMs,
  pexToldMax,
} from "../lib/limits/wire.ts";
import { isLinkLocal6 } from "../lib/local_addresses.ts";
import { decodePexMessage, encodePexMessage, PexFlag, type PexPeer } from "../lib/wire/ut_pex.ts";
import type { ConnectionId } from "./events.ts";
import type { PeerSession } from "./peer_session.ts";

/** What passed between us and one peer. */
interface Exchange {
  /** Whom we told it of and have not taken back, by address. */
  readonly told: Map<string, Endpoint>;
  nextAt: number;
  /** The state of the swarm that it was told all about. */
  version: number;
  /** When its last message was taken. */
  takenAt: number;
  /** Addresses that were new to us. */
  takenCount: number;
}

export interface PeerExchangeOptions {
  readonly sessions: ReadonlyMap<ConnectionId, PeerSession>;
  /** Takes addresses in. @returns how many were new */
  readonly learn: (endpoints: readonly Endpoint[]) => number;
  /** We look for no seeds. */
  readonly wantsNoSeeds: () => boolean;
  readonly random: () => number;
}

export class PeerExchange {
  readonly #options: PeerExchangeOptions;
  readonly #exchanges = new Map<PeerSession, Exchange>();
  /** Counts changes of who is here. */
  #version = 0;

  constructor(options: PeerExchangeOptions) {
    this.#options = options;
  }

  /** Somebody came, said more of itself, or left. */
  touch(): void {
    this.#version++;
  }

  onGone(session: PeerSession): void {
    this.#exchanges.delete(session);
    this.touch();
  }

  /** Tells whom it is time to tell. */
  tick(now: number): void {
    let present: Map<string, PexPeer> | undefined;
    for (const session of this.#options.sessions.values()) {
      if (!session.speaks("ut_pex")) continue;
      const exchange = this.#exchangeWith(session, now);
      if (exchange.nextAt > now || exchange.version === this.#version) continue;
      present ??= this.#present();
      this.#tell(session, exchange, { present, now });
    }
  }

  /** A message came. @throws ProtocolError when it cannot be read */
  onMessage(session: PeerSession, payload: Uint8Array, now: number): void {
    const exchange = this.#exchangeWith(session, now);
    if (now - exchange.takenAt < pexReceiveMinMs) return;
    exchange.takenAt = now;
    const { added } = decodePexMessage(payload);
    const room = pexAddressesPerPeerMax - exchange.takenCount;
    const wantsNoSeeds = this.#options.wantsNoSeeds();
    const endpoints = added
      .filter(({ endpoint, flags }) =>
        mayBePeer(endpoint, session.endpoint) && !(wantsNoSeeds && (flags & PexFlag.seed) !== 0)
      )
      .map(({ endpoint }) => endpoint);
    if (room > 0 && endpoints.length > 0) exchange.takenCount += this.#options.learn(endpoints.slice(0, room));
  }

  #exchangeWith(session: PeerSession, now: number): Exchange {
    const known = this.#exchanges.get(session);
    if (known !== undefined) return known;
    const exchange = { told: new Map(), nextAt: now + pexFirstDelayMs, version: -1, takenAt: -Infinity, takenCount: 0 };
    this.#exchanges.set(session, exchange);
    return exchange;
  }

  /** Who is here and can be reached, beginning with another one each time, so that no few are told to everybody. */
  #present(): Map<string, PexPeer> {
    const peers: [string, PexPeer][] = [];
    for (const session of this.#options.sessions.values()) {
      const endpoint = session.listenEndpoint;
      if (!session.isEstablished || endpoint === undefined || canonicalHost(endpoint.host) === undefined) continue;
      const isSeed = session.has.isFull && session.has.length > 0 || session.isUploadOnly;
      const flags = (isSeed ? PexFlag.seed : 0) | (session.isOutgoing ? PexFlag.reachable : 0);
      peers.push([formatEndpoint(endpoint), { endpoint, flags }]);
    }
    const start = Math.floor(this.#options.random() * peers.length);
    return new Map([...peers.slice(start), ...peers.slice(0, start)]);
  }

  #tell(
    session: PeerSession,
    exchange: Exchange,
    { present, now }: { present: ReadonlyMap<string, PexPeer>; now: number },
  ): void {
    const { told } = exchange;
    const own = session.listenEndpoint && formatEndpoint(session.listenEndpoint);
    const gone = [...told].filter(([key]) => !present.has(key));
    const fresh = [...present].filter(([key, { endpoint }]) =>
      key !== own && !told.has(key) && mayBePeer(endpoint, session.endpoint)
    );
    const dropped = gone.slice(0, pexEntriesMax);
    const added = fresh.slice(0, Math.min(pexEntriesMax, pexToldMax - told.size + dropped.length));
    if (dropped.length === gone.length && added.length === fresh.length) exchange.version = this.#version;
    if (added.length + dropped.length === 0) return;
    for (const [key] of dropped) told.delete(key);
    for (const [key, { endpoint }] of added) told.set(key, endpoint);
    exchange.nextAt = now + pexIntervalMs;
    const message = { added: added.map(([, peer]) => peer), dropped: dropped.map(([, endpoint]) => endpoint) };
    session.sendExtended("ut_pex", encodePexMessage(message));
  }
}

/** Whether the address may be that of a peer, as seen from `witness`: loopback means something on one machine only. */
function mayBePeer({ host }: Endpoint, witness: Endpoint): boolean {
  if (isLoopback(host)) return isLoopback(witness.host);
  if (host.includes(":")) return host !== "::" && !/^ff[0-9a-f]{2}:/.test(host) && !isLinkLocal6(host);
  const first = Number(host.split(".", 1)[0]);
  return first > 0 && first < 224;
}
