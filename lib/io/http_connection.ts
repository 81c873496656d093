/**
 * One connection of the HTTP server: what it has sent and not yet been answered, and how long it may go on like this.
 *
 * Made once and used for one client after the other, since making the buffers cost more than answering an announce does.
 */
import { type Bytes, latin1FromBytes } from "../bytes.ts";
import { type HttpHeadLimits, HttpHeadReader } from "../http_request.ts";
import type { HttpBody } from "../http_response.ts";
import type { HttpRequest } from "./http_server.ts";
import type { Socket } from "./network.ts";

/** What a connection is waiting for. */
export type HttpPhase = "head" | "idle" | "write" | "linger";

/** Bytes that a connection's buffer starts with: an announce of any client fits. */
const bufferBytes = 1024;

export class HttpConnection {
  readonly head: HttpHeadReader;
  /** The bytes not yet answered are [start, end). */
  buffer: Bytes = new Uint8Array(bufferBytes);
  start = 0;
  end = 0;
  phase: HttpPhase = "head";
  /** By the server's clock: when the phase began, and when it must have ended. */
  since = -Infinity;
  deadline = Infinity;
  /** Whether the replies that were made last are the last. */
  isClosing = false;
  /** Whether the client said itself that nothing follows, and has sent nothing more. */
  isDone = false;
  /** What is to be sent behind the replies of this turn. */
  body: HttpBody | undefined;
  readonly #bytesMax: number;
  #socket: Socket | undefined;

  constructor(limits: HttpHeadLimits) {
    this.head = new HttpHeadReader(limits);
    this.#bytesMax = limits.headBytesMax + bufferBytes;
  }

  /** Makes ready for a client. */
  begin(socket: Socket): void {
    this.#socket = socket;
    this.head.reset();
    this.start = 0;
    this.end = 0;
    this.isClosing = false;
    this.isDone = false;
    this.body = undefined;
    // One large head must not be paid for as long as the server runs.
    if (this.buffer.length > bufferBytes) this.buffer = new Uint8Array(bufferBytes);
  }

  /** Ends the connection, if it has not ended before. A body goes at once: a write that is stuck may hold on for long. */
  close(): void {
    this.endBody();
    try {
      this.#socket?.close();
    } catch { /* it was closed before */ }
    this.#socket = undefined;
  }

  /** Gives up the body that was to be sent, or has been. */
  endBody(): void {
    this.body?.close();
    this.body = undefined;
  }

  /** Where the next bytes are to be read to: the unanswered ones move to the front, a full buffer doubles. */
  space(): Bytes {
    if (this.start === this.end) {
      this.start = 0;
      this.end = 0;
      return this.buffer;
    }
    if (this.start > 0) {
      this.buffer.copyWithin(0, this.start, this.end);
      this.end -= this.start;
      this.start = 0;
    }
    if (this.end === this.buffer.length) {
      const grown = new Uint8Array(Math.min(2 * this.buffer.length, this.#bytesMax));
      grown.set(this.buffer);
      this.buffer = grown;
    }
    return this.buffer.subarray(this.end);
  }
}

/** A request as it lies in its connection's buffer: strings are made of what is asked for. */
export class BufferedRequest implements HttpRequest {
  readonly #connection: HttpConnection;
  readonly #start: number;

  constructor(connection: HttpConnection) {
    this.#connection = connection;
    this.#start = connection.start;
  }

  get path(): string {
    return this.#connection.head.path;
  }

  get query(): Uint8Array {
    const { queryStart, queryEnd } = this.#connection.head;
    return this.#view(queryStart, queryEnd);
  }

  get host(): string | undefined {
    const { hostStart, hostEnd } = this.#connection.head;
    return hostEnd === 0 ? undefined : latin1FromBytes(this.#view(hostStart, hostEnd)).trim();
  }

  get range(): string | undefined {
    const { rangeStart, rangeEnd } = this.#connection.head;
    return rangeEnd === 0 ? undefined : latin1FromBytes(this.#view(rangeStart, rangeEnd)).trim();
  }

  #view(start: number, end: number): Uint8Array {
    return this.#connection.buffer.subarray(this.#start + start, this.#start + end);
  }
}
