/** The system's own programs for networks (iproute2, nftables), run inside a network namespace; root on Linux. */
import { type Need, runs } from "./installed.ts";

/** Whether this machine lets us make namespaces. */
export const networkNamespaces: Need = {
  name: "network namespaces (root, iproute2)",
  isInstalled: () => Deno.build.os === "linux" && runs(["unshare", "--net", "ip", "link", "set", "lo", "up"]),
};

/** Whether a namespace's interfaces can be made as slow as a cable. */
export const linkRates: Need = {
  name: "rates of interfaces (root, tc with tbf)",
  isInstalled: () =>
    Deno.build.os === "linux" &&
    runs(["unshare", "--net", ..."tc qdisc add dev lo root tbf rate 8mbit burst 16kb latency 9ms".split(" ")]),
};

/** Whether a namespace can have firewalls and routers that hide addresses. */
export const packetFilter: Need = {
  name: "packet filters (root, nftables)",
  isInstalled: () => Deno.build.os === "linux" && runs(["unshare", "--net", "nft", "add table bridge localbt"]),
};

/** Runs lines of iproute2, each without its leading `ip`, in a namespace. @throws with what it said when one fails */
export async function ip(namespace: string, ...lines: string[]): Promise<string> {
  return await run(["ip", "-n", namespace, "-batch", "-"], lines);
}

/** Runs lines of nftables in a namespace. @throws with what it said when one fails */
export async function nft(namespace: string, ...lines: string[]): Promise<void> {
  await runIn(namespace, ["nft", "-f", "-"], lines);
}

/** Makes an interface send no faster than this; what waits longer than 20 ms is lost, as in a switch. */
export async function limitRate(namespace: string, device: string, megabits: number): Promise<void> {
  const bucket = `rate ${megabits}mbit burst 64kb latency 20ms`;
  await runIn(namespace, ["tc", "qdisc", "replace", "dev", device, "root", "tbf", ...bucket.split(" ")]);
}

/** Sets parameters of a namespace's kernel: "net.ipv4.ip_forward=1". */
export async function sysctl(namespace: string, ...settings: string[]): Promise<void> {
  await runIn(namespace, ["sysctl", "-qw", ...settings]);
}

/** Runs a command in a namespace to its end. @returns its output */
export async function runIn(namespace: string, command: string[], stdin: string[] = []): Promise<string> {
  return await run(["ip", "netns", "exec", namespace, ...command], stdin);
}

/** Runs a command with lines for its stdin. @returns its output @throws with what it said when it fails */
export async function run([program = "", ...args]: string[], stdin: string[] = []): Promise<string> {
  const child = new Deno.Command(program, { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  const written = writer.write(new TextEncoder().encode(stdin.map((line) => `${line}\n`).join("")))
    .then(() => writer.close()).catch(() => {}); // it ended before it read all: its exit code tells
  const output = await child.output();
  await written;
  const [said, complaint] = [output.stdout, output.stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (!output.success) throw new Error(`${[program, ...args, ...stdin].join(" ")}: ${complaint}`);
  return said ?? "";
}
