import { assertEquals } from "@std/assert";
import { testOn } from "./installed.ts";
import { Lan, networkNamespaces } from "./lan.ts";
import { eventOf, localbt, runLocalbt, startLocalbt } from "./localbt.ts";
import { join } from "./path.ts";
import { assertHoldsPayload, singleFile } from "./payload.ts";
import { Scene } from "./scene.ts";
import { makeShare } from "./transfers.ts";

const deadlineMs = 20_000;

testOn([networkNamespaces], "tracker prints the LAN's URL first, a VPN's after it, and none of docker's", async () => {
  await using scene = await Scene.open();
  const host = await (await Lan.open(scene)).addHost({ others: ["docker0", "vpn"] });
  const child = startLocalbt(scene, ["tracker", "--json", "--port", "6969"], { prefix: host.prefix });
  const { announceUrls, udpUrls } = await eventOf(child, "ready", deadlineMs);
  assertEquals(announceUrls, ["http://10.77.0.1:6969/announce", "http://10.8.0.2:6969/announce"]);
  assertEquals(udpUrls, ["udp://10.77.0.1:6969/announce", "udp://10.8.0.2:6969/announce"]);
});

testOn([networkNamespaces], "tracker prints a URL of IPv6 where there is nothing else", async () => {
  await using scene = await Scene.open();
  const host = await (await Lan.open(scene, { addressing: "ipv6" })).addHost();
  const child = startLocalbt(scene, ["tracker", "--json", "--port", "6969"], { prefix: host.prefix });
  assertEquals((await eventOf(child, "ready", deadlineMs)).announceUrls, ["http://[fd77::1]:6969/announce"]);
});

/** Where the seeder beside the tracker announces, and where a downloader in the other network does. */
const ways: readonly [seeder: string, downloader: string][] = [
  ["http://127.0.0.1:6969", "udp://10.78.0.1:6969"],
  ["udp://127.0.0.1:6969", "http://10.78.0.1:6969"],
  ["udp://10.77.0.1:6969", "udp://10.78.0.1:6969"],
  ["http://10.77.0.1:6969", "http://10.78.0.1:6969"],
];

for (const [from, to] of ways) {
  const name = `our tracker of two networks leads one that asks ${to} to the seeder beside it, known by ${from}`;
  testOn([networkNamespaces], name, async () => {
    await using scene = await Scene.open();
    const [lan, other] = [await Lan.open(scene), await Lan.open(scene, { subnet: 78 })];
    const between = await lan.addHost();
    await other.alsoPlug(between);
    const tracker = startLocalbt(scene, ["tracker", "--json", "--port", "6969"], { prefix: between.prefix });
    await eventOf(tracker, "ready", deadlineMs);
    const { payload, torrent } = await makeShare(scene, singleFile(300_000, 16_384), `${from}/announce`);
    await localbt.start(scene, { mode: "seed", torrent, directory: payload.directory, host: between });
    await eventOf(tracker, "announce", deadlineMs);

    const torrentThere = join(scene.folder, "there.torrent");
    const create = ["create", join(payload.directory, payload.name), "--piece-length", "16384"];
    await runLocalbt(scene, [...create, "--announce", `${to}/announce`, "--output", torrentThere]);
    const directory = scene.newFolder("target");
    const host = await other.addHost();
    const downloader = await localbt.start(scene, { mode: "download", torrent: torrentThere, directory, host });
    await downloader.finished(deadlineMs);
    await downloader.stop();
    assertHoldsPayload(payload, directory, { emptyFiles: true });
  });
}
