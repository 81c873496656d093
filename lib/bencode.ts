/**
 * Bencode (BEP 3): bytes <-> values.
 *
 * A document is checked as a whole (bencode_scan.ts); its values are views that are made when they are asked for and know
 * the bytes that they were read from, so that the raw `info` survives for its hash. Strict where two readers could disagree
 * (leading zeros, -0, repeated keys), lenient where many writers err (key order). Integers are safe integers; keys are
 * latin1 strings, which lose no byte. What the values mean is left to the callers.
 */
import { byteOf, type CheckedBencode, Cursor, keyText, scanBencode } from "./bencode_scan.ts";
import type { Bytes } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";

/** A decoded value: the bytes [start, end) of the input. */
export type BencodeNode = BencodeInteger | BencodeBytes | BencodeList | BencodeDictionary;

export interface BencodeInteger {
  readonly kind: "integer";
  readonly value: number;
  readonly start: number;
  readonly end: number;
}

export interface BencodeBytes {
  readonly kind: "bytes";
  /** A view of the input. */
  readonly value: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** A list or dictionary of a checked document. Every look into it is a walk from its start. */
abstract class Container {
  readonly start: number;
  readonly end: number;
  readonly #document: CheckedBencode;
  readonly #number: number;

  /** @param cursor at its first byte; it is passed */
  constructor(cursor: Cursor) {
    this.#document = cursor.document;
    this.#number = cursor.container;
    this.start = cursor.at;
    cursor.passContainer();
    this.end = cursor.at;
  }

  /** At the first member. */
  protected inside(): Cursor {
    return new Cursor(this.#document, this.start + 1, this.#number + 1);
  }
}

export class BencodeList extends Container {
  readonly kind = "list";

  /** Values in it; counted. */
  get length(): number {
    let length = 0;
    for (const cursor = this.inside(); !cursor.isAtEnd; cursor.pass()) length++;
    return length;
  }

  *[Symbol.iterator](): Generator<BencodeNode, void> {
    for (const cursor = this.inside(); !cursor.isAtEnd;) yield readNode(cursor);
  }
}

/** Keys are latin1 strings, each there once, in the order of the input. */
export class BencodeDictionary extends Container {
  readonly kind = "dictionary";

  /** The value under a key. Takes time for every key in front of it, not for what is under those. */
  get(key: string): BencodeNode | undefined {
    for (const cursor = this.inside(); !cursor.isAtEnd; cursor.pass()) {
      if (passKey(cursor, key)) return readNode(cursor);
    }
    return undefined;
  }

  *[Symbol.iterator](): Generator<[key: string, value: BencodeNode], void> {
    for (const cursor = this.inside(); !cursor.isAtEnd;) {
      const length = cursor.passLength();
      const key = keyText(cursor.bytes.subarray(cursor.at, cursor.at + length));
      cursor.at += length;
      yield [key, readNode(cursor)];
    }
  }
}

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
  return readNode(new Cursor(scanBencode(bytes), 0, 0));
}

/** The value at the cursor, which goes behind it. */
function readNode(cursor: Cursor): BencodeNode {
  const start = cursor.at;
  switch (cursor.bytes[start]) {
    case byteOf.i: {
      const value = cursor.passInteger();
      return { kind: "integer", value, start, end: cursor.at };
    }
    case byteOf.l:
      return new BencodeList(cursor);
    case byteOf.d:
      return new BencodeDictionary(cursor);
    default: {
      const length = cursor.passLength();
      const value = cursor.bytes.subarray(cursor.at, cursor.at + length);
      cursor.at += length;
      return { kind: "bytes", value, start, end: cursor.at };
    }
  }
}

/** Goes behind the key at the cursor. @returns whether it is this one */
function passKey(cursor: Cursor, key: string): boolean {
  const length = cursor.passLength();
  const start = cursor.at;
  cursor.at += length;
  if (length !== key.length) return false;
  for (let i = 0; i < length; i++) if (cursor.bytes[start + i] !== key.charCodeAt(i)) return false;
  return true;
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
 * A node that has to be a dictionary.
 *
 * @param what names the node in the error: `the info section`
 * @throws ProtocolError for another kind, or none
 */
export function dictionaryOf(node: BencodeNode | undefined, what: string): BencodeDictionary {
  if (node?.kind !== "dictionary") throw new ProtocolError(`${what} is not a dictionary`);
  return node;
}

/** The integer under a key; undefined when there is none or it is of another kind. */
export function integerAt(entries: BencodeDictionary, key: string): number | undefined {
  const node = entries.get(key);
  return node?.kind === "integer" ? node.value : undefined;
}

/** The byte string under a key, a view; undefined when there is none or it is of another kind. */
export function bytesAt(entries: BencodeDictionary, key: string): Uint8Array | undefined {
  const node = entries.get(key);
  return node?.kind === "bytes" ? node.value : undefined;
}

/** The byte string under a key as UTF-8, bad sequences as U+FFFD; undefined when there is none of that kind. */
export function textAt(entries: BencodeDictionary, key: string): string | undefined {
  return textOf(entries.get(key));
}

/** The list under a key; undefined when there is none or it is of another kind. */
export function listAt(entries: BencodeDictionary, key: string): BencodeList | undefined {
  const node = entries.get(key);
  return node?.kind === "list" ? node : undefined;
}

/** The dictionary under a key; undefined when there is none or it is of another kind. */
export function dictionaryAt(entries: BencodeDictionary, key: string): BencodeDictionary | undefined {
  const node = entries.get(key);
  return node?.kind === "dictionary" ? node : undefined;
}

/** A byte string as UTF-8, bad sequences as U+FFFD; undefined for another kind. */
export function textOf(node: BencodeNode | undefined): string | undefined {
  return node?.kind === "bytes" ? decodeText(node.value) : undefined;
}

/** Most texts are short and ASCII, which needs no call of the decoder. */
function decodeText(bytes: Uint8Array): string {
  if (bytes.length > shortBytesMax) return textDecoder.decode(bytes);
  for (let i = 0; i < bytes.length; i++) if (bytes[i] > 0x7f) return textDecoder.decode(bytes);
  return keyText(bytes);
}

/** Bytes up to which that pays. */
const shortBytesMax = 64;

const textDecoder = new TextDecoder("utf-8", { ignoreBOM: true });
