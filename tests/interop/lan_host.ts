/** A host of a `Lan`: a network namespace with a cable to the switch, which can be slow, filtered or pulled out. */
import type { Host } from "./host.ts";
import { ip, limitRate, nft, runIn } from "./network_tools.ts";

/** What is special about a host; by default it has one fast cable and no firewall. */
export interface HostOptions {
  /** Megabits a second that leave it. */
  readonly upMbit?: number;
  /** Megabits a second that reach it. */
  readonly downMbit?: number;
  /**
   * Interfaces that come before the cable: `docker0`, a bridge with nobody on it, and `vpn`, which takes everything that
   * has no better way, multicast too, and answers nothing.
   */
  readonly others?: readonly ("docker0" | "vpn")[];
  /** It lets in nothing that it did not ask for but multicast DNS, as the firewalls of desktops do. */
  readonly onlyDials?: boolean;
}

/** The switch's end of a cable. */
interface Socket {
  readonly namespace: string;
  readonly device: string;
}

export class LanHost implements Host {
  /** Without a cable's number, IPv6 in its shortest form; link-local ones end in `%eth0`. */
  readonly address: string;
  readonly prefix: readonly string[];
  readonly namespace: string;
  readonly #socket: Socket;

  constructor({ address, namespace, socket }: { address: string; namespace: string; socket: Socket }) {
    this.address = address;
    this.namespace = namespace;
    this.prefix = ["ip", "netns", "exec", namespace];
    this.#socket = socket;
  }

  /** The address as a URL has it. */
  get urlHost(): string {
    return this.address.includes(":") ? `[${this.address}]` : this.address;
  }

  /** Pulls the cable out of the switch. */
  async unplug(): Promise<void> {
    await ip(this.#socket.namespace, `link set ${this.#socket.device} down`);
  }

  /** Puts it back. */
  async plug(): Promise<void> {
    await ip(this.#socket.namespace, `link set ${this.#socket.device} up`);
  }

  /** Bytes that it put on the cable, headers and lost ones included. */
  async sentBytes(): Promise<number> {
    const { namespace, device } = this.#socket;
    const [link] = JSON.parse(await runIn(namespace, ["ip", "-s", "-j", "link", "show", device]));
    return link.stats64.rx.bytes;
  }

  /** Runs a command on it to its end. @returns its output @throws with what it said when it fails */
  run(...command: string[]): Promise<string> {
    return runIn(this.namespace, command);
  }

  /** Makes it what the options say. */
  async setUp({ upMbit, downMbit, onlyDials }: HostOptions): Promise<void> {
    if (upMbit !== undefined) await limitRate(this.namespace, "eth0", upMbit);
    if (downMbit !== undefined) await limitRate(this.#socket.namespace, this.#socket.device, downMbit);
    if (onlyDials) await this.#raiseFirewall();
  }

  async #raiseFirewall(): Promise<void> {
    await nft(
      this.namespace,
      "add table inet wall",
      "add chain inet wall entry { type filter hook input priority 0; policy drop; }",
      "add rule inet wall entry iifname lo accept",
      "add rule inet wall entry ct state established,related accept",
      "add rule inet wall entry meta l4proto { icmp, ipv6-icmp } accept",
      "add rule inet wall entry udp dport 5353 accept",
    );
  }
}
