/**
 * The peers of one answer: some of a swarm, in the form in which the asker can reach them (BEP 7, 23).
 *
 * Owns the bytes of the answer, which live until the next one. An address comes from the socket only; a peer beside the
 * tracker, which announced over loopback or another address of this machine, is told to others under the address at which
 * they reached the tracker: 127.0.0.1 would send them to themselves, another network's address perhaps nowhere.
 */
import { type Bytes, writeUint16 } from "../lib/bytes.ts";
import { idLength } from "../lib/ids.ts";
import { numWantMax } from "../lib/limits/tracker.ts";
import type { Asker } from "./asker.ts";
import type { Dice } from "./dice.ts";
import type { PeerList } from "./peer_list.ts";
import { peerFlag, peerIdTag, type PeerTable } from "./peer_table.ts";
import type { Swarm } from "./swarm.ts";

/** Bytes of a peer in the compact forms. */
const stride4 = 6;
const stride6 = 18;

const noBytes: Bytes = new Uint8Array(0);

/** What the asker wants. */
export interface Wish {
  readonly swarm: Swarm;
  readonly asker: Asker;
  /** Peers wanted at most; cut to numWantMax. */
  readonly numWant: number;
  /** The asker's own, 20 bytes: entries with it are itself. */
  readonly peerId: Bytes;
  /** The asker has everything, so seeds are of no use to it. */
  readonly isSeed: boolean;
  readonly withPeerIds: boolean;
}

export class ToldPeers {
  readonly #table: PeerTable;
  readonly #dice: Dice;
  /** One more than is told: the asker may be among them. */
  readonly #picked = new Int32Array(numWantMax + 1);
  readonly #peers4: Bytes = new Uint8Array(numWantMax * stride4);
  readonly #peers6: Bytes = new Uint8Array(numWantMax * stride6);
  readonly #peerIds4: Bytes = new Uint8Array(numWantMax * idLength);
  readonly #peerIds6: Bytes = new Uint8Array(numWantMax * idLength);
  readonly #portsBeside = new Set<number>();
  #count4 = 0;
  #count6 = 0;
  #hasPeerIds = false;

  constructor(table: PeerTable, dice: Dice) {
    this.#table = table;
    this.#dice = dice;
  }

  /** 6 bytes a peer. */
  get peers(): Bytes {
    return this.#peers4.subarray(0, this.#count4 * stride4);
  }

  /** 18 bytes a peer. */
  get peers6(): Bytes {
    return this.#count6 === 0 ? noBytes : this.#peers6.subarray(0, this.#count6 * stride6);
  }

  /** 20 bytes a peer, those of `peers` first; empty unless they were asked for. */
  get peerIds(): Bytes {
    if (!this.#hasPeerIds) return noBytes;
    const peerIds = new Uint8Array((this.#count4 + this.#count6) * idLength);
    peerIds.set(this.#peerIds4.subarray(0, this.#count4 * idLength));
    peerIds.set(this.#peerIds6.subarray(0, this.#count6 * idLength), this.#count4 * idLength);
    return peerIds;
  }

  /** Tells of nobody. */
  clear(): void {
    this.#count4 = 0;
    this.#count6 = 0;
    this.#hasPeerIds = false;
  }

  /** Chooses at random among those that the asker can reach. */
  choose(wish: Wish): void {
    const wanted = Math.min(wish.numWant, numWantMax);
    this.#choose(wish, wanted, wanted + 1);
    const isSample = wish.swarm.peerCount > wanted + 1;
    // Too many of them were of the other family: a larger sample has more of the asker's.
    if (wish.asker.isUdp && isSample && this.#count4 + this.#count6 < wanted) {
      this.#choose(wish, wanted, numWantMax + 1);
    }
  }

  #choose({ swarm, asker, peerId, isSeed, withPeerIds }: Wish, wanted: number, sampleSize: number): void {
    this.clear();
    if (wanted === 0) return;
    this.#hasPeerIds = withPeerIds;
    const picked = this.#picked;
    const count = swarm.sample(sampleSize, { forSeed: isSeed, dice: this.#dice, picked });
    const ownTag = peerIdTag(peerId, 0);
    this.#portsBeside.clear();
    for (let i = 0; i < count && this.#count4 + this.#count6 < wanted; i++) {
      const place = picked[i];
      const list = place < 0 ? swarm.seeds : swarm.leechers;
      const position = place < 0 ? ~place : place;
      if (list.peerIdTagAt(position) === ownTag && this.#table.hasPeerId(list.slotAt(position), peerId)) continue;
      this.#add(list, position, asker);
    }
  }

  #add(list: PeerList, position: number, asker: Asker): void {
    const flags = list.flagsAt(position);
    const isIpv6 = (flags & peerFlag.isIpv6) !== 0;
    const isOfNoUse = asker.isUdp && isIpv6 !== (asker.family === 6);
    const isOutOfReach = (flags & peerFlag.isLoopback) !== 0 && !asker.isLoopback;
    if (isOutOfReach || (flags & peerFlag.isBeside) !== 0 && isReplaceable(asker, isIpv6)) {
      return this.#addBeside(list, position, asker);
    }
    if (isOfNoUse) return;
    if (!isIpv6) this.#add4(list, position);
    else if ((flags & peerFlag.isLinkLocal) === 0 || asker.isLinkLocal) {
      this.#table.copyEndpoint(list.slotAt(position), this.#peers6, this.#take6(list, position));
    }
  }

  #add4(list: PeerList, position: number): void {
    const at = this.#take4(list, position);
    const peers = this.#peers4;
    const address = list.ipv4At(position);
    peers[at] = address >>> 24;
    peers[at + 1] = address >>> 16;
    peers[at + 2] = address >>> 8;
    peers[at + 3] = address;
    writeUint16(peers, at + 4, list.portAt(position));
  }

  /** Adds a peer on the tracker's own machine. */
  #addBeside(list: PeerList, position: number, { trackerAddress }: Asker): void {
    const port = list.portAt(position);
    // One client may have come over 127.0.0.1, ::1 and the address of the network: all the same endpoint now.
    if (trackerAddress === undefined || this.#portsBeside.has(port)) return;
    this.#portsBeside.add(port);
    const isIpv4 = trackerAddress.length === 4;
    const at = isIpv4 ? this.#take4(list, position) : this.#take6(list, position);
    const target = isIpv4 ? this.#peers4 : this.#peers6;
    target.set(trackerAddress, at);
    writeUint16(target, at + trackerAddress.length, port);
  }

  /** Where the next peer of IPv4 is to be written; its id is. */
  #take4(list: PeerList, position: number): number {
    const index = this.#count4++;
    if (this.#hasPeerIds) this.#table.copyPeerId(list.slotAt(position), this.#peerIds4, index * idLength);
    return index * stride4;
  }

  #take6(list: PeerList, position: number): number {
    const index = this.#count6++;
    if (this.#hasPeerIds) this.#table.copyPeerId(list.slotAt(position), this.#peerIds6, index * idLength);
    return index * stride6;
  }
}

/**
 * Whether an address of this machine can give way to the one that the asker knows: of several interfaces it may not reach
 * the other. It cannot where they differ in family, since the peer may listen on one alone.
 */
function isReplaceable({ isLoopback, trackerAddress }: Asker, isIpv6: boolean): boolean {
  return !isLoopback && trackerAddress !== undefined && isIpv6 === (trackerAddress.length === 16);
}
