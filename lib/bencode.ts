/**
 * Bencode (BEP 3): bytes <-> values.
 *
 * The decoder keeps the byte span of every value, so that the raw `info` survives for its hash, and it is iterative:
 * depth costs memory within a bound, never the call stack. Strict where two readers could disagree (leading zeros, -0,
 * repeated keys), lenient where many writers err (key order). Integers are safe integers; keys are latin1 strings,
 * which lose no byte. What the values mean is left to the callers.
 */
import type { Bytes } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";
import { bencodeDepthMax, bencodeDigitsMax, bencodeKeyBytesMax, bencodeTokensMax } from "./limits/torrent_file.ts";

/** The bytes [start, end) of the input that a value was read from. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** A decoded value. `bytes` values are views of the input. */
export type BencodeNode = BencodeInteger | BencodeBytes | BencodeList | BencodeDictionary;
export type BencodeInteger = Span & { readonly kind: "integer"; readonly value: number };
export type BencodeBytes = Span & { readonly kind: "bytes"; readonly value: Uint8Array };
export type BencodeList = Span & { readonly kind: "list"; readonly items: BencodeNode[] };
export type BencodeDictionary = Span & { readonly kind: "dictionary"; readonly entries: BencodeEntries };
export type BencodeEntries = Map<string, BencodeNode>;

/** A value that is encoded already. */
export class EncodedBencode {
  constructor(readonly bytes: Uint8Array) {}
}

/** What can be encoded: strings as UTF-8, keys as latin1, `undefined` members left out. */
export type BencodeInput =
  | number
  | string
  | Uint8Array
  | EncodedBencode
  | readonly BencodeInput[]
  | ReadonlyMap<string, BencodeInput>
  | { readonly [key: string]: BencodeInput | undefined };

/**
 * Decodes one value that takes up the whole input.
 *
 * @throws ProtocolError
 */
export function decodeBencode(bytes: Uint8Array): BencodeNode {
  const node = decodeBencodePrefix(bytes);
  if (node.end !== bytes.length) throw new ProtocolError(`more bytes follow the bencoded value at byte ${node.end}`);
  return node;
}

/**
 * Decodes the value at the start of the input; `end` says where the rest begins.
 *
 * @throws ProtocolError
 */
export function decodeBencodePrefix(bytes: Uint8Array): BencodeNode {
  return new Decoder(bytes).decode();
}

/** A list or dictionary that is still being filled: its end is not known yet. */
type OpenNode =
  | { kind: "list"; items: BencodeNode[]; start: number; end: number }
  | { kind: "dictionary"; entries: BencodeEntries; start: number; end: number };

const byteOf = { zero: 0x30, nine: 0x39, colon: 0x3a, minus: 0x2d, d: 0x64, e: 0x65, i: 0x69, l: 0x6c } as const;

class Decoder {
  readonly #bytes: Uint8Array;
  #at = 0;
  #tokenCount = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  decode(): BencodeNode {
    const open: OpenNode[] = [];
    let node: BencodeNode;
    do {
      const parent = open.at(-1);
      if (parent !== undefined && this.#bytes[this.#at] === byteOf.e) {
        parent.end = ++this.#at;
        open.pop();
        node = parent;
        continue;
      }
      const key = parent?.kind === "dictionary" ? this.#readKey(parent.entries) : undefined;
      const value = this.#readValue();
      if (parent?.kind === "dictionary") parent.entries.set(key!, value);
      else parent?.items.push(value);
      if (value.kind === "list" || value.kind === "dictionary") {
        if (open.length === bencodeDepthMax) this.#fail(`is nested deeper than ${bencodeDepthMax} levels`, value.start);
        open.push(value);
      }
      node = value;
    } while (open.length > 0);
    return node;
  }

  /** A whole integer or byte string, or a list or dictionary that has just been opened. */
  #readValue(): BencodeInteger | BencodeBytes | OpenNode {
    const start = this.#at;
    if (++this.#tokenCount > bencodeTokensMax) this.#fail(`holds more than ${bencodeTokensMax} values`, start);
    switch (this.#bytes[start]) {
      case byteOf.i:
        return this.#readInteger();
      case byteOf.l:
        this.#at++;
        return { kind: "list", items: [], start, end: start };
      case byteOf.d:
        this.#at++;
        return { kind: "dictionary", entries: new Map(), start, end: start };
      default: {
        const value = this.#readBytes();
        return { kind: "bytes", value, start, end: this.#at };
      }
    }
  }

  #readKey(entries: BencodeEntries): string {
    const start = this.#at;
    const bytes = this.#readBytes();
    if (bytes.length > bencodeKeyBytesMax) this.#fail(`has a key of ${bytes.length} bytes`, start);
    // In one call, and not by `...`, which takes three times as long: there is a key to every other value.
    const key = String.fromCharCode.apply(undefined, bytes as unknown as number[]);
    if (entries.has(key)) this.#fail("has the same key twice", start);
    return key;
  }

  /** `<length>:<bytes>`; the length is checked against what is left before it is used. */
  #readBytes(): Uint8Array {
    const start = this.#at;
    const length = this.#readDigits();
    this.#expect(byteOf.colon);
    if (length > this.#bytes.length - this.#at) this.#fail("has a string that is longer than what is left", start);
    const value = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return value;
  }

  /** `i<digits>e` or `i-<digits>e`. */
  #readInteger(): BencodeInteger {
    const start = this.#at++;
    const isNegative = this.#bytes[this.#at] === byteOf.minus;
    if (isNegative) this.#at++;
    const magnitude = this.#readDigits();
    this.#expect(byteOf.e);
    if (isNegative && magnitude === 0) this.#fail("has an integer -0", start);
    if (magnitude > Number.MAX_SAFE_INTEGER) this.#fail("has an integer out of range", start);
    return { kind: "integer", value: isNegative ? -magnitude : magnitude, start, end: this.#at };
  }

  /** A run of digits without leading zeros; beyond 2^53 the number is inexact, but stays beyond it. */
  #readDigits(): number {
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
    if (this.#bytes[start] === byteOf.zero && this.#at - start > 1) {
      this.#fail("has a number with leading zeros", start);
    }
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

  #fail(what: string, at: number): never {
    throw new ProtocolError(`the bencoded data ${what}, at byte ${at}`);
  }
}

/**
 * Encodes canonically: keys sorted by their raw bytes.
 *
 * @throws RangeError for a number that is not a safe integer, or a key beyond latin1
 */
export function encodeBencode(value: BencodeInput): Bytes {
  const writer = new Writer();
  const open: OpenInput[] = [{ keys: undefined, values: [value], at: 0 }];
  for (;;) {
    const top = open[open.length - 1];
    if (top.at < top.values.length) {
      const at = top.at++;
      if (top.keys !== undefined) writer.writeKey(top.keys[at]);
      const opened = writeValue(writer, top.values[at]);
      if (opened !== undefined) open.push(opened);
    } else if (open.length > 1) {
      writer.writeAscii("e");
      open.pop();
    } else return writer.finish();
  }
}

/** A list or dictionary whose members are being written; those before `at` are. */
interface OpenInput {
  readonly keys: readonly string[] | undefined;
  readonly values: readonly BencodeInput[];
  at: number;
}

/** Writes a value; of a list or dictionary the beginning, and returns what is to follow. */
function writeValue(writer: Writer, value: BencodeInput): OpenInput | undefined {
  if (typeof value === "string") writer.writeText(value);
  else if (typeof value === "number") writer.writeAscii(`i${integerText(value)}e`);
  else if (value instanceof Uint8Array) writer.writeString(value);
  else if (value instanceof EncodedBencode) writer.writeBytes(value.bytes);
  else if (isList(value)) {
    writer.writeAscii("l");
    return { keys: undefined, values: value, at: 0 };
  } else {
    writer.writeAscii("d");
    return openDictionary(value);
  }
  return undefined;
}

function openDictionary(
  value: ReadonlyMap<string, BencodeInput> | { readonly [key: string]: BencodeInput | undefined },
): OpenInput {
  const isMap = value instanceof Map;
  const keys: string[] = [];
  const values: BencodeInput[] = [];
  // Latin1 strings compare by UTF-16 code unit, which is by byte.
  for (const key of (isMap ? [...value.keys()] : Object.keys(value)).sort()) {
    const member = isMap ? value.get(key) : (value as { readonly [key: string]: BencodeInput | undefined })[key];
    if (member === undefined) continue;
    keys.push(key);
    values.push(member);
  }
  return { keys, values, at: 0 };
}

const textEncoder = new TextEncoder();

function isList(value: BencodeInput): value is readonly BencodeInput[] {
  return Array.isArray(value);
}

function integerText(value: number): string {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} cannot be bencoded`);
  return String(value === 0 ? 0 : value);
}

/** A buffer that doubles as it fills. */
class Writer {
  #bytes = new Uint8Array(256);
  #length = 0;

  writeAscii(text: string): void {
    const at = this.#grow(text.length);
    const bytes = this.#bytes;
    for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
  }

  writeBytes(bytes: Uint8Array): void {
    const at = this.#grow(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** With its length in front. */
  writeString(bytes: Uint8Array): void {
    this.writeAscii(`${bytes.length}:`);
    this.writeBytes(bytes);
  }

  /** Latin1, with its length in front. @throws RangeError for another character */
  writeKey(key: string): void {
    for (let i = 0; i < key.length; i++) {
      if (key.charCodeAt(i) > 0xff) throw new RangeError(`the dictionary key "${key}" is not latin1`);
    }
    this.writeAscii(`${key.length}:`);
    this.writeAscii(key);
  }

  /** UTF-8, with its length in front. Most names are ASCII, which needs no call of the encoder. */
  writeText(text: string): void {
    for (let i = 0; i < text.length; i++) {
      if (text.charCodeAt(i) > 0x7f) return this.writeString(textEncoder.encode(text));
    }
    this.writeAscii(`${text.length}:`);
    this.writeAscii(text);
  }

  finish(): Bytes {
    return this.#bytes.slice(0, this.#length);
  }

  /** Makes room for `length` more bytes and returns where they go. */
  #grow(length: number): number {
    const at = this.#length;
    this.#length += length;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    return at;
  }
}

/**
 * The members of a node that has to be a dictionary.
 *
 * @param what names the node in the error: `the info section`
 * @throws ProtocolError for another kind, or none
 */
export function dictionaryOf(node: BencodeNode | undefined, what: string): BencodeEntries {
  if (node?.kind !== "dictionary") throw new ProtocolError(`${what} is not a dictionary`);
  return node.entries;
}

/** The integer under a key; undefined when there is none or it is of another kind. */
export function integerAt(entries: BencodeEntries, key: string): number | undefined {
  const node = entries.get(key);
  return node?.kind === "integer" ? node.value : undefined;
}

/** The byte string under a key, a view; undefined when there is none or it is of another kind. */
export function bytesAt(entries: BencodeEntries, key: string): Uint8Array | undefined {
  const node = entries.get(key);
  return node?.kind === "bytes" ? node.value : undefined;
}

/** The byte string under a key as UTF-8, bad sequences as U+FFFD; undefined when there is none of that kind. */
export function textAt(entries: BencodeEntries, key: string): string | undefined {
  return textOf(entries.get(key));
}

/** The list under a key; undefined when there is none or it is of another kind. */
export function listAt(entries: BencodeEntries, key: string): BencodeNode[] | undefined {
  const node = entries.get(key);
  return node?.kind === "list" ? node.items : undefined;
}

/** The dictionary under a key; undefined when there is none or it is of another kind. */
export function dictionaryAt(entries: BencodeEntries, key: string): BencodeEntries | undefined {
  const node = entries.get(key);
  return node?.kind === "dictionary" ? node.entries : undefined;
}

/** A byte string as UTF-8, bad sequences as U+FFFD; undefined for another kind. */
export function textOf(node: BencodeNode | undefined): string | undefined {
  return node?.kind === "bytes" ? textDecoder.decode(node.value) : undefined;
}

const textDecoder = new TextDecoder("utf-8", { ignoreBOM: true });
