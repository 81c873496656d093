/** Data that goes away under a seeder. */
import { assertEquals } from "@std/assert";
import { eventOf, eventsOf } from "../interop/localbt.ts";
import { join } from "../interop/path.ts";
import type { PayloadKind } from "../interop/payload.ts";
import { Scene } from "../interop/scene.ts";
import { expectDone, makeShare, seedShare, startDownload } from "./swarm.ts";

/** 9 pieces: the first file is in 0 to 3, the second in 3 to 8. */
const kind: PayloadKind = {
  ...{ label: "two files", name: "two", pieceLength: 32_768, seed: 3 },
  files: [{ path: ["first"], length: 100_000 }, { path: ["second"], length: 190_000 }],
};

Deno.test("a seeder whose file is taken away stops offering its pieces, and others complete the download", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, kind);
  const poor = await seedShare(scene, share);
  const path = join(share.payload.directory, kind.name, "second");
  const content = Deno.readFileSync(path);
  Deno.removeSync(path);
  const target = scene.newFolder("target");
  const download = startDownload(scene, share.torrent, target, ["--peer", poor.endpoint, "--timeout", "2s"]);
  assertEquals((await download.exit(20_000)).code, 5, download.text());
  assertEquals(eventsOf(download, "piece").map(({ piece }) => piece).sort(), [0, 1, 2]);
  // it goes on with what it can read; the rest has to come from elsewhere
  Deno.writeFileSync(path, content);
  const rich = await seedShare(scene, share);
  const again = startDownload(scene, share.torrent, target, ["--peer", poor.endpoint, "--peer", rich.endpoint]);
  await eventOf(again, "start", 10_000);
  await expectDone(again, share.payload, target);
});
