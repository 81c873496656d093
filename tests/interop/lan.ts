/**
 * A small LAN of network namespaces: one switch, hosts with real addresses, no way out.
 *
 * Needed where loopback does not do: multicast, several addresses, real rates, firewalls, pulled cables; and Transmission
 * refuses peers in 127.0.0.0/8 that a tracker gave it. Needs root and iproute2 on Linux, for some of it nftables.
 */
import { type HostOptions, LanHost } from "./lan_host.ts";
import { ip, networkNamespaces, nft, run, runIn, sysctl } from "./network_tools.ts";
import type { Scene } from "./scene.ts";

export { networkNamespaces };

/** Which addresses the hosts of a LAN have: IPv4 and a link-local one, or IPv6 alone, with a site's own prefix or without. */
export type Addressing = "ipv4" | "ipv6" | "link-local";

export interface LanOptions {
  /** Default: "ipv4". */
  readonly addressing?: Addressing;
  /** The second byte of its addresses: 10.N.0.1, fdN::1; default 77. */
  readonly subnet?: number;
}

/** A part of a rule of nftables: the counter, or something else. */
interface Counted {
  readonly counter?: { readonly packets: number };
}

/** The number of the router of a hidden LAN among its hosts. */
const routerNumber = 254;

export class Lan {
  readonly #scene: Scene;
  readonly #name = `lbt${crypto.randomUUID().slice(0, 8)}`;
  readonly #addressing: Addressing;
  readonly #subnet: number;
  /** Whether hosts have a way out, through the switch. */
  #isHidden = false;
  #hostCount = 0;

  private constructor(scene: Scene, { addressing = "ipv4", subnet = 77 }: LanOptions) {
    this.#scene = scene;
    this.#addressing = addressing;
    this.#subnet = subnet;
  }

  /** Makes an empty LAN that goes with the scene. */
  static async open(scene: Scene, options: LanOptions = {}): Promise<Lan> {
    const lan = new Lan(scene, options);
    await lan.#addNamespace(lan.#switch);
    await ip(lan.#switch, "link add br0 type bridge", "link set br0 up", "link set lo up");
    return lan;
  }

  /** Plugs in one more host, 10.77.0.1 and up. */
  async addHost(options: HostOptions = {}): Promise<LanHost> {
    const number = ++this.#hostCount;
    const namespace = `${this.#name}h${number}`;
    await this.#addNamespace(namespace);
    for (const other of options.others ?? []) await (other === "vpn" ? this.#addVpn(namespace) : addDocker(namespace));
    const device = await this.#plug(namespace, "eth0", number);
    if (this.#isHidden) await ip(namespace, `route add default via 10.${this.#subnet}.0.${routerNumber}`);
    const host = new LanHost({
      address: this.#addressOf(number),
      namespace,
      socket: { namespace: this.#switch, device },
    });
    await host.setUp(options);
    return host;
  }

  /** Plugs a host of another LAN into this one too. @returns its address here */
  async alsoPlug(host: LanHost): Promise<string> {
    const number = ++this.#hostCount;
    await this.#plug(host.namespace, "eth1", number);
    return this.#addressOf(number, "eth1");
  }

  /** Another LAN, whose hosts reach this one through a router that gives them all its own address. */
  async addHiddenLan(options: { readonly subnet: number }): Promise<Lan> {
    const hidden = await Lan.open(this.#scene, options);
    const router = hidden.#switch;
    await ip(router, `addr add 10.${options.subnet}.0.${routerNumber}/24 dev br0`);
    await this.#plug(router, "wan0", ++this.#hostCount);
    await sysctl(router, "net.ipv4.ip_forward=1");
    await nft(
      router,
      "add table ip hide",
      "add chain ip hide way_out { type nat hook postrouting priority 100; }",
      "add rule ip hide way_out oifname wan0 masquerade",
      "add table ip door",
      "add chain ip door way_in { type filter hook forward priority 0; }",
      "add rule ip door way_in iifname wan0 ct state new drop",
    );
    hidden.#isHidden = true;
    return hidden;
  }

  /** From now on the switch drops multicast and broadcast of programs; what IPv6 needs to find its neighbours passes. */
  async dropMulticast(): Promise<void> {
    await nft(
      this.#switch,
      "add table bridge quiet",
      "add chain bridge quiet through { type filter hook forward priority 0; }",
      "add rule bridge quiet through meta pkttype { multicast, broadcast } meta l4proto udp drop",
    );
  }

  /** Counts the datagrams for a port that pass the switch from now on. @returns how many so far */
  async countDatagrams(port: number): Promise<() => Promise<number>> {
    const rules = `table bridge count${port}`;
    await nft(
      this.#switch,
      `add ${rules}`,
      `add chain bridge count${port} through { type filter hook prerouting priority 0; }`,
      `add rule bridge count${port} through udp dport ${port} counter`,
    );
    return async () => {
      const { nftables } = JSON.parse(await runIn(this.#switch, ["nft", "-j", "list", ...rules.split(" ")]));
      for (const { rule } of nftables) {
        if (rule) return rule.expr.find(({ counter }: Counted) => counter).counter.packets;
      }
      throw new Error(`nothing counts port ${port}`);
    };
  }

  get #switch(): string {
    return `${this.#name}sw`;
  }

  /** A cable from the switch to a namespace, with this LAN's addresses. @returns the device at the switch */
  async #plug(namespace: string, device: string, number: number): Promise<string> {
    const port = `p${number}`;
    await ip(
      this.#switch,
      `link add ${port} type veth peer name ${device} netns ${namespace}`,
      `link set ${port} master br0 up`,
    );
    // our own link-local address instead of the kernel's, at once and without a search for its double
    await sysctl(namespace, `net.ipv6.conf.${device}.accept_dad=0`, `net.ipv6.conf.${device}.addr_gen_mode=1`);
    const prefixes = { ipv4: `10.${this.#subnet}.0.${number}/24`, ipv6: `fd${this.#subnet}::${number}/64` };
    await ip(
      namespace,
      ...this.#addressing === "link-local" ? [] : [`addr add ${prefixes[this.#addressing]} dev ${device}`],
      `addr add fe80::${number}/64 dev ${device}`,
      `link set ${device} up`,
      "link set lo up",
    );
    return port;
  }

  #addressOf(number: number, device = "eth0"): string {
    if (this.#addressing === "ipv4") return `10.${this.#subnet}.0.${number}`;
    return this.#addressing === "ipv6" ? `fd${this.#subnet}::${number}` : `fe80::${number}%${device}`;
  }

  /** The way to everywhere: what is sent there arrives in a namespace that says nothing. */
  async #addVpn(namespace: string): Promise<void> {
    const end = `${namespace}v`;
    await this.#addNamespace(end);
    await ip(end, `link add far0 type veth peer name tun0 netns ${namespace}`, "link set far0 up");
    await ip(
      namespace,
      "addr add 10.8.0.2/24 dev tun0",
      "link set tun0 up",
      "route add default via 10.8.0.1",
    );
  }

  async #addNamespace(name: string): Promise<void> {
    await run(["ip", "netns", "add", name]);
    this.#scene.atEnd(async () => void await run(["ip", "netns", "delete", name]));
  }
}

/** Docker's bridge as it is without a container: up, with an address, and no carrier. */
async function addDocker(namespace: string): Promise<void> {
  await ip(namespace, "link add docker0 type bridge", "addr add 172.17.0.1/16 dev docker0", "link set docker0 up");
}
