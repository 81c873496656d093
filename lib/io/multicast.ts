/**
 * A multicast group on every network of this machine: joined there, and sent out of there.
 *
 * Owns the sockets of one group per family. What arrives comes through one socket a family that has joined on every link;
 * what leaves goes through a socket of its own for each link, which lives as long as the sending: only `node:dgram` can
 * choose the interface of outgoing packets on every system, and only a socket of Deno can be left unread while somebody
 * floods it. Interfaces come and go, so they are looked up at each sending and once a minute. A fault of one link is told
 * once and never ends the others.
 */
import { createSocket } from "node:dgram";
import { canonicalHost, type Endpoint } from "../endpoint.ts";
import {
  interfacesLookMs,
  multicastBytesMax,
  multicastLinksMax,
  multicastPacketsPerSecondMax,
} from "../limits/discovery.ts";
import { isLinkLocal6 } from "../local_addresses.ts";
import { type MulticastLink, multicastLinks } from "../multicast_links.ts";
import type { DatagramSocket, Network } from "./network.ts";

export interface MulticastOptions {
  readonly network: Pick<Network, "listenDatagram" | "interfaces">;
  /** The group's address in each family. */
  readonly groups: Readonly<Record<4 | 6, string>>;
  readonly port: number;
  /** Only the interfaces with this address; undefined is all. */
  readonly host: string | undefined;
  /** Hops that a packet may take; default: it stays on the link. */
  readonly ttl?: number;
  /** A packet has come by one of the links, perhaps our own; `bytes` are valid until this returns. */
  onPacket(bytes: Uint8Array, sender: Endpoint, links: readonly MulticastLink[]): void;
  /** Something does not work on an interface, or in a family; told once for each. */
  onFault(name: string, why: string): void;
  /** There is a link that was not there before: a cable, another Wi-Fi. */
  onLinks?(links: readonly MulticastLink[]): void;
}

/** A socket that receives, and the links it has joined on. */
interface Receiver {
  readonly socket: DatagramSocket;
  readonly joined: string;
}

export class MulticastSockets {
  readonly #options: MulticastOptions;
  readonly #receivers = new Map<4 | 6, Receiver>();
  readonly #toldFaults = new Set<string>();
  /** Links whose last sending failed: one failure is nothing yet, since a new IPv6 address takes seconds to work. */
  readonly #failing = new Set<string>();
  readonly #timer: ReturnType<typeof setInterval>;
  /** The first look is over. */
  #isOpened = false;
  #looking: Promise<void> | undefined;
  #links: readonly MulticastLink[] = [];
  readonly #closing = new AbortController();

  private constructor(options: MulticastOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), interfacesLookMs);
    Deno.unrefTimer(this.#timer);
  }

  /** Joins the group wherever that works; never fails. */
  static async open(options: MulticastOptions): Promise<MulticastSockets> {
    const sockets = new MulticastSockets(options);
    await sockets.#look();
    return sockets;
  }

  /** The links of the last look: none where there is no network. */
  get links(): readonly MulticastLink[] {
    return this.#links;
  }

  /** Sends packets to the group out of every link. @param packetsOf what to send out of one of them */
  async send(packetsOf: (link: MulticastLink) => readonly Uint8Array[]): Promise<void> {
    await this.#look();
    await Promise.all(this.#links.map((link) => this.#sendOut(link, packetsOf(link))));
  }

  /** Sends one packet to one receiver; its loss is no fault. */
  async sendTo(bytes: Uint8Array, { host, port }: Endpoint): Promise<void> {
    const socket = this.#receivers.get(host.includes(":") ? 6 : 4)?.socket;
    await socket?.send(bytes, { transport: "udp", hostname: host, port }).catch(() => {});
  }

  close(): void {
    this.#closing.abort();
    clearInterval(this.#timer);
    for (const { socket } of this.#receivers.values()) socket.close();
    this.#receivers.clear();
  }

  /** Reads the interfaces anew and joins where something changed. One look at a time. */
  #look(): Promise<void> {
    this.#looking ??= this.#lookNow().finally(() => this.#looking = undefined);
    return this.#looking;
  }

  async #lookNow(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const { network, host, onLinks } = this.#options;
    const all = multicastLinks(network.interfaces(), host);
    if (all.length > multicastLinksMax) this.#tellFault("the rest", `only ${multicastLinksMax} interfaces are used`);
    const before = new Set(this.#links.map(keyOf));
    this.#links = all.slice(0, multicastLinksMax);
    await Promise.all([this.#receive(4), this.#receive(6)]);
    if (this.#isOpened && this.#links.some((link) => !before.has(keyOf(link)))) onLinks?.(this.#links);
    this.#isOpened = true;
  }

  /** Has the family's socket joined on all its links. */
  async #receive(family: 4 | 6): Promise<void> {
    const links = this.#links.filter((link) => link.family === family);
    const wanted = links.map(keyOf).join();
    const old = this.#receivers.get(family);
    if ((old?.joined ?? "") === wanted) return;
    old?.socket.close();
    this.#receivers.delete(family);
    if (links.length === 0) return;
    const socket = this.#listen(family);
    if (socket === undefined) return;
    this.#receivers.set(family, { socket, joined: wanted });
    for (const link of links) await this.#join(socket, link);
    this.#readAll(socket);
  }

  #listen(family: 4 | 6): DatagramSocket | undefined {
    const { network, port } = this.#options;
    try {
      const hostname = family === 4 ? "0.0.0.0" : "::";
      return network.listenDatagram({ hostname, port, reuseAddress: true, loopback: true });
    } catch (error) {
      this.#tellFault(`IPv${family}`, `port ${port} cannot be had: ${reasonOf(error)}`);
      return undefined;
    }
  }

  async #join(socket: DatagramSocket, { name, family, host, index }: MulticastLink): Promise<void> {
    const group = this.#options.groups[family];
    try {
      if (family === 4) await socket.joinMulticastV4(group, host);
      else await socket.joinMulticastV6(group, index);
    } catch (error) {
      // an interface with two addresses is joined with the first
      if (error instanceof Deno.errors.AddrInUse || this.#closing.signal.aborted) return;
      this.#tellFault(name, `multicast cannot be received: ${reasonOf(error)}`);
    }
  }

  /** Reads until the socket is closed, no more packets a second than are worth the time. */
  async #readAll(socket: DatagramSocket): Promise<void> {
    const buffer = new Uint8Array(multicastBytesMax);
    let second = performance.now();
    let count = 0;
    const isOpen = () => [...this.#receivers.values()].some((receiver) => receiver.socket === socket);
    while (isOpen()) {
      if (performance.now() - second >= 1000) [second, count] = [performance.now(), 0];
      if (++count > multicastPacketsPerSecondMax) await this.#pause(second + 1000 - performance.now());
      try {
        const [bytes, sender] = await socket.receive(buffer);
        if (isOpen() && sender.transport === "udp") this.#take(bytes, sender);
      } catch {
        // closed, which ends the loop; or an answer of the network to an earlier packet, as Windows tells it
        if (isOpen()) await this.#pause(1000);
      }
    }
  }

  /** Ends early when all is closed. */
  #pause(ms: number): Promise<void> {
    const { signal } = this.#closing;
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, Math.max(0, ms));
      Deno.unrefTimer(timer);
      signal.addEventListener("abort", end);
    });
  }

  #take(bytes: Uint8Array, { hostname, port }: Deno.NetAddr): void {
    const host = canonicalHost(hostname.split("%", 1)[0]);
    if (host !== undefined && port > 0) this.#options.onPacket(bytes, { host, port }, this.#links);
  }

  async #sendOut(link: MulticastLink, packets: readonly Uint8Array[]): Promise<void> {
    if (packets.length === 0 || this.#closing.signal.aborted) return;
    const { groups, port, ttl } = this.#options;
    const key = keyOf(link);
    try {
      await sendFrom(link, packets, { group: groups[link.family], port, ttl });
      this.#failing.delete(key);
    } catch (error) {
      if (this.#failing.has(key)) this.#tellFault(link.name, `multicast cannot be sent: ${reasonOf(error)}`);
      if (this.#failing.size < multicastLinksMax) this.#failing.add(key);
    }
  }

  #tellFault(name: string, why: string): void {
    if (this.#toldFaults.has(name) || this.#closing.signal.aborted || this.#toldFaults.size > multicastLinksMax) return;
    this.#toldFaults.add(name);
    this.#options.onFault(name, why);
  }
}

/** The same for the same link. */
function keyOf({ name, host, index }: MulticastLink): string {
  return `${name} ${host} ${index}`;
}

/** Sends out of one link, from the group's port, which multicast DNS wants. */
async function sendFrom(
  { family, host, index }: MulticastLink,
  packets: readonly Uint8Array[],
  { group, port, ttl }: { group: string; port: number; ttl: number | undefined },
): Promise<void> {
  const socket = createSocket({ type: family === 4 ? "udp4" : "udp6", reuseAddr: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(port, isLinkLocal6(host) ? `${host}%${index}` : host, resolve);
    });
    socket.setMulticastInterface(family === 4 ? host : `::%${index}`);
    socket.setMulticastLoopback(true); // others on this machine want it too
    if (ttl !== undefined) socket.setMulticastTTL(ttl);
    for (const packet of packets) {
      await new Promise<void>((resolve, reject) => {
        socket.send(packet, port, group, (error) => error ? reject(error) : resolve());
      });
    }
  } finally {
    socket.close();
  }
}

/** The system's word for what went wrong, without addresses. */
function reasonOf(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  if (typeof code === "string") return code === "UNKNOWN" ? "the system refuses" : code;
  return error instanceof Error ? error.message.replace(/ \(os error \d+\)/, "") : String(error);
}
