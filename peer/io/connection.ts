/**
 * One TCP connection to a peer: reads of a size that follows the traffic, and whole writes.
 *
 * Owns the socket and its read buffer; what the bytes mean is for the cores.
 */
import type { Bytes } from "../../lib/bytes.ts";
import { canonicalHost, type Endpoint } from "../../lib/endpoint.ts";
import type { Socket } from "../../lib/io/network.ts";
import { connectionReadBytesMin } from "../../lib/limits/wire.ts";
import { MiB } from "../../lib/limits/units.ts";
import type { ConnectionId } from "../events.ts";

/** A fast one gets up to this much in one read: fewer, larger reads are what makes the wire fast here. */
const readBytesMax = 1 * MiB;
/** So many reads in a row that leave most of the buffer empty halve it. */
const smallReadsMax = 64;

/** What a connection asks and tells its owner. */
export interface ConnectionHooks {
  /** Bytes that it may read at once: its share of what all of them may. */
  readBytesMax(): number;
  /**
   * Called once, when the system has the socket back: after `close`, and, with the pinned Deno, not before a write that
   * waits for the peer has ended.
   */
  onGone(): void;
}

export class Connection {
  readonly id: ConnectionId;
  /** The far end. */
  readonly endpoint: Endpoint;
  readonly #socket: Socket;
  #buffer: Bytes = new Uint8Array(connectionReadBytesMin);
  #smallReadCount = 0;
  readonly #hooks: ConnectionHooks;
  #isClosed = false;
  #isWriting = false;

  constructor(id: ConnectionId, socket: Socket, hooks: ConnectionHooks) {
    this.id = id;
    this.#socket = socket;
    this.#hooks = hooks;
    const { hostname, port } = socket.remoteAddr as Deno.NetAddr;
    this.endpoint = { host: canonicalHost(hostname) ?? hostname, port };
    try {
      socket.setNoDelay(true);
    } catch {
      // The peer is gone already: the first read will say so.
    }
  }

  /** The next bytes, valid until the next call; undefined when the peer is done or the connection is lost. */
  async read(): Promise<Bytes | undefined> {
    const buffer = this.#buffer;
    let byteCount: number | null;
    try {
      byteCount = await this.#socket.read(buffer);
    } catch {
      return undefined;
    }
    if (byteCount === null || this.#isClosed) return undefined;
    this.#adapt(byteCount);
    return buffer.subarray(0, byteCount);
  }

  /** Writes all bytes, one call at a time; false when the connection is lost. */
  async write(bytes: Bytes): Promise<boolean> {
    this.#isWriting = true;
    try {
      for (let offset = 0; offset < bytes.length && !this.#isClosed;) {
        offset += await this.#socket.write(offset === 0 ? bytes : bytes.subarray(offset));
      }
      return !this.#isClosed;
    } catch {
      return false;
    } finally {
      this.#isWriting = false;
      if (this.#isClosed) this.#hooks.onGone();
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      this.#socket.close();
    } catch {
      // It was closed by the system.
    }
    if (!this.#isWriting) this.#hooks.onGone();
  }

  /** A read that filled the buffer makes it larger, and many that hardly did make it smaller. */
  #adapt(byteCount: number): void {
    const size = this.#buffer.length;
    if (byteCount === size) {
      const share = this.#hooks.readBytesMax();
      const wanted = Math.max(connectionReadBytesMin, Math.min(4 * size, readBytesMax, share));
      if (wanted > size || size > 2 * wanted) this.#buffer = new Uint8Array(wanted);
      this.#smallReadCount = 0;
    } else if (byteCount >= size / 8 || size === connectionReadBytesMin) {
      this.#smallReadCount = 0;
    } else if (++this.#smallReadCount >= smallReadsMax) {
      this.#buffer = new Uint8Array(Math.max(size / 4, connectionReadBytesMin));
      this.#smallReadCount = 0;
    }
  }
}
