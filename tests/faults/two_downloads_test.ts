/** Two downloads of one torrent into one folder, and what a killed one leaves of its claim to it. */
import { assertEquals, assertMatch } from "@std/assert";
import { makeShare, seedShare, startDownload } from "../e2e/swarm.ts";
import { eventOf } from "../interop/localbt.ts";
import { assertHoldsPayload, singleFile } from "../interop/payload.ts";
import { Scene } from "../interop/scene.ts";

Deno.test("a second download into the same folder says that one is at work there; a killed one keeps nobody out", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, singleFile(3 * 2 ** 20, 65_536));
  const seeder = await seedShare(scene, share, ["--upload-limit", "1M"]);
  const target = scene.newFolder("target");
  const start = () => startDownload(scene, share.torrent, target, ["--peer", seeder.endpoint]);
  const first = start();
  await eventOf(first, "piece", 20_000);
  const second = start();
  assertEquals((await second.exit(20_000)).code, 1);
  assertMatch(second.text("stderr"), /another localbt is downloading that name to that folder\n.*-o/);
  first.signal("SIGKILL");
  await first.exit(5_000);
  const third = start();
  assertEquals((await third.exit(30_000)).code, 0, third.text());
  assertHoldsPayload(share.payload, target);
  assertEquals(Array.from(Deno.readDirSync(target), ({ name }) => name), [share.payload.name]);
});

Deno.test("a second torrent of the same name waits its turn, too; one that is named as our own files is refused", async () => {
  await using scene = await Scene.open();
  const [share, other] = [1, 2].map((seed) => makeShare(scene, { ...singleFile(200_000, 32_768, seed), name: "same" }));
  const target = scene.newFolder("target");
  const first = startDownload(scene, share.torrent, target);
  await eventOf(first, "start", 20_000);
  const second = startDownload(scene, other.torrent, target);
  assertEquals((await second.exit(20_000)).code, 1, second.text());
  const forged = makeShare(scene, {
    ...singleFile(200, 16_384),
    name: `.same.${share.infoHash.slice(0, 8)}.localbt-resume`,
  });
  const third = startDownload(scene, forged.torrent, target);
  assertEquals((await third.exit(20_000)).code, 1, third.text());
  assertMatch(third.text("stderr"), /localbt keeps for its own files/);
});
