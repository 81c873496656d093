/** The network interfaces of this machine, and the hosts to write into URLs that others type. */
import { canonicalHost, isIpv6 } from "../endpoint.ts";
import { hostFacing, type LocalInterface, rankHosts } from "../local_addresses.ts";
import type { MulticastInterface } from "../multicast_links.ts";

/** Milliseconds that what the system told is taken for true. */
const knownMs = 10_000;

/** What the system tells now; nothing without the permission, or on a system that cannot tell. */
export function readInterfaces(): MulticastInterface[] {
  try {
    return Deno.networkInterfaces();
  } catch {
    return [];
  }
}

/**
 * The addresses under which others reach who listens on `host`, best first: loopback only where there is nothing else.
 *
 * @param host what `--host` says; undefined listens on everything
 */
export function announceHosts(host?: string, interfaces: readonly LocalInterface[] = readInterfaces()): string[] {
  const canonical = host && canonicalHost(host);
  if (host !== undefined && canonical !== "0.0.0.0" && canonical !== "::") return [canonical ?? host];
  const hosts = rankHosts(interfaces).filter((address) => canonical !== "0.0.0.0" || !isIpv6(address));
  return hosts.length === 0 ? ["127.0.0.1"] : hosts;
}

/** Finds out under which address of this machine somebody reaches a socket that cannot tell (UDP). */
export class HostFinder {
  /** What is listened on; undefined for everything. */
  readonly #host: string | undefined;
  readonly #now: () => number;
  readonly #read: () => readonly LocalInterface[];
  #interfaces: readonly LocalInterface[] = [];
  #readAt = -Infinity;

  /** @param host what is listened on; undefined for everything @param now monotonic milliseconds */
  constructor(host: string | undefined, now: () => number, read: () => readonly LocalInterface[] = readInterfaces) {
    const canonical = host && canonicalHost(host);
    this.#host = canonical === "0.0.0.0" || canonical === "::" ? undefined : canonical;
    this.#now = now;
    this.#read = read;
  }

  /** @param remote an address as the system tells it; undefined where nothing tells */
  facing(remote: string): string | undefined {
    if (this.#host !== undefined) return this.#host;
    const host = canonicalHost(remote.split("%", 1)[0]);
    if (host === undefined) return undefined;
    if (this.#now() - this.#readAt >= knownMs) {
      this.#interfaces = this.#read();
      this.#readAt = this.#now();
    }
    return hostFacing(host, this.#interfaces);
  }
}
