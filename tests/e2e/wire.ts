/**
 * The peer wire protocol by hand, for peers that misbehave: nothing here keeps a rule unless the test does.
 *
 * Written apart from lib/wire, so that a misreading there cannot agree with itself.
 */
import { Buffer } from "node:buffer";

/** Message ids of BEP 3 and BEP 6. */
export const id = {
  choke: 0,
  unchoke: 1,
  interested: 2,
  notInterested: 3,
  have: 4,
  bitfield: 5,
  request: 6,
  piece: 7,
  cancel: 8,
  haveAll: 14,
  haveNone: 15,
  reject: 16,
} as const;

/** A message that came; a keep-alive has the id -1. */
export interface WireMessage {
  readonly id: number;
  readonly body: Buffer;
}

/** A peer's 68 bytes. */
export interface WireHandshake {
  readonly reserved: Buffer;
  /** 40 hex digits. */
  readonly infoHash: string;
  readonly peerId: Buffer;
}

/** One connection. */
export class Wire {
  readonly #connection: Deno.TcpConn;
  #pending = Buffer.alloc(0);

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async connect(endpoint: string): Promise<Wire> {
    const at = endpoint.lastIndexOf(":");
    const hostname = endpoint.slice(0, at).replace(/^\[|\]$/g, "");
    return new Wire(await Deno.connect({ hostname, port: Number(endpoint.slice(at + 1)) }));
  }

  /** Says hello. `reserved` is 16 hex digits: by default neither fast nor extensions, so that a test speaks bare BEP 3. */
  async greet(infoHash: string, options: { reserved?: string; peerId?: string } = {}): Promise<void> {
    const peerId = (options.peerId ?? `-XX0001-${crypto.randomUUID().slice(0, 12)}`).padEnd(20).slice(0, 20);
    await this.write(Buffer.concat([
      Buffer.from("\x13BitTorrent protocol", "latin1"),
      Buffer.from(options.reserved ?? "0000000000000000", "hex"),
      Buffer.from(infoHash, "hex"),
      Buffer.from(peerId, "latin1"),
    ]));
  }

  /** Reads the other side's hello; undefined if it closes first. */
  async greeting(): Promise<WireHandshake | undefined> {
    const bytes = await this.take(68);
    if (bytes === undefined) return undefined;
    return {
      reserved: bytes.subarray(20, 28),
      infoHash: bytes.subarray(28, 48).toString("hex"),
      peerId: bytes.subarray(48, 68),
    };
  }

  /** Sends one message. */
  async send(messageId: number, ...parts: (number | Uint8Array)[]): Promise<void> {
    await this.write(message(messageId, ...parts));
  }

  /** Reads one message; undefined at the end of the connection. */
  async next(): Promise<WireMessage | undefined> {
    const length = (await this.take(4))?.readUInt32BE(0);
    if (length === undefined) return undefined;
    if (length === 0) return { id: -1, body: Buffer.alloc(0) };
    const bytes = await this.take(length);
    return bytes && { id: bytes[0] ?? -1, body: bytes.subarray(1) };
  }

  /** Reads until a message with this id comes; undefined at the end of the connection. */
  async nextOf(messageId: number): Promise<WireMessage | undefined> {
    for (;;) {
      const next = await this.next();
      if (next === undefined || next.id === messageId) return next;
    }
  }

  /** True once the other side has closed; what it sends until then is read and dropped. */
  async isClosedByPeer(): Promise<true> {
    while (await this.next() !== undefined);
    return true;
  }

  /** Writes raw bytes; a connection that is gone takes them silently. */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }

  /** Reads exactly `length` bytes; undefined if the connection ends before. */
  async take(length: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [this.#pending];
    let have = this.#pending.length;
    while (have < length) {
      const buffer = Buffer.alloc(65_536);
      const count = await this.#connection.read(buffer).catch((error) => {
        if (isGone(error)) return null;
        throw error;
      });
      if (count === null) return undefined;
      parts.push(buffer.subarray(0, count));
      have += count;
    }
    const all = Buffer.concat(parts);
    this.#pending = all.subarray(length);
    return all.subarray(0, length);
  }

  close(): void {
    try {
      this.#connection.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }
}

/** The bytes of a message; numbers become 4 bytes each, big-endian. */
export function message(messageId: number, ...parts: (number | Uint8Array)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => typeof part === "number" ? uint32(part) : part));
  return Buffer.concat([uint32(body.length + 1), Buffer.from([messageId]), body]);
}

/** 4 bytes, big-endian. */
export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted ||
    error instanceof Deno.errors.ConnectionAborted || error instanceof Deno.errors.NotConnected;
}
