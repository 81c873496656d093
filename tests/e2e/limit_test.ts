import { assertGreater, assertLess } from "@std/assert";
import { eventsOf } from "../interop/localbt.ts";
import { singleFile } from "../interop/payload.ts";
import { Scene } from "../interop/scene.ts";
import { expectDone, makeShare, seedShare, startDownload } from "./swarm.ts";

const limit = 2_000_000;
const length = 12_000_000;

/** Moves 12 MB under a limit of 2 MB/s and compares the time with the 6 s that it must take. */
async function measure(seedArgs: readonly string[], downloadArgs: readonly string[]): Promise<void> {
  await using scene = await Scene.open();
  const share = makeShare(scene, singleFile(length, 128 * 1024));
  const seeder = await seedShare(scene, share, seedArgs);
  const target = scene.newFolder("target");
  const download = startDownload(scene, share.torrent, target, ["--peer", seeder.endpoint, ...downloadArgs]);
  await expectDone(download, share.payload, target);
  // from the first piece to the last: the meeting of the two is not the limit's business
  const times = eventsOf(download, "piece").map((event) => Date.parse(event.time));
  const seconds = (Math.max(...times) - Math.min(...times)) / 1000;
  const rate = (length - share.payload.pieceLength) / seconds;
  assertLess(rate, limit * 1.05, `${Math.round(rate)} bytes a second`);
  assertGreater(rate, limit * 0.95, `${Math.round(rate)} bytes a second`);
}

Deno.test("seed --upload-limit holds within 5 %", () => measure(["--upload-limit", "2000000"], []));
Deno.test("download --download-limit holds within 5 %", () => measure([], ["--download-limit", "2000000"]));
