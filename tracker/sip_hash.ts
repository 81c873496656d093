/**
 * SipHash-2-4: a keyed hash that nobody without the key can predict, quick for a few bytes (Aumasson and Bernstein, 2012).
 *
 * Its 64-bit words are pairs of 32 bits here, low before high, since JavaScript's own 64-bit integers are objects.
 */
import type { Bytes } from "../lib/bytes.ts";

/** Bytes of the key. */
export const sipKeyLength = 16;

/** "somepseudorandomlygeneratedbytes", as four words. */
const start = Int32Array.of(
  0x70736575,
  0x736f6d65,
  0x6e646f6d,
  0x646f7261,
  0x6e657261,
  0x6c796765,
  0x79746573,
  0x74656462,
);

export class SipHash {
  readonly #start = new Int32Array(8);
  /** Words v0 to v3. */
  readonly #v = new Int32Array(8);
  /** The last hash. */
  high = 0;
  low = 0;

  /** @param key 16 bytes */
  constructor(key: Bytes) {
    const words = new Int32Array(4).map((_, i) => readLittle(key, 4 * i));
    for (let i = 0; i < 8; i++) this.#start[i] = start[i] ^ words[i & 3];
  }

  /** Hashes the bytes; the result is in `high` and `low`, 32 bits each. */
  hash(message: Uint8Array): void {
    const v = this.#v;
    v.set(this.#start);
    const wholeLength = message.length & ~7;
    for (let at = 0; at < wholeLength; at += 8) compress(v, readLittle(message, at), readLittle(message, at + 4));
    let low = 0;
    let high = message.length << 24;
    for (let i = wholeLength; i < message.length; i++) {
      if ((i & 7) < 4) low |= message[i] << (8 * (i & 3));
      else high |= message[i] << (8 * (i & 3));
    }
    compress(v, low, high);
    v[4] ^= 0xff;
    for (let i = 0; i < 4; i++) round(v);
    this.low = (v[0] ^ v[2] ^ v[4] ^ v[6]) >>> 0;
    this.high = (v[1] ^ v[3] ^ v[5] ^ v[7]) >>> 0;
  }
}

function compress(v: Int32Array, low: number, high: number): void {
  v[6] ^= low;
  v[7] ^= high;
  round(v);
  round(v);
  v[0] ^= low;
  v[1] ^= high;
}

function round(v: Int32Array): void {
  add(v, 0, 2);
  rotate(v, 2, 13);
  xor(v, 2, 0);
  swap(v, 0);
  add(v, 4, 6);
  rotate(v, 6, 16);
  xor(v, 6, 4);
  add(v, 0, 6);
  rotate(v, 6, 21);
  xor(v, 6, 0);
  add(v, 4, 2);
  rotate(v, 2, 17);
  xor(v, 2, 4);
  swap(v, 4);
}

/** Adds the word at `b` to the one at `a`. */
function add(v: Int32Array, a: number, b: number): void {
  const low = v[a] + v[b] | 0;
  v[a + 1] += v[b + 1] + (low >>> 0 < v[a] >>> 0 ? 1 : 0);
  v[a] = low;
}

function xor(v: Int32Array, a: number, b: number): void {
  v[a] ^= v[b];
  v[a + 1] ^= v[b + 1];
}

/** Rotates the word at `a` to the left by 1 to 31 bits. */
function rotate(v: Int32Array, a: number, bits: number): void {
  const [low, high] = [v[a], v[a + 1]];
  v[a] = (low << bits) | (high >>> (32 - bits));
  v[a + 1] = (high << bits) | (low >>> (32 - bits));
}

/** Rotates the word at `a` by 32 bits. */
function swap(v: Int32Array, a: number): void {
  const low = v[a];
  v[a] = v[a + 1];
  v[a + 1] = low;
}

function readLittle(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}
