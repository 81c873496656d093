import { aria2 } from "./aria2.ts";
import type { Client } from "./client.ts";
import { interopTest } from "./installed.ts";
import { libtorrent } from "./libtorrent.ts";
import { localbt, runLocalbt } from "./localbt.ts";
import { singleFile } from "./payload.ts";
import { Scene } from "./scene.ts";
import { makeShare, transferDirectly } from "./transfers.ts";
import { transmission } from "./transmission.ts";

/** Its metadata has two parts. */
const kind = singleFile(14 * 2 ** 20, 16 * 1024, 7);

/** The downloader gets nothing but a magnet link; who seeds has the torrent. */
async function transferByMagnet(from: Client, to: Client): Promise<void> {
  await using scene = await Scene.open();
  const share = await makeShare(scene, kind);
  const { stdout } = await runLocalbt(scene, ["info", "--json", share.torrent]);
  const { magnet } = JSON.parse(stdout) as { magnet: string };
  await transferDirectly(scene, { ...share, magnet }, from, to);
}

for (const client of [libtorrent, aria2, transmission]) {
  interopTest(`${client.name} gets a file from our seeder by a magnet link`, [client], () => {
    return transferByMagnet(localbt, client);
  });
  interopTest(`our downloader gets a file from ${client.name} by a magnet link`, [client], () => {
    return transferByMagnet(client, localbt);
  });
}
