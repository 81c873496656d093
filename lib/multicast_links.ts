/**
 * The ways by which multicast leaves this machine and comes in: which interfaces, under which address.
 *
 * A packet for a group goes out of one interface only, and the system's choice is often the wrong one (docker0, a VPN),
 * so that all of them are used: for IPv4 each address, since receivers look whether the sender is in their network; for
 * IPv6 each interface. Loopback counts only for who listens on nothing else.
 */
import { canonicalHost, isIpv6, isLoopback } from "./endpoint.ts";
import { isLinkLocal6, type LocalInterface } from "./local_addresses.ts";

/** An address of this machine and the size of its network. */
export interface LocalNetwork {
  /** Canonical. */
  readonly host: string;
  readonly netmask: string;
}

/** One way out of this machine, in one family. */
export interface MulticastLink {
  /** The interface: `eth0`. */
  readonly name: string;
  readonly family: 4 | 6;
  /** The address that its packets come from: canonical. */
  readonly host: string;
  /** The interface's number: another one once it was pulled out and put back; 0 where the system does not tell. */
  readonly index: number;
  /** Every network of its family that the interface is in. */
  readonly networks: readonly LocalNetwork[];
}

/** An address of an interface, as the system tells it. */
export interface MulticastInterface extends LocalInterface {
  /** The interface's number, told for link-local IPv6 addresses. */
  readonly scopeid?: number | null;
}

/**
 * The links to use, IPv4 first.
 *
 * @param host what `--host` says: only the interfaces that have this address; undefined, `0.0.0.0` and `::` mean all
 */
export function multicastLinks(interfaces: readonly MulticastInterface[], host?: string): MulticastLink[] {
  const wanted = host === undefined ? undefined : canonicalHost(host) ?? host;
  const isWanted = (local: string) => {
    if (wanted === undefined || wanted === "::") return !isLoopback(local);
    return wanted === "0.0.0.0" ? !isIpv6(local) && !isLoopback(local) : local === wanted;
  };
  const byName = Map.groupBy(interfaces.flatMap(knownAddress), ({ name }) => name);
  const links = [...byName].flatMap(([name, addresses]) => {
    const index = addresses.find(({ host, index }) => isLinkLocal6(host) && index !== 0)?.index ?? 0;
    return [
      ...ipv4Links({ name, index }, addresses.filter(({ host }) => !isIpv6(host)), isWanted),
      ...ipv6Links({ name, index }, addresses.filter(({ host }) => isIpv6(host)), isWanted),
    ];
  });
  return links.sort((a, b) => a.family - b.family);
}

interface KnownAddress extends LocalNetwork {
  readonly name: string;
  readonly index: number;
}

function knownAddress({ name, address, netmask, scopeid }: MulticastInterface): KnownAddress[] {
  const host = canonicalHost(address.split("%", 1)[0]);
  return host === undefined || host === "0.0.0.0" ? [] : [{ name, host, netmask, index: scopeid ?? 0 }];
}

type Named = Pick<MulticastLink, "name" | "index">;

function ipv4Links(
  named: Named,
  addresses: readonly KnownAddress[],
  isWanted: (host: string) => boolean,
): MulticastLink[] {
  const networks = addresses.map(({ host, netmask }) => ({ host, netmask }));
  return addresses.filter(({ host }) => isWanted(host)).map(({ host }) => ({ ...named, family: 4, host, networks }));
}

/** None without a number, which link-local addresses tell: every interface has one that multicast works on. */
function ipv6Links(
  named: Named,
  addresses: readonly KnownAddress[],
  isWanted: (host: string) => boolean,
): MulticastLink[] {
  // what a receiver can dial without knowing an interface of its own comes first
  const [first] = addresses.filter(({ host }) => isWanted(host)).sort((a, b) => rankOf(a.host) - rankOf(b.host));
  if (named.index === 0 || first === undefined) return [];
  const networks = addresses.map(({ host, netmask }) => ({ host, netmask }));
  return [{ ...named, family: 6, host: first.host, networks }];
}

/** Unique local addresses (fc00::/7) stay when the provider changes; link-local ones are the last resort. */
function rankOf(host: string): number {
  if (/^f[cd][0-9a-f]{2}:/.test(host)) return 0;
  return isLinkLocal6(host) ? 2 : 1;
}
