/**
 * A small read-only HTTP/1.x server over the Network's listeners: GET and HEAD, keep-alive, pipelining.
 *
 * Owns connections and their time and space: a client that is slow, silent or greedy is cut off, and nobody waits for
 * it. All replies to the requests of one read leave in one write; the handler is synchronous, so nothing changes in
 * between. What a path means is the handler's business; the head is lib/http_request.ts's.
 */
import type { Bytes } from "../bytes.ts";
import { canonicalHost, isLoopback } from "../endpoint.ts";
import { HttpHeadReader } from "../http_request.ts";
import { type HttpReply, refusals, ReplyBuffer } from "../http_response.ts";
import {
  httpConnectionsMax,
  httpConnectionsPerAddressMax,
  httpHeadBytesMax,
  httpHeadersMax,
  httpHeadTimeoutMs,
  httpIdleTimeoutMs,
  httpLineBytesMax,
  httpLingerMs,
  httpTurnBytesMax,
  httpWriteTimeoutMs,
} from "../limits.ts";
import type { Socket, SocketListener } from "./network.ts";

/** One request; the query is a view that lives until the handler returns. */
export interface HttpRequest {
  /** As written, without the query: `/announce`. */
  readonly path: string;
  /** What follows the question mark; empty when there is none. */
  readonly query: Uint8Array;
}

/** Answers the requests of one connection. */
export type HttpHandler = (request: HttpRequest) => HttpReply;

/** The two ends of a connection, as the system tells them: `::ffff:10.0.0.2` and the like. */
export interface HttpEnds {
  readonly remote: string;
  readonly local: string;
}

/** Bounds and time limits; the defaults are in limits.ts. */
export interface HttpLimits {
  readonly lineBytesMax: number;
  readonly headBytesMax: number;
  readonly headersMax: number;
  readonly connectionsMax: number;
  /** Loopback is free of it. */
  readonly connectionsPerAddressMax: number;
  /** From a connection's start, or a request's first byte, to the end of the head. */
  readonly headTimeoutMs: number;
  /** Between two requests. */
  readonly idleTimeoutMs: number;
  /** Until the client has taken the replies of one turn. */
  readonly writeTimeoutMs: number;
  /** After the last reply, until the connection is closed for good. */
  readonly lingerMs: number;
}

export interface HttpServerOptions {
  readonly listeners: readonly SocketListener[];
  /** Called once for each connection. @throws anything: the connection is closed */
  readonly open: (ends: HttpEnds) => HttpHandler;
  /** The handler threw: a bug of ours, told to whoever runs the server; the client hears 500. */
  readonly onFault: (error: unknown) => void;
  readonly limits?: Partial<HttpLimits>;
}

const defaultLimits: HttpLimits = {
  lineBytesMax: httpLineBytesMax,
  headBytesMax: httpHeadBytesMax,
  headersMax: httpHeadersMax,
  connectionsMax: httpConnectionsMax,
  connectionsPerAddressMax: httpConnectionsPerAddressMax,
  headTimeoutMs: httpHeadTimeoutMs,
  idleTimeoutMs: httpIdleTimeoutMs,
  writeTimeoutMs: httpWriteTimeoutMs,
  lingerMs: httpLingerMs,
};

/** What a connection is waiting for. */
type Phase = "head" | "idle" | "write" | "linger";

/** Bytes that a connection's buffer starts with: an announce of any client fits. */
const bufferBytes = 1024;
/** Milliseconds to wait when the system has no more sockets to give. */
const acceptPauseMs = 50;

class Connection {
  readonly socket: Socket;
  readonly address: string;
  readonly head: HttpHeadReader;
  buffer: Bytes = new Uint8Array(bufferBytes);
  /** The bytes not yet answered: [start, end) of the buffer. */
  start = 0;
  end = 0;
  phase: Phase = "head";
  deadline: number;
  /** Whether the replies in `out` are the last. */
  isClosing = false;

  constructor(socket: Socket, address: string, limits: HttpLimits, now: number) {
    this.socket = socket;
    this.address = address;
    this.head = new HttpHeadReader(limits);
    this.deadline = now + limits.headTimeoutMs;
  }

  close(): void {
    try {
      this.socket.close();
    } catch { /* it was closed before */ }
  }
}

export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #limits: HttpLimits;
  readonly #connections = new Set<Connection>();
  readonly #countByAddress = new Map<string, number>();
  readonly #loops: Promise<void>[] = [];
  readonly #serving = new Set<Promise<void>>();
  readonly #timer: ReturnType<typeof setInterval>;
  /** Buffers for the replies of one turn that are not in use. */
  readonly #outs: Bytes[] = [];
  #isClosed = false;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    for (const listener of options.listeners) this.#loops.push(this.#accept(listener));
    const { headTimeoutMs, idleTimeoutMs, writeTimeoutMs, lingerMs } = this.#limits;
    const shortest = Math.min(headTimeoutMs, idleTimeoutMs, writeTimeoutMs, lingerMs);
    this.#timer = setInterval(() => this.#cutOff(), Math.max(10, Math.min(1000, shortest / 2)));
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Accepts nothing more, lets replies that are on their way finish for a while, and waits until all is closed. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const listener of this.#options.listeners) listener.close();
    for (const connection of this.#connections) if (connection.phase !== "write") connection.close();
    const { promise: isLate, resolve: giveUp } = Promise.withResolvers<void>();
    const timer = setTimeout(giveUp, this.#limits.lingerMs);
    await Promise.race([Promise.all([...this.#loops, ...this.#serving]), isLate]);
    clearTimeout(timer);
    clearInterval(this.#timer);
    for (const connection of this.#connections) connection.close();
  }

  async #accept(listener: SocketListener): Promise<void> {
    while (!this.#isClosed) {
      let socket: Socket;
      try {
        socket = await listener.accept();
      } catch {
        if (this.#isClosed) return;
        // A client that left before it was accepted, or no file descriptors left: neither ends the server.
        this.#makeRoom();
        await new Promise((resolve) => setTimeout(resolve, acceptPauseMs));
        continue;
      }
      const serving = this.#serve(socket);
      this.#serving.add(serving);
      serving.then(() => this.#serving.delete(serving));
    }
  }

  /** One connection from its first byte to its end; never rejects. */
  async #serve(socket: Socket): Promise<void> {
    const { hostname } = socket.remoteAddr;
    const address = canonicalHost(hostname) ?? hostname;
    const connection = new Connection(socket, address, this.#limits, performance.now());
    if (!this.#admits(address)) return await this.#refuse(connection);
    this.#connections.add(connection);
    this.#countByAddress.set(address, (this.#countByAddress.get(address) ?? 0) + 1);
    try {
      const handler = this.#options.open({ remote: hostname, local: socket.localAddr.hostname });
      socket.setNoDelay(true);
      while (await this.#turn(connection, handler));
    } catch {
      /* the client went away, or was cut off */
    } finally {
      connection.close();
      this.#connections.delete(connection);
      const count = this.#countByAddress.get(address)! - 1;
      if (count > 0) this.#countByAddress.set(address, count);
      else this.#countByAddress.delete(address);
    }
  }

  #admits(address: string): boolean {
    const { connectionsMax, connectionsPerAddressMax } = this.#limits;
    const isOver = (this.#countByAddress.get(address) ?? 0) >= connectionsPerAddressMax && !isLoopback(address);
    if (this.#isClosed || isOver) return false;
    return this.#connections.size < connectionsMax || this.#makeRoom();
  }

  /** Closes the oldest connection that only waits for another request. */
  #makeRoom(): boolean {
    for (const connection of this.#connections) {
      if (connection.phase !== "idle") continue;
      connection.close();
      // Its loop has yet to end; its place is given away already.
      this.#connections.delete(connection);
      return true;
    }
    return false;
  }

  async #refuse(connection: Connection): Promise<void> {
    try {
      await connection.socket.write(refusals[503]);
    } catch { /* it need not know */ }
    connection.close();
  }

  /** One read, its replies and one write; false at the connection's end. */
  async #turn(connection: Connection, handler: HttpHandler): Promise<boolean> {
    const { socket } = connection;
    makeSpace(connection, this.#limits.headBytesMax);
    const count = await socket.read(connection.buffer.subarray(connection.end));
    if (count === null || this.#isClosed) return false;
    connection.end += count;
    const out = this.#outs.pop() ?? new Uint8Array(bufferBytes);
    const replies = new ReplyBuffer(out);
    let isMore = true;
    while (isMore) {
      isMore = this.#answer(connection, handler, replies);
      if (replies.length > 0) await this.#write(connection, replies);
    }
    if (replies.bytes.length <= httpTurnBytesMax && this.#outs.length < 64) this.#outs.push(replies.bytes);
    if (connection.isClosing) await this.#linger(connection);
    return !connection.isClosing && !this.#isClosed;
  }

  /** Answers what is in the buffer, up to one turn's worth of replies; true when there may be more to answer. */
  #answer(connection: Connection, handler: HttpHandler, replies: ReplyBuffer): boolean {
    const { head } = connection;
    replies.length = 0;
    let hasAnswered = false;
    while (!connection.isClosing) {
      if (replies.length > httpTurnBytesMax) return true;
      const state = head.read(connection.buffer, connection.start, connection.end);
      if (state === "more") break;
      if (state !== "complete") {
        replies.appendBytes(refusals[state]);
        connection.isClosing = true;
        break;
      }
      const { start } = connection;
      const query = connection.buffer.subarray(start + head.queryStart, start + head.queryEnd);
      replies.appendReply(this.#handle(handler, { path: head.path, query }), head);
      hasAnswered = true;
      connection.isClosing = !head.isKeptAlive;
      connection.start += head.length;
      head.reset();
      if (connection.start === connection.end) break;
    }
    this.#await(connection, hasAnswered);
    return false;
  }

  #handle(handler: HttpHandler, request: HttpRequest): HttpReply {
    try {
      return handler(request);
    } catch (error) {
      this.#options.onFault(error);
      return { status: 500, contentType: "text/plain", body: new Uint8Array(0) };
    }
  }

  /** Sets the time limit for what comes next: the rest of a head counts from its first byte on. */
  #await(connection: Connection, hasAnswered: boolean): void {
    const { headTimeoutMs, idleTimeoutMs } = this.#limits;
    const phase = connection.start === connection.end ? "idle" : "head";
    if (phase === connection.phase && !hasAnswered) return;
    connection.phase = phase;
    connection.deadline = performance.now() + (phase === "head" ? headTimeoutMs : idleTimeoutMs);
  }

  async #write(connection: Connection, replies: ReplyBuffer): Promise<void> {
    const { phase, deadline } = connection;
    connection.phase = "write";
    connection.deadline = performance.now() + this.#limits.writeTimeoutMs;
    let written = 0;
    while (written < replies.length) {
      written += await connection.socket.write(replies.bytes.subarray(written, replies.length));
    }
    connection.phase = phase;
    connection.deadline = deadline;
  }

  /** Ends our side and reads on for a while: closing with unread bytes would take the last reply back from the client. */
  async #linger(connection: Connection): Promise<void> {
    connection.phase = "linger";
    connection.deadline = performance.now() + this.#limits.lingerMs;
    await connection.socket.closeWrite();
    for (let count = 0; count < this.#limits.headBytesMax;) {
      const read = await connection.socket.read(connection.buffer);
      if (read === null) return;
      count += read;
    }
  }

  /**
   * Closes what is over its time.
   *
   * Deno up to 2.7 does not end a write that waits for the client: such a connection stays until the client reads or
   * leaves. It stays counted too, so the bound for each address is what holds it in check.
   */
  #cutOff(): void {
    const now = performance.now();
    for (const connection of this.#connections) if (connection.deadline <= now) connection.close();
  }
}

/** Moves the unanswered bytes to the front and doubles the buffer when it is full. */
function makeSpace(connection: Connection, bytesMax: number): void {
  const { buffer, start, end } = connection;
  if (start > 0) {
    buffer.copyWithin(0, start, end);
    connection.start = 0;
    connection.end = end - start;
  }
  if (connection.end < buffer.length) return;
  connection.buffer = new Uint8Array(Math.min(2 * buffer.length, bytesMax + bufferBytes));
  connection.buffer.set(buffer);
}
