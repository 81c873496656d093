import { aria2 } from "../interop/aria2.ts";
import { interopTest } from "../interop/installed.ts";
import { Lan } from "../interop/lan.ts";
import type { LanHost } from "../interop/lan_host.ts";
import { libtorrent } from "../interop/libtorrent.ts";
import { linkRates, networkNamespaces } from "../interop/network_tools.ts";
import { join } from "../interop/path.ts";
import { assertHoldsPayload, singleFile } from "../interop/payload.ts";
import { Scene } from "../interop/scene.ts";
import { transmission } from "../interop/transmission.ts";
import { share, Taker } from "./room.ts";

const clients = [aria2, libtorrent, transmission];
const cable = { upMbit: 100, downMbit: 1000 };

/** What a person does: opens the page, and saves what its link to a torrent leads to. */
async function saveTorrent(host: LanHost, page: string, folder: string): Promise<string> {
  const html = await host.run("curl", "-sSf", page);
  const [, link] = html.match(/href="([^"]+\.torrent)"/) ?? [];
  if (link === undefined) throw new Error(`no torrent on ${page}: ${html}`);
  const path = join(folder, "saved.torrent");
  await host.run("curl", "-sSf", "--output", path, new URL(link, page).href);
  return path;
}

interopTest(
  "others with aria2, libtorrent and Transmission take what is shared, beside one with ours",
  [...clients, networkNamespaces, linkRates],
  async () => {
    await using scene = await Scene.open();
    const lan = await Lan.open(scene);
    const giver = await share(scene, await lan.addHost(cable), singleFile(12_000_000, 128 * 1024, 14));
    const page = `http://${giver.host.address}:${giver.port}/`;
    const ours = new Taker(scene, await lan.addHost(cable), giver, ["get", giver.host.address]);
    const others = await Promise.all(clients.map(async (client) => {
      const host = await lan.addHost(cable);
      const directory = scene.newFolder("target");
      const torrent = await saveTorrent(host, page, scene.newFolder("torrent"));
      return { client, directory, peer: await client.start(scene, { mode: "download", torrent, directory, host }) };
    }));
    await ours.finished();
    for (const { client, directory, peer } of others) {
      await peer.finished(60_000);
      await peer.stop();
      assertHoldsPayload(giver.payload, directory, { emptyFiles: client.makesEmptyFiles });
    }
  },
);
