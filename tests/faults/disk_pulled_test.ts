/** A disk that is pulled out: every read and write of it fails with an input/output error from then on, for real. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { expectDone, interrupt, makeShare, seedShare, startDownload, startSeeder } from "../e2e/swarm.ts";
import { eventOf } from "../interop/localbt.ts";
import { join } from "../interop/path.ts";
import { type PayloadKind, singleFile } from "../interop/payload.ts";
import { Scene } from "../interop/scene.ts";
import { mayPullDisks, PullableDisk } from "./disk_mount.ts";
import { Taker } from "./taker.ts";

const pieceLength = 32_768;

Deno.test({
  name: "a seeder of which one disk is pulled out gives what lies on the others, and says which file it lost",
  ignore: !mayPullDisks,
  async fn() {
    await using scene = await Scene.open();
    const disk = await PullableDisk.mount(scene);
    const kind: PayloadKind = {
      ...{ label: "two files", name: "two", pieceLength, seed: 21 },
      files: [{ path: ["here"], length: 2 * pieceLength }, { path: ["there"], length: 2 * pieceLength }],
    };
    const share = makeShare(scene, kind);
    const [here, there] = ["here", "there"].map((name) => join(share.payload.directory, kind.name, name));
    Deno.copyFileSync(there, join(disk.folder, "there"));
    Deno.removeSync(there);
    Deno.symlinkSync(join(disk.folder, "there"), there);
    const seeder = await seedShare(scene, share);
    disk.pull();
    const taker = await Taker.join(seeder.endpoint, { infoHash: share.infoHash, pieceLength, pieceCount: 4 });
    assertEquals(await taker.take(2), undefined);
    assertEquals(await taker.take(0), Deno.readFileSync(here).slice(0, pieceLength));
    const [{ path, why }] = [await eventOf(seeder.child, "file", 10_000)];
    assertEquals(path, there);
    assertMatch(String(why), /the disk reports an input\/output error/);
    await taker.until("it takes the piece back", () => !taker.offered.has(2));
    assertEquals(await taker.take(1), Deno.readFileSync(here).slice(pieceLength));
    assert(seeder.child.isRunning);
    taker.close();
  },
});

Deno.test({
  name: "a download whose disk is pulled out waits a little, says so, and goes on where it was once the disk is back",
  ignore: !mayPullDisks,
  async fn() {
    await using scene = await Scene.open();
    const disk = await PullableDisk.mount(scene);
    const share = makeShare(scene, singleFile(2 << 20, pieceLength));
    const seeder = await startSeeder(scene, { torrent: share.torrent, directory: share.payload.directory }, [
      ...["--upload-limit", "1M"],
    ]);
    const download = startDownload(scene, share.torrent, disk.folder, ["--peer", seeder.endpoint]);
    await eventOf(download, "piece", 20_000);
    disk.pull();
    const { why } = await eventOf(download, "disk", 20_000, ({ state }) => state === "waiting");
    assertMatch(String(why), /^cannot write .*file-1.bin: the disk reports an input\/output error$/);
    assert(download.isRunning);
    await interrupt(download);
    await disk.plugIn();
    const rich = await seedShare(scene, share);
    const again = startDownload(scene, share.torrent, disk.folder, ["--peer", rich.endpoint]);
    await expectDone(again, share.payload, disk.folder);
  },
});
