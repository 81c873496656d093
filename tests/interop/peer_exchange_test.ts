import type { Peer } from "./client.ts";
import { interopTest } from "./installed.ts";
import { libtorrent, LibtorrentPeer } from "./libtorrent.ts";
import { eventOf, localbt, LocalbtPeer } from "./localbt.ts";
import { singleFile } from "./payload.ts";
import { Scene } from "./scene.ts";
import { makeShare } from "./transfers.ts";

/** Slow enough that nobody is done before all have met. */
const uploadLimit = 200_000;
const kind = singleFile(4 * 2 ** 20, 64 * 1024, 9);
const deadlineMs = 30_000;

/** Waits until one peer has dialled the other, whose address only the seeder can have told. */
async function meeting(from: Peer, to: Peer): Promise<unknown> {
  if (from instanceof LibtorrentPeer) {
    return await from.child.line(new RegExp(`\\[ ${to.endpoint} .*outgoing connection to peer`), deadlineMs);
  }
  return await eventOf((from as LocalbtPeer).child, "peer", deadlineMs, ({ state, address }) => {
    return state === "joined" && address === to.endpoint;
  });
}

for (const [seeding, joining] of [[libtorrent, localbt], [localbt, libtorrent]]) {
  interopTest(`two of ${joining.name} learn of each other from ${seeding.name} (BEP 11)`, [libtorrent], async () => {
    await using scene = await Scene.open();
    const { torrent, payload } = await makeShare(scene, kind);
    const usesPex = true;
    const seeder = await seeding.start(scene, {
      ...{ mode: "seed", torrent, directory: payload.directory, uploadLimit, usesPex },
    });
    const join = () =>
      joining.start(scene, {
        ...{ mode: "download", torrent, peers: [seeder.endpoint], usesPex, directory: scene.newFolder("target") },
      });
    const [first, second] = [await join(), await join()];
    await Promise.any([meeting(first, second), meeting(second, first)]);
  });
}
