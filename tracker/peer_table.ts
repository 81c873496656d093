/**
 * All peers of all swarms as records of 64 bytes in one buffer, found by (swarm, address, port).
 *
 * Owns what is stored of a peer and which slots are free; swarm.ts owns who is in which list. A record is one line of the
 * processor's cache, and what an answer needs of it is in peer_list.ts too. The index is open addressing with linear
 * probing; its hash is seeded, so that nobody outside can choose endpoints that collide.
 *
 *     offset  bytes  field
 *          0     18  endpoint: address and port; of IPv4 the first 6
 *         18      1  flags
 *         20     20  peer id
 *         40      4  hash of swarm and endpoint
 *         44      4  number of the swarm
 *         48      8  moment of the last announce, ms
 *         56      4  position in the swarm's list; of a free slot the next free one
 */
import { type Bytes, readUint16, readUint32 } from "../lib/bytes.ts";
import { idLength } from "../lib/ids.ts";
import type { Swarm } from "./swarm.ts";

/** A peer's place in the table, from 0. */
export type Slot = number;
/** What `find` says when there is none. */
export const noSlot: Slot = -1;

/** Bits of a peer's flags. */
export const peerFlag = { isSeed: 1, isIpv6: 2, isLoopback: 4, isLinkLocal: 8 } as const;

/** What is stored of a newcomer. */
export interface NewPeer {
  readonly swarm: Swarm;
  /** Address and port, 6 or 18 bytes. */
  readonly endpoint: Bytes;
  /** 20 bytes. */
  readonly peerId: Bytes;
  /** Bits of {@linkcode peerFlag}. */
  readonly flags: number;
  readonly now: number;
}

const endpointLength4 = 6;
const endpointLength6 = 18;
// Offsets into a record, in bytes, 32-bit words and 64-bit words.
const flagsAt = 18;
const peerIdAt = 20;
const hashWord = 10;
const swarmWord = 11;
const seenAtWord64 = 6;
const positionWord = 14;
/** log2 of the record's length in bytes, 32-bit words and 64-bit words. */
const byteShift = 6;
const wordShift = 4;
const word64Shift = 3;

const firstSlotCount = 1024;

export class PeerTable {
  #bytes = new Uint8Array(firstSlotCount << byteShift);
  #words = new Int32Array(this.#bytes.buffer);
  #words64 = new Float64Array(this.#bytes.buffer);
  /** Slot + 1 of each peer, at or after the place of its hash; 0 is empty. At most half full. */
  #index = new Int32Array(2 * firstSlotCount);
  /** By slot; undefined for free ones. */
  readonly #swarms: (Swarm | undefined)[] = [];
  #freeSlot = noSlot;
  #count = 0;
  readonly #seed: number;

  /** @param random numbers in [0, 1) */
  constructor(random: () => number) {
    this.#seed = Math.floor(random() * 2 ** 32) | 0;
  }

  /** Peers in the table. */
  get count(): number {
    return this.#count;
  }

  /** One above the highest slot ever used. */
  get slotEnd(): Slot {
    return this.#swarms.length;
  }

  /** The peer's slot, or {@linkcode noSlot}. */
  find(swarm: Swarm, endpoint: Bytes): Slot {
    const mask = this.#index.length - 1;
    const hash = this.#hash(swarm, endpoint);
    for (let at = hash & mask;; at = (at + 1) & mask) {
      const slot = this.#index[at] - 1;
      if (slot === noSlot) return noSlot;
      const record = slot << wordShift;
      if (this.#words[record + hashWord] !== hash || this.#words[record + swarmWord] !== swarm.number) continue;
      if (this.endpointLengthOf(slot) === endpoint.length && this.#equals(slot << byteShift, endpoint)) return slot;
    }
  }

  /** Adds a peer that is not in the table yet. */
  insert({ swarm, endpoint, peerId, flags, now }: NewPeer): Slot {
    const slot = this.#takeSlot();
    this.#swarms[slot] = swarm;
    this.#bytes.set(endpoint, slot << byteShift);
    this.#bytes[(slot << byteShift) + flagsAt] = flags | (endpoint.length === endpointLength6 ? peerFlag.isIpv6 : 0);
    this.#words[(slot << wordShift) + hashWord] = this.#hash(swarm, endpoint);
    this.#words[(slot << wordShift) + swarmWord] = swarm.number;
    this.setPeerId(slot, peerId);
    this.setSeenAt(slot, now);
    this.#count++;
    if (2 * this.#count > this.#index.length) this.#growIndex();
    else this.#addToIndex(slot);
    return slot;
  }

  /** Takes a peer out; its slot may be given to another one at once. */
  remove(slot: Slot): void {
    this.#removeFromIndex(slot);
    this.#swarms[slot] = undefined;
    this.setPosition(slot, this.#freeSlot);
    this.#freeSlot = slot;
    this.#count--;
  }

  /** The swarm of the peer; undefined for a free slot. */
  swarmOf(slot: Slot): Swarm | undefined {
    return this.#swarms[slot];
  }

  /** Bits of {@linkcode peerFlag}. */
  flagsOf(slot: Slot): number {
    return this.#bytes[(slot << byteShift) + flagsAt];
  }

  setSeed(slot: Slot, isSeed: boolean): void {
    const at = (slot << byteShift) + flagsAt;
    if (isSeed) this.#bytes[at] |= peerFlag.isSeed;
    else this.#bytes[at] &= ~peerFlag.isSeed;
  }

  /** Monotonic milliseconds. */
  seenAtOf(slot: Slot): number {
    return this.#words64[(slot << word64Shift) + seenAtWord64];
  }

  setSeenAt(slot: Slot, now: number): void {
    this.#words64[(slot << word64Shift) + seenAtWord64] = now;
  }

  /** Where the peer stands in its swarm's list. */
  positionOf(slot: Slot): number {
    return this.#words[(slot << wordShift) + positionWord];
  }

  setPosition(slot: Slot, position: number): void {
    this.#words[(slot << wordShift) + positionWord] = position;
  }

  /** @param peerId 20 bytes */
  setPeerId(slot: Slot, peerId: Bytes): void {
    const start = (slot << byteShift) + peerIdAt;
    for (let i = 0; i < idLength; i++) this.#bytes[start + i] = peerId[i];
  }

  hasPeerId(slot: Slot, peerId: Bytes): boolean {
    return this.#equals((slot << byteShift) + peerIdAt, peerId);
  }

  /** Whether the peer is at this address of 4 or 16 bytes. */
  hasAddress(slot: Slot, address: Bytes): boolean {
    return this.endpointLengthOf(slot) === address.length + 2 && this.#equals(slot << byteShift, address);
  }

  /** 32 bits, signed, that nearly always tell two peer ids apart. */
  peerIdTagOf(slot: Slot): number {
    return peerIdTag(this.#bytes, (slot << byteShift) + peerIdAt);
  }

  /** The address of IPv4 as a signed number; 0 for IPv6. */
  ipv4Of(slot: Slot): number {
    return this.endpointLengthOf(slot) === endpointLength4 ? readUint32(this.#bytes, slot << byteShift) | 0 : 0;
  }

  portOf(slot: Slot): number {
    return readUint16(this.#bytes, (slot << byteShift) + this.endpointLengthOf(slot) - 2);
  }

  /** 6 or 18. */
  endpointLengthOf(slot: Slot): number {
    return (this.flagsOf(slot) & peerFlag.isIpv6) !== 0 ? endpointLength6 : endpointLength4;
  }

  /** Writes the peer's 6 or 18 bytes to `target` at `offset`. */
  copyEndpoint(slot: Slot, target: Bytes, offset: number): void {
    const start = slot << byteShift;
    const length = this.endpointLengthOf(slot);
    for (let i = 0; i < length; i++) target[offset + i] = this.#bytes[start + i];
  }

  /** Writes the peer's id to `target` at `offset`. */
  copyPeerId(slot: Slot, target: Bytes, offset: number): void {
    const start = (slot << byteShift) + peerIdAt;
    for (let i = 0; i < idLength; i++) target[offset + i] = this.#bytes[start + i];
  }

  /** The peer's address as a Map key: a number for IPv4, 16 char codes for IPv6. */
  addressKeyOf(slot: Slot): number | string {
    const start = slot << byteShift;
    return addressKey(this.#bytes.subarray(start, start + this.endpointLengthOf(slot)));
  }

  /** Whether the bytes at `start` are these; from the end, since most peer ids of one make begin alike. */
  #equals(start: number, bytes: Bytes): boolean {
    for (let i = bytes.length - 1; i >= 0; i--) if (this.#bytes[start + i] !== bytes[i]) return false;
    return true;
  }

  /** 32 bits, signed. */
  #hash(swarm: Swarm, endpoint: Bytes): number {
    let hash = Math.imul(swarm.number ^ this.#seed, 0x9e3779b1);
    for (let at = 0; at < endpoint.length - 2; at += 4) {
      hash = Math.imul(hash ^ readUint32(endpoint, at), 0x85ebca6b);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash ^ readUint16(endpoint, endpoint.length - 2), 0xc2b2ae35);
    return hash ^ (hash >>> 16);
  }

  #homeOf(slot: Slot): number {
    return this.#words[(slot << wordShift) + hashWord] & (this.#index.length - 1);
  }

  #addToIndex(slot: Slot): void {
    const mask = this.#index.length - 1;
    let at = this.#homeOf(slot);
    while (this.#index[at] !== 0) at = (at + 1) & mask;
    this.#index[at] = slot + 1;
  }

  /** Closes the gap, so that no probe stops short: later entries of the run move back to it where they may. */
  #removeFromIndex(slot: Slot): void {
    const mask = this.#index.length - 1;
    let gap = this.#homeOf(slot);
    while (this.#index[gap] !== slot + 1) gap = (gap + 1) & mask;
    for (let at = (gap + 1) & mask; this.#index[at] !== 0; at = (at + 1) & mask) {
      const home = this.#homeOf(this.#index[at] - 1);
      if (((at - home) & mask) < ((at - gap) & mask)) continue;
      this.#index[gap] = this.#index[at];
      gap = at;
    }
    this.#index[gap] = 0;
  }

  #growIndex(): void {
    this.#index = new Int32Array(2 * this.#index.length);
    for (let slot = 0; slot < this.#swarms.length; slot++) {
      if (this.#swarms[slot] !== undefined) this.#addToIndex(slot);
    }
  }

  #takeSlot(): Slot {
    const slot = this.#freeSlot;
    if (slot !== noSlot) {
      this.#freeSlot = this.positionOf(slot);
      return slot;
    }
    if (this.#swarms.length << byteShift === this.#bytes.length) this.#growRecords();
    return this.#swarms.push(undefined) - 1;
  }

  #growRecords(): void {
    const grown = new Uint8Array(2 * this.#bytes.length);
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#words = new Int32Array(grown.buffer);
    this.#words64 = new Float64Array(grown.buffer);
  }
}

/** The tag of the peer id at `offset`: of its last 12 bytes, since clients of one make begin alike (BEP 20). */
export function peerIdTag(bytes: Uint8Array, offset: number): number {
  const tag = Math.imul(readUint32(bytes, offset + 8), 0x9e3779b1) ^ readUint32(bytes, offset + 12);
  return Math.imul(tag, 0x85ebca6b) ^ readUint32(bytes, offset + 16);
}

/** The address of an endpoint of 6 or 18 bytes as a Map key: a number for IPv4, 16 char codes for IPv6. */
export function addressKey(endpoint: Uint8Array): number | string {
  if (endpoint.length === endpointLength4) return readUint32(endpoint, 0);
  return String.fromCharCode(...endpoint.subarray(0, endpointLength6 - 2));
}
