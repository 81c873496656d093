/** A peer that announces over UDP (BEP 15), and the packets of those that only pretend to; written apart from ours. */
import { Buffer } from "node:buffer";

/** The packet that asks for a connection id. */
export function connectPacket(transaction: number): Buffer {
  const packet = Buffer.alloc(16);
  packet.writeBigUInt64BE(0x41727101980n);
  packet.writeUInt32BE(transaction, 12);
  return packet;
}

/** What an announce says. */
export interface UdpAnnounce {
  readonly connectionId: Uint8Array;
  /** 40 hex digits. */
  readonly infoHash: string;
  readonly peerPort: number;
  readonly transaction: number;
}

/** An announce of 98 bytes. */
export function announcePacket({ connectionId, infoHash, peerPort, transaction }: UdpAnnounce): Buffer {
  const packet = Buffer.alloc(98);
  packet.set(connectionId, 0);
  packet.writeUInt32BE(1, 8);
  packet.writeUInt32BE(transaction, 12);
  packet.write(infoHash, 16, "hex");
  packet.write(`-HU0001-${String(peerPort).padStart(12, "0")}`, 36, "latin1");
  packet.writeBigUInt64BE(1n, 64); // left
  packet.writeInt32BE(-1, 92); // num_want
  packet.writeUInt16BE(peerPort, 96);
  return packet;
}

/** A scrape of these info hashes. */
export function scrapePacket(connectionId: Uint8Array, infoHashes: readonly string[]): Buffer {
  const head = Buffer.alloc(16);
  head.set(connectionId, 0);
  head.writeUInt32BE(2, 8);
  return Buffer.concat([head, ...infoHashes.map((infoHash) => Buffer.from(infoHash, "hex"))]);
}

/** Milliseconds after which a packet is sent again: one may be lost, as on any network. */
const againMs = 500;
/** Milliseconds that an id is used. */
const idUsedMs = 60_000;

export class UdpAnnouncer implements Disposable {
  readonly #options: { host: string; port: number; infoHash: string; peerPort: number };
  readonly #socket: Deno.DatagramConn;
  readonly #waiting = new Map<number, (packet: Buffer) => void>();
  #transaction = 0;
  #connectionId: { readonly bytes: Buffer; readonly until: number } | undefined;

  /** @param from the address to send from; any unless given */
  constructor(options: { host: string; port: number; infoHash: string; peerPort: number }, from?: string) {
    this.#options = options;
    const hostname = from ?? (options.host.includes(":") ? "::" : "0.0.0.0");
    this.#socket = Deno.listenDatagram({ hostname, port: 0, transport: "udp" });
    this.#read();
  }

  /** The id of this address, asked for when there is none. @throws when no answer comes in time */
  async connect(deadlineMs: number): Promise<Buffer> {
    if (this.#connectionId === undefined || this.#connectionId.until < performance.now()) {
      const reply = await this.#ask((transaction) => connectPacket(transaction), deadlineMs);
      this.#connectionId = { bytes: reply.subarray(8, 16), until: performance.now() + idUsedMs };
    }
    return this.#connectionId.bytes;
  }

  /** Announces once. @throws when no answer comes in time */
  async announce(deadlineMs: number): Promise<void> {
    const connectionId = await this.connect(deadlineMs);
    const { infoHash, peerPort } = this.#options;
    const reply = await this.#ask(
      (transaction) => announcePacket({ connectionId, infoHash, peerPort, transaction }),
      deadlineMs,
    );
    if (reply.readUInt32BE(0) !== 1) throw new Error(`refused: ${reply.subarray(8).toString()}`);
  }

  /** Sends a packet and wants no answer. */
  send(packet: Uint8Array): void {
    const { host: hostname, port } = this.#options;
    this.#socket.send(packet, { transport: "udp", hostname, port }).catch(() => {});
  }

  async #ask(packetOf: (transaction: number) => Buffer, deadlineMs: number): Promise<Buffer> {
    const transaction = ++this.#transaction;
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    this.#waiting.set(transaction, resolve);
    const packet = packetOf(transaction);
    this.send(packet);
    const again = setInterval(() => this.send(packet), againMs);
    const deadline = setTimeout(() => reject(new Error("no answer")), deadlineMs);
    try {
      return await promise;
    } finally {
      clearInterval(again);
      clearTimeout(deadline);
      this.#waiting.delete(transaction);
    }
  }

  async #read(): Promise<void> {
    try {
      for await (const [bytes] of this.#socket) {
        const packet = Buffer.from(bytes);
        if (packet.length >= 8) this.#waiting.get(packet.readUInt32BE(4))?.(packet);
      }
    } catch { /* closed */ }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
