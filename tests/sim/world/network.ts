/**
 * Sockets of a simulated world: bytes arrive late, cut and joined at will but in order, or not at all.
 *
 * A write ends when its last byte is on its way, of which a bounded number may be unread; a receiver that does not read so
 * holds up its sender. A connection ends properly, is reset, or falls silent so that neither end hears of it.
 */
import type { Bytes } from "../../../lib/bytes.ts";
import { type Endpoint, formatEndpoint } from "../../../lib/endpoint.ts";
import { EventQueue } from "../../peer/event_queue.ts";
import type { Luck } from "./luck.ts";

/** Bytes on the way and unread, above which a sender waits. */
const windowBytes = 48 * 1024;
/** Milliseconds until nothing answers a dial. */
const dialTimeoutMs = 10_000;

/** Whoever holds one end of a connection. */
export interface SocketOwner {
  mayRead(socket: VirtualSocket): boolean;
  /** The bytes are only valid until it returns. */
  onBytes(socket: VirtualSocket, bytes: Bytes): void;
  /** The bytes of a write are on their way: their memory is the owner's again. */
  onWritten(socket: VirtualSocket, bytes: Bytes): void;
  onClosed(socket: VirtualSocket): void;
}

/** Whoever can be dialled. */
export interface Host {
  readonly endpoint: Endpoint;
  /** Somebody listens; `refused` tells that nobody does, `silent` tells nothing. */
  readonly door: "open" | "refused" | "silent";
  accept(socket: VirtualSocket): SocketOwner;
}

export interface NetworkManners {
  /** Milliseconds one way, and what is added to it by chance. */
  readonly latencyMs: number;
  readonly jitterMs: number;
  /** Bytes of one segment, and of one read, at most. */
  readonly segmentBytesMax: number;
  readonly readBytesMax: number;
  /** Of all dials that never get an answer. */
  readonly lostDials: number;
}

export class VirtualSocket {
  /** Where the other end is, as this one sees it. */
  readonly remote: Endpoint;
  readonly id: number;
  owner!: SocketOwner;
  other!: VirtualSocket;
  isOpen = true;
  /** Nothing gets through any more, and nobody hears of that. */
  isSilent = false;
  readonly #network: Network;
  /** Milliseconds that this end adds to every way. */
  readonly #farMs: number;
  #writing: { readonly bytes: Bytes; at: number } | undefined;
  /** Sent and not read by the other end. */
  #unreadBytes = 0;
  #arrivesAt = 0;
  readonly #onTheWay: Bytes[] = [];
  /** Arrived and not read. */
  readonly #arrived: Bytes[] = [];
  #isReadPlanned = false;
  #isEnded = false;

  constructor(network: Network, id: number, remote: Endpoint) {
    this.#network = network;
    this.id = id;
    this.remote = remote;
    this.#farMs = network.luck.chance(0.2) ? network.luck.between(0, 5 * network.manners.latencyMs) : 0;
  }

  /** One write at a time. */
  write(bytes: Bytes): void {
    if (this.#writing !== undefined) throw new Error(`a second write on #${this.id} before the first was over`);
    this.#writing = { bytes, at: 0 };
    this.#pump();
  }

  /** The owner ends it: what is on its way still arrives, mostly. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#arrived.length = 0;
    if (this.isSilent) return;
    if (this.#network.luck.chance(0.3)) this.#onTheWay.length = 0;
    this.#network.at(Math.max(this.#arrivesAt, this.#network.now + this.#delay()), () => this.other.#end());
  }

  /** The way between the ends breaks. */
  break(manner: "reset" | "silent"): void {
    for (const end of [this, this.other]) {
      end.isSilent = true;
      end.#onTheWay.length = 0;
      if (manner === "reset") this.#network.at(this.#network.now + end.#delay(), () => end.#fail());
    }
  }

  /** Whoever is at this end is gone without a word; the other end may hear of it when it says something. */
  vanish({ isHeard }: { isHeard: boolean }): void {
    if (!this.isOpen) return;
    if (isHeard) return this.close();
    this.isOpen = false;
    this.break("silent");
  }

  /** A machine that knows nothing of the connection answers: the other end fails. */
  fail(): void {
    this.#network.at(this.#network.now + this.#delay(), () => this.#fail());
  }

  /** The owner may read again. */
  resume(): void {
    if (this.#arrived.length > 0 || this.#isEnded) this.#planRead();
  }

  #pump(): void {
    const { luck, manners } = this.#network;
    while (this.isOpen && this.#writing !== undefined && this.#unreadBytes < windowBytes) {
      const { bytes, at } = this.#writing;
      const end = Math.min(bytes.length, at + 1 + luck.below(manners.segmentBytesMax));
      this.#writing.at = end;
      this.#unreadBytes += end - at;
      this.#onTheWay.push(bytes.slice(at, end));
      this.#arrivesAt = Math.max(this.#arrivesAt, this.#network.now + this.#delay());
      this.#network.at(this.#arrivesAt, () => this.#arrive());
      if (end === bytes.length) this.#endWrite(bytes);
    }
  }

  #endWrite(bytes: Bytes): void {
    this.#writing = undefined;
    this.#network.at(this.#network.now + this.#network.luck.next(), () => {
      if (this.isOpen) this.owner.onWritten(this, bytes);
    });
  }

  #delay(): number {
    const { luck, manners } = this.#network;
    return manners.latencyMs + this.#farMs + luck.next() * manners.jitterMs;
  }

  /** The next segment on the way is there. */
  #arrive(): void {
    const bytes = this.#onTheWay.shift();
    if (bytes === undefined || this.isSilent || !this.other.isOpen) return;
    this.other.#arrived.push(bytes);
    this.other.#planRead();
  }

  #planRead(): void {
    if (this.#isReadPlanned || !this.isOpen) return;
    this.#isReadPlanned = true;
    this.#network.at(this.#network.now + this.#network.luck.next() * 0.5, () => {
      this.#isReadPlanned = false;
      this.#read();
    });
  }

  #read(): void {
    if (!this.isOpen) return;
    if (this.#arrived.length === 0) {
      if (this.#isEnded) this.#fail();
      return;
    }
    if (!this.owner.mayRead(this)) return; // its owner resumes
    const bytes = this.#takeArrived(1 + this.#network.luck.below(this.#network.manners.readBytesMax));
    this.owner.onBytes(this, bytes);
    bytes.fill(0xee);
    this.other.#unreadBytes -= bytes.length;
    this.other.#pump();
    this.resume();
  }

  #takeArrived(count: number): Bytes {
    const parts: Bytes[] = [];
    for (let left = count; left > 0 && this.#arrived.length > 0;) {
      const [part] = this.#arrived;
      if (part.length <= left) this.#arrived.shift();
      else this.#arrived[0] = part.subarray(left);
      parts.push(part.subarray(0, left));
      left -= Math.min(left, part.length);
    }
    if (parts.length === 1) return parts[0];
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  /** The other end said its last word. */
  #end(): void {
    if (this.isSilent) return;
    this.#isEnded = true;
    this.#planRead();
  }

  #fail(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.owner.onClosed(this);
  }
}

export class Network {
  readonly luck: Luck;
  readonly manners: NetworkManners;
  now = 1_000;
  readonly #queue: EventQueue;
  readonly #hosts = new Map<string, Host>();
  #nextId = 1;
  #nextPort = 40_000;

  constructor(luck: Luck, manners: NetworkManners) {
    this.luck = luck;
    this.manners = manners;
    // What happens at one moment happens in any order.
    let count = 0;
    this.#queue = new EventQueue(() => luck.below(1_000) + count++ * 2 ** -30);
  }

  /** Milliseconds of the clock at which the next thing happens. */
  get nextAt(): number {
    return this.#queue.nextAt;
  }

  at(ms: number, run: () => void): void {
    this.#queue.add(ms, run);
  }

  /** Lets the next thing happen. */
  step(): void {
    this.now = Math.max(this.now, this.#queue.nextAt);
    this.#queue.take()();
  }

  addHost(host: Host): void {
    this.#hosts.set(formatEndpoint(host.endpoint), host);
  }

  /** @param onEnd is given the socket, whose owner it has to name, or undefined where nobody answers */
  dial(from: Endpoint, to: Endpoint, onEnd: (socket: VirtualSocket | undefined) => void): void {
    const { latencyMs, jitterMs, lostDials } = this.manners;
    const isLost = this.luck.chance(lostDials);
    this.at(this.now + 2 * latencyMs + this.luck.next() * jitterMs, () => {
      const host = this.#hosts.get(formatEndpoint(to));
      if (isLost || host?.door === "silent") return this.at(this.now + dialTimeoutMs, () => onEnd(undefined));
      if (host === undefined || host.door === "refused") return onEnd(undefined);
      const near = new VirtualSocket(this, this.#nextId++, to);
      const far = new VirtualSocket(this, this.#nextId++, { host: from.host, port: this.#nextPort++ % 65_536 });
      near.other = far;
      far.other = near;
      far.owner = host.accept(far);
      onEnd(near);
    });
  }
}
