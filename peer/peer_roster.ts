/**
 * Who takes part in a torrent: the sessions by connection and by peer id, whom we dial, refuse and ban.
 *
 * A peer is one peer id: of two connections to it one is closed. Our own key of an address is ip:port, so several peers
 * behind one address are several peers.
 */
import { type Endpoint, formatEndpoint } from "../lib/endpoint.ts";
import { ProtocolError } from "../lib/errors.ts";
import type { PeerId } from "../lib/ids.ts";
import {
  bannedMax,
  dialAlwaysUpTo,
  dialledPart,
  dialUpToPart,
  handshakeTimeoutMs,
  silenceMaxMs,
} from "../lib/limits/transfer.ts";
import { BatchMemory } from "../lib/wire/batch_memory.ts";
import type { Bytes } from "../lib/bytes.ts";
import { chooseToGiveWay } from "./admission.ts";
import type { ConnectionId, Effect } from "./events.ts";
import { Refusals } from "./refusals.ts";
import { type AddressSource, isHearsay, PeerPool } from "./peer_pool.ts";
import { PeerSession } from "./peer_session.ts";

/** Peers that connected twice within this time dialled each other at once: both ends must keep the same connection. */
const simultaneousDialMs = 5_000;

/** Whose peers they are. */
export interface RosterOwner {
  /** Undefined while the metadata is fetched. */
  readonly pieceCount: number | undefined;
  /** Takes no addresses of strangers (BEP 27). */
  readonly isPrivate: boolean;
  emit(effect: Effect): void;
  /** Called once for each session that was taken out. */
  onGone(session: PeerSession): void;
}

export class PeerRoster {
  readonly sessions = new Map<ConnectionId, PeerSession>();
  /** Sessions with bytes to write; emptied by `flush`. */
  readonly unflushed = new Set<PeerSession>();
  /** Why connections were closed or not taken. */
  readonly refusals = new Refusals();
  /** For what is sent to all of them. */
  readonly memory: BatchMemory;
  readonly #byPeerId = new Map<PeerId, PeerSession>();
  /** Address and peer id: anybody can take the id of an honest peer and lie under it. */
  readonly #banned = new Set<string>();
  readonly #pool = new PeerPool();
  /** Known addresses that each session stands for, dialled or told: all of them can be dialled again when it is gone. */
  readonly #addresses = new Map<PeerSession, Map<string, Endpoint>>();
  readonly #ownPeerId: PeerId;
  readonly #sessionsMax: number;
  #owner: RosterOwner;

  constructor({ ownPeerId, sessionsMax, owner, memory = new BatchMemory() }: {
    ownPeerId: PeerId;
    sessionsMax: number;
    owner: RosterOwner;
    memory?: BatchMemory | undefined;
  }) {
    this.memory = memory;
    this.#ownPeerId = ownPeerId;
    this.#sessionsMax = sessionsMax;
    this.#owner = owner;
  }

  /** The torrent's metadata is there: its sessions and addresses belong to another owner from now on. */
  handTo(owner: RosterOwner): void {
    this.#owner = owner;
    if (owner.isPrivate) this.#pool.forgetHearsay();
  }

  /** Closes whom no tracker and no user named: the torrent turned out to be private (BEP 27). */
  closeStrangers(now: number): void {
    for (const session of [...this.sessions.values()]) {
      const isNamed = session.listenEndpoint && this.#pool.sourceOf(session.listenEndpoint) !== undefined;
      if (!isNamed || this.#isRefused(session)) this.close(session, "the torrent is private", now);
    }
  }

  /** Whether a private torrent must not speak to it: its address came from a stranger. */
  #isRefused({ listenEndpoint }: PeerSession): boolean {
    const source = listenEndpoint && this.#pool.sourceOf(listenEndpoint);
    return this.#owner.isPrivate && source !== undefined && isHearsay(source);
  }

  /** Sessions whose peers have said who they are. */
  get established(): PeerSession[] {
    return [...this.#byPeerId.values()];
  }

  get establishedCount(): number {
    return this.#byPeerId.size;
  }

  /** Remembers addresses; a private torrent takes none of strangers (BEP 27). @returns how many were new */
  addAddresses(endpoints: readonly Endpoint[], source: AddressSource): number {
    if (this.#owner.isPrivate && isHearsay(source)) return 0;
    const count = this.#pool.add(endpoints, source);
    for (const session of this.#byPeerId.values()) this.learnListenPort(session);
    return count;
  }

  /** Addresses that are known, and of these being dialled. */
  get addressCounts(): { readonly known: number; readonly dialing: number } {
    return { known: this.#pool.count, dialing: this.#pool.dialingCount };
  }

  /** An address is being dialled, or was not yet. */
  get hasUntried(): boolean {
    return this.#pool.hasUntried;
  }

  /**
   * Dials whom we know and are not connected to, within the bounds.
   *
   * Part of the room is left to those who dial us: where each fills all of it with who was there before, those who came
   * first are soon full of each other, and who comes later is met by nobody that has anything. But some that we dialled
   * are among them however many dial us.
   */
  dial(now: number): void {
    const upTo = Math.max(dialAlwaysUpTo, this.#sessionsMax * dialUpToPart);
    const lacking = Math.max(upTo - this.sessions.size, this.#lackingDialled());
    const count = Math.min(lacking, this.#sessionsMax - this.sessions.size);
    for (const endpoint of this.#pool.takeDialable(now, count)) this.#owner.emit({ kind: "dial", endpoint });
  }

  /** Connections that we may still make ourselves whatever comes in. */
  #lackingDialled(): number {
    let count = Math.floor(this.#sessionsMax * dialledPart);
    for (const { isOutgoing } of this.sessions.values()) if (isOutgoing) count--;
    return count;
  }

  dialFailed(endpoint: Endpoint, now: number): void {
    this.#pool.dialFailed(endpoint, now);
  }

  /** A connection stands; undefined when its peer is refused at once. */
  admit(
    { connection, endpoint, isOutgoing }: { connection: ConnectionId; endpoint: Endpoint; isOutgoing: boolean },
    now: number,
  ): PeerSession | undefined {
    const session = new PeerSession({
      connection,
      endpoint,
      isOutgoing,
      pieceCount: this.#owner.pieceCount,
      now,
      unflushed: this.unflushed,
      memory: this.memory,
    });
    this.sessions.set(connection, session);
    if (isOutgoing) this.learnListenPort(session);
    if (this.#pool.isBanned(endpoint)) this.close(session, "the peer is banned", now);
    else if (this.#isRefused(session)) this.close(session, "the torrent is private", now);
    else if (this.#hasPlaceFor(session, now)) return session;
    else this.close(session, "there are enough peers", now);
    return undefined;
  }

  /** Whether the newcomer, who is in `sessions` already, may stay: if need be another gives way. */
  #hasPlaceFor(newcomer: PeerSession, now: number): boolean {
    const incomingMax = this.#sessionsMax - Math.floor(this.#sessionsMax * dialledPart);
    const isFull = this.sessions.size > this.#sessionsMax;
    if (!isFull && (newcomer.isOutgoing || this.sessions.size <= incomingMax)) return true;
    const others = [...this.sessions.values()].filter((session) => session !== newcomer);
    const incomingCount = others.filter((session) => !session.isOutgoing).length;
    if (!isFull && incomingCount < incomingMax) return true;
    const loser = chooseToGiveWay(others, newcomer.endpoint.host, now);
    if (loser !== undefined) this.close(loser, "its place went to another", now);
    return loser !== undefined;
  }

  /**
   * The peer said who it is.
   *
   * @throws ProtocolError when it is ourselves, banned, or here already
   */
  identify(session: PeerSession, peerId: PeerId, now: number): void {
    if (peerId === this.#ownPeerId) {
      if (session.isOutgoing) this.#pool.ban(session.endpoint);
      throw new ProtocolError("the connection is to ourselves");
    }
    if (this.#banned.has(banKey(session.endpoint, peerId))) throw new ProtocolError("the peer is banned");
    const twin = this.#byPeerId.get(peerId);
    if (twin !== undefined) this.#settleTwins(session, twin, peerId, now);
    this.#byPeerId.set(peerId, session);
    this.#owner.emit({
      kind: "peerJoined",
      endpoint: session.endpoint,
      client: session.client || formatEndpoint(session.endpoint),
    });
  }

  /** The extension handshake may tell where the peer listens: it need not be dialled there. */
  learnListenPort(session: PeerSession): void {
    const { listenEndpoint } = session;
    if (listenEndpoint === undefined || !this.#pool.connected(listenEndpoint)) return;
    let addresses = this.#addresses.get(session);
    if (addresses === undefined) this.#addresses.set(session, addresses = new Map());
    addresses.set(formatEndpoint(listenEndpoint), listenEndpoint);
  }

  /** Closes the connection of a peer that is not wanted, once: what was read together with the reason may be one too. */
  close(session: PeerSession, why: string, now: number): void {
    if (this.sessions.has(session.connection)) this.refusals.count(why);
    this.part(session, why, now);
  }

  /** Closes the connection, once; nobody is to blame. */
  part(session: PeerSession, why: string, now: number): void {
    if (!this.sessions.has(session.connection)) return;
    this.#owner.emit({ kind: "close", connection: session.connection, why });
    this.forget(session, why, now);
  }

  /** Closes who never said who it is and who has gone silent; tells the others that we are still here. */
  dropSilent(now: number): void {
    for (const session of [...this.sessions.values()]) {
      if (!session.isEstablished && now - session.connectedAt > handshakeTimeoutMs) {
        this.close(session, "no handshake came", now);
      } else if (session.silentMs(now) > silenceMaxMs) this.close(session, "nothing came for minutes", now);
      else session.keepAlive(now);
    }
  }

  closeAll(why: string, now: number): void {
    for (const session of [...this.sessions.values()]) this.part(session, why, now);
  }

  /** Hands out what waits to be written: the end of a turn. */
  flush(now: number): void {
    for (const session of this.unflushed) {
      const bytes = session.takeOutbox(now);
      if (bytes !== undefined) this.#owner.emit({ kind: "send", connection: session.connection, bytes });
    }
    this.unflushed.clear();
  }

  /** A write has ended whose peer has gone. */
  giveBack(bytes: Bytes): void {
    this.memory.give(new Uint8Array(bytes.buffer));
  }

  /** Takes the peer out; its connection is closed already. */
  forget(session: PeerSession, why: string, now: number): void {
    if (!this.sessions.delete(session.connection)) return;
    this.unflushed.delete(session);
    session.discard();
    const wasUseful = session.requests.receivedBytes > 0 || session.upMeter.total > 0;
    for (const address of this.#addresses.get(session)?.values() ?? []) this.#pool.closed(address, now, !wasUseful);
    this.#addresses.delete(session);
    const known = session.peerId && this.#byPeerId.get(session.peerId);
    if (known !== undefined && known !== session) this.learnListenPort(known); // it is here still, by another connection
    if (session.peerId !== undefined && known === session) {
      this.#byPeerId.delete(session.peerId);
      this.#owner.emit({ kind: "peerLeft", endpoint: session.endpoint, why });
    }
    this.#owner.onGone(session);
  }

  /** Closes the connection and refuses the peer from now on. */
  ban(connection: ConnectionId, why: string, now: number): void {
    const session = this.sessions.get(connection);
    if (session === undefined) return;
    if (session.peerId !== undefined) {
      for (const oldest of this.#banned) {
        if (this.#banned.size < bannedMax) break;
        this.#banned.delete(oldest);
      }
      this.#banned.add(banKey(session.endpoint, session.peerId));
    }
    // where it says that it listens somebody honest may be: what we dialled is what it is
    this.#pool.ban(session.endpoint);
    this.#owner.emit({ kind: "peerBanned", endpoint: session.endpoint, why });
    this.close(session, why, now);
  }

  /** Two connections to one peer: of two dialled at once, both ends keep the one of the greater peer id, as libtorrent. */
  #settleTwins(session: PeerSession, twin: PeerSession, peerId: PeerId, now: number): void {
    const isSimultaneous = now - twin.connectedAt < simultaneousDialMs && session.isOutgoing !== twin.isOutgoing;
    if (isSimultaneous && session.isOutgoing === (this.#ownPeerId > peerId)) {
      session.listenEndpoint ??= twin.listenEndpoint;
      this.close(twin, "the peer is connected twice", now);
      return this.learnListenPort(session);
    }
    if (session.isOutgoing) twin.listenEndpoint ??= session.endpoint;
    throw new ProtocolError("the peer is connected twice");
  }
}

function banKey({ host }: Endpoint, peerId: PeerId): string {
  return `${host} ${peerId}`;
}
