/**
 * This machine's addresses, by their use to others: which to print first, and which an asker would reach us under.
 *
 * Owns the ranking alone: lib/io reads the interfaces. Nothing tells which network a person means, so it goes by what the
 * names and addresses of interfaces say: a LAN before a VPN, both before networks that end inside this machine
 * (containers, virtual machines), whose addresses would send other machines to themselves.
 */
import { canonicalHost, encodeAddress, isIpv6, isLoopback } from "./endpoint.ts";

/** One address of one interface, as the system tells it. */
export interface LocalInterface {
  /** `eth0`, `Wi-Fi`. */
  readonly name: string;
  /** IPv6 may carry a zone: `fe80::1%eth0`. */
  readonly address: string;
  /** `255.255.255.0` or `ffff:ffff:ffff:ffff::`. */
  readonly netmask: string;
}

/** Where an interface leads; the smaller, the more of use to other machines. */
const reach = { lan: 0, vpn: 1, host: 2 } as const;
type Reach = typeof reach[keyof typeof reach];

/** Interfaces of containers and virtual machines: what is behind them is on this machine. */
const hostNames = new RegExp(
  "^(?:docker|br-[0-9a-f]{12}$|veth(?:\\d|[0-9a-f]{4})|virbr|vnet\\d|lxcbr|lxdbr|incusbr|podman|cni|flannel|cali|cilium|kube|nerdctl|" +
    "vboxnet|vmnet|bridge1\\d\\d$|ap\\d|awdl|llw|anpi)|VirtualBox|VMware|vEthernet \\((?:WSL|Default Switch|nat)",
  "i",
);
/** Interfaces whose network reaches over other networks: of use to who is in it too. */
const vpnNames = new RegExp(
  "^(?:tun|tap|utun|wg|ppp|ipsec|gpd|nordlynx|proton|mullvad|tailscale|zt|ham|nebula|netbird|wt\\d|vpn|cscotun)|" +
    "\\b(?:VPN|TAP|Wintun|WireGuard|Tailscale|ZeroTier|Hamachi|OpenVPN)\\b",
  "i",
);

/**
 * The addresses under which other machines can reach this one, best first: canonical, without loopback.
 *
 * Inside each kind of network IPv4 comes before IPv6, since it is easier to type, and the system's order stays. Networks
 * inside this machine and IPv4 link-local addresses count only where there is nothing else; IPv6 link-local ones never,
 * since on another machine they need a zone that is named there.
 */
export function rankHosts(interfaces: readonly LocalInterface[]): string[] {
  const usable = addressesOf(interfaces).filter(({ host }) => !isLoopback(host) && !isLinkLocal6(host));
  const rankOf = ({ host, reach }: LocalAddress) => (isLinkLocal4(host) ? 6 : 2 * reach) + (isIpv6(host) ? 1 : 0);
  const ranked = usable.map((address) => ({ host: address.host, rank: rankOf(address) }))
    .sort((a, b) => a.rank - b.rank);
  const worst = Math.max(ranked.length === 0 ? 0 : ranked[0].rank | 1, 2 * reach.vpn + 1);
  return [...new Set(ranked.filter(({ rank }) => rank <= worst).map(({ host }) => host))];
}

/**
 * The address of this machine under which it is reached from `remote`, where the socket cannot tell (UDP).
 *
 * The asker's own address if it is this machine's, else the one in the asker's network, else the best of its family;
 * undefined where this machine has none of that family.
 *
 * @param remote a canonical address
 */
export function hostFacing(remote: string, interfaces: readonly LocalInterface[]): string | undefined {
  if (isLoopback(remote)) return remote;
  const addresses = addressesOf(interfaces).filter(({ host }) => isIpv6(host) === isIpv6(remote));
  if (addresses.some(({ host }) => host === remote)) return remote;
  const neighbour = addresses.find((address) => !isLoopback(address.host) && isInNetwork(remote, address));
  return neighbour?.host ?? rankHosts(interfaces).find((host) => isIpv6(host) === isIpv6(remote));
}

/** A canonical address of this machine. */
interface LocalAddress {
  readonly host: string;
  readonly netmask: string;
  readonly reach: Reach;
}

function addressesOf(interfaces: readonly LocalInterface[]): LocalAddress[] {
  const addresses: LocalAddress[] = [];
  for (const { name, address, netmask } of interfaces) {
    const host = canonicalHost(address.split("%", 1)[0]);
    if (host !== undefined) addresses.push({ host, netmask, reach: reachOf(name) });
  }
  return addresses;
}

function reachOf(name: string): Reach {
  return hostNames.test(name) ? reach.host : vpnNames.test(name) ? reach.vpn : reach.lan;
}

/** Whether `remote` is in the network of an address of ours; false where the netmask says nothing. @param remote canonical */
export function isInNetwork(remote: string, { host, netmask }: Pick<LocalAddress, "host" | "netmask">): boolean {
  const mask = maskOf(netmask);
  const [a, b] = [encodeAddress(remote), encodeAddress(host)];
  return mask?.length === a.length && mask.every((bits, i) => (a[i] & bits) === (b[i] & bits));
}

/** Undefined where the system told none, or only zeros, which says nothing. */
function maskOf(netmask: string): Uint8Array | undefined {
  const host = canonicalHost(netmask);
  const mask = host === undefined ? undefined : encodeAddress(host);
  return mask?.some((bits) => bits !== 0) ? mask : undefined;
}

function isLinkLocal4(host: string): boolean {
  return host.startsWith("169.254.");
}

/** Whether a canonical host is in fe80::/10: such an address says nothing without the interface it is behind. */
export function isLinkLocal6(host: string): boolean {
  return /^fe[89ab][0-9a-f]:/.test(host); // fe8::1 is 0fe8::1
}
