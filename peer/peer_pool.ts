/**
 * The addresses of a torrent's peers: known -> dialing -> connected -> backing off, or banned.
 *
 * Bounded; which address is dialled next, and when a failed one is tried again, is decided here.
 */
import { type Endpoint, formatEndpoint } from "../lib/endpoint.ts";
import { dialFailuresMax, dialsMax, knownPeersMax, redialMaxMs, redialMinMs } from "../lib/limits.ts";

interface KnownPeer {
  readonly endpoint: Endpoint;
  state: "idle" | "dialing" | "connected" | "banned";
  failureCount: number;
  dialableAt: number;
  /** Named by the user: never forgotten. */
  readonly isKept: boolean;
}

export class PeerPool {
  readonly #peers = new Map<string, KnownPeer>();
  #dialingCount = 0;

  /** Addresses that are not banned. */
  get count(): number {
    return this.#peers.size;
  }

  /** Adds addresses that are new; above the bound they are let go. */
  add(endpoints: readonly Endpoint[], { isKept = false } = {}): void {
    for (const endpoint of endpoints) {
      const key = formatEndpoint(endpoint);
      if (this.#peers.has(key) || (this.#peers.size >= knownPeersMax && !isKept)) continue;
      this.#peers.set(key, { endpoint, state: "idle", failureCount: 0, dialableAt: 0, isKept });
    }
  }

  /** Takes the addresses to dial now, at most `count`. */
  takeDialable(now: number, count: number): Endpoint[] {
    const endpoints: Endpoint[] = [];
    const room = Math.min(count, dialsMax - this.#dialingCount);
    if (room <= 0) return endpoints;
    for (const peer of this.#peers.values()) {
      if (endpoints.length >= room) break;
      if (peer.state !== "idle" || peer.dialableAt > now) continue;
      peer.state = "dialing";
      this.#dialingCount++;
      endpoints.push(peer.endpoint);
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
    if (peer.state === "dialing") this.#dialingCount--;
    peer.state = "connected";
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
    if (this.#peers.get(key)?.state === "dialing") this.#dialingCount--;
    this.#peers.set(key, { endpoint, state: "banned", failureCount: 0, dialableAt: Infinity, isKept: true });
  }

  isBanned(endpoint: Endpoint): boolean {
    return this.#peers.get(formatEndpoint(endpoint))?.state === "banned";
  }

  #leave(endpoint: Endpoint, now: number, isFailure: boolean): void {
    const key = formatEndpoint(endpoint);
    const peer = this.#peers.get(key);
    if (peer === undefined || peer.state === "banned") return;
    if (peer.state === "dialing") this.#dialingCount--;
    peer.state = "idle";
    peer.failureCount = isFailure ? peer.failureCount + 1 : 0;
    peer.dialableAt = now + Math.min(redialMaxMs, redialMinMs * 2 ** Math.max(0, peer.failureCount - 1));
    if (peer.failureCount > dialFailuresMax && !peer.isKept) this.#peers.delete(key);
  }
}
