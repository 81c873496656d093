/**
 * A small read-only HTTP/1.x server over the Network's listeners: GET and HEAD, keep-alive, pipelining.
 *
 * Owns connections and their time and space: a client that is slow, silent or greedy is cut off, and nobody waits for
 * it. All replies to the requests of one read leave in one write; the handler is synchronous, so nothing changes in
 * between. What a path means is the handler's business; the head is lib/http_request.ts's.
 */
import type { HttpHeadState } from "../http_request.ts";
import { type HttpBody, type HttpReply, refusals, ReplyBuffer } from "../http_response.ts";
import {
  httpBodyPieceBytes,
  httpConnectionsMax,
  httpConnectionsPerAddressMax,
  httpCrowdedReplyBytesMax,
  httpHeadBytesMax,
  httpHeadersMax,
  httpHeadTimeoutMs,
  httpIdleTimeoutMs,
  httpLineBytesMax,
  httpLingerMs,
  httpTurnBytesMax,
  httpTurnRequestsMax,
  httpWriteTimeoutMs,
} from "../limits/http_server.ts";
import { BufferedRequest, HttpConnection, type HttpPhase } from "./http_connection.ts";
import { type HttpRefusal, HttpRoom } from "./http_room.ts";
import type { Socket, SocketListener } from "./network.ts";
import { TurnQueue } from "./turn_queue.ts";

/** One request; the query is a view that lives until the handler returns. */
export interface HttpRequest {
  /** As written, without the query: `/announce`. */
  readonly path: string;
  /** What follows the question mark; empty when there is none. */
  readonly query: Uint8Array;
  /** The value of `Host`, which the client chose; undefined when it named none. */
  readonly host: string | undefined;
  /** The value of `Range`. */
  readonly range: string | undefined;
}

/** Answers the requests of one connection. */
export type HttpHandler = (request: HttpRequest) => HttpReply;

/** The two ends of a connection, as the system tells them: `::ffff:10.0.0.2` and the like. */
export interface HttpEnds {
  readonly remote: string;
  readonly local: string;
}

/** Bounds and time limits; the defaults are in lib/limits. */
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

/** Bytes that the buffer for the replies of a turn starts with. */
const replyBytes = 1024;
/** Connections and buffers that are kept for use again. */
const sparesMax = 64;
/** Milliseconds to wait when the system has no more sockets to give. */
const acceptPauseMs = 50;

export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #limits: HttpLimits;
  readonly #room: HttpRoom;
  readonly #loops: Promise<void>[] = [];
  /** Runs while there are connections, so that a server without any costs nothing. */
  #timer: ReturnType<typeof setInterval> | undefined;
  readonly #tickMs: number;
  /** Milliseconds, set at each tick: asking the system several times for each request would cost as much as parsing it. */
  #clock = 0;
  /** Connections that are being served or refused, and who waits for the last. */
  #servedCount = 0;
  #onLastServed: (() => void) | undefined;
  /** Connections that send faster than they are answered: pipelined requests without end. */
  readonly #pressing = new TurnQueue();
  readonly #spares: HttpConnection[] = [];
  readonly #spareReplies: ReplyBuffer[] = [];
  #isClosed = false;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#room = new HttpRoom(this.#limits);
    const { headTimeoutMs, idleTimeoutMs, writeTimeoutMs, lingerMs } = this.#limits;
    this.#tickMs = Math.max(10, Math.min(500, Math.min(headTimeoutMs, idleTimeoutMs, writeTimeoutMs, lingerMs) / 4));
    for (const listener of options.listeners) this.#loops.push(this.#accept(listener));
  }

  get connectionCount(): number {
    return this.#room.connectionCount;
  }

  /** How often something was refused since the start. */
  get refused(): Readonly<Record<HttpRefusal, number>> {
    return this.#room.refusals.counts;
  }

  /** Accepts nothing more, lets replies that are on their way finish for a while, and waits until all is closed. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const listener of this.#options.listeners) listener.close();
    for (const connection of this.#room.connections) if (connection.phase !== "write") connection.close();
    const { promise: isServed, resolve } = Promise.withResolvers<void>();
    this.#onLastServed = resolve;
    if (this.#servedCount === 0) resolve();
    const { promise: isLate, resolve: giveUp } = Promise.withResolvers<void>();
    const timer = setTimeout(giveUp, this.#limits.lingerMs);
    await Promise.race([Promise.all([...this.#loops, isServed]), isLate]);
    clearTimeout(timer);
    clearInterval(this.#timer);
    for (const connection of this.#room.connections) connection.close();
  }

  async #accept(listener: SocketListener): Promise<void> {
    while (!this.#isClosed) {
      let socket: Socket;
      try {
        socket = await listener.accept();
      } catch {
        if (this.#isClosed) return;
        // A client that left before it was accepted, or no file descriptors left: neither ends the server.
        this.#room.makeRoom(this.#clock);
        await new Promise((resolve) => setTimeout(resolve, acceptPauseMs));
        continue;
      }
      this.#servedCount++;
      // It never rejects, and close() waits for the count.
      const { hostname } = socket.remoteAddr;
      if (!this.#isClosed && this.#room.admits(hostname, this.#clock)) this.#serve(socket, hostname);
      else this.#refuse(socket);
    }
  }

  async #refuse(socket: Socket): Promise<void> {
    try {
      await socket.write(refusals[503]);
    } catch { /* it need not know */ }
    try {
      socket.close();
    } catch { /* it has gone */ }
    this.#endServing();
  }

  #endServing(): void {
    if (--this.#servedCount === 0) this.#onLastServed?.();
  }

  /** One connection from its first byte to its end; never rejects. */
  async #serve(socket: Socket, hostname: string): Promise<void> {
    this.#startClock();
    const connection = this.#spares.pop() ?? new HttpConnection(this.#limits);
    connection.begin(socket);
    this.#wait(connection, "head", this.#limits.headTimeoutMs);
    this.#room.enter(connection, hostname);
    try {
      const handler = this.#options.open({ remote: hostname, local: socket.localAddr.hostname });
      await this.#converse(connection, socket, handler);
    } catch {
      /* the client went away, or was cut off */
    }
    connection.endBody();
    connection.close();
    this.#room.leave(connection, hostname);
    if (this.#spares.length < sparesMax) this.#spares.push(connection);
    this.#endServing();
  }

  /**
   * Reads, answers and writes until the connection's end.
   *
   * One function for all of it: each further async one would make two promises for each request.
   */
  async #converse(connection: HttpConnection, socket: Socket, handler: HttpHandler): Promise<void> {
    let isTuned = false;
    let isPressing = false;
    while (!connection.isClosing && !this.#isClosed) {
      const space = connection.space();
      const count = await socket.read(space);
      if (count === null || this.#isClosed) return;
      connection.end += count;
      // Whoever sends faster than he is answered gets no more of the loop than all others of his kind together.
      if (isPressing) {
        this.#room.refusals.add("tooFast");
        await this.#pressing.turn();
      }
      const replies = this.#spareReplies.pop() ?? new ReplyBuffer(new Uint8Array(replyBytes));
      let hasAnswered = false;
      for (let isMore = true; isMore;) {
        isMore = this.#answer(connection, handler, replies);
        if (replies.length === 0) break;
        hasAnswered = true;
        // A connection of one request has one write, which leaves at once anyway.
        if (!isTuned && !connection.isClosing) socket.setNoDelay(true);
        isTuned = true;
        this.#wait(connection, "write", this.#limits.writeTimeoutMs);
        this.#room.beginWrite();
        try {
          for (let written = 0; written < replies.length;) {
            written += await socket.write(replies.bytes.subarray(written, replies.length));
          }
          if (connection.body !== undefined) await this.#sendBody(connection, socket, connection.body);
        } finally {
          this.#room.endWrite();
        }
      }
      if (replies.bytes.length <= httpTurnBytesMax && this.#spareReplies.length < sparesMax) {
        this.#spareReplies.push(replies);
      }
      isPressing = hasAnswered && count === space.length;
      this.#await(connection, hasAnswered);
    }
    if (connection.isClosing && !connection.isDone) await this.#linger(connection, socket);
  }

  /** Answers what is in the buffer, up to one turn's worth of replies; true when there may be more to answer. */
  #answer(connection: HttpConnection, handler: HttpHandler, replies: ReplyBuffer): boolean {
    const { head } = connection;
    const { isCrowded } = this.#room;
    replies.length = 0;
    for (let count = 0; !connection.isClosing; count++) {
      if (count === httpTurnRequestsMax || replies.length > httpTurnBytesMax) return true;
      const state = head.read(connection.buffer, connection.start, connection.end);
      if (state === "more") break;
      if (state !== "complete") {
        this.#room.refusals.add(refusalOf(state));
        replies.appendBytes(refusals[state]);
        connection.isClosing = true;
        break;
      }
      const asked = this.#handle(handler, new BufferedRequest(connection));
      const reply = isCrowded ? this.#shorten(asked) : asked;
      if (isCrowded) head.isKeptAlive = false;
      replies.appendReply(reply, head);
      if (!(reply.body instanceof Uint8Array)) connection.body = reply.body;
      if (head.isHead) connection.endBody();
      connection.start += head.length;
      const isAllAnswered = connection.start === connection.end;
      connection.isClosing = !head.isKeptAlive;
      connection.isDone = connection.isClosing && isAllAnswered;
      head.reset();
      if (connection.body !== undefined) return true;
      if (isAllAnswered) break;
    }
    return false;
  }

  /** Nothing that its client could leave unread: a write would wait for him. */
  #shorten(reply: HttpReply): HttpReply {
    if (reply.body.length <= httpCrowdedReplyBytesMax) return reply;
    if (!(reply.body instanceof Uint8Array)) reply.body.close();
    this.#room.refusals.add("crowded");
    return { status: 503, contentType: "text/plain", headers: "Retry-After: 10\r\n", body: new Uint8Array(0) };
  }

  /** Sends a body as the client takes it; each piece of it has the time of a turn's replies. */
  async #sendBody(connection: HttpConnection, socket: Socket, body: HttpBody): Promise<void> {
    const piece = new Uint8Array(Math.min(httpBodyPieceBytes, body.length));
    for (let left = body.length; left > 0;) {
      const count = await body.read(piece.subarray(0, Math.min(piece.length, left)));
      if (count === 0 || this.#isClosed) throw new Error("a body ended early");
      connection.deadline = this.#deadline(this.#limits.writeTimeoutMs);
      for (let written = 0; written < count;) written += await socket.write(piece.subarray(written, count));
      left -= count;
    }
    connection.endBody();
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
  #await(connection: HttpConnection, hasAnswered: boolean): void {
    const { headTimeoutMs, idleTimeoutMs } = this.#limits;
    const phase = connection.start === connection.end ? "idle" : "head";
    if (phase === connection.phase && !hasAnswered) return;
    this.#wait(connection, phase, phase === "head" ? headTimeoutMs : idleTimeoutMs);
  }

  #wait(connection: HttpConnection, phase: HttpPhase, ms: number): void {
    connection.phase = phase;
    connection.since = this.#clock;
    connection.deadline = this.#deadline(ms);
  }

  /** Ends our side and reads on for a while: closing with unread bytes would take the last reply back from the client. */
  async #linger(connection: HttpConnection, socket: Socket): Promise<void> {
    this.#wait(connection, "linger", this.#limits.lingerMs);
    await socket.closeWrite();
    for (let count = 0; count < this.#limits.headBytesMax;) {
      const read = await socket.read(connection.buffer);
      if (read === null) return;
      count += read;
    }
  }

  /** The moment in so many milliseconds; never earlier, since the clock may be a tick behind. */
  #deadline(ms: number): number {
    return this.#clock + this.#tickMs + ms;
  }

  #startClock(): void {
    if (this.#timer !== undefined) return;
    this.#clock = performance.now();
    this.#timer = setInterval(() => this.#tick(), this.#tickMs);
  }

  #tick(): void {
    this.#clock = performance.now();
    this.#room.closeLate(this.#clock);
    if (this.#room.connectionCount > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

function refusalOf(state: Exclude<HttpHeadState, "more" | "complete">): HttpRefusal {
  switch (state) {
    case 400:
      return "malformed";
    case 405:
      return "otherMethod";
    case 413:
      return "hasBody";
    case 505:
      return "otherVersion";
    default:
      return "tooLong";
  }
}
