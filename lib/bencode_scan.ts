/**
 * Checks bencoded bytes in one pass, and walks over what was checked (BEP 3).
 *
 * Nothing is kept of integers and strings, and 8 bytes of a list or dictionary: a document takes little more memory than
 * its bytes, whatever is in it. Iterative: depth costs memory within a bound, never the call stack. What the values are
 * to their readers is lib/bencode.ts's matter.
 */
import { ProtocolError } from "./errors.ts";
import {
  bencodeDepthMax,
  bencodeDigitsMax,
  bencodeKeyBytesMax,
  bencodeTokensMax,
  bencodeUnsortedKeysMax,
} from "./limits/torrent_file.ts";

/** The bytes that mean something in bencode. */
export const byteOf = { zero: 0x30, nine: 0x39, colon: 0x3a, minus: 0x2d, d: 0x64, e: 0x65, i: 0x69, l: 0x6c } as const;

/** Bytes that begin with a value which obeys every rule. */
export interface CheckedBencode {
  readonly bytes: Uint8Array;
  /** Those of the value. */
  readonly containers: Containers;
}

/** Where the lists and dictionaries of a document end, by their numbers: the order in which they begin. */
export class Containers {
  /** Of each: the offset behind it, and the number of the first that begins behind it. */
  #words = new Uint32Array(32);
  #count = 0;

  /** The next one begins. @returns its number */
  begin(): number {
    if (2 * this.#count === this.#words.length) {
      const grown = new Uint32Array(2 * this.#words.length);
      grown.set(this.#words);
      this.#words = grown;
    }
    return this.#count++;
  }

  /** This one is over, and so is everything that began after it. */
  finish(container: number, end: number): void {
    this.#words[2 * container] = end;
    this.#words[2 * container + 1] = this.#count;
  }

  /** The offset behind it. */
  endOf(container: number): number {
    return this.#words[2 * container];
  }

  /** The number of the first that begins behind it. */
  after(container: number): number {
    return this.#words[2 * container + 1];
  }
}

/**
 * Checks the value at the start of the input.
 *
 * @throws ProtocolError
 */
export function scanBencode(bytes: Uint8Array): CheckedBencode {
  return new Scanner(bytes).scan();
}

/** A place in a checked document: at a value, at a key, or at the end of a list or dictionary. */
export class Cursor {
  readonly document: CheckedBencode;
  readonly bytes: Uint8Array;
  at: number;
  /** The number of the first list or dictionary that begins here or later. */
  container: number;

  constructor(document: CheckedBencode, at: number, container: number) {
    this.document = document;
    this.bytes = document.bytes;
    this.at = at;
    this.container = container;
  }

  get isAtEnd(): boolean {
    return this.bytes[this.at] === byteOf.e;
  }

  /** Goes behind the length of a string or key. @returns the length */
  passLength(): number {
    const { bytes } = this;
    let at = this.at;
    let length = 0;
    for (; bytes[at] !== byteOf.colon; at++) length = length * 10 + (bytes[at] - byteOf.zero);
    this.at = at + 1;
    return length;
  }

  /** Goes behind an integer. @returns its value */
  passInteger(): number {
    const { bytes } = this;
    let at = this.at + 1;
    const isNegative = bytes[at] === byteOf.minus;
    if (isNegative) at++;
    let magnitude = 0;
    for (; bytes[at] !== byteOf.e; at++) magnitude = magnitude * 10 + (bytes[at] - byteOf.zero);
    this.at = at + 1;
    return isNegative ? -magnitude : magnitude;
  }

  /** Goes behind a list or dictionary, without a look inside. */
  passContainer(): void {
    const { containers } = this.document;
    this.at = containers.endOf(this.container);
    this.container = containers.after(this.container);
  }

  /** Goes behind a value of any kind. */
  pass(): void {
    const byte = this.bytes[this.at];
    if (byte === byteOf.d || byte === byteOf.l) this.passContainer();
    else if (byte === byteOf.i) { while (this.bytes[this.at++] !== byteOf.e); }
    else {
      const length = this.passLength();
      this.at += length;
    }
  }
}

/** One char code a byte. @param bytes few enough to be the arguments of one call, which is three times as fast as `...` */
export function keyText(bytes: Uint8Array): string {
  return String.fromCharCode.apply(undefined, bytes as unknown as number[]);
}

/** A list or dictionary that is not over yet. */
class OpenContainer {
  container = 0;
  start = 0;
  isDictionary = false;
  /** Where the last key of the dictionary is; -1 before the first. */
  keyStart = -1;
  keyEnd = -1;
  /** All keys of the dictionary, once it is found not to be sorted. */
  keys: Set<string> | undefined;
}

class Scanner {
  readonly #bytes: Uint8Array;
  readonly #containers = new Containers();
  /** By depth; each is used again for the next one as deep. */
  readonly #open: OpenContainer[] = [];
  #depth = 0;
  #at = 0;
  #tokenCount = 0;
  /** Keys that are held in the sets of all open dictionaries. */
  #heldCount = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  scan(): CheckedBencode {
    this.#passValue();
    while (this.#depth > 0) {
      const parent = this.#open[this.#depth - 1];
      if (this.#bytes[this.#at] === byteOf.e) this.#finish(parent);
      else {
        if (parent.isDictionary) this.#passKey(parent);
        this.#passValue();
      }
    }
    return { bytes: this.#bytes, containers: this.#containers };
  }

  /** Goes behind an integer or string, or into a list or dictionary. */
  #passValue(): void {
    const start = this.#at;
    if (++this.#tokenCount > bencodeTokensMax) this.#fail(`holds more than ${bencodeTokensMax} values`, start);
    const byte = this.#bytes[start];
    if (byte === byteOf.i) this.#passInteger();
    else if (byte === byteOf.d || byte === byteOf.l) this.#begin(byte === byteOf.d);
    else this.#passString();
  }

  #begin(isDictionary: boolean): void {
    if (this.#depth === bencodeDepthMax) this.#fail(`is nested deeper than ${bencodeDepthMax} levels`, this.#at);
    const opened = this.#open[this.#depth++] ??= new OpenContainer();
    opened.container = this.#containers.begin();
    opened.start = this.#at++;
    opened.isDictionary = isDictionary;
    opened.keyStart = -1;
  }

  #finish(opened: OpenContainer): void {
    this.#at++;
    this.#depth--;
    this.#containers.finish(opened.container, this.#at);
    if (opened.keys === undefined) return;
    this.#heldCount -= opened.keys.size;
    opened.keys = undefined;
  }

  /** Keys in the order of their bytes cannot repeat; only where a writer did not sort them they have to be held. */
  #passKey(parent: OpenContainer): void {
    const start = this.#at;
    const length = this.#passString();
    if (length > bencodeKeyBytesMax) this.#fail(`has a key of ${length} bytes`, start);
    const [keyStart, keyEnd] = [this.#at - length, this.#at];
    if (parent.keys === undefined && parent.keyStart >= 0) {
      const order = compare(this.#bytes, parent.keyStart, parent.keyEnd, keyStart, keyEnd);
      if (order === 0) this.#failTwice(start);
      if (order > 0) this.#holdKeys(parent, start);
    }
    if (parent.keys !== undefined) this.#hold(parent.keys, keyStart, keyEnd);
    parent.keyStart = keyStart;
    parent.keyEnd = keyEnd;
  }

  /** Holds the keys of a dictionary in front of the one at `end`. */
  #holdKeys(parent: OpenContainer, end: number): void {
    parent.keys = new Set();
    const document = { bytes: this.#bytes, containers: this.#containers };
    const cursor = new Cursor(document, parent.start + 1, parent.container + 1);
    while (cursor.at < end) {
      const length = cursor.passLength();
      this.#hold(parent.keys, cursor.at, cursor.at + length);
      cursor.at += length;
      cursor.pass();
    }
  }

  #hold(keys: Set<string>, start: number, end: number): void {
    const key = keyText(this.#bytes.subarray(start, end));
    if (keys.has(key)) this.#failTwice(start);
    if (++this.#heldCount > bencodeUnsortedKeysMax) {
      this.#fail(`has dictionaries of over ${bencodeUnsortedKeysMax} keys that are not sorted`, start);
    }
    keys.add(key);
  }

  /** `<length>:<bytes>`; the length is checked against what is left before it is used. @returns the length */
  #passString(): number {
    const start = this.#at;
    const length = this.#passDigits();
    this.#expect(byteOf.colon);
    if (length > this.#bytes.length - this.#at) this.#fail("has a string that is longer than what is left", start);
    this.#at += length;
    return length;
  }

  /** `i<digits>e` or `i-<digits>e`. */
  #passInteger(): void {
    const start = this.#at++;
    const isNegative = this.#bytes[this.#at] === byteOf.minus;
    if (isNegative) this.#at++;
    const magnitude = this.#passDigits();
    this.#expect(byteOf.e);
    if (isNegative && magnitude === 0) this.#fail("has an integer -0", start);
    if (magnitude > Number.MAX_SAFE_INTEGER) this.#fail("has an integer out of range", start);
  }

  /** A run of digits without leading zeros; beyond 2^53 the number is inexact, but stays beyond it. */
  #passDigits(): number {
    const start = this.#at;
    const bytes = this.#bytes;
    let value = 0;
    let at = start;
    for (;; at++) {
      const byte = bytes[at];
      // Also false for the undefined that lies behind the end.
      if (!(byte >= byteOf.zero && byte <= byteOf.nine)) break;
      if (at - start === bencodeDigitsMax) this.#fail(`has a number of over ${bencodeDigitsMax} digits`, start);
      value = value * 10 + (byte - byteOf.zero);
    }
    this.#at = at;
    if (at === start) this.#failAtByte();
    if (bytes[start] === byteOf.zero && at - start > 1) this.#fail("has a number with leading zeros", start);
    return value;
  }

  #expect(byte: number): void {
    if (this.#bytes[this.#at] !== byte) this.#failAtByte();
    this.#at++;
  }

  #failAtByte(): never {
    if (this.#at >= this.#bytes.length) this.#fail("ends too early", this.#at);
    this.#fail("has an unexpected character", this.#at);
  }

  #failTwice(at: number): never {
    this.#fail("has the same key twice", at);
  }

  #fail(what: string, at: number): never {
    throw new ProtocolError(`the bencoded data ${what}, at byte ${at}`);
  }
}

/** Negative, 0 or positive, as one key is in front of, like or behind the other in the order of their bytes. */
function compare(bytes: Uint8Array, start: number, end: number, otherStart: number, otherEnd: number): number {
  const length = Math.min(end - start, otherEnd - otherStart);
  for (let i = 0; i < length; i++) {
    const difference = bytes[start + i] - bytes[otherStart + i];
    if (difference !== 0) return difference;
  }
  return (end - start) - (otherEnd - otherStart);
}
