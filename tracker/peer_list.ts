/**
 * The seeds or the downloaders of one swarm, as rows of 16 bytes behind each other.
 *
 * A row repeats what an answer needs of a peer, so that handing out 50 of them reads a run of memory and not 50 records
 * of the table, each a miss of the processor's caches. The order of the rows means nothing.
 *
 *     word  field
 *        0  address of IPv4, big-endian; 0 for IPv6, whose address is in the table alone
 *        1  port in the upper half, flags in the lower
 *        2  slot in the table
 *        3  tag of the peer id
 */
import type { Slot } from "./peer_index.ts";
import type { PeerTable } from "./peer_table.ts";

/** log2 of a row's words. */
const rowShift = 2;
const firstRowCount = 4;

const noWords = new Int32Array(0);

export class PeerList {
  #words = noWords;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Takes in a peer of the table and returns its place. */
  push(table: PeerTable, slot: Slot): number {
    const at = this.#length << rowShift;
    if (at === this.#words.length) this.#grow();
    const words = this.#words;
    words[at] = table.ipv4Of(slot);
    words[at + 1] = (table.portOf(slot) << 16) | table.flagsOf(slot);
    words[at + 2] = slot;
    words[at + 3] = table.peerIdTagOf(slot);
    return this.#length++;
  }

  /**
   * Takes the peer at this place out; the last one takes its place.
   *
   * @returns the slot of the one that moved here, or of the one that went if it was the last
   */
  remove(position: number): Slot {
    const words = this.#words;
    const last = --this.#length << rowShift;
    const at = position << rowShift;
    for (let i = 0; i < 1 << rowShift; i++) words[at + i] = words[last + i];
    return words[at + 2];
  }

  /** The address of IPv4 as a signed number; 0 for IPv6. */
  ipv4At(position: number): number {
    return this.#words[position << rowShift];
  }

  portAt(position: number): number {
    return this.#words[(position << rowShift) + 1] >>> 16;
  }

  /** Bits of `peerFlag`. */
  flagsAt(position: number): number {
    return this.#words[(position << rowShift) + 1] & 0xff;
  }

  slotAt(position: number): Slot {
    return this.#words[(position << rowShift) + 2];
  }

  peerIdTagAt(position: number): number {
    return this.#words[(position << rowShift) + 3];
  }

  setPeerIdTag(position: number, tag: number): void {
    this.#words[(position << rowShift) + 3] = tag;
  }

  #grow(): void {
    // Twice as much while it is small, half as much again later: of a large swarm's rows a third may be empty, not half.
    const count = this.#length < 64 ? Math.max(firstRowCount, 2 * this.#length) : this.#length + (this.#length >> 1);
    const grown = new Int32Array(count << rowShift);
    grown.set(this.#words);
    this.#words = grown;
  }
}
