import { assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import { aria2 } from "./aria2.ts";
import type { Client } from "./client.ts";
import { interopTest, testOn } from "./installed.ts";
import { Lan } from "./lan.ts";
import type { LanHost } from "./lan_host.ts";
import { libtorrent } from "./libtorrent.ts";
import { eventOf, eventsOf, localbt, runLocalbt, startLocalbt } from "./localbt.ts";
import { networkNamespaces, packetFilter } from "./network_tools.ts";
import { besideHarness, join } from "./path.ts";
import { assertHoldsPayload, singleFile } from "./payload.ts";
import { Scene } from "./scene.ts";
import { endAll, makeShare, type Share } from "./transfers.ts";
import { transmission } from "./transmission.ts";

const kind = singleFile(3_000_000, 65_536, 14);
const discoveryPort = 6771;
const deadlineMs = 30_000;

/** A client on a host. */
interface Party {
  readonly client: Client;
  readonly host: LanHost;
}

/** Neither knows a tracker or the other. The seeder comes first, but aria2's: it announces itself once and never dials. */
async function transferByDiscovery(scene: Scene, share: Share, from: Party, to: Party): Promise<void> {
  const target = scene.newFolder("target");
  const { torrent, payload } = share;
  const seed = { mode: "seed", torrent, directory: payload.directory, host: from.host, discovery: true } as const;
  const fetch = { mode: "download", torrent, directory: target, host: to.host, discovery: true } as const;
  const isLate = from.client === aria2;
  const early = isLate ? undefined : await from.client.start(scene, seed);
  const downloader = await to.client.start(scene, fetch);
  const seeder = early ?? await from.client.start(scene, seed);
  await downloader.finished(deadlineMs);
  await endAll([downloader, seeder]);
  assertHoldsPayload(payload, target);
}

/** A host whose multicast of old programs has a way to go. */
async function addHost(lan: Lan): Promise<LanHost> {
  const host = await lan.addHost();
  await host.run("ip", "route", "add", "224.0.0.0/4", "dev", "eth0");
  return host;
}

for (const foreign of [libtorrent, transmission, aria2]) {
  const needs = [foreign, networkNamespaces];
  for (const [from, to] of [[localbt, foreign], [foreign, localbt]] as const) {
    interopTest(`${to.name} finds ${from.name} by local discovery`, needs, async () => {
      await using scene = await Scene.open();
      const lan = await Lan.open(scene);
      const [first, second] = [await addHost(lan), await addHost(lan)];
      await transferByDiscovery(scene, await makeShare(scene, kind), { client: from, host: first }, {
        client: to,
        host: second,
      });
    });
  }
}

for (const addressing of ["ipv6", "link-local"] as const) {
  testOn([networkNamespaces], `ours finds ours by local discovery where there is ${addressing} alone`, async () => {
    await using scene = await Scene.open();
    const lan = await Lan.open(scene, { addressing });
    const parties = [{ client: localbt, host: await lan.addHost() }, { client: localbt, host: await lan.addHost() }];
    await transferByDiscovery(scene, await makeShare(scene, kind), parties[0]!, parties[1]!);
  });
}

for (const [from, to] of [[localbt, libtorrent], [libtorrent, localbt]] as const) {
  interopTest(`${to.name} finds ${from.name} over IPv6`, [libtorrent, networkNamespaces], async () => {
    await using scene = await Scene.open();
    const lan = await Lan.open(scene, { addressing: "ipv6" });
    const parties = [{ client: from, host: await lan.addHost() }, { client: to, host: await lan.addHost() }];
    await transferByDiscovery(scene, await makeShare(scene, kind), parties[0]!, parties[1]!);
  });
}

interopTest("an info hash is all it takes, with libtorrent in the room", [libtorrent, networkNamespaces], async () => {
  await using scene = await Scene.open();
  const lan = await Lan.open(scene);
  const { payload, torrent } = await makeShare(scene, kind);
  const [host, { prefix }] = [await lan.addHost(), await lan.addHost()];
  const seed = { mode: "seed", torrent, directory: payload.directory, host, discovery: true } as const;
  const seeder = await libtorrent.start(scene, seed);
  const { infoHash } = JSON.parse((await runLocalbt(scene, ["info", "--json", torrent])).stdout);
  const target = scene.newFolder("target");
  const args = ["download", `magnet:?xt=urn:btih:${infoHash}`, "--output", target];
  const { code, stderr } = await runLocalbt(scene, args, { prefix });
  assertEquals(code, 0, stderr);
  await endAll([seeder]);
  assertHoldsPayload(payload, target);
});

testOn([networkNamespaces], "ours finds ours by local discovery past docker0 and a VPN", async () => {
  await using scene = await Scene.open();
  const lan = await Lan.open(scene);
  const options = { others: ["docker0", "vpn"] } as const;
  const from = { client: localbt, host: await lan.addHost(options) };
  const to = { client: localbt, host: await lan.addHost(options) };
  await transferByDiscovery(scene, await makeShare(scene, kind), from, to);
});

testOn([networkNamespaces], "a host in two networks is found by local discovery in each", async () => {
  await using scene = await Scene.open();
  const [lan, other] = [await Lan.open(scene), await Lan.open(scene, { subnet: 78 })];
  const between = await lan.addHost();
  await other.alsoPlug(between);
  const share = await makeShare(scene, kind);
  for (const host of [await lan.addHost(), await other.addHost()]) {
    await transferByDiscovery(scene, share, { client: localbt, host: between }, { client: localbt, host });
  }
});

testOn([networkNamespaces], "two of ours on one host find each other by local discovery", async () => {
  await using scene = await Scene.open();
  const host = await (await Lan.open(scene)).addHost();
  await transferByDiscovery(scene, await makeShare(scene, kind), { client: localbt, host }, { client: localbt, host });
});

testOn([networkNamespaces, packetFilter], "a host that lets nobody in is answered, and finds the seeder", async () => {
  await using scene = await Scene.open();
  const lan = await Lan.open(scene);
  const [from, host] = [{ client: localbt, host: await lan.addHost() }, await lan.addHost({ onlyDials: true })];
  await host.run("nft", `add rule inet wall entry udp dport ${discoveryPort} accept`);
  await transferByDiscovery(scene, await makeShare(scene, kind), from, { client: localbt, host });
});

/** Moves a share from host to host by `--peer` and counts what the group of local discovery heard meanwhile. */
async function countAnnounces(args: readonly string[], { isPrivate }: { isPrivate: boolean }): Promise<number> {
  await using scene = await Scene.open();
  const lan = await Lan.open(scene);
  const [giver, taker] = [await lan.addHost(), await lan.addHost()];
  const { payload, torrent } = await makeShare(scene, kind);
  const create = ["create", join(payload.directory, payload.name), "--force", "--output", torrent];
  await runLocalbt(scene, [...create, ...isPrivate ? ["--private"] : []]);
  const count = await lan.countDatagrams(discoveryPort);
  const seed = ["seed", torrent, "--data", payload.directory, "--json", ...args];
  const { port } = await eventOf(startLocalbt(scene, seed, { prefix: giver.prefix }), "ready", deadlineMs);
  const target = scene.newFolder("target");
  const download = ["download", torrent, "--output", target, "--peer", `${giver.address}:${port}`, ...args];
  const { code, stderr } = await runLocalbt(scene, download, { prefix: taker.prefix });
  assertEquals(code, 0, stderr);
  assertHoldsPayload(payload, target);
  return await count();
}

testOn(
  [networkNamespaces, packetFilter],
  "seed and download announce on the local network, unless told not to",
  async () => {
    assertGreater(await countAnnounces([], { isPrivate: false }), 0);
    assertEquals(await countAnnounces(["--no-discovery"], { isPrivate: false }), 0);
  },
);

testOn([networkNamespaces, packetFilter], "private torrents are never announced on the local network", async () => {
  assertEquals(await countAnnounces([], { isPrivate: true }), 0);
});

testOn([networkNamespaces, packetFilter], "seed --host announces in that network only", async () => {
  await using scene = await Scene.open();
  const [lan, other] = [await Lan.open(scene), await Lan.open(scene, { subnet: 78 })];
  const between = await lan.addHost();
  await other.alsoPlug(between);
  const [count, otherCount] = [await lan.countDatagrams(discoveryPort), await other.countDatagrams(discoveryPort)];
  const { payload, torrent } = await makeShare(scene, kind);
  const seed = ["seed", torrent, "--data", payload.directory, "--json", "--host", between.address];
  await eventOf(startLocalbt(scene, seed, { prefix: between.prefix }), "ready", deadlineMs);
  const { prefix } = await lan.addHost();
  const { code, stderr } = await runLocalbt(scene, ["download", torrent, "-o", scene.newFolder("target")], { prefix });
  assertEquals(code, 0, stderr);
  assertGreater(await count(), 0);
  assertEquals(await otherCount(), 0);
});

testOn([networkNamespaces], "without any network seed says so in one line and goes on", async () => {
  await using scene = await Scene.open();
  const { payload, torrent } = await makeShare(scene, kind);
  const prefix = ["unshare", "--net"];
  const args = ["seed", torrent, "--data", payload.directory, "--seed-time", "1s"];
  const { code, stderr } = await runLocalbt(scene, args, { prefix });
  assertEquals(code, 0, stderr);
  assertEquals(stderr.match(/discovery/g)?.length, 1, stderr);
  assertMatch(stderr, /local discovery finds no network/);
});

/** Bytes of memory that a program has. */
function memoryOf(pid: number): number {
  return 1024 * Number(/VmRSS:\s+(\d+)/.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1]);
}

testOn([networkNamespaces], "floods of forged and broken announces change nothing, and nothing grows", async () => {
  await using scene = await Scene.open();
  const lan = await Lan.open(scene);
  const [giver, taker, attacker] = [await addHost(lan), await addHost(lan), await addHost(lan)];
  const { payload, torrent } = await makeShare(scene, kind);
  const seed = ["seed", torrent, "--data", payload.directory, "--json"];
  const seeder = startLocalbt(scene, seed, { prefix: giver.prefix });
  const { infoHash } = await eventOf(seeder, "ready", deadlineMs);
  const before = memoryOf(seeder.pid);
  const flood = [Deno.execPath(), "run", "-A", "--no-check", "--unstable-net", besideHarness("discovery_flood.ts")];
  const flooder = scene.start({
    name: "flood",
    command: [...attacker.prefix, ...flood, attacker.address, String(infoHash), "10000"],
  });
  await flooder.line(/^DONE$/, deadlineMs);
  assertLess(memoryOf(seeder.pid) - before, 32 * 2 ** 20);
  const target = scene.newFolder("target");
  const { code, stderr } = await runLocalbt(scene, ["download", torrent, "--output", target], { prefix: taker.prefix });
  assertEquals(code, 0, stderr);
  assertHoldsPayload(payload, target);
  assertEquals(eventsOf(seeder, "peer").filter(({ address }) => String(address).includes(attacker.address)), []);
});
