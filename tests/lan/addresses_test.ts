import { assertEquals } from "@std/assert";
import { testOn } from "../interop/installed.ts";
import { Lan } from "../interop/lan.ts";
import { networkNamespaces, packetFilter } from "../interop/network_tools.ts";
import { singleFile } from "../interop/payload.ts";
import { Scene } from "../interop/scene.ts";
import { seedBesideTracker, type SeedingGiver, Taker } from "./room.ts";

const kind = singleFile(2_000_000, 32_768, 13);

/** The download of somebody who has a torrent with an address of the giver's tracker. */
function outside(giver: SeedingGiver, address = giver.host.address): string[] {
  return ["download", giver.torrentFor(address)];
}

for (const announceHost of ["127.0.0.1", "[::1]"]) {
  testOn([networkNamespaces], `a seeder that told its tracker ${announceHost} is reached from outside`, async () => {
    await using scene = await Scene.open();
    const lan = await Lan.open(scene);
    const giver = await seedBesideTracker(scene, await lan.addHost({ others: ["docker0", "vpn"] }), kind, announceHost);
    await new Taker(scene, await lan.addHost({ others: ["vpn", "docker0"] }), giver, outside(giver)).finished();
  });
}

testOn([networkNamespaces], "a seeder beside its tracker is reached from both of its networks", async () => {
  await using scene = await Scene.open();
  const [lan, other] = [await Lan.open(scene), await Lan.open(scene, { subnet: 88 })];
  const host = await lan.addHost();
  const there = await other.alsoPlug(host);
  const giver = await seedBesideTracker(scene, host, kind, "127.0.0.1");
  const takers = [
    new Taker(scene, await lan.addHost(), giver, outside(giver)),
    new Taker(scene, await other.addHost(), giver, outside(giver, there)),
  ];
  await Promise.all(takers.map((taker) => taker.finished()));
});

testOn([networkNamespaces, packetFilter], "hosts behind one address may even have the same port", async () => {
  await using scene = await Scene.open();
  const lan = await Lan.open(scene);
  const giver = await seedBesideTracker(scene, await lan.addHost(), kind);
  const hidden = await lan.addHiddenLan({ subnet: 88 });
  const takers = [];
  for (const host of [await hidden.addHost(), await hidden.addHost()]) {
    takers.push(new Taker(scene, host, giver, outside(giver)));
  }
  await Promise.all(takers.map((taker) => taker.finished()));
});

testOn([networkNamespaces, packetFilter], "two hosts behind one address are two peers", async () => {
  await using scene = await Scene.open();
  const lan = await Lan.open(scene);
  const giver = await seedBesideTracker(scene, await lan.addHost(), kind);
  const hidden = await lan.addHiddenLan({ subnet: 88 });
  const takers = [];
  for (const port of ["7001", "7002"]) {
    takers.push(new Taker(scene, await hidden.addHost(), giver, [...outside(giver), "--port", port]));
  }
  await Promise.all(takers.map((taker) => taker.finished()));
  const stats = JSON.parse(await giver.host.run("curl", "-sS", "http://127.0.0.1:6969/stats"));
  assertEquals(stats.peers, 3);
});
