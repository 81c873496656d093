/**
 * Dials IPv6 link-local addresses (fe80::/10) that do not say behind which interface they are, as discovery finds them.
 *
 * Deno leaves the zone out when it tells a sender's address, and the system refuses to dial without one. So all
 * interfaces that have such an address are tried at once; on a wrong one nobody answers to the name.
 */
import { isLinkLocal6 } from "../local_addresses.ts";
import type { MulticastInterface } from "../multicast_links.ts";
import { readInterfaces } from "./local_interfaces.ts";
import type { Network, Socket } from "./network.ts";

/** Connects as `network` does, to link-local addresses without a zone too; the first interface that answers counts. */
export async function connectOnAnyLink(
  network: Pick<Network, "connect">,
  { hostname, port, signal }: { hostname: string; port: number; signal?: AbortSignal | undefined },
  interfaces: () => MulticastInterface[] = readInterfaces,
): Promise<Socket> {
  const connect = (hostname: string, signal: AbortSignal | undefined) =>
    network.connect({ hostname, port, ...signal !== undefined && { signal } });
  if (!isLinkLocal6(hostname) || hostname.includes("%")) return await connect(hostname, signal);
  const zones = zonesOf(interfaces());
  if (zones.length < 2) return await connect(zones.length === 0 ? hostname : `${hostname}%${zones[0]}`, signal);
  const others = new AbortController();
  const either = signal === undefined ? others.signal : AbortSignal.any([signal, others.signal]);
  const dials = zones.map((zone) => connect(`${hostname}%${zone}`, either));
  try {
    const first = await Promise.any(dials);
    closeLater(dials, first);
    return first;
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  } finally {
    others.abort();
  }
}

/** The numbers of the interfaces that have link-local addresses: names do not do on Windows. */
function zonesOf(interfaces: readonly MulticastInterface[]): number[] {
  const zones = interfaces.flatMap(({ address, scopeid }) => isLinkLocal6(address) && scopeid ? [scopeid] : []);
  return [...new Set(zones)];
}

/** A second interface may have answered in the same moment. */
function closeLater(dials: readonly Promise<Socket>[], kept: Socket): void {
  for (const dial of dials) dial.then((socket) => socket !== kept && socket.close(), () => {});
}
