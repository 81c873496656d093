/**
 * The peers of one answer: some of a swarm, in the form in which the asker can reach them (BEP 7, 23).
 *
 * Owns the bytes of the answer, which live until the next one. An address comes from the socket only; a peer beside the
 * tracker, which announced from loopback, is told to others under the address at which they reached the tracker, since
 * 127.0.0.1 would send them to themselves.
 */
import { type Bytes, writeUint16 } from "../lib/bytes.ts";
import { idLength } from "../lib/ids.ts";
import { numWantMax } from "../lib/limits.ts";
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
  choose({ swarm, asker, numWant, peerId, isSeed, withPeerIds }: Wish): void {
    this.clear();
    const wanted = Math.min(numWant, numWantMax);
    if (wanted === 0) return;
    this.#hasPeerIds = withPeerIds;
    const picked = this.#picked;
    const count = swarm.sample(wanted + 1, { forSeed: isSeed, dice: this.#dice, picked });
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
    if ((flags & peerFlag.isLoopback) !== 0 && !asker.isLoopback) this.#addBeside(list, position, asker);
    else if ((flags & peerFlag.isIpv6) !== 0) this.#add6(list, position, asker);
    else if (list.ipv4At(position) === asker.trackerIpv4) this.#addBeside(list, position, asker);
    else {
      const at = this.#take4(list, position);
      const peers = this.#peers4;
      const address = list.ipv4At(position);
      peers[at] = address >>> 24;
      peers[at + 1] = address >>> 16;
      peers[at + 2] = address >>> 8;
      peers[at + 3] = address;
      writeUint16(peers, at + 4, list.portAt(position));
    }
  }

  #add6(list: PeerList, position: number, asker: Asker): void {
    const slot = list.slotAt(position);
    if ((list.flagsAt(position) & peerFlag.isLinkLocal) !== 0 && !asker.isLinkLocal) return;
    if (this.#table.hasAddress(slot, asker.trackerAddress)) this.#addBeside(list, position, asker);
    else this.#table.copyEndpoint(slot, this.#peers6, this.#take6(list, position));
  }

  /** Adds a peer on the tracker's own machine. */
  #addBeside(list: PeerList, position: number, { trackerAddress, trackerIpv4 }: Asker): void {
    const port = list.portAt(position);
    // One client may have come over 127.0.0.1, ::1 and the address of the network: all the same endpoint now.
    if (this.#portsBeside.has(port)) return;
    this.#portsBeside.add(port);
    const isIpv4 = trackerIpv4 !== undefined;
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
