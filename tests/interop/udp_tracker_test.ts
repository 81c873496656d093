import { assertEquals, assertGreater } from "@std/assert";
import { decodeMetainfo } from "../../lib/metainfo.ts";
import { aria2 } from "./aria2.ts";
import type { Client } from "./client.ts";
import { interopTest, testOn } from "./installed.ts";
import { Lan, networkNamespaces } from "./lan.ts";
import { libtorrent } from "./libtorrent.ts";
import { eventsOf, localbt, startTracker } from "./localbt.ts";
import { opentracker } from "./opentracker.ts";
import { singleFile } from "./payload.ts";
import { Scene } from "./scene.ts";
import { makeShare, transferByTracker } from "./transfers.ts";
import { transmission } from "./transmission.ts";

const kind = singleFile(2 * 2 ** 20, 64 * 1024);

/** The seeder is beside the tracker, and announces to it under the address of the network as all others do. */
async function meetByUdp(seeder: Client, downloaders: readonly Client[]): Promise<void> {
  await using scene = await Scene.open();
  const lan = await Lan.open(scene);
  const first = await lan.addHost();
  const { child, udpUrl } = await startTracker(scene, first);
  const share = await makeShare(scene, kind, udpUrl);
  const to = [];
  for (const client of downloaders) to.push({ client, host: await lan.addHost() });
  await transferByTracker(scene, share, { client: seeder, host: first }, to);
  await child.stop("SIGINT");
  const stats = eventsOf(child, "stats").at(-1);
  // each has shown an id, all that was announced came by UDP, and nothing of it was malformed
  assertGreater(Number(stats?.udpConnects), downloaders.length);
  assertEquals((stats?.refused as { udp: unknown }).udp, { short: 0, unproven: 0, malformed: 0 });
  const started = eventsOf(child, "announce").filter(({ kind }) => kind === "started").map(({ peer }) => peer);
  assertEquals(new Set(started).size, 1 + downloaders.length);
}

for (const client of [libtorrent, aria2, transmission]) {
  const needs = [client, networkNamespaces];
  interopTest(
    `our UDP tracker leads ${client.name} to our seeder beside it`,
    needs,
    () => meetByUdp(localbt, [client]),
  );
}
const needs = [aria2, libtorrent, networkNamespaces];
interopTest("our UDP tracker leads us and others to libtorrent", needs, () => meetByUdp(libtorrent, [localbt, aria2]));

interopTest("opentracker leads our downloaders to our seeder over UDP", [opentracker], async () => {
  await using scene = await Scene.open();
  // the whitelist wants the info hash, which the announce URL is no part of
  const { torrent } = await makeShare(scene, kind, "udp://127.0.0.1:1/announce");
  const { infoHash } = decodeMetainfo(Deno.readFileSync(torrent));
  const { udpUrl } = await opentracker.start(scene, [infoHash]);
  Deno.removeSync(torrent);
  const share = await makeShare(scene, kind, udpUrl);
  await transferByTracker(scene, share, { client: localbt }, [{ client: localbt }, { client: localbt }]);
});

testOn([networkNamespaces], "our UDP tracker leads us to each other where there is IPv6 alone", async () => {
  await using scene = await Scene.open();
  const lan = await Lan.open(scene, { addressing: "ipv6" });
  const [first, second] = [await lan.addHost(), await lan.addHost()];
  const { udpUrl } = await startTracker(scene, first);
  const share = await makeShare(scene, kind, udpUrl);
  await transferByTracker(scene, share, { client: localbt, host: first }, [{ client: localbt, host: second }]);
});
