/**
 * The connections of an HTTP server: who gets in, who has to go for a newcomer, and who is over his time.
 *
 * Owns the bounds in number and the counts of what was refused. Whoever floods the server with connections is in his own
 * way: it is always the oldest of those that only wait which makes room, so an honest newcomer has the time that it takes
 * to open as many connections as there may be.
 */
import { canonicalHost, isLoopback } from "../endpoint.ts";
import { httpFreshMs, httpLookedAtMax } from "../limits/http_server.ts";
import { Refusals } from "../refusals.ts";
import type { HttpConnection } from "./http_connection.ts";

/** Why a connection or a request of HTTP was refused; `tooFast` only had to wait. */
export const httpRefusals = [
  "tooManyConnections",
  "tooManyOfAddress",
  "madeRoom",
  "slowRequest",
  "unreadReply",
  "crowded",
  "tooFast",
  "malformed",
  "otherMethod",
  "hasBody",
  "tooLong",
  "otherVersion",
] as const;
export type HttpRefusal = typeof httpRefusals[number];

export interface HttpRoomLimits {
  readonly connectionsMax: number;
  /** Loopback is free of it. */
  readonly connectionsPerAddressMax: number;
}

export class HttpRoom {
  readonly refusals = new Refusals<HttpRefusal>(httpRefusals);
  readonly #limits: HttpRoomLimits;
  /** Oldest first. */
  readonly #connections = new Set<HttpConnection>();
  readonly #countByAddress = new Map<string, number>();
  /** Connections whose write waits, and those that were given up and whose write the system does not end. */
  #writingCount = 0;

  constructor(limits: HttpRoomLimits) {
    this.#limits = limits;
  }

  get connections(): Iterable<HttpConnection> {
    return this.#connections;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Half of all may be held up by clients that do not read: from then on nobody is sent what he might leave unread. */
  get isCrowded(): boolean {
    return this.#writingCount >= this.#limits.connectionsMax / 2;
  }

  /** Whether a newcomer gets in; another may have to go for it. */
  admits(hostname: string, clock: number): boolean {
    const { connectionsMax, connectionsPerAddressMax } = this.#limits;
    if ((this.#countByAddress.get(hostname) ?? 0) >= connectionsPerAddressMax) {
      if (!isLoopback(canonicalHost(hostname) ?? hostname)) return this.#refuse("tooManyOfAddress");
    }
    if (this.#connections.size < connectionsMax || this.makeRoom(clock)) return true;
    return this.#refuse("tooManyConnections");
  }

  enter(connection: HttpConnection, hostname: string): void {
    this.#connections.add(connection);
    this.#countByAddress.set(hostname, (this.#countByAddress.get(hostname) ?? 0) + 1);
  }

  leave(connection: HttpConnection, hostname: string): void {
    this.#connections.delete(connection);
    const count = this.#countByAddress.get(hostname)! - 1;
    if (count > 0) this.#countByAddress.set(hostname, count);
    else this.#countByAddress.delete(hostname);
  }

  beginWrite(): void {
    this.#writingCount++;
  }

  endWrite(): void {
    this.#writingCount--;
  }

  /** Closes one that only waits: the oldest whose request is not there after a while, else the oldest between two. */
  makeRoom(clock: number): boolean {
    let victim: HttpConnection | undefined;
    let lookedAt = 0;
    for (const connection of this.#connections) {
      if (++lookedAt > httpLookedAtMax && victim !== undefined) break;
      const { phase } = connection;
      if (phase === "head" && connection.since <= clock - httpFreshMs) {
        victim = connection;
        break;
      }
      if (phase === "idle" && victim?.phase !== "idle") victim = connection;
      else if (phase === "head" || phase === "linger") victim ??= connection;
    }
    if (victim === undefined) return false;
    this.refusals.add("madeRoom");
    victim.close();
    // Its loop has yet to end; its place is given away already.
    this.#connections.delete(victim);
    return true;
  }

  /**
   * Closes what is over its time.
   *
   * Deno up to 2.7 does not end a write that waits for the client: such a connection's socket stays until the client reads
   * or leaves. It takes no place any more, but it stays counted, for its address and for `isCrowded`.
   */
  closeLate(clock: number): void {
    for (const connection of this.#connections) {
      if (connection.deadline > clock) continue;
      if (connection.phase === "head") this.refusals.add("slowRequest");
      else if (connection.phase === "write") this.refusals.add("unreadReply");
      connection.close();
      this.#connections.delete(connection);
    }
  }

  #refuse(reason: HttpRefusal): false {
    this.refusals.add(reason);
    return false;
  }
}
