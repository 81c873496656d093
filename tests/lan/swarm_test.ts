import { assert, assertGreater, assertLess } from "@std/assert";
import { testOn } from "../interop/installed.ts";
import { Lan } from "../interop/lan.ts";
import type { HostOptions, LanHost } from "../interop/lan_host.ts";
import { linkRates, networkNamespaces, packetFilter } from "../interop/network_tools.ts";
import { type PayloadKind, singleFile, writePayload } from "../interop/payload.ts";
import { Scene } from "../interop/scene.ts";
import { copiesSent, type Giver, seedBesideTracker, share, sharePayload, Taker } from "./room.ts";

const needs = [networkNamespaces, linkRates];
const fastCable: HostOptions = { upMbit: 100, downMbit: 1000 };
/** The source's cable is what all wait for, long enough that it does not matter who of them has started first. */
const cable: HostOptions = { upMbit: 40, downMbit: 1000 };
const length = 16_000_000;
const kind = singleFile(length, 256 * 1024, 11);
/** What a swarm has to stay below where a plain server sends as many copies as there are hosts. */
const fewCopies = 2.5;

async function addHosts(lan: Lan, count: number, options = cable): Promise<LanHost[]> {
  const hosts = [];
  for (let i = 0; i < count; i++) hosts.push(await lan.addHost(options));
  return hosts;
}

function takeAll(scene: Scene, hosts: readonly LanHost[], giver: Giver, words: readonly string[]): Taker[] {
  return hosts.map((host) => new Taker(scene, host, giver, words));
}

/** Hosts that know a name look for it before it is there, so that all of them begin with it. */
async function shareByName(scene: Scene, from: LanHost, hosts: readonly LanHost[], kind: PayloadKind) {
  const payload = writePayload(kind, scene.newFolder("data"));
  const words = ["get", payload.name, "--timeout", "60s"];
  const takers = hosts.map((host) => new Taker(scene, host, { payload }, words));
  return { giver: await sharePayload(scene, from, payload), takers };
}

testOn(needs, "four hosts that know no address cost the source hardly more than one", async () => {
  await using scene = await Scene.open();
  const lan = await Lan.open(scene);
  const [source, ...others] = await addHosts(lan, 5, fastCable);
  const { giver, takers } = await shareByName(scene, source, others, singleFile(64_000_000, 256 * 1024, 12));
  // the time bound of the whole swarm, told without a clock: what has to leave the source is what all wait for
  assertLess(await copiesSent(giver, takers), 1.3);
});

testOn([...needs, packetFilter], "hosts without multicast are told the source's address", async () => {
  await using scene = await Scene.open();
  const lan = await Lan.open(scene);
  await lan.dropMulticast();
  const giver = await share(scene, await lan.addHost(cable), kind);
  const takers = takeAll(scene, await addHosts(lan, 4), giver, ["get", giver.host.address]);
  assertLess(await copiesSent(giver, takers), fewCopies);
});

testOn([...needs, packetFilter], "a host that lets nobody in gets everything, and gives too", async () => {
  await using scene = await Scene.open();
  const lan = await Lan.open(scene);
  const [source, ...others] = await addHosts(lan, 4);
  const locked = await lan.addHost({ ...cable, onlyDials: true });
  const { giver, takers } = await shareByName(scene, source, [locked, ...others], kind);
  assertLess(await copiesSent(giver, takers), fewCopies);
  assertGreater(await locked.sentBytes(), length / 5);
});

testOn(needs, "a host that is killed goes on from where it was", async () => {
  await using scene = await Scene.open();
  const lan = await Lan.open(scene);
  const [source, ...hosts] = await addHosts(lan, 5);
  const { giver, takers: [leaver, ...others] } = await shareByName(scene, source, hosts, kind);
  assert(leaver);
  await leaver.hasBytes(length / 3);
  await leaver.kill();
  leaver.restart();
  assertLess(await copiesSent(giver, [leaver, ...others]), fewCopies);
  assertLess((await leaver.finished()).downloadedBytes, length * 0.8);
});

testOn(needs, "a host whose cable was pulled goes on when it is back", async () => {
  await using scene = await Scene.open();
  const lan = await Lan.open(scene);
  const [source, ...hosts] = await addHosts(lan, 5);
  const { giver, takers: [leaver, ...others] } = await shareByName(scene, source, hosts, kind);
  assert(leaver);
  await leaver.hasBytes(length / 3);
  await leaver.host.unplug();
  assertLess(await copiesSent(giver, others), fewCopies);
  await leaver.host.plug();
  assertLess((await leaver.finished()).downloadedBytes, length * 1.1);
});

for (const addressing of ["ipv6", "link-local"] as const) {
  testOn(needs, `hosts without IPv4 share: ${addressing}`, async () => {
    await using scene = await Scene.open();
    const lan = await Lan.open(scene, { addressing });
    const [source, ...others] = await addHosts(lan, 4);
    const { giver, takers } = await shareByName(scene, source, others, kind);
    assertLess(await copiesSent(giver, takers), fewCopies);
  });
}
testOn([...needs, packetFilter], "hosts that know only the source are told of each other by it", async () => {
  await using scene = await Scene.open();
  const lan = await Lan.open(scene);
  await lan.dropMulticast();
  const giver = await seedBesideTracker(scene, await lan.addHost(cable), kind);
  const words = ["download", giver.torrentFor(), "--peer", `${giver.host.address}:6881`];
  const takers = takeAll(scene, await addHosts(lan, 4), giver, words);
  assertLess(await copiesSent(giver, takers), fewCopies);
});
