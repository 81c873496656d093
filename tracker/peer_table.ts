/**
 * All peers of all swarms as records of 56 bytes, found by (swarm, address, port).
 *
 * Owns what is stored of a peer and which slots are free; swarm.ts owns who is in which list. Records stand in blocks, so
 * that a growing table is never copied, which for a million peers would stop the loop for 30 ms.
 *
 *     offset  bytes  field
 *          0     18  endpoint: address and port; of IPv4 the first 6
 *         18      1  flags
 *         20     20  peer id
 *         40      4  hash of swarm and endpoint
 *         44      4  number of the swarm; -1 for a free slot
 *         48      4  moment of the last announce, ms, modulo 2^32
 *         52      4  position in the swarm's list; of a free slot the next free one
 */
import { type Bytes, readUint16, readUint32 } from "../lib/bytes.ts";
import { idLength } from "../lib/ids.ts";
import { noSlot, PeerIndex, type Slot } from "./peer_index.ts";
import { RowStore } from "./row_store.ts";

/** Bits of a peer's flags; `isBeside`: on the tracker's own machine, over loopback or another of its addresses. */
export const peerFlag = { isSeed: 1, isIpv6: 2, isLoopback: 4, isLinkLocal: 8, isBeside: 16 } as const;

/** What is stored of a newcomer. */
export interface NewPeer {
  readonly swarmNumber: number;
  /** Address and port, 6 or 18 bytes. */
  readonly endpoint: Bytes;
  /** 20 bytes. */
  readonly peerId: Bytes;
  /** Bits of {@linkcode peerFlag}. */
  readonly flags: number;
  /** Monotonic milliseconds. */
  readonly now: number;
}

const endpointLength4 = 6;
const endpointLength6 = 18;
const networkLength6 = 8;
/** Length of a record in bytes and in words of 32 bits. */
const recordBytes = 56;
const recordWords = recordBytes / 4;
// Offsets into a record, in bytes and words.
const flagsAt = 18;
const peerIdAt = 20;
const hashWord = 10;
const swarmWord = 11;
const seenAtWord = 12;
const positionWord = 13;
const noSwarm = -1;

/** log2 of the records in a block. */
const blockShift = 12;
const blockMask = (1 << blockShift) - 1;

/** Records behind each other, under both views. */
class Block {
  readonly bytes: Bytes;
  readonly words: Int32Array;

  constructor(recordCount: number) {
    this.bytes = new Uint8Array(recordCount * recordBytes);
    this.words = new Int32Array(this.bytes.buffer);
  }
}

export class PeerTable {
  /** Room for the lists that peers of this table stand in. */
  readonly rows = new RowStore();
  readonly #blocks: Block[] = [];
  readonly #index = new PeerIndex((slot) => this.#word(slot, hashWord));
  #slotEnd: Slot = 0;
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
    return this.#slotEnd;
  }

  /** The peer's slot, or `noSlot`. */
  find(swarmNumber: number, endpoint: Bytes): Slot {
    const hash = this.#hash(swarmNumber, endpoint);
    const part = this.#index.partOf(hash);
    const mask = part.length - 1;
    for (let at = hash & mask;; at = (at + 1) & mask) {
      const slot = part[at] - 1;
      if (slot === noSlot) return noSlot;
      const { bytes, words } = this.#blocks[slot >>> blockShift];
      const record = slot & blockMask;
      const word = record * recordWords;
      if (words[word + hashWord] !== hash || words[word + swarmWord] !== swarmNumber) continue;
      if (this.endpointLengthOf(slot) === endpoint.length && isAt(bytes, record * recordBytes, endpoint)) return slot;
    }
  }

  /** Adds a peer that is not in the table yet. */
  insert({ swarmNumber, endpoint, peerId, flags, now }: NewPeer): Slot {
    const slot = this.#takeSlot();
    const { bytes } = this.#blocks[slot >>> blockShift];
    const start = (slot & blockMask) * recordBytes;
    for (let i = 0; i < endpoint.length; i++) bytes[start + i] = endpoint[i];
    bytes[start + flagsAt] = flags | (endpoint.length === endpointLength6 ? peerFlag.isIpv6 : 0);
    this.#setWord(slot, hashWord, this.#hash(swarmNumber, endpoint));
    this.#setWord(slot, swarmWord, swarmNumber);
    this.setPeerId(slot, peerId);
    this.setSeenAt(slot, now);
    this.#count++;
    this.#index.add(slot);
    return slot;
  }

  /** Takes a peer out; its slot may be given to another one at once. */
  remove(slot: Slot): void {
    this.#index.remove(slot);
    this.#setWord(slot, swarmWord, noSwarm);
    this.setPosition(slot, this.#freeSlot);
    this.#freeSlot = slot;
    this.#count--;
  }

  /** The number of the peer's swarm; undefined for a free slot. */
  swarmNumberOf(slot: Slot): number | undefined {
    const number = this.#word(slot, swarmWord);
    return number === noSwarm ? undefined : number;
  }

  /** Bits of {@linkcode peerFlag}. */
  flagsOf(slot: Slot): number {
    return this.#blocks[slot >>> blockShift].bytes[(slot & blockMask) * recordBytes + flagsAt];
  }

  setSeed(slot: Slot, isSeed: boolean): void {
    const { bytes } = this.#blocks[slot >>> blockShift];
    const at = (slot & blockMask) * recordBytes + flagsAt;
    if (isSeed) bytes[at] |= peerFlag.isSeed;
    else bytes[at] &= ~peerFlag.isSeed;
  }

  /** Milliseconds since the last announce, up to 49 days. */
  silenceOf(slot: Slot, now: number): number {
    return (now - this.#word(slot, seenAtWord)) >>> 0;
  }

  /** @param now monotonic milliseconds */
  setSeenAt(slot: Slot, now: number): void {
    this.#setWord(slot, seenAtWord, now);
  }

  /** Where the peer stands in its swarm's list. */
  positionOf(slot: Slot): number {
    return this.#word(slot, positionWord);
  }

  setPosition(slot: Slot, position: number): void {
    this.#setWord(slot, positionWord, position);
  }

  /** @param peerId 20 bytes */
  setPeerId(slot: Slot, peerId: Bytes): void {
    const { bytes } = this.#blocks[slot >>> blockShift];
    const start = (slot & blockMask) * recordBytes + peerIdAt;
    for (let i = 0; i < idLength; i++) bytes[start + i] = peerId[i];
  }

  hasPeerId(slot: Slot, peerId: Bytes): boolean {
    return isAt(this.#blocks[slot >>> blockShift].bytes, (slot & blockMask) * recordBytes + peerIdAt, peerId);
  }

  /** 32 bits, signed, that nearly always tell two peer ids apart. */
  peerIdTagOf(slot: Slot): number {
    return peerIdTag(this.#blocks[slot >>> blockShift].bytes, (slot & blockMask) * recordBytes + peerIdAt);
  }

  /** The address of IPv4 as a signed number; 0 for IPv6. */
  ipv4Of(slot: Slot): number {
    if (this.endpointLengthOf(slot) !== endpointLength4) return 0;
    return readUint32(this.#blocks[slot >>> blockShift].bytes, (slot & blockMask) * recordBytes) | 0;
  }

  portOf(slot: Slot): number {
    const { bytes } = this.#blocks[slot >>> blockShift];
    return readUint16(bytes, (slot & blockMask) * recordBytes + this.endpointLengthOf(slot) - 2);
  }

  /** 6 or 18. */
  endpointLengthOf(slot: Slot): number {
    return (this.flagsOf(slot) & peerFlag.isIpv6) !== 0 ? endpointLength6 : endpointLength4;
  }

  /** Writes the peer's 6 or 18 bytes to `target` at `offset`. */
  copyEndpoint(slot: Slot, target: Bytes, offset: number): void {
    this.#copy(slot, { start: 0, length: this.endpointLengthOf(slot) }, target, offset);
  }

  /** Writes the peer's id to `target` at `offset`. */
  copyPeerId(slot: Slot, target: Bytes, offset: number): void {
    this.#copy(slot, { start: peerIdAt, length: idLength }, target, offset);
  }

  /** The peer's address as {@linkcode addressKey} has it. */
  addressKeyOf(slot: Slot): number | string {
    const start = (slot & blockMask) * recordBytes;
    return addressKey(this.#blocks[slot >>> blockShift].bytes.subarray(start, start + this.endpointLengthOf(slot)));
  }

  #copy(slot: Slot, { start, length }: { start: number; length: number }, target: Bytes, offset: number): void {
    const { bytes } = this.#blocks[slot >>> blockShift];
    const from = (slot & blockMask) * recordBytes + start;
    for (let i = 0; i < length; i++) target[offset + i] = bytes[from + i];
  }

  #word(slot: Slot, word: number): number {
    return this.#blocks[slot >>> blockShift].words[(slot & blockMask) * recordWords + word];
  }

  #setWord(slot: Slot, word: number, value: number): void {
    this.#blocks[slot >>> blockShift].words[(slot & blockMask) * recordWords + word] = value;
  }

  /** 32 bits, signed. */
  #hash(swarmNumber: number, endpoint: Bytes): number {
    let hash = Math.imul(swarmNumber ^ this.#seed, 0x9e3779b1);
    for (let at = 0; at < endpoint.length - 2; at += 4) {
      hash = Math.imul(hash ^ readUint32(endpoint, at), 0x85ebca6b);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash ^ readUint16(endpoint, endpoint.length - 2), 0xc2b2ae35);
    return hash ^ (hash >>> 16);
  }

  #takeSlot(): Slot {
    const slot = this.#freeSlot;
    if (slot !== noSlot) {
      this.#freeSlot = this.positionOf(slot);
      return slot;
    }
    if (this.#slotEnd === this.#blocks.length << blockShift) this.#blocks.push(new Block(1 << blockShift));
    return this.#slotEnd++;
  }
}

/** Whether the bytes at `start` are these; from the end, since most peer ids of one make begin alike. */
function isAt(source: Uint8Array, start: number, bytes: Bytes): boolean {
  for (let i = bytes.length - 1; i >= 0; i--) if (source[start + i] !== bytes[i]) return false;
  return true;
}

/** The tag of the peer id at `offset`: of its last 12 bytes, since clients of one make begin alike (BEP 20). */
export function peerIdTag(bytes: Uint8Array, offset: number): number {
  const tag = Math.imul(readUint32(bytes, offset + 8), 0x9e3779b1) ^ readUint32(bytes, offset + 12);
  return Math.imul(tag, 0x85ebca6b) ^ readUint32(bytes, offset + 16);
}

/**
 * Who is bounded together, as a Map key, by an endpoint of 6 or 18 bytes: a number for an address of IPv4, 8 char codes for
 * a network of IPv6 (/64), since one machine can take any address in it.
 */
export function addressKey(endpoint: Uint8Array): number | string {
  if (endpoint.length === endpointLength4) return readUint32(endpoint, 0);
  return String.fromCharCode(...endpoint.subarray(0, networkLength6));
}
