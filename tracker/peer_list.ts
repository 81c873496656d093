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
import { rowWords } from "./row_store.ts";

/** log2 of a row's words. */
const rowShift = 2;

const noRun = -1;
const noWords = new Int32Array(0);

export class PeerList {
  readonly #table: PeerTable;
  #length = 0;
  /** The rows: 2^shift from `start` on. */
  #run = noRun;
  #shift = 0;
  #words = noWords;
  #start = 0;

  constructor(table: PeerTable) {
    this.#table = table;
  }

  get length(): number {
    return this.#length;
  }

  /** Takes in a peer of the table and returns its place. */
  push(slot: Slot): number {
    if (this.#run === noRun || this.#length === 1 << this.#shift) this.#grow();
    const at = this.#start + (this.#length << rowShift);
    const words = this.#words;
    words[at] = this.#table.ipv4Of(slot);
    words[at + 1] = (this.#table.portOf(slot) << 16) | this.#table.flagsOf(slot);
    words[at + 2] = slot;
    words[at + 3] = this.#table.peerIdTagOf(slot);
    return this.#length++;
  }

  /**
   * Takes the peer at this place out; the last one takes its place.
   *
   * @returns the slot of the one that moved here, or of the one that went if it was the last
   */
  remove(position: number): Slot {
    const words = this.#words;
    const last = this.#start + (--this.#length << rowShift);
    const at = this.#start + (position << rowShift);
    for (let i = 0; i < rowWords; i++) words[at + i] = words[last + i];
    const moved = words[at + 2];
    if (this.#length === 0) this.#release();
    return moved;
  }

  /** The address of IPv4 as a signed number; 0 for IPv6. */
  ipv4At(position: number): number {
    return this.#words[this.#start + (position << rowShift)];
  }

  portAt(position: number): number {
    return this.#words[this.#start + (position << rowShift) + 1] >>> 16;
  }

  /** Bits of `peerFlag`. */
  flagsAt(position: number): number {
    return this.#words[this.#start + (position << rowShift) + 1] & 0xff;
  }

  slotAt(position: number): Slot {
    return this.#words[this.#start + (position << rowShift) + 2];
  }

  peerIdTagAt(position: number): number {
    return this.#words[this.#start + (position << rowShift) + 3];
  }

  setPeerIdTag(position: number, tag: number): void {
    this.#words[this.#start + (position << rowShift) + 3] = tag;
  }

  #grow(): void {
    const { rows } = this.#table;
    const shift = this.#run === noRun ? 1 : this.#shift + 1;
    const run = rows.take(shift);
    const words = rows.wordsOf(run);
    const start = rows.startOf(run);
    words.set(this.#words.subarray(this.#start, this.#start + (this.#length << rowShift)), start);
    if (this.#run !== noRun) rows.release(this.#run, this.#shift);
    this.#run = run;
    this.#shift = shift;
    this.#words = words;
    this.#start = start;
  }

  #release(): void {
    this.#table.rows.release(this.#run, this.#shift);
    this.#run = noRun;
    this.#words = noWords;
    this.#start = 0;
  }
}
