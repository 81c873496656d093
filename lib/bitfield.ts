/** Which pieces a peer has (BEP 3): one bit a piece, the most significant bit first, the spare bits at the end zero. */
import type { Bytes } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";

/** A set of piece indices below `length`, with its count kept. */
export class Bitfield {
  /** Number of pieces, set or not. */
  readonly length: number;
  readonly #bytes: Bytes;
  #count = 0;

  private constructor(length: number, bytes: Bytes) {
    this.length = length;
    this.#bytes = bytes;
  }

  /** No bit set. */
  static empty(length: number): Bitfield {
    return new Bitfield(length, new Uint8Array(Math.ceil(length / 8)));
  }

  /** Every bit set. */
  static full(length: number): Bitfield {
    const bitfield = Bitfield.empty(length);
    bitfield.#bytes.fill(0xff);
    if (length % 8 !== 0) bitfield.#bytes[bitfield.#bytes.length - 1] = 0xff << (8 - (length % 8));
    bitfield.#count = length;
    return bitfield;
  }

  /**
   * The payload of a `bitfield` message, copied.
   *
   * @throws ProtocolError when the length is not exactly that of `length` bits, or a spare bit is set
   */
  static decode(payload: Uint8Array, length: number): Bitfield {
    const byteLength = Math.ceil(length / 8);
    if (payload.length !== byteLength) {
      throw new ProtocolError(`a bitfield has ${payload.length} bytes, wanted ${byteLength}`);
    }
    const bitfield = new Bitfield(length, payload.slice() as Bytes);
    if (length % 8 !== 0 && (payload[byteLength - 1] & (0xff >> (length % 8))) !== 0) {
      throw new ProtocolError("a bitfield has spare bits set");
    }
    for (const byte of payload) bitfield.#count += bitCount(byte);
    return bitfield;
  }

  /** The payload of a `bitfield` message: a copy. */
  encode(): Bytes {
    return this.#bytes.slice();
  }

  /** A copy that changes on its own. */
  clone(): Bitfield {
    const copy = new Bitfield(this.length, this.#bytes.slice());
    copy.#count = this.#count;
    return copy;
  }

  /** How many bits are set. */
  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count === this.length;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Whether the bit is set; false when `index` is outside. */
  has(index: number): boolean {
    return (this.#bytes[index >>> 3] & (0x80 >>> (index & 7))) !== 0;
  }

  /** Sets the bit; returns false when it was set before. */
  set(index: number): boolean {
    if (index < 0 || index >= this.length) throw new RangeError(`bit ${index} is outside 0..${this.length - 1}`);
    if (this.has(index)) return false;
    this.#bytes[index >>> 3] |= 0x80 >>> (index & 7);
    this.#count++;
    return true;
  }

  /** Clears the bit; returns false when it was clear before. */
  clear(index: number): boolean {
    if (index < 0 || index >= this.length) throw new RangeError(`bit ${index} is outside 0..${this.length - 1}`);
    if (!this.has(index)) return false;
    this.#bytes[index >>> 3] &= ~(0x80 >>> (index & 7));
    this.#count--;
    return true;
  }

  /** How many pieces this has that `other` lacks. Both have the same length. */
  countMissingFrom(other: Bitfield): number {
    let count = 0;
    for (let i = 0; i < this.#bytes.length; i++) count += bitCount(this.#bytes[i] & ~other.#bytes[i]);
    return count;
  }

  /** Whether this has a piece that `other` lacks. Both have the same length. */
  hasAnyMissingFrom(other: Bitfield): boolean {
    for (let i = 0; i < this.#bytes.length; i++) {
      if ((this.#bytes[i] & ~other.#bytes[i]) !== 0) return true;
    }
    return false;
  }
}

function bitCount(byte: number): number {
  let count = 0;
  for (let rest = byte; rest !== 0; rest &= rest - 1) count++;
  return count;
}
