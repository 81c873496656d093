/**
 * The addresses of a torrent's peers: known -> dialing -> connected -> backing off, or banned.
 *
 * Bounded; which address is dialled next, and when a failed one is tried again, is decided here. What strangers say
 * (`discovery`, `exchange`) has a share of the room and of the dials only, so that forged addresses keep nobody out.
 */
import { type Endpoint, formatEndpoint } from "../lib/endpoint.ts";
import {
  dialFailuresMax,
  dialsMax,
  hearsayDialFailuresMax,
  hearsayDialsMax,
  hearsayPeersMax,
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
  state: "idle" | "dialing" | "connected" | "banned";
  failureCount: number;
  dialableAt: number;
  /** The best of those who told it; those of the user are never forgotten. */
  source: AddressSource;
}

export class PeerPool {
  readonly #peers = new Map<string, KnownPeer>();
  #dialingCount = 0;
  #keepsHearsay = true;
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
      else if (this.#hasRoomFor(source)) {
        this.#peers.set(key, { endpoint, state: "idle", failureCount: 0, dialableAt: 0, source });
        this.#counts[source]++;
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
        if (isHearsayTurn && this.#hearsayDialingCount >= hearsayDialsMax) return endpoints;
        if (peer.state !== "idle" || peer.dialableAt > now || isHearsay(peer.source) !== isHearsayTurn) continue;
        this.#setState(peer, "dialing");
        endpoints.push(peer.endpoint);
      }
    }
    return endpoints;
  }

  dialFailed(endpoint: Endpoint, now: number): void {
    this.#leave(endpoint, now, true);
  }

  /** The address is that of a connected peer, dialled by us or known by its listening port. */
  connected(endpoint: Endpoint): void {
    const peer = this.#peers.get(formatEndpoint(endpoint));
    if (peer === undefined || peer.state === "banned") return;
    this.#setState(peer, "connected");
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
    if (known !== undefined) return this.#setState(known, "banned");
    this.#peers.set(key, { endpoint, state: "banned", failureCount: 0, dialableAt: Infinity, source: "tracker" });
    this.#counts.tracker++;
  }

  isBanned(endpoint: Endpoint): boolean {
    return this.#peers.get(formatEndpoint(endpoint))?.state === "banned";
  }

  #leave(endpoint: Endpoint, now: number, isFailure: boolean): void {
    const key = formatEndpoint(endpoint);
    const peer = this.#peers.get(key);
    if (peer === undefined || peer.state === "banned") return;
    this.#setState(peer, "idle");
    peer.failureCount = isFailure ? peer.failureCount + 1 : 0;
    peer.dialableAt = now + Math.min(redialMaxMs, redialMinMs * 2 ** Math.max(0, peer.failureCount - 1));
    const failuresMax = isHearsay(peer.source) ? hearsayDialFailuresMax : dialFailuresMax;
    const isHopeless = peer.failureCount > failuresMax && peer.source !== "user";
    if (isHopeless || (isHearsay(peer.source) && !this.#keepsHearsay)) this.#forget(key, peer);
  }

  #hasRoomFor(source: AddressSource): boolean {
    if (source === "user") return true;
    return this.#peers.size < knownPeersMax && (!isHearsay(source) || this.#counts[source] < hearsayPeersMax);
  }

  /** Somebody better tells an address that is known. */
  #raise(peer: KnownPeer, source: AddressSource): void {
    if (trust.indexOf(source) >= trust.indexOf(peer.source)) return;
    const { state } = peer;
    this.#setState(peer, "idle");
    this.#counts[peer.source]--;
    this.#counts[source]++;
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
    this.#peers.delete(key);
    this.#counts[peer.source]--;
  }
}

/** From best to worst. */
const trust: readonly AddressSource[] = ["user", "tracker", "discovery", "exchange"];
