/**
 * The tracker's rules: who is listed where, who is told about whom, and when to ask again (BEP 3, 7, 23, 24, 31, 48).
 *
 * Owns all swarms and their bounds; told_peers.ts owns in what form a peer is told to another. Bytes and sockets are the
 * codecs' and io's business; HTTP and UDP share all of this.
 */
import type { Bytes } from "../lib/bytes.ts";
import { idLength, type InfoHash } from "../lib/ids.ts";
import {
  announceIntervalMinMs,
  peerLifetimeMinMs,
  swarmsMax,
  trackerDrawnForRoom,
  trackerPeersMax,
  trackerPeersPerAddressMax,
  trackerPeersPerNetworkMax,
} from "../lib/limits/tracker.ts";
import {
  type AnnounceAnswer,
  type AnnounceRequest,
  type ScrapeCounts,
  TrackerFailure,
} from "../lib/announce/request.ts";
import { Refusals } from "../lib/refusals.ts";
import { AddressCounts } from "./address_counts.ts";
import type { Asker } from "./asker.ts";
import { Dice } from "./dice.ts";
import { noSlot, type Slot } from "./peer_index.ts";
import { peerFlag, PeerTable } from "./peer_table.ts";
import type { Swarm } from "./swarm.ts";
import { SwarmBook } from "./swarm_book.ts";
import { ToldPeers } from "./told_peers.ts";

export interface TrackerOptions {
  /** Milliseconds between a client's announces; up to a tenth is added at random, so that a class spreads out. */
  readonly intervalMs: number;
  /** Only these torrents are tracked; all when undefined. */
  readonly allow?: ReadonlySet<InfoHash> | undefined;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  /** Milliseconds after its last announce that a peer is forgotten; two and a half intervals unless given. */
  readonly lifetimeMs?: number | undefined;
  /** Peers that are listed in all; trackerPeersMax unless given. */
  readonly peersMax?: number;
}

/** Why a peer is not listed, or no longer: `madeRoom` lost its place to one whose address has fewer. */
const trackerRefusals = [
  "notTracked",
  "tooManySwarms",
  "swarmFull",
  "addressInSwarm",
  "addressInTracker",
  "trackerFull",
  "madeRoom",
] as const;
export type TrackerRefusal = typeof trackerRefusals[number];

/** Counters since the start, and what is there now. */
export interface TrackerStats {
  readonly swarms: number;
  readonly peers: number;
  readonly seeds: number;
  readonly leechers: number;
  readonly announces: number;
  readonly scrapes: number;
  readonly downloadsCompleted: number;
  readonly peersExpired: number;
}

export class Tracker {
  readonly #options: TrackerOptions;
  readonly #lifetimeMs: number;
  readonly #minIntervalMs: number;
  readonly #table: PeerTable;
  readonly #swarms = new SwarmBook();
  readonly #refusals = new Refusals<TrackerRefusal>(trackerRefusals);
  /** Peers of each address but loopback. */
  readonly #addressCounts = new AddressCounts();
  #seedCount = 0;
  #announceCount = 0;
  #scrapeCount = 0;
  #completedCount = 0;
  #expiredCount = 0;
  /** Where the next sweep goes on. */
  #sweepAt: Slot = 0;

  readonly #dice: Dice;
  readonly #told: ToldPeers;
  /** Space for one peer id, used again by the next announce. */
  readonly #peerId: Bytes = new Uint8Array(idLength);

  constructor(options: TrackerOptions) {
    this.#options = options;
    this.#lifetimeMs = options.lifetimeMs ?? Math.max(2.5 * options.intervalMs, peerLifetimeMinMs);
    this.#minIntervalMs = Math.min(options.intervalMs, Math.max(announceIntervalMinMs, options.intervalMs / 6));
    this.#table = new PeerTable(options.random);
    this.#dice = new Dice(options.random());
    this.#told = new ToldPeers(this.#table, this.#dice);
  }

  /**
   * Lists the asker (or takes it off the list) and picks peers for it; the answer's bytes live until the next call.
   *
   * @throws TrackerFailure when the torrent is not tracked here
   */
  announce(request: AnnounceRequest, asker: Asker, now: number): AnnounceAnswer {
    this.#announceCount++;
    asker.setPort(request.port);
    this.#peerId.setFromHex(request.peerId);
    this.#told.clear();
    const isStopping = request.event === "stopped";
    const swarm = this.#swarms.find(request.infoHash) ??
      (isStopping ? undefined : this.#addSwarm(request.infoHash, asker));
    if (swarm === undefined) return this.#answer(undefined, asker);
    const slot = this.#table.find(swarm.number, asker.endpoint);
    if (isStopping) {
      if (slot !== noSlot) this.#removePeer(slot, swarm);
      return this.#answer(swarm, asker);
    }
    if (slot === noSlot) this.#addPeer(swarm, request, asker, now);
    else this.#renewPeer(slot, swarm, request, now);
    // A newcomer that is over a bound must not leave an empty swarm behind either.
    if (swarm.peerCount === 0) this.#swarms.remove(swarm);
    this.#told.choose({
      swarm,
      asker,
      numWant: request.numWant,
      peerId: this.#peerId,
      isSeed: request.left === 0,
      withPeerIds: !request.compact,
    });
    return this.#answer(swarm, asker);
  }

  /** The counters of the swarms that are known; others are left out (BEP 48). */
  scrape(infoHashes: readonly InfoHash[]): ScrapeCounts[] {
    this.#scrapeCount++;
    const counts: ScrapeCounts[] = [];
    for (const infoHash of infoHashes) {
      const swarm = this.#swarms.find(infoHash);
      if (swarm === undefined) continue;
      const { complete, incomplete, downloaded } = swarm;
      counts.push({ infoHash, complete, incomplete, downloaded });
    }
    return counts;
  }

  /**
   * Forgets peers that have not announced for their lifetime.
   *
   * Looks at `slotsMax` slots at most and goes on there next time, so that no call stops the loop for long.
   *
   * @returns whether it came to the last slot, so that the next call begins anew
   */
  sweep(now: number, slotsMax: number): boolean {
    const end = Math.min(this.#sweepAt + slotsMax, this.#table.slotEnd);
    for (let slot = this.#sweepAt; slot < end; slot++) {
      const swarmNumber = this.#table.swarmNumberOf(slot);
      if (swarmNumber === undefined || this.#table.silenceOf(slot, now) < this.#lifetimeMs) continue;
      this.#removePeer(slot, this.#swarms.numbered(swarmNumber));
      this.#expiredCount++;
    }
    const isAround = end === this.#table.slotEnd;
    this.#sweepAt = isAround ? 0 : end;
    return isAround;
  }

  /** How often something was refused since the start. */
  get refused(): Readonly<Record<TrackerRefusal, number>> {
    return this.#refusals.counts;
  }

  get stats(): TrackerStats {
    return {
      swarms: this.#swarms.count,
      peers: this.#table.count,
      seeds: this.#seedCount,
      leechers: this.#table.count - this.#seedCount,
      announces: this.#announceCount,
      scrapes: this.#scrapeCount,
      downloadsCompleted: this.#completedCount,
      peersExpired: this.#expiredCount,
    };
  }

  #addSwarm(infoHash: InfoHash, asker: Asker): Swarm {
    if (this.#options.allow !== undefined && !this.#options.allow.has(infoHash)) {
      this.#refusals.add("notTracked");
      throw new TrackerFailure("this tracker does not track that torrent", Infinity);
    }
    if (this.#swarms.count >= swarmsMax && !this.#makeRoom(asker, { ofSwarm: true })) {
      this.#refusals.add("tooManySwarms");
      throw new TrackerFailure("this tracker is full");
    }
    return this.#swarms.add(infoHash, this.#table);
  }

  /** Lists a newcomer; where its address or the tracker is at a bound it is answered without being listed. */
  #addPeer(swarm: Swarm, request: AnnounceRequest, asker: Asker, now: number): void {
    if (request.event === "completed") this.#countCompleted(swarm);
    const bound = this.#boundFor(swarm, asker);
    if (bound !== undefined) return this.#refusals.add(bound);
    const isSeed = request.left === 0;
    const flags = asker.flags | (isSeed ? peerFlag.isSeed : 0);
    const { number: swarmNumber } = swarm;
    const slot = this.#table.insert({ swarmNumber, endpoint: asker.endpoint, peerId: this.#peerId, flags, now });
    swarm.add(slot);
    if (isSeed) this.#seedCount++;
    if (!asker.isLoopback) this.#addressCounts.add(asker.addressKey);
  }

  /** Which bound keeps a newcomer off the list; undefined where none does. */
  #boundFor(swarm: Swarm, asker: Asker): TrackerRefusal | undefined {
    const ofSwarm = swarm.boundFor(asker.addressKey);
    if (ofSwarm !== undefined) return ofSwarm;
    const max = asker.family === 4 ? trackerPeersPerAddressMax : trackerPeersPerNetworkMax;
    if (!asker.isLoopback && this.#addressCounts.of(asker.addressKey) >= max) return "addressInTracker";
    if (this.#table.count < (this.#options.peersMax ?? trackerPeersMax)) return undefined;
    return this.#makeRoom(asker, { keep: swarm.number }) ? undefined : "trackerFull";
  }

  /**
   * Takes one peer off the full list for a newcomer: of some that are drawn, the one whose address has most, if that is
   * more than the newcomer's. Who fills the tracker takes his own places away, and everybody else still gets one.
   *
   * @param ofSwarm only one that is alone in its swarm @param keep the number of a swarm that has to stay
   */
  #makeRoom(asker: Asker, { ofSwarm = false, keep }: { ofSwarm?: boolean; keep?: number }): boolean {
    let victim = noSlot;
    let most = this.#addressCounts.of(asker.addressKey) + 1;
    for (let i = 0; i < trackerDrawnForRoom; i++) {
      const slot = Math.floor(this.#dice.next() * this.#table.slotEnd);
      const swarmNumber = this.#table.swarmNumberOf(slot);
      if (swarmNumber === undefined || swarmNumber === keep) continue;
      if (ofSwarm && this.#swarms.numbered(swarmNumber).peerCount > 1) continue;
      const count = this.#addressCounts.of(this.#table.addressKeyOf(slot));
      if (count > most) [victim, most] = [slot, count];
    }
    if (victim === noSlot) return false;
    this.#refusals.add("madeRoom");
    this.#removePeer(victim, this.#swarms.numbered(this.#table.swarmNumberOf(victim)!));
    return true;
  }

  #renewPeer(slot: Slot, swarm: Swarm, request: AnnounceRequest, now: number): void {
    const wasSeed = (this.#table.flagsOf(slot) & peerFlag.isSeed) !== 0;
    const isSeed = request.left === 0;
    if (request.event === "completed" && !wasSeed) this.#countCompleted(swarm);
    if (isSeed !== wasSeed) {
      swarm.setSeed(slot, isSeed);
      this.#seedCount += isSeed ? 1 : -1;
    }
    if (!this.#table.hasPeerId(slot, this.#peerId)) {
      this.#table.setPeerId(slot, this.#peerId);
      swarm.setPeerId(slot);
    }
    this.#table.setSeenAt(slot, now);
  }

  #countCompleted(swarm: Swarm): void {
    swarm.downloaded++;
    this.#completedCount++;
  }

  #removePeer(slot: Slot, swarm: Swarm): void {
    const flags = this.#table.flagsOf(slot);
    swarm.remove(slot);
    if ((flags & peerFlag.isSeed) !== 0) this.#seedCount--;
    if ((flags & peerFlag.isLoopback) === 0) this.#addressCounts.remove(this.#table.addressKeyOf(slot));
    this.#table.remove(slot);
    if (swarm.peerCount === 0) this.#swarms.remove(swarm);
  }

  #answer(swarm: Swarm | undefined, asker: Asker): AnnounceAnswer {
    return {
      intervalMs: this.#options.intervalMs * (1 + 0.1 * this.#dice.next()),
      minIntervalMs: this.#minIntervalMs,
      complete: swarm === undefined ? 0 : swarm.complete,
      incomplete: swarm === undefined ? 0 : swarm.incomplete,
      peers: this.#told.peers,
      peers6: this.#told.peers6,
      peerIds: this.#told.peerIds,
      externalIp: asker.isLoopback ? undefined : asker.address,
    };
  }
}
