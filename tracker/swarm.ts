/**
 * The peers of one info hash: who seeds, who downloads, and random picks among them.
 *
 * Two dense lists; where a peer stands in its list is kept in the table, so that adding, removing and drawing cost the
 * same however large the swarm is. Whose address is told to whom is told_peers.ts's business.
 */
import type { InfoHash } from "../lib/ids.ts";
import { swarmPeersMax, swarmPeersPerAddressMax, swarmPeersPerNetworkMax } from "../lib/limits/tracker.ts";
import { AddressCounts } from "./address_counts.ts";
import type { Dice } from "./dice.ts";
import { PeerList } from "./peer_list.ts";
import type { Slot } from "./peer_index.ts";
import { peerFlag, type PeerTable } from "./peer_table.ts";

/** A peer's place in its swarm: its position among the downloaders, or, negative, `~position` among the seeds. */
export type Place = number;

export class Swarm {
  readonly infoHash: InfoHash;
  /** Stands for it in the table. */
  readonly number: number;
  /** Downloads that ended while this swarm lived. */
  downloaded = 0;
  readonly seeds: PeerList;
  readonly leechers: PeerList;
  readonly #table: PeerTable;
  /** Peers of each address but loopback; only kept once the swarm is large enough for anybody to be over the bound. */
  #addressCounts: AddressCounts | undefined;

  constructor(infoHash: InfoHash, number: number, table: PeerTable) {
    this.infoHash = infoHash;
    this.number = number;
    this.#table = table;
    this.seeds = new PeerList(table);
    this.leechers = new PeerList(table);
  }

  /** Seeds. */
  get complete(): number {
    return this.seeds.length;
  }

  /** Peers that still download. */
  get incomplete(): number {
    return this.leechers.length;
  }

  get peerCount(): number {
    return this.seeds.length + this.leechers.length;
  }

  /** Which bound keeps one more peer of this address off the list; undefined where none does. */
  boundFor(address: number | string): "swarmFull" | "addressInSwarm" | undefined {
    if (this.peerCount >= swarmPeersMax) return "swarmFull";
    const max = typeof address === "number" ? swarmPeersPerAddressMax : swarmPeersPerNetworkMax;
    return (this.#addressCounts?.of(address) ?? 0) < max ? undefined : "addressInSwarm";
  }

  /** Takes a peer of the table in. */
  add(slot: Slot): void {
    this.#list(slot);
    if (this.#addressCounts !== undefined) this.#countAddress(slot, this.#addressCounts);
    else if (this.peerCount >= swarmPeersPerAddressMax) this.#startCounting();
  }

  /** Lets a peer go. The table still has it. */
  remove(slot: Slot): void {
    this.#unlist(slot);
    if (!this.#isLoopback(slot)) this.#addressCounts?.remove(this.#table.addressKeyOf(slot));
  }

  /** A peer became a seed, or stopped being one. */
  setSeed(slot: Slot, isSeed: boolean): void {
    this.#unlist(slot);
    this.#table.setSeed(slot, isSeed);
    this.#list(slot);
  }

  /** A peer has another peer id now. */
  setPeerId(slot: Slot): void {
    this.#listOf(slot).setPeerIdTag(this.#table.positionOf(slot), this.#table.peerIdTagOf(slot));
  }

  /**
   * Draws up to `count` peers at random into `picked` and returns how many.
   *
   * A seed gets downloaders only. A downloader gets both, in the proportion of the swarm but some of each kind where
   * there are any: with seeds alone the source would serve everybody, without them nobody new might be reachable.
   */
  sample(count: number, { forSeed, dice, picked }: { forSeed: boolean; dice: Dice; picked: Int32Array }): number {
    const seedCount = forSeed ? 0 : this.#seedShare(count);
    const leecherCount = Math.min(count - seedCount, this.leechers.length);
    drawPositions(this.leechers.length, leecherCount, dice, picked, 0);
    drawPositions(this.seeds.length, seedCount, dice, picked, leecherCount);
    const sum = leecherCount + seedCount;
    for (let i = leecherCount; i < sum; i++) picked[i] = ~picked[i];
    return sum;
  }

  #seedShare(count: number): number {
    const { length: seeds } = this.seeds;
    const { length: leechers } = this.leechers;
    if (seeds + leechers <= count) return seeds;
    const fair = Math.round(count * seeds / (seeds + leechers));
    const atLeast = Math.min(seeds, Math.max(count - leechers, count > 1 ? 1 : 0));
    const atMost = Math.min(seeds, Math.max(atLeast, leechers > 0 ? count - 1 : count));
    return Math.min(Math.max(fair, atLeast), atMost);
  }

  #list(slot: Slot): void {
    this.#table.setPosition(slot, this.#listOf(slot).push(slot));
  }

  #unlist(slot: Slot): void {
    const position = this.#table.positionOf(slot);
    this.#table.setPosition(this.#listOf(slot).remove(position), position);
  }

  #startCounting(): void {
    this.#addressCounts = new AddressCounts();
    for (const list of [this.seeds, this.leechers]) {
      for (let i = 0; i < list.length; i++) this.#countAddress(list.slotAt(i), this.#addressCounts);
    }
  }

  #countAddress(slot: Slot, counts: AddressCounts): void {
    if (!this.#isLoopback(slot)) counts.add(this.#table.addressKeyOf(slot));
  }

  #isLoopback(slot: Slot): boolean {
    return (this.#table.flagsOf(slot) & peerFlag.isLoopback) !== 0;
  }

  #listOf(slot: Slot): PeerList {
    return (this.#table.flagsOf(slot) & peerFlag.isSeed) !== 0 ? this.seeds : this.leechers;
  }
}

/**
 * Draws `count` different positions below `length`, each equally likely, in rising order from a random one on.
 *
 * One is taken from each of `count` equal stretches: no second tries, no marks, and the memory is walked one way.
 */
function drawPositions(length: number, count: number, dice: Dice, picked: Int32Array, offset: number): void {
  const start = Math.floor(dice.next() * length);
  let from = 0;
  for (let i = 0; i < count; i++) {
    const end = Math.floor((i + 1) * length / count);
    const position = start + from + Math.floor(dice.next() * (end - from));
    picked[offset + i] = position < length ? position : position - length;
    from = end;
  }
}
