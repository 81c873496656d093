/**
 * One UDP socket for many questions: each is known by its transaction id, and only whom we asked may answer it.
 *
 * The socket opens with the first question and closes when there has been none for a while; strays are dropped.
 */
import { replyTransactionId } from "../../lib/announce/udp_reply.ts";
import type { Bytes } from "../../lib/bytes.ts";
import { canonicalHost, type Endpoint } from "../../lib/endpoint.ts";
import type { DatagramSocket, Network } from "../../lib/io/network.ts";
import { datagramBytesMax, udpIdleMs } from "../../lib/limits/tracker.ts";

interface Waiting {
  readonly tracker: Endpoint;
  readonly resolve: (packet: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

export class UdpQuestions {
  readonly #network: Network;
  readonly #hostname: string;
  readonly #onIdle: () => void;
  /** By the transaction id. */
  readonly #waiting = new Map<number, Waiting>();
  #socket: DatagramSocket | undefined;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  /** @param hostname our own address, or `0.0.0.0` or `::` @param onIdle the socket has closed: the next has another port */
  constructor({ network, hostname, onIdle }: { network: Network; hostname: string; onIdle: () => void }) {
    this.#network = network;
    this.#hostname = hostname;
    this.#onIdle = onIdle;
  }

  /**
   * Sends a question, once, and waits for its answer.
   *
   * @param encode makes the packet for this transaction id
   * @throws the signal's reason when it aborts, and errors of the system when the question cannot be sent
   */
  async ask(tracker: Endpoint, signal: AbortSignal, encode: (transactionId: number) => Bytes): Promise<Uint8Array> {
    signal.throwIfAborted();
    if (this.#isClosed) throw closedError();
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const transactionId = this.#unusedId();
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    this.#waiting.set(transactionId, { tracker, resolve, reject });
    clearTimeout(this.#idleTimer);
    try {
      const socket = this.#socket ??= this.#open();
      const to: Deno.NetAddr = { transport: "udp", hostname: tracker.host, port: tracker.port };
      socket.send(encode(transactionId), to).catch(reject);
      return await promise;
    } finally {
      signal.removeEventListener("abort", abort);
      this.#waiting.delete(transactionId);
      if (this.#waiting.size === 0) this.#restLater();
    }
  }

  /** Ends what waits; nothing is asked any more. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#idleTimer);
    for (const { reject } of this.#waiting.values()) reject(closedError());
    this.#closeSocket();
  }

  #closeSocket(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  /** Numbers that nobody can guess: they are all that a forged answer would need beside the tracker's address. */
  #unusedId(): number {
    for (;;) {
      const [id] = crypto.getRandomValues(new Uint32Array(1));
      if (!this.#waiting.has(id)) return id;
    }
  }

  #open(): DatagramSocket {
    const socket = this.#network.listenDatagram({ hostname: this.#hostname, port: 0 });
    this.#receive(socket);
    return socket;
  }

  async #receive(socket: DatagramSocket): Promise<void> {
    const buffer = new Uint8Array(datagramBytesMax);
    while (this.#socket === undefined || this.#socket === socket) {
      try {
        const [packet, from] = await socket.receive(buffer);
        this.#take(packet, from as Deno.NetAddr);
      } catch {
        if (this.#socket !== socket) return;
        // Windows reports here that nobody listens at one of the trackers; without the pause a broken socket would spin.
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  #take(packet: Uint8Array, from: Deno.NetAddr): void {
    const waiting = this.#waiting.get(replyTransactionId(packet) ?? -1);
    if (waiting === undefined) return;
    const { tracker, resolve } = waiting;
    if (from.port === tracker.port && canonicalHost(from.hostname) === tracker.host) resolve(packet.slice());
  }

  #restLater(): void {
    if (this.#socket === undefined) return;
    this.#idleTimer = setTimeout(() => {
      this.#closeSocket();
      this.#onIdle();
    }, udpIdleMs);
    Deno.unrefTimer(this.#idleTimer);
  }
}

function closedError(): Error {
  return new Error("the connection closed");
}
