/**
 * Which doors a command opens: the sockets of each, as the system lists them, are those that SECURITY.md names, no more.
 *
 * Each runs in a network namespace of its own with one network, so that what is listed there is all its own.
 */
import { assertEquals } from "@std/assert";
import { makeShare } from "../e2e/swarm.ts";
import type { Child } from "../interop/child.ts";
import { testOn } from "../interop/installed.ts";
import { eventOf, startLocalbt } from "../interop/localbt.ts";
import { networkNamespaces } from "../interop/network_tools.ts";
import { join } from "../interop/path.ts";
import { singleFile } from "../interop/payload.ts";
import { Scene } from "../interop/scene.ts";
import { waitFor } from "../interop/wait.ts";

/** A namespace with loopback and one network, 10.9.0.0/24, in which nobody else is. */
const alone = [
  ...["unshare", "--net", "sh", "-c"],
  'ip link set lo up && ip link add lan0 type veth peer name far0 && ip link set far0 up && ip addr add 10.9.0.1/24 dev lan0 && ip link set lan0 up && exec "$@"',
  "sh",
];

/** Milliseconds for a command to open what it opens. */
const openMs = 20_000;

/** An address of /proc/net: words of the machine's byte order, the port big-endian. */
function endpointOf(text: string): string {
  const [address, port] = text.split(":");
  const host = address.length === 8
    ? [6, 4, 2, 0].map((at) => parseInt(address.slice(at, at + 2), 16)).join(".")
    : /^0+$/.test(address)
    ? "[::]"
    : address;
  return `${host}:${parseInt(port, 16)}`;
}

/** What a process listens on and has bound: `tcp [::]:6969`, sorted. */
function socketsOf({ pid }: Child): string[] {
  const found = ["tcp", "tcp6", "udp", "udp6"].flatMap((table) => {
    const [, ...rows] = Deno.readTextFileSync(`/proc/${pid}/net/${table}`).trimEnd().split("\n");
    return rows.map((row) => row.trim().split(/\s+/)).filter(([, , , state]) =>
      table.startsWith("udp") || state === "0A"
    )
      .map(([, local]) => `${table.slice(0, 3)} ${endpointOf(local)}`);
  });
  return [...new Set(found)].toSorted();
}

/** Starts it and waits until its sockets are these; then they must stay these until `settled`. */
async function expectSockets(
  scene: Scene,
  args: readonly string[],
  wanted: readonly string[],
  settled: (child: Child) => Promise<unknown>,
): Promise<void> {
  const child = startLocalbt(scene, args, { prefix: alone });
  await settled(child);
  const name = args.join(" ");
  let seen: string[] = [];
  await waitFor(`the doors of ${name}`, () => {
    // senders of multicast come and go, bound to the address of their link
    seen = socketsOf(child).filter((socket) => !/^udp (10\.9\.0\.1|127\.0\.0\.1|FE80).*:(6771|5353)$/i.test(socket));
    return seen.join() === wanted.toSorted().join() || undefined;
  }, openMs).catch(() => {});
  assertEquals(seen, wanted.toSorted(), name);
  await child.stop("SIGKILL");
}

const ready = (child: Child) => eventOf(child, "ready", openMs);
const started = (child: Child) => eventOf(child, "start", openMs);
const discovery = ["udp 0.0.0.0:6771", "udp [::]:6771"];
const directory = ["udp 0.0.0.0:5353", "udp [::]:5353"];
const here = ["--host", "127.0.0.1"];
const quiet = ["--no-discovery"];

testOn([networkNamespaces], "tracker and seed listen on what their options say, and on nothing else", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, singleFile(100_000, 16_384));
  const seed = ["seed", "--json", share.torrent, "--data", share.payload.directory];
  await expectSockets(scene, ["tracker", "--json"], ["tcp [::]:6969", "udp [::]:6969"], ready);
  await expectSockets(scene, ["tracker", "--json", ...here], ["tcp 127.0.0.1:6969", "udp 127.0.0.1:6969"], ready);
  await expectSockets(scene, seed, ["tcp [::]:6881", ...discovery], ready);
  await expectSockets(scene, [...seed, ...here, ...quiet], ["tcp 127.0.0.1:6881"], ready);
});

testOn(
  [networkNamespaces],
  "download, share and get listen on what their options say, and on nothing else",
  async () => {
    await using scene = await Scene.open();
    const share = makeShare(scene, singleFile(100_000, 16_384));
    const download = ["download", "--json", share.torrent, "--output", scene.newFolder("target")];
    const give = ["share", "--json", join(share.payload.directory, share.payload.name)];
    await expectSockets(scene, download, ["tcp [::]:6881", ...discovery], started);
    await expectSockets(scene, [...download, ...here, ...quiet], ["tcp 127.0.0.1:6881"], started);
    const all = ["tcp [::]:6969", "udp [::]:6969", "tcp [::]:6881", ...discovery, ...directory];
    await expectSockets(scene, give, all, ready);
    const own = ["tcp 127.0.0.1:6969", "udp 127.0.0.1:6969", "tcp 127.0.0.1:6881"];
    await expectSockets(scene, [...give, ...here, ...quiet], own, ready);
    await expectSockets(scene, ["get", "holiday", "--json"], directory, () => Promise.resolve());
    const magnet = `magnet:?xt=urn:btih:${share.infoHash}`;
    await expectSockets(scene, ["info", magnet], ["tcp [::]:6881", ...discovery], () => Promise.resolve());
  },
);
