/**
 * The addresses of a torrent's peers: known -> dialing -> connected -> backing off; and those that are banned.
 *
 * Bounded; which address is dialled next, and when a failed one is tried again, is decided here. What strangers say
 * (`discovery`, `exchange`) has a share of the room and of the dials only, so that forged addresses keep nobody out.
 */
import { type Endpoint, formatEndpoint } from "../lib/endpoint.ts";
import {
  bannedMax,
  dialFailuresMax,
  dialsMax,
  hearsayDialFailuresMax,
  hearsayDialsMax,
  hearsayDialsPerSecond,
  hearsayPeersMax,
  hearsayPerHostMax,
  knownPeersMax,
  redialMaxMs,
  redialMinMs,
} from "../lib/limits/transfer.ts";

/** Who told an address: the person, a tracker, local discovery (BEP 14) or another peer (BEP 11). */
export type AddressSource = "user" | "tracker" | "discovery" | "exchange";

/** Whether the address was told by somebody who may say anything. */
export function isHearsay(source: AddressSource): boolean {
  return source === "discovery" || source === "exchange";
}

interface KnownPeer {
  readonly endpoint: Endpoint;
  state: "idle" | "dialing" | "connected";
  failureCount: number;
  dialableAt: number;
  /** The best of those who told it; those of the user are never forgotten. */
  source: AddressSource;
}

export class PeerPool {
  readonly #peers = new Map<string, KnownPeer>();
  #dialingCount = 0;
  #keepsHearsay = true;
  /** Addresses that are never dialled, the oldest first. Not among `#peers`: whoever is banned takes no room there. */
  readonly #banned = new Set<string>();
  /** Addresses of hearsay by host. */
  readonly #hearsayByHost = new Map<string, number>();
  /** Dials to hearsay since a moment, for their rate. */
  #hearsayDialsSince = { moment: -Infinity, count: 0 };
  /** Of these, dials to addresses of hearsay. */
  #hearsayDialingCount = 0;
  /** Addresses of each source. */
  readonly #counts: Record<AddressSource, number> = { user: 0, tracker: 0, discovery: 0, exchange: 0 };

  /** Addresses that are not banned. */
  get count(): number {
    return this.#peers.size;
  }

  /** Addresses that are being dialled. */
  get dialingCount(): number {
    return this.#dialingCount;
  }

  /** An address is being dialled, or was not yet. */
  get hasUntried(): boolean {
    for (const { state, failureCount } of this.#peers.values()) {
      if (state === "dialing" || (state === "idle" && failureCount === 0)) return true;
    }
    return false;
  }

  /** Adds addresses that are new; above the bounds they are let go. @returns how many were new */
  add(endpoints: readonly Endpoint[], source: AddressSource): number {
    let count = 0;
    for (const endpoint of endpoints) {
      const key = formatEndpoint(endpoint);
      const known = this.#peers.get(key);
      if (known !== undefined) this.#raise(known, source);
      else if (!this.#banned.has(key) && this.#hasRoomFor(source, endpoint)) {
        this.#peers.set(key, { endpoint, state: "idle", failureCount: 0, dialableAt: 0, source });
        this.#count(source, endpoint, 1);
        count++;
      }
    }
    return count;
  }

  /** Who told the address; undefined when nobody did. */
  sourceOf(endpoint: Endpoint): AddressSource | undefined {
    return this.#peers.get(formatEndpoint(endpoint))?.source;
  }

  /** Forgets what was heard from strangers, now or when its connection ends: the torrent turned out to be private. */
  forgetHearsay(): void {
    this.#keepsHearsay = false;
    for (const [key, peer] of this.#peers) {
      if (isHearsay(peer.source) && peer.state === "idle") this.#forget(key, peer);
    }
  }

  /** Takes the addresses to dial now, at most `count`: hearsay last, and not so much of it that nothing else finds room. */
  takeDialable(now: number, count: number): Endpoint[] {
    const endpoints: Endpoint[] = [];
    const room = Math.min(count, dialsMax - this.#dialingCount);
    for (const isHearsayTurn of [false, true]) {
      for (const peer of this.#peers.values()) {
        if (endpoints.length >= room) return endpoints;
        if (isHearsayTurn && !this.#mayDialHearsay(now)) return endpoints;
        if (peer.state !== "idle" || peer.dialableAt > now || isHearsay(peer.source) !== isHearsayTurn) continue;
        if (isHearsayTurn) this.#hearsayDialsSince.count++;
        this.#setState(peer, "dialing");
        endpoints.push(peer.endpoint);
      }
    }
    return endpoints;
  }

  #mayDialHearsay(now: number): boolean {
    if (now - this.#hearsayDialsSince.moment >= 1_000) this.#hearsayDialsSince = { moment: now, count: 0 };
    return this.#hearsayDialingCount < hearsayDialsMax && this.#hearsayDialsSince.count < hearsayDialsPerSecond;
  }

  dialFailed(endpoint: Endpoint, now: number): void {
    this.#leave(endpoint, now, true);
  }

  /** The address is that of a connected peer, dialled by us or known by its listening port. */
  connected(endpoint: Endpoint): boolean {
    const peer = this.#peers.get(formatEndpoint(endpoint));
    if (peer !== undefined) this.#setState(peer, "connected");
    return peer !== undefined;
  }

  /**
   * The connection to the address ended.
   *
   * @param isFailure it was of no use, so that the next dial waits longer
   */
  closed(endpoint: Endpoint, now: number, isFailure: boolean): void {
    this.#leave(endpoint, now, isFailure);
  }

  /** Never dials the address again and refuses it when it comes. */
  ban(endpoint: Endpoint): void {
    const key = formatEndpoint(endpoint);
    const known = this.#peers.get(key);
    if (known !== undefined) this.#forget(key, known);
    for (const oldest of this.#banned) {
      if (this.#banned.size < bannedMax) break;
      this.#banned.delete(oldest);
    }
    this.#banned.add(key);
  }

  isBanned(endpoint: Endpoint): boolean {
    return this.#banned.has(formatEndpoint(endpoint));
  }

  #leave(endpoint: Endpoint, now: number, isFailure: boolean): void {
    const key = formatEndpoint(endpoint);
    const peer = this.#peers.get(key);
    if (peer === undefined) return;
    this.#setState(peer, "idle");
    peer.failureCount = isFailure ? peer.failureCount + 1 : 0;
    peer.dialableAt = now + Math.min(redialMaxMs, redialMinMs * 2 ** Math.max(0, peer.failureCount - 1));
    const failuresMax = isHearsay(peer.source) ? hearsayDialFailuresMax : dialFailuresMax;
    const isHopeless = peer.failureCount > failuresMax && peer.source !== "user";
    if (isHopeless || (isHearsay(peer.source) && !this.#keepsHearsay)) this.#forget(key, peer);
  }

  #hasRoomFor(source: AddressSource, { host }: Endpoint): boolean {
    if (source === "user") return true;
    if (this.#peers.size >= knownPeersMax) return false;
    if (!isHearsay(source)) return true;
    return this.#counts[source] < hearsayPeersMax && (this.#hearsayByHost.get(host) ?? 0) < hearsayPerHostMax;
  }

  /** One address of the source more, or one less. */
  #count(source: AddressSource, { host }: Endpoint, by: 1 | -1): void {
    this.#counts[source] += by;
    if (!isHearsay(source)) return;
    const count = (this.#hearsayByHost.get(host) ?? 0) + by;
    if (count > 0) this.#hearsayByHost.set(host, count);
    else this.#hearsayByHost.delete(host);
  }

  /** Somebody better tells an address that is known. */
  #raise(peer: KnownPeer, source: AddressSource): void {
    if (trust.indexOf(source) >= trust.indexOf(peer.source)) return;
    const { state } = peer;
    this.#setState(peer, "idle");
    this.#count(peer.source, peer.endpoint, -1);
    this.#count(source, peer.endpoint, 1);
    peer.source = source;
    this.#setState(peer, state);
  }

  #setState(peer: KnownPeer, state: KnownPeer["state"]): void {
    const change = Number(state === "dialing") - Number(peer.state === "dialing");
    this.#dialingCount += change;
    if (isHearsay(peer.source)) this.#hearsayDialingCount += change;
    peer.state = state;
  }

  #forget(key: string, peer: KnownPeer): void {
    this.#setState(peer, "idle");
    this.#peers.delete(key);
    this.#count(peer.source, peer.endpoint, -1);
  }
}

/** From best to worst. */
const trust: readonly AddressSource[] = ["user", "tracker", "discovery", "exchange"];
