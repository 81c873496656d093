/**
 * The peers of one info hash: who seeds, who downloads, and random picks among them.
 *
 * Two dense lists of slots of the table; where a peer stands in its list is kept in the table, so that adding, removing
 * and drawing cost the same however large the swarm is. Whose address is told to whom is tracker.ts's business.
 */
import type { InfoHash } from "../lib/ids.ts";
import { swarmPeersMax, swarmPeersPerAddressMax } from "../lib/limits.ts";
import { AddressCounts } from "./address_counts.ts";
import { peerFlag, type PeerTable, type Slot } from "./peer_table.ts";

export class Swarm {
  readonly infoHash: InfoHash;
  /** Tells swarms apart in the table's index. */
  readonly number: number;
  /** Downloads that ended while this swarm lived. */
  downloaded = 0;
  readonly #table: PeerTable;
  readonly #seeds: Slot[] = [];
  readonly #leechers: Slot[] = [];
  /** Peers of each address but loopback; only kept once the swarm is large enough for anybody to be over the bound. */
  #addressCounts: AddressCounts | undefined;

  constructor(infoHash: InfoHash, number: number, table: PeerTable) {
    this.infoHash = infoHash;
    this.number = number;
    this.#table = table;
  }

  /** Seeds. */
  get complete(): number {
    return this.#seeds.length;
  }

  /** Peers that still download. */
  get incomplete(): number {
    return this.#leechers.length;
  }

  get peerCount(): number {
    return this.#seeds.length + this.#leechers.length;
  }

  /** Whether one more peer of this address may be listed. */
  hasRoomFor(address: number | string): boolean {
    if (this.peerCount >= swarmPeersMax) return false;
    return this.#addressCounts === undefined || this.#addressCounts.of(address) < swarmPeersPerAddressMax;
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

  /**
   * Draws up to `count` peers at random into `picked` and returns how many.
   *
   * A seed gets downloaders only. A downloader gets both, in the proportion of the swarm but some of each kind where
   * there are any: with seeds alone the source would serve everybody, without them nobody new might be reachable.
   *
   * @param draw differs from call to call, and is never 0
   */
  sample(
    count: number,
    options: { forSeed: boolean; random: () => number; picked: Int32Array; draw: number },
  ): number {
    const seedCount = options.forSeed ? 0 : this.#seedShare(count);
    const leecherCount = Math.min(count - seedCount, this.#leechers.length);
    this.#draw(this.#leechers, leecherCount, 0, options);
    this.#draw(this.#seeds, seedCount, leecherCount, options);
    return seedCount + leecherCount;
  }

  #seedShare(count: number): number {
    const { length: seeds } = this.#seeds;
    const { length: leechers } = this.#leechers;
    if (seeds + leechers <= count) return seeds;
    const fair = Math.round(count * seeds / (seeds + leechers));
    const atLeast = Math.min(seeds, Math.max(count - leechers, count > 1 ? 1 : 0));
    const atMost = Math.min(seeds, Math.max(atLeast, leechers > 0 ? count - 1 : count));
    return Math.min(Math.max(fair, atLeast), atMost);
  }

  #draw(
    list: readonly Slot[],
    count: number,
    offset: number,
    { random, picked, draw }: { random: () => number; picked: Int32Array; draw: number },
  ): void {
    let at = Math.floor(random() * list.length);
    for (let i = 0; i < count; i++) {
      // Where half of them are wanted or more, a run that begins anywhere is as fair and needs no second tries.
      if (2 * count < list.length) at = Math.floor(random() * list.length);
      while (!this.#table.pick(list[at], draw)) at = at + 1 === list.length ? 0 : at + 1;
      picked[offset + i] = list[at];
    }
  }

  #list(slot: Slot): void {
    const list = this.#listOf(slot);
    this.#table.setPosition(slot, list.length);
    list.push(slot);
  }

  /** The last of the list takes the place of the one that goes. */
  #unlist(slot: Slot): void {
    const list = this.#listOf(slot);
    const last = list.pop()!;
    if (last === slot) return;
    const position = this.#table.positionOf(slot);
    list[position] = last;
    this.#table.setPosition(last, position);
  }

  #startCounting(): void {
    this.#addressCounts = new AddressCounts();
    for (const slot of this.#seeds) this.#countAddress(slot, this.#addressCounts);
    for (const slot of this.#leechers) this.#countAddress(slot, this.#addressCounts);
  }

  #countAddress(slot: Slot, counts: AddressCounts): void {
    if (!this.#isLoopback(slot)) counts.add(this.#table.addressKeyOf(slot));
  }

  #isLoopback(slot: Slot): boolean {
    return (this.#table.flagsOf(slot) & peerFlag.isLoopback) !== 0;
  }

  #listOf(slot: Slot): Slot[] {
    return (this.#table.flagsOf(slot) & peerFlag.isSeed) !== 0 ? this.#seeds : this.#leechers;
  }
}
