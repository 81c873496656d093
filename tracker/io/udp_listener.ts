/**
 * The tracker's UDP sockets: packets to the UdpTracker, its answers back.
 *
 * Owns the loops and the memory of the replies. An answer is not waited for, since that would halve the rate: while it is
 * on its way its memory stays taken, and when all is taken no further packet is read; the system drops what then comes.
 */
import type { Bytes } from "../../lib/bytes.ts";
import { udpReplyLengthMax } from "../../lib/announce/udp_reply.ts";
import type { DatagramSocket } from "../../lib/io/network.ts";
import { udpRepliesMax, udpRequestBytesMax } from "../../lib/limits/tracker.ts";
import type { UdpTracker } from "../udp_tracker.ts";

/** Errors in a row, after which a socket is left alone for so long: a system may report the bounces of our answers. */
const faultsInARow = 100;
const restMs = 100;

export interface UdpListenerOptions {
  readonly sockets: readonly DatagramSocket[];
  readonly tracker: UdpTracker;
  /** Monotonic milliseconds. */
  now(): number;
  /** Told of our own faults. */
  onFault(error: unknown): void;
}

/** Memory of one reply. */
interface Reply {
  readonly bytes: Bytes;
  /** Gives the memory back. */
  readonly release: () => void;
}

export class UdpListener {
  readonly #options: UdpListenerOptions;
  readonly #free: Reply[] = [];
  /** Loops that have no memory for a reply. */
  readonly #waiting: (() => void)[] = [];
  readonly #serving: Promise<unknown>;
  #isClosed = false;

  constructor(options: UdpListenerOptions) {
    this.#options = options;
    for (let i = 0; i < udpRepliesMax; i++) {
      const reply: Reply = { bytes: new Uint8Array(udpReplyLengthMax), release: () => this.#release(reply) };
      this.#free.push(reply);
    }
    this.#serving = Promise.all(options.sockets.map((socket) => this.#serve(socket)));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const socket of this.#options.sockets) socket.close();
    this.#wake();
    await this.#serving;
  }

  async #serve(socket: DatagramSocket): Promise<void> {
    const buffer = new Uint8Array(udpRequestBytesMax);
    for (let faults = 0; !this.#isClosed;) {
      try {
        const [packet, from] = await socket.receive(buffer);
        faults = 0;
        this.#answer(socket, packet, from as Deno.NetAddr);
      } catch {
        if (!this.#isClosed && ++faults % faultsInARow === 0) await new Promise((end) => setTimeout(end, restMs));
      }
      while (this.#free.length === 0 && !this.#isClosed) await new Promise<void>((wake) => this.#waiting.push(wake));
    }
  }

  #answer(socket: DatagramSocket, packet: Uint8Array, from: Deno.NetAddr): void {
    const reply = this.#free.pop()!;
    const length = this.#lengthOfAnswer(packet, from, reply.bytes);
    if (length === 0) return reply.release();
    // What cannot be sent is lost, as any packet may be.
    socket.send(reply.bytes.subarray(0, length), from).then(reply.release, reply.release);
  }

  #lengthOfAnswer(packet: Uint8Array, from: Deno.NetAddr, reply: Bytes): number {
    const { tracker, now, onFault } = this.#options;
    try {
      return tracker.answer(packet, from.hostname, now(), reply);
    } catch (error) {
      onFault(error);
      return 0;
    }
  }

  #release(reply: Reply): void {
    this.#free.push(reply);
    this.#wake();
  }

  #wake(): void {
    for (let wake = this.#waiting.pop(); wake !== undefined; wake = this.#waiting.pop()) wake();
  }
}
