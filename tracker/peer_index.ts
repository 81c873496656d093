/**
 * From the hash of a peer to its slot: open addressing with linear probing, in 256 parts that grow on their own.
 *
 * One array for a million peers would stop the loop for 60 ms whenever it doubles; a part does for a third of one. Whoever
 * makes the hashes seeds them, so that nobody outside can choose endpoints that collide.
 */

/** A peer's place in the table, from 0. */
export type Slot = number;
/** What a search says when there is none. */
export const noSlot: Slot = -1;

const partCount = 256;
/** A hash's upper bits name the part, the lower ones the place in it. */
const partShift = 24;
const firstPartLength = 16;

export class PeerIndex {
  readonly #parts = Array.from({ length: partCount }, () => new Int32Array(firstPartLength));
  readonly #counts = new Int32Array(partCount);
  readonly #hashOf: (slot: Slot) => number;

  /** @param hashOf the 32 bits under which a slot was added */
  constructor(hashOf: (slot: Slot) => number) {
    this.#hashOf = hashOf;
  }

  /** Slot + 1 of each peer, at or after the place `hash & (length - 1)`; 0 is empty. */
  partOf(hash: number): Readonly<Int32Array> {
    return this.#parts[hash >>> partShift];
  }

  add(slot: Slot): void {
    const hash = this.#hashOf(slot);
    const number = hash >>> partShift;
    // At most half full.
    if (2 * ++this.#counts[number] > this.#parts[number].length) this.#grow(number);
    put(this.#parts[number], hash, slot);
  }

  /** Closes the gap, so that no probe stops short: later entries of the run move back to it where they may. */
  remove(slot: Slot): void {
    const number = this.#hashOf(slot) >>> partShift;
    const part = this.#parts[number];
    const mask = part.length - 1;
    let gap = this.#hashOf(slot) & mask;
    while (part[gap] !== slot + 1) gap = (gap + 1) & mask;
    for (let at = (gap + 1) & mask; part[at] !== 0; at = (at + 1) & mask) {
      const home = this.#hashOf(part[at] - 1) & mask;
      if (((at - home) & mask) < ((at - gap) & mask)) continue;
      part[gap] = part[at];
      gap = at;
    }
    part[gap] = 0;
    this.#counts[number]--;
  }

  #grow(number: number): void {
    const part = this.#parts[number];
    const grown = new Int32Array(2 * part.length);
    for (const entry of part) if (entry !== 0) put(grown, this.#hashOf(entry - 1), entry - 1);
    this.#parts[number] = grown;
  }
}

function put(part: Int32Array, hash: number, slot: Slot): void {
  const mask = part.length - 1;
  let at = hash & mask;
  while (part[at] !== 0) at = (at + 1) & mask;
  part[at] = slot + 1;
}
