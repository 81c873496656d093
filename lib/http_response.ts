/**
 * HTTP/1.1 responses as bytes: a handler's replies, gathered one behind the other, and the ready-made refusals.
 *
 * Every reply forbids guessing its type and keeping it; none lets another site's script read it (no CORS header).
 */
import { type Bytes, bytesFromLatin1, writeDecimal } from "./bytes.ts";
import type { HttpHeadState } from "./http_request.ts";

/** One reply. */
export interface HttpReply {
  readonly status: 200 | 206 | 400 | 403 | 404 | 416 | 429 | 500 | 503;
  readonly contentType: string;
  /** Further header lines of our own making, each `Name: value\r\n`. */
  readonly headers?: string;
  /** Bytes, which may be a view that lives until the handler's next call, or a body that is read while it is sent. */
  readonly body: Uint8Array | HttpBody;
}

/** A body that is too large to be held: it is read while it is sent. */
export interface HttpBody {
  /** Bytes that `read` will give in all. */
  readonly length: number;
  /** Reads the next bytes to the start of `into`. @returns how many; 0 or a rejection ends the connection */
  read(into: Uint8Array): Promise<number>;
  /** Called once, however it went. */
  close(): void;
}

/** What a reply's head depends on, as the request's head has it. */
type Asked = Readonly<{ isHead: boolean; isKeptAlive: boolean; isHttp10: boolean }>;

/** The replies of one turn, one behind the other. */
export class ReplyBuffer {
  bytes: Bytes;
  length = 0;

  constructor(bytes: Bytes) {
    this.bytes = bytes;
  }

  appendBytes(bytes: Uint8Array): void {
    this.#grow(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** The reply's head, and its body where that is held. */
  appendReply(reply: HttpReply, asked: Asked): void {
    const start = headStart(reply);
    const end = asked.isKeptAlive ? asked.isHttp10 ? headEnds.kept : headEnds.none : headEnds.close;
    const { body, headers = "" } = reply;
    const held = asked.isHead || !(body instanceof Uint8Array) ? noBytes : body;
    this.#grow(start.length + lengthDigitsMax + headers.length + end.length + held.length + 2);
    const { bytes } = this;
    bytes.set(start, this.length);
    let at = writeDecimal(bytes, this.length + start.length, body.length);
    if (headers !== "") {
      const lines = bytesFromLatin1(`\r\n${headers.slice(0, -2)}`);
      bytes.set(lines, at);
      at += lines.length;
    }
    bytes.set(end, at);
    at += end.length;
    bytes.set(held, at);
    this.length = at + held.length;
  }

  #grow(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.length + count, 2 * this.bytes.length));
    grown.set(this.bytes);
    this.bytes = grown;
  }
}

/** Digits of a body's length at most. */
const lengthDigitsMax = 16;
const noBytes = new Uint8Array(0);

const commonEnd = "\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n";
/** What follows the length, by what is said about the connection. */
const headEnds = {
  none: bytesFromLatin1(`${commonEnd}\r\n`),
  kept: bytesFromLatin1(`${commonEnd}Connection: keep-alive\r\n\r\n`),
  close: bytesFromLatin1(`${commonEnd}Connection: close\r\n\r\n`),
};

/** The last one made: nearly all replies of a server are of one kind. */
const lastStart = { status: 0, contentType: "", bytes: new Uint8Array(0) };

/** Up to where the length is to stand. */
function headStart({ status, contentType }: HttpReply): Bytes {
  if (status !== lastStart.status || contentType !== lastStart.contentType) {
    lastStart.bytes = bytesFromLatin1(
      `HTTP/1.1 ${statusLines[status]}\r\nContent-Type: ${contentType}\r\nContent-Length: `,
    );
    lastStart.status = status;
    lastStart.contentType = contentType;
  }
  return lastStart.bytes;
}

const statusLines = {
  200: "200 OK",
  206: "206 Partial Content",
  400: "400 Bad Request",
  403: "403 Forbidden",
  404: "404 Not Found",
  405: "405 Method Not Allowed",
  413: "413 Content Too Large",
  414: "414 URI Too Long",
  416: "416 Range Not Satisfiable",
  429: "429 Too Many Requests",
  431: "431 Request Header Fields Too Large",
  500: "500 Internal Server Error",
  503: "503 Service Unavailable",
  505: "505 HTTP Version Not Supported",
} as const;

type RefusalStatus = Exclude<HttpHeadState, string> | 503;

function refusal(status: RefusalStatus, headers = ""): Bytes {
  const body = `${statusLines[status]}\n`;
  return bytesFromLatin1(
    `HTTP/1.1 ${statusLines[status]}\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n` +
      `${headers}Connection: close\r\n\r\n${body}`,
  );
}

/** Whole responses that end the connection, by status. */
export const refusals: Readonly<Record<RefusalStatus, Bytes>> = {
  400: refusal(400),
  405: refusal(405, "Allow: GET, HEAD\r\n"),
  413: refusal(413),
  414: refusal(414),
  431: refusal(431),
  503: refusal(503, "Retry-After: 10\r\n"),
  505: refusal(505),
};
