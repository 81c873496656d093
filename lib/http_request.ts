/**
 * The head of an HTTP/1.x request, read line by line as its bytes arrive (RFC 9112).
 *
 * Owns the limits on lines, headers and their number, and what a head must look like; each byte is looked at once however
 * small the pieces are. Only what a read-only server needs is kept. A request with a body is refused, so nothing can
 * hide behind a head.
 */
import { bytesFromLatin1, latin1FromBytes } from "./bytes.ts";

/** Bounds of one request head. */
export interface HttpHeadLimits {
  /** Bytes of the request line. */
  readonly lineBytesMax: number;
  /** Bytes of the request line and all headers. */
  readonly headBytesMax: number;
  readonly headersMax: number;
}

/** What `read` found: more bytes are needed, the head is complete, or the status that refuses it. */
export type HttpHeadState = "more" | "complete" | 400 | 405 | 413 | 414 | 431 | 505;

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;
const questionMark = 0x3f;
const deleteCode = 0x7f;

/** Empty lines that may stand before a request line, as RFC 9112 allows. */
const leadingLinesMax = 4;

export class HttpHeadReader {
  isHead = false;
  /** Without the query; as written. */
  path = "";
  /** Place of the query in the buffer, relative to the request's first byte. */
  queryStart = 0;
  queryEnd = 0;
  /** Whether the client wants the connection kept. */
  isKeptAlive = false;
  /** Whether it is HTTP/1.0, which has to be told that the connection is kept. */
  isHttp10 = false;
  /** Place of the values of `Host` and `Range`, as that of the query. The host of a target that has one comes first. */
  hostStart = 0;
  hostEnd = 0;
  rangeStart = 0;
  rangeEnd = 0;
  /** Bytes of the head with its empty line, once complete. */
  length = 0;

  readonly #limits: HttpHeadLimits;
  /** Relative to the request's first byte: where the unfinished line begins, and how far it has been searched. */
  #lineStart = 0;
  #searched = 0;
  #leadingLines = 0;
  #hasRequestLine = false;
  #headerCount = 0;
  #hasHost = false;
  #hasTargetHost = false;

  constructor(limits: HttpHeadLimits) {
    this.#limits = limits;
  }

  /** Makes ready for the next request. */
  reset(): void {
    this.length = 0;
    this.#lineStart = 0;
    this.#searched = 0;
    this.#leadingLines = 0;
    this.#hasRequestLine = false;
    this.#headerCount = 0;
    this.#hasHost = this.#hasTargetHost = false;
    this.hostStart = this.hostEnd = 0;
    this.rangeStart = this.rangeEnd = 0;
  }

  /** Goes on with a request whose first byte is at `start` and of which the bytes up to `end` are there. */
  read(buffer: Uint8Array, start: number, end: number): HttpHeadState {
    for (;;) {
      const feed = indexOfLineFeed(buffer, start + this.#searched, end);
      this.#searched = (feed === -1 ? end : feed) - start;
      const over = this.#overLimit();
      if (over !== undefined) return over;
      if (feed === -1) return "more";
      this.#searched++;
      const lineStart = start + this.#lineStart;
      const lineEnd = feed > lineStart && buffer[feed - 1] === carriageReturn ? feed - 1 : feed;
      this.#lineStart = this.#searched;
      const state = this.#readLine(buffer, lineStart, lineEnd, start);
      if (state !== "more") return state;
    }
  }

  #overLimit(): 414 | 431 | undefined {
    const { lineBytesMax, headBytesMax, headersMax } = this.#limits;
    if (!this.#hasRequestLine && this.#searched - this.#lineStart > lineBytesMax) return 414;
    return this.#searched > headBytesMax || this.#headerCount > headersMax ? 431 : undefined;
  }

  #readLine(buffer: Uint8Array, lineStart: number, lineEnd: number, start: number): HttpHeadState {
    if (this.#hasRequestLine) {
      if (lineStart !== lineEnd) return this.#readHeader(buffer, lineStart, lineEnd, start);
      this.length = this.#searched;
      return "complete";
    }
    if (lineStart === lineEnd) return ++this.#leadingLines > leadingLinesMax ? 400 : "more";
    this.#hasRequestLine = true;
    return this.#readRequestLine(buffer, lineStart, lineEnd, start);
  }

  /** `GET /path?query HTTP/1.1`, or the same with `http://host` before the path; one look at each byte. */
  #readRequestLine(buffer: Uint8Array, lineStart: number, lineEnd: number, start: number): HttpHeadState {
    const methodEnd = indexOfSpace(buffer, lineStart, lineEnd);
    const targetStart = methodEnd + 1;
    let queryMark = -1;
    let targetEnd = targetStart;
    for (; targetEnd < lineEnd && buffer[targetEnd] !== space; targetEnd++) {
      const byte = buffer[targetEnd];
      if (byte < space || byte === deleteCode) return 400;
      if (byte === questionMark && queryMark === -1) queryMark = targetEnd;
    }
    if (methodEnd === lineStart || targetEnd === targetStart || targetEnd >= lineEnd) return 400;
    if (!isText(buffer, targetEnd + 1, lineEnd, httpVersion)) {
      return isText(buffer, targetEnd + 1, targetEnd + 6, httpVersion.subarray(0, 5)) ? 505 : 400;
    }
    const minor = buffer[lineEnd - 1] - 0x30;
    if (lineEnd - targetEnd !== 9 || minor < 0 || minor > 9) return 400;
    this.isHttp10 = minor === 0;
    this.isKeptAlive = minor > 0;
    this.isHead = methodEnd - lineStart === headMethod.length && isText(buffer, lineStart, methodEnd, headMethod);
    if (!this.isHead && !(methodEnd - lineStart === 3 && isText(buffer, lineStart, methodEnd, getMethod))) return 405;
    const pathEnd = queryMark === -1 ? targetEnd : queryMark;
    let pathStart = targetStart;
    if (isText(buffer, targetStart, pathEnd, httpScheme)) {
      pathStart += httpScheme.length;
      this.hostStart = pathStart - start;
      while (pathStart < pathEnd && buffer[pathStart] !== slash) pathStart++;
      this.hostEnd = pathStart - start;
      this.#hasTargetHost = true;
    }
    if (pathStart === pathEnd || buffer[pathStart] !== slash) return 400;
    // Clients ask for one path again and again: a string less for each request.
    if (!isPath(buffer, pathStart, pathEnd, this.path)) {
      this.path = latin1FromBytes(buffer.subarray(pathStart, pathEnd));
    }
    this.queryStart = Math.min(pathEnd + 1, targetEnd) - start;
    this.queryEnd = targetEnd - start;
    return "more";
  }

  #readHeader(buffer: Uint8Array, lineStart: number, lineEnd: number, start: number): HttpHeadState {
    if (++this.#headerCount > this.#limits.headersMax) return 431;
    let colon = lineStart;
    // A space before the colon, or at the start (a folded line), has been used to hide headers from one of two readers.
    while (colon < lineEnd && buffer[colon] !== 0x3a) if (buffer[colon++] <= space) return 400;
    if (colon === lineStart || colon === lineEnd) return 400;
    switch (buffer[lineStart] | 0x20) {
      case 0x63: // c
        if (isHeader(buffer, lineStart, colon, contentLength)) {
          return /^[ \t]*0+[ \t]*$/.test(textOf(buffer, colon + 1, lineEnd)) ? "more" : 413;
        }
        if (isHeader(buffer, lineStart, colon, connection)) this.#readConnection(buffer, colon + 1, lineEnd);
        return "more";
      case 0x68: // h
        if (isHeader(buffer, lineStart, colon, host)) {
          // Two of them are how a request is made to look different to two of its readers.
          if (this.#hasHost) return 400;
          this.#hasHost = true;
          if (this.#hasTargetHost) return "more";
          this.hostStart = colon + 1 - start;
          this.hostEnd = lineEnd - start;
        }
        return "more";
      case 0x72: // r
        if (isHeader(buffer, lineStart, colon, range)) {
          this.rangeStart = colon + 1 - start;
          this.rangeEnd = lineEnd - start;
        }
        return "more";
      case 0x74: // t
        return isHeader(buffer, lineStart, colon, transferEncoding) ? 413 : "more";
      default:
        return "more";
    }
  }

  #readConnection(buffer: Uint8Array, valueStart: number, valueEnd: number): void {
    const start = buffer[valueStart] === space ? valueStart + 1 : valueStart;
    // What nearly everybody sends, without making strings of it.
    if (isHeader(buffer, start, valueEnd, keepAlive)) this.isKeptAlive = true;
    else if (isHeader(buffer, start, valueEnd, close)) this.isKeptAlive = false;
    else {
      const options = textOf(buffer, valueStart, valueEnd).toLowerCase().split(",").map((option) => option.trim());
      if (options.includes("close")) this.isKeptAlive = false;
      else if (options.includes("keep-alive")) this.isKeptAlive = true;
    }
  }
}

const slash = 0x2f;
const httpVersion = bytesFromLatin1("HTTP/1.");
const httpScheme = bytesFromLatin1("http://");
const getMethod = bytesFromLatin1("GET");
const headMethod = bytesFromLatin1("HEAD");
const host = bytesFromLatin1("host");
const range = bytesFromLatin1("range");
const connection = bytesFromLatin1("connection");
const keepAlive = bytesFromLatin1("keep-alive");
const close = bytesFromLatin1("close");
const contentLength = bytesFromLatin1("content-length");
const transferEncoding = bytesFromLatin1("transfer-encoding");

/** Within [from, end); -1 when there is none. */
function indexOfLineFeed(buffer: Uint8Array, from: number, end: number): number {
  for (let at = from; at < end; at++) if (buffer[at] === lineFeed) return at;
  return -1;
}

/** The first space within [from, end), or `end`. */
function indexOfSpace(buffer: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && buffer[at] !== space) at++;
  return at;
}

/** Whether the bytes [start, end) begin with `text`. */
function isText(buffer: Uint8Array, start: number, end: number, text: Uint8Array): boolean {
  if (end - start < text.length) return false;
  for (let i = 0; i < text.length; i++) if (buffer[start + i] !== text[i]) return false;
  return true;
}

/** Whether the bytes [start, end) are this path. */
function isPath(buffer: Uint8Array, start: number, end: number, path: string): boolean {
  if (path.length !== end - start) return false;
  for (let i = 0; i < path.length; i++) if (buffer[start + i] !== path.charCodeAt(i)) return false;
  return true;
}

/** Whether the bytes [start, end) are the lower-case `name`, in any case. */
function isHeader(buffer: Uint8Array, start: number, end: number, name: Uint8Array): boolean {
  if (end - start !== name.length) return false;
  for (let i = 0; i < name.length; i++) if ((buffer[start + i] | 0x20) !== name[i]) return false;
  return true;
}

function textOf(buffer: Uint8Array, start: number, end: number): string {
  return String.fromCharCode(...buffer.subarray(start, Math.min(end, start + 256)));
}
