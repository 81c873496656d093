import { decodeMetainfo } from "../../lib/metainfo.ts";
import { interopTest } from "./installed.ts";
import { localbt } from "./localbt.ts";
import { opentracker } from "./opentracker.ts";
import { Scene } from "./scene.ts";
import { singleFile, smallFiles } from "./payload.ts";
import { makeShare, transferByTracker } from "./transfers.ts";

const kinds = [
  singleFile(4 * 2 ** 20, 64 * 1024),
  smallFiles(2_000, 64 * 1024),
  singleFile(6_123_457, 100_000, 3, "pieces of 100,000 bytes"),
];

for (const kind of kinds) {
  interopTest(`opentracker leads our downloaders to our seeder of ${kind.label}`, [opentracker], async () => {
    await using scene = await Scene.open();
    // the whitelist wants the info hash, which the announce URL is no part of
    const { torrent } = await makeShare(scene, kind, "http://127.0.0.1:1/announce");
    const { infoHash } = decodeMetainfo(Deno.readFileSync(torrent));
    const { announceUrl } = await opentracker.start(scene, [infoHash]);
    Deno.removeSync(torrent);
    const share = await makeShare(scene, kind, announceUrl);
    await transferByTracker(scene, share, { client: localbt }, [{ client: localbt }, { client: localbt }]);
  });
}
