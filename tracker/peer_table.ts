/**
 * All peers of all swarms in flat arrays: one slot a peer, found by (swarm, address, port).
 *
 * Owns what is stored of a peer and which slots are free; swarm.ts owns who is in which list. About 70 bytes a peer,
 * nothing for the garbage collector to trace but one reference to the peer's swarm. The index is open addressing with
 * linear probing; its hash is seeded, so that nobody outside can choose endpoints that collide.
 */
import { type Bytes, readUint16, readUint32 } from "../lib/bytes.ts";
import { idLength } from "../lib/ids.ts";
import type { Swarm } from "./swarm.ts";

/** A peer's place in the table, from 0. */
export type Slot = number;
/** What `find` says when there is none. */
export const noSlot: Slot = -1;

/** Bytes kept of an endpoint: those of IPv6; an IPv4 one uses the first 6. */
const endpointLength = 18;

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

export class PeerTable {
  /** Slot + 1 of each peer, at or after the place of its hash; 0 is empty. At most half full. */
  #index = new Int32Array(2048);
  #endpoints = new Uint8Array(1024 * endpointLength);
  #peerIds = new Uint8Array(1024 * idLength);
  #flags = new Uint8Array(1024);
  #seenAt = new Float64Array(1024);
  /** Where the peer stands in its swarm's list; for a free slot the next free one. */
  #positions = new Int32Array(1024);
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
    for (let at = this.#hash(swarm, endpoint, 0, endpoint.length) & mask;; at = (at + 1) & mask) {
      const slot = this.#index[at] - 1;
      if (slot === noSlot) return noSlot;
      if (this.#swarms[slot] === swarm && this.#hasEndpoint(slot, endpoint)) return slot;
    }
  }

  /** Adds a peer that is not in the table yet. */
  insert({ swarm, endpoint, peerId, flags, now }: NewPeer): Slot {
    const slot = this.#takeSlot();
    this.#swarms[slot] = swarm;
    this.#endpoints.set(endpoint, slot * endpointLength);
    this.#flags[slot] = flags | (endpoint.length === endpointLength ? peerFlag.isIpv6 : 0);
    this.setPeerId(slot, peerId);
    this.#seenAt[slot] = now;
    this.#count++;
    if (2 * this.#count > this.#index.length) this.#growIndex();
    else this.#addToIndex(slot);
    return slot;
  }

  /** Takes a peer out; its slot may be given to another one at once. */
  remove(slot: Slot): void {
    this.#removeFromIndex(slot);
    this.#swarms[slot] = undefined;
    this.#positions[slot] = this.#freeSlot;
    this.#freeSlot = slot;
    this.#count--;
  }

  /** The swarm of the peer; undefined for a free slot. */
  swarmOf(slot: Slot): Swarm | undefined {
    return this.#swarms[slot];
  }

  /** Bits of {@linkcode peerFlag}. */
  flagsOf(slot: Slot): number {
    return this.#flags[slot];
  }

  setSeed(slot: Slot, isSeed: boolean): void {
    if (isSeed) this.#flags[slot] |= peerFlag.isSeed;
    else this.#flags[slot] &= ~peerFlag.isSeed;
  }

  seenAtOf(slot: Slot): number {
    return this.#seenAt[slot];
  }

  setSeenAt(slot: Slot, now: number): void {
    this.#seenAt[slot] = now;
  }

  positionOf(slot: Slot): number {
    return this.#positions[slot];
  }

  setPosition(slot: Slot, position: number): void {
    this.#positions[slot] = position;
  }

  setPeerId(slot: Slot, peerId: Bytes): void {
    this.#peerIds.set(peerId, slot * idLength);
  }

  hasPeerId(slot: Slot, peerId: Bytes): boolean {
    const start = slot * idLength;
    // From the end: the front of a peer id names the client, so that all of one make begin alike.
    for (let i = idLength - 1; i >= 0; i--) if (this.#peerIds[start + i] !== peerId[i]) return false;
    return true;
  }

  /** Whether the peer is at this address of 4 or 16 bytes. */
  hasAddress(slot: Slot, address: Bytes): boolean {
    if (this.endpointLengthOf(slot) !== address.length + 2) return false;
    const start = slot * endpointLength;
    for (let i = address.length - 1; i >= 0; i--) if (this.#endpoints[start + i] !== address[i]) return false;
    return true;
  }

  portOf(slot: Slot): number {
    return readUint16(this.#endpoints, slot * endpointLength + this.endpointLengthOf(slot) - 2);
  }

  /** 6 or 18. */
  endpointLengthOf(slot: Slot): number {
    return (this.#flags[slot] & peerFlag.isIpv6) !== 0 ? endpointLength : 6;
  }

  /** Writes the peer's 6 or 18 bytes to `target` at `offset`. */
  copyEndpoint(slot: Slot, target: Bytes, offset: number): void {
    const start = slot * endpointLength;
    const length = this.endpointLengthOf(slot);
    for (let i = 0; i < length; i++) target[offset + i] = this.#endpoints[start + i];
  }

  /** Writes the peer's id to `target` at `offset`. */
  copyPeerId(slot: Slot, target: Bytes, offset: number): void {
    const start = slot * idLength;
    for (let i = 0; i < idLength; i++) target[offset + i] = this.#peerIds[start + i];
  }

  /** The peer's address as a Map key: a number for IPv4, 16 char codes for IPv6. */
  addressKeyOf(slot: Slot): number | string {
    const start = slot * endpointLength;
    return addressKey(this.#endpoints.subarray(start, start + this.endpointLengthOf(slot)));
  }

  #hasEndpoint(slot: Slot, endpoint: Bytes): boolean {
    if (this.endpointLengthOf(slot) !== endpoint.length) return false;
    const start = slot * endpointLength;
    for (let i = endpoint.length - 1; i >= 0; i--) if (this.#endpoints[start + i] !== endpoint[i]) return false;
    return true;
  }

  /** 32 bits from the swarm and the endpoint at [start, start + length) of `bytes`. */
  #hash(swarm: Swarm, bytes: Uint8Array, start: number, length: number): number {
    let hash = Math.imul(swarm.number ^ this.#seed, 0x9e3779b1);
    for (let at = start; at < start + length - 2; at += 4) {
      hash = Math.imul(hash ^ readUint32(bytes, at), 0x85ebca6b);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash ^ readUint16(bytes, start + length - 2), 0xc2b2ae35);
    return hash ^ (hash >>> 16);
  }

  #homeOf(slot: Slot): number {
    const length = this.endpointLengthOf(slot);
    return this.#hash(this.#swarms[slot]!, this.#endpoints, slot * endpointLength, length) & (this.#index.length - 1);
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
      this.#freeSlot = this.#positions[slot];
      return slot;
    }
    if (this.#swarms.length === this.#flags.length) this.#growSlots();
    return this.#swarms.push(undefined) - 1;
  }

  #growSlots(): void {
    const count = 2 * this.#flags.length;
    const grow = <A extends Uint8Array | Float64Array | Int32Array>(grown: A, old: A): A => {
      grown.set(old);
      return grown;
    };
    this.#endpoints = grow(new Uint8Array(count * endpointLength), this.#endpoints);
    this.#peerIds = grow(new Uint8Array(count * idLength), this.#peerIds);
    this.#flags = grow(new Uint8Array(count), this.#flags);
    this.#seenAt = grow(new Float64Array(count), this.#seenAt);
    this.#positions = grow(new Int32Array(count), this.#positions);
  }
}

/** The address of an endpoint of 6 or 18 bytes as a Map key: a number for IPv4, 16 char codes for IPv6. */
export function addressKey(endpoint: Uint8Array): number | string {
  if (endpoint.length === 6) return readUint32(endpoint, 0);
  return String.fromCharCode(...endpoint.subarray(0, endpointLength - 2));
}
