/**
 * A small LAN of network namespaces: one bridge, hosts with real addresses, no way out.
 *
 * Needed where loopback does not do: Transmission refuses peers in 127.0.0.0/8 that a tracker gave it, and knows peers
 * by their address alone. Needs root and iproute2 on Linux.
 */
import { type Host } from "./host.ts";
import { type Need, runs } from "./installed.ts";
import type { Scene } from "./scene.ts";

/** Whether this machine lets us make namespaces. */
export const networkNamespaces: Need = {
  name: "network namespaces (root, iproute2)",
  isInstalled: () => Deno.build.os === "linux" && runs(["unshare", "--net", "ip", "link", "set", "lo", "up"]),
};

export class Lan {
  readonly #scene: Scene;
  readonly #name: string;
  #hostCount = 0;

  private constructor(scene: Scene, name: string) {
    this.#scene = scene;
    this.#name = name;
  }

  /** Makes an empty LAN that goes with the scene. */
  static async open(scene: Scene): Promise<Lan> {
    const lan = new Lan(scene, `lbt${crypto.randomUUID().slice(0, 8)}`);
    await lan.#addNamespace("sw");
    await ip("-n", `${lan.#name}sw`, "link", "add", "br0", "type", "bridge");
    await ip("-n", `${lan.#name}sw`, "link", "set", "br0", "up");
    return lan;
  }

  /** Plugs in one more host, 10.77.0.1 and up. */
  async addHost(): Promise<Host> {
    const number = ++this.#hostCount;
    const [hub, host, address] = [`${this.#name}sw`, `${this.#name}h${number}`, `10.77.0.${number}`];
    await this.#addNamespace(`h${number}`);
    await ip("-n", hub, "link", "add", `p${number}`, "type", "veth", "peer", "name", "eth0", "netns", host);
    await ip("-n", hub, "link", "set", `p${number}`, "master", "br0", "up");
    await ip("-n", host, "addr", "add", `${address}/24`, "dev", "eth0");
    await ip("-n", host, "link", "set", "eth0", "up");
    await ip("-n", host, "link", "set", "lo", "up");
    return { address, prefix: ["ip", "netns", "exec", host] };
  }

  async #addNamespace(suffix: string): Promise<void> {
    const name = this.#name + suffix;
    await ip("netns", "add", name);
    this.#scene.atEnd(() => ip("netns", "delete", name));
  }
}

/** Runs iproute2. @throws with what it said when it fails */
async function ip(...args: string[]): Promise<void> {
  const output = await new Deno.Command("ip", { args, stdin: "null" }).output();
  if (!output.success) throw new Error(`ip ${args.join(" ")}: ${new TextDecoder().decode(output.stderr)}`);
}
