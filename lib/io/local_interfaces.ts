/** The network interfaces of this machine, and the hosts to write into URLs that others type. */
import { canonicalHost, isIpv6 } from "../endpoint.ts";
import { type LocalInterface, rankHosts } from "../local_addresses.ts";
import type { MulticastInterface } from "../multicast_links.ts";

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
