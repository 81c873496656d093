/**
 * The question of an HTTP announce or scrape: query string <-> request (BEP 3, 7, 23, 48).
 *
 * A query string is handled as bytes: info hashes and peer ids are percent-encoded raw bytes, not text. `ip=` and its
 * kin are ignored on purpose (anybody could be named there); unknown keys are too. What is asked is judged elsewhere.
 */
import { type Bytes, bytesFromLatin1, latin1FromBytes } from "../bytes.ts";
import { ProtocolError } from "../errors.ts";
import { idBytes, idLength, type InfoHash, infoHashFromBytes, peerIdFromBytes } from "../ids.ts";
import { numWantDefault, numWantMax, scrapeHashesMax, trackerIdBytesMax } from "../limits/tracker.ts";
import type { AnnounceEvent, AnnounceRequest } from "./request.ts";

const percent = 0x25;
const plus = 0x2b;
const ampersand = 0x26;
const equals = 0x3d;

/** A value inside the query, still percent-encoded: bytes [start, end). */
interface Span {
  start: number;
  end: number;
}

/** Where the values of one announce are; a span with start -1 was not given. One is reused for all announces. */
class AnnounceSpans {
  readonly infoHash: Span = { start: -1, end: 0 };
  readonly peerId: Span = { start: -1, end: 0 };
  readonly port: Span = { start: -1, end: 0 };
  readonly uploaded: Span = { start: -1, end: 0 };
  readonly downloaded: Span = { start: -1, end: 0 };
  readonly left: Span = { start: -1, end: 0 };
  readonly event: Span = { start: -1, end: 0 };
  readonly numWant: Span = { start: -1, end: 0 };
  readonly key: Span = { start: -1, end: 0 };
  readonly compact: Span = { start: -1, end: 0 };
  readonly trackerId: Span = { start: -1, end: 0 };
  readonly #all = Object.values(this) as Span[];

  clear(): void {
    for (const span of this.#all) span.start = -1;
  }

  /** The span that the key names; undefined for keys that mean nothing here. */
  named(query: Uint8Array, start: number, end: number): Span | undefined {
    switch (end - start) {
      case 3:
        return isKey(query, start, keys.key) ? this.key : undefined;
      case 4:
        return isKey(query, start, keys.port) ? this.port : isKey(query, start, keys.left) ? this.left : undefined;
      case 5:
        return isKey(query, start, keys.event) ? this.event : undefined;
      case 7:
        if (isKey(query, start, keys.peer_id)) return this.peerId;
        if (isKey(query, start, keys.numwant)) return this.numWant;
        return isKey(query, start, keys.compact) ? this.compact : undefined;
      case 8:
        return isKey(query, start, keys.uploaded) ? this.uploaded : undefined;
      case 9:
        if (isKey(query, start, keys.info_hash)) return this.infoHash;
        return isKey(query, start, keys.trackerid) ? this.trackerId : undefined;
      case 10:
        return isKey(query, start, keys.downloaded) ? this.downloaded : undefined;
      default:
        return undefined;
    }
  }
}

const keys = {
  key: bytesFromLatin1("key"),
  port: bytesFromLatin1("port"),
  left: bytesFromLatin1("left"),
  event: bytesFromLatin1("event"),
  peer_id: bytesFromLatin1("peer_id"),
  numwant: bytesFromLatin1("numwant"),
  compact: bytesFromLatin1("compact"),
  uploaded: bytesFromLatin1("uploaded"),
  info_hash: bytesFromLatin1("info_hash"),
  trackerid: bytesFromLatin1("trackerid"),
  downloaded: bytesFromLatin1("downloaded"),
} as const;

function isKey(query: Uint8Array, start: number, key: Bytes): boolean {
  for (let i = 0; i < key.length; i++) if (query[start + i] !== key[i]) return false;
  return true;
}

const spans = new AnnounceSpans();
const scratchId = new Uint8Array(idLength);

/**
 * Decodes what follows `/announce?`.
 *
 * Of a key given twice the first counts. Missing numbers are lenient: `left` is "unknown", so not a seed.
 *
 * @throws ProtocolError in words that serve as the failure reason
 */
export function decodeAnnounceQuery(query: Uint8Array): AnnounceRequest {
  spans.clear();
  eachPair(query, (keyStart, keyEnd, start, end) => {
    const span = spans.named(query, keyStart, keyEnd);
    if (span === undefined || span.start !== -1) return;
    span.start = start;
    span.end = end;
  });
  return {
    infoHash: infoHashFromBytes(decodeId(query, spans.infoHash, "info_hash")),
    peerId: peerIdFromBytes(decodeId(query, spans.peerId, "peer_id")),
    port: decodePort(query, spans.port),
    uploaded: decodeCount(query, spans.uploaded, "uploaded", 0),
    downloaded: decodeCount(query, spans.downloaded, "downloaded", 0),
    left: decodeCount(query, spans.left, "left", Number.MAX_SAFE_INTEGER),
    event: decodeEvent(query, spans.event),
    numWant: decodeNumWant(query, spans.numWant),
    key: decodeKey(query, spans.key),
    compact: !(spans.compact.end - spans.compact.start === 1 && query[spans.compact.start] === 0x30),
    ...(spans.trackerId.start !== -1 && { trackerId: decodeTrackerId(query, spans.trackerId) }),
  };
}

/**
 * Decodes what follows `/scrape?` (BEP 48): the info hashes asked for, in order; none when all swarms are asked for.
 *
 * @throws ProtocolError
 */
export function decodeScrapeQuery(query: Uint8Array): InfoHash[] {
  const infoHashes: InfoHash[] = [];
  eachPair(query, (keyStart, keyEnd, start, end) => {
    if (keyEnd - keyStart !== keys.info_hash.length || !isKey(query, keyStart, keys.info_hash)) return;
    if (infoHashes.length === scrapeHashesMax) throw new ProtocolError(`more than ${scrapeHashesMax} info hashes`);
    infoHashes.push(infoHashFromBytes(decodeId(query, { start, end }, "info_hash")));
  });
  return infoHashes;
}

/** Calls `visit` with the place of each key and value; a key without `=` has an empty value. */
function eachPair(
  query: Uint8Array,
  visit: (keyStart: number, keyEnd: number, start: number, end: number) => void,
): void {
  let keyStart = 0;
  while (keyStart < query.length) {
    let at = keyStart;
    while (at < query.length && query[at] !== equals && query[at] !== ampersand) at++;
    const keyEnd = at;
    while (at < query.length && query[at] !== ampersand) at++;
    visit(keyStart, keyEnd, Math.min(keyEnd + 1, at), at);
    keyStart = at + 1;
  }
}

/**
 * Percent-decodes into `target`; a plus is a space, as Python's urlencode writes it, since no client sends a bare plus.
 *
 * @returns how many bytes the value has; above `target.length` the rest is only counted
 * @throws ProtocolError for a percent sign without two hex digits
 */
function decodeValue(query: Uint8Array, { start, end }: Span, target: Bytes): number {
  let count = 0;
  for (let at = start; at < end; at++) {
    let byte = query[at];
    if (byte === percent) {
      if (at + 2 >= end) throw new ProtocolError("the query has a broken percent-encoding");
      const value = hexValue[query[at + 1]] * 16 + hexValue[query[at + 2]];
      if (!(value >= 0)) throw new ProtocolError("the query has a broken percent-encoding");
      byte = value;
      at += 2;
    } else if (byte === plus) byte = 0x20;
    if (count < target.length) target[count] = byte;
    count++;
  }
  return count;
}

/** The value of each hex digit by its char code; NaN for every other byte. */
const hexValue = Float64Array.from({ length: 256 }, (_, code) => Number.parseInt(String.fromCharCode(code), 16));

/** A view of 20 bytes that lives until the next call. */
function decodeId(query: Uint8Array, span: Span, name: string): Bytes {
  if (span.start === -1) throw new ProtocolError(`missing ${name}`);
  const count = decodeValue(query, span, scratchId);
  if (count !== idLength) throw new ProtocolError(`${name} has ${count} bytes, not ${idLength}`);
  return scratchId;
}

function decodePort(query: Uint8Array, span: Span): number {
  if (span.start === -1) throw new ProtocolError("missing port");
  const port = decodeCount(query, span, "port", 0);
  if (port < 1 || port > 65535) throw new ProtocolError(`port ${port} cannot be reached`);
  return port;
}

/** A whole number; beyond 2^53 - 1 it stays there (some clients write 2^64 - 1 for "unknown"). */
function decodeCount(query: Uint8Array, { start, end }: Span, name: string, missing: number): number {
  if (start === -1 || start === end) return missing;
  if (end - start > 20) throw new ProtocolError(`${name} has too many digits`);
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = query[at] - 0x30;
    if (digit < 0 || digit > 9) throw new ProtocolError(`${name} is not a number`);
    value = value * 10 + digit;
  }
  return Math.min(value, Number.MAX_SAFE_INTEGER);
}

/** Peers wanted, 0 to numWantMax; a negative number is the default, as clients mean it. */
function decodeNumWant(query: Uint8Array, span: Span): number {
  if (span.start !== -1 && query[span.start] === 0x2d) return numWantDefault;
  return Math.min(decodeCount(query, span, "numwant", numWantDefault), numWantMax);
}

/** Unknown words (BEP 21's `paused`) and the empty one are the regular announce. */
function decodeEvent(query: Uint8Array, { start, end }: Span): AnnounceEvent {
  if (start === -1) return undefined;
  if (end - start === 7 && isKey(query, start, events.started)) return "started";
  if (end - start === 7 && isKey(query, start, events.stopped)) return "stopped";
  if (end - start === 9 && isKey(query, start, events.completed)) return "completed";
  return undefined;
}

const events = {
  started: bytesFromLatin1("started"),
  stopped: bytesFromLatin1("stopped"),
  completed: bytesFromLatin1("completed"),
} as const;

/** Up to 8 hex digits are the number itself; anything else (aria2 sends 8 raw bytes) is folded into 32 bits (FNV-1a). */
function decodeKey(query: Uint8Array, { start, end }: Span): number {
  if (start === -1) return 0;
  let number = 0;
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) {
    number = number * 16 + hexValue[query[at]];
    hash = Math.imul(hash ^ query[at], 0x01000193);
  }
  return end - start <= 8 && number >= 0 ? number : hash >>> 0;
}

function decodeTrackerId(query: Uint8Array, span: Span): string {
  const bytes = new Uint8Array(trackerIdBytesMax);
  const count = decodeValue(query, span, bytes);
  if (count > trackerIdBytesMax) throw new ProtocolError("trackerid is too long");
  return latin1FromBytes(bytes.subarray(0, count));
}

/**
 * The URL that announces `request` to the tracker at `base`; a query that `base` has (a passkey) stays in front.
 *
 * Only unreserved characters and percent-encodings are added, so that no URL parser on the way changes a byte.
 */
export function announceUrl(base: string, request: AnnounceRequest): string {
  const query = [
    `info_hash=${percentEncode(idBytes(request.infoHash))}`,
    `peer_id=${percentEncode(idBytes(request.peerId))}`,
    `port=${request.port}`,
    `uploaded=${request.uploaded}`,
    `downloaded=${request.downloaded}`,
    `left=${request.left}`,
    `compact=${request.compact ? 1 : 0}`,
    "no_peer_id=1",
    `numwant=${request.numWant}`,
    `key=${request.key.toString(16).toUpperCase().padStart(8, "0")}`,
  ];
  if (request.event !== undefined) query.push(`event=${request.event}`);
  if (request.trackerId !== undefined) query.push(`trackerid=${percentEncode(bytesFromLatin1(request.trackerId))}`);
  return appendQuery(base, query.join("&"));
}

/**
 * The URL that scrapes these swarms: "announce" at the start of the last part of the path becomes "scrape".
 *
 * @returns undefined where the URL does not follow that convention, so the tracker cannot be scraped (BEP 48)
 */
export function scrapeUrl(base: string, infoHashes: readonly InfoHash[]): string | undefined {
  const path = base.split(/[?#]/, 1)[0];
  const at = path.lastIndexOf("/") + 1;
  if (!path.startsWith("announce", at)) return undefined;
  const scrape = `${base.slice(0, at)}scrape${base.slice(at + "announce".length)}`;
  return appendQuery(scrape, infoHashes.map((hash) => `info_hash=${percentEncode(idBytes(hash))}`).join("&"));
}

function appendQuery(base: string, query: string): string {
  const url = base.split("#", 1)[0];
  const separator = !url.includes("?") ? "?" : /[?&]$/.test(url) ? "" : "&";
  return `${url}${separator}${query}`;
}

function percentEncode(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    text += /[A-Za-z0-9._~-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}
