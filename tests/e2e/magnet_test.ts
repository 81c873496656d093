import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { freePort } from "../interop/free_port.ts";
import { eventOf, eventsOf, runLocalbt, startLocalbt, startTracker } from "../interop/localbt.ts";
import { join } from "../interop/path.ts";
import { assertHoldsPayload, singleFile, smallFiles } from "../interop/payload.ts";
import { Scene } from "../interop/scene.ts";
import { expectDone, interrupt, makeShare, seedShare, startDownload, startSeeder } from "./swarm.ts";

const linkOf = ({ infoHash }: { infoHash: string }) => `magnet:?xt=urn:btih:${infoHash}`;
const hiddenIn = (folder: string) =>
  [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name[0] === ".");

Deno.test("download takes a magnet link whose tracker knows a seeder, and others get the metadata from it", async () => {
  await using scene = await Scene.open();
  const tracker = await startTracker(scene);
  const share = makeShare(scene, smallFiles(100, 32 * 1024));
  const link = `${linkOf(share)}&tr=${encodeURIComponent(tracker.announceUrl)}`;
  const announced = makeShare(scene, smallFiles(100, 32 * 1024), [tracker.announceUrl]);
  assertEquals(announced.infoHash, share.infoHash);
  const seeder = await seedShare(scene, announced);
  const [first, second] = [scene.newFolder("first"), scene.newFolder("second")];
  const download = startDownload(scene, link, first, ["--seed"]);
  await eventOf(download, "done", 20_000);
  assertHoldsPayload(share.payload, first);
  const names = eventsOf(download).map(({ event }) => event);
  assert(names.indexOf("metadata") < names.indexOf("start"));
  assertEquals(
    eventsOf(download, "peer").filter(({ state }) => state === "joined").length,
    1,
    "one connection did all",
  );
  assertEquals(hiddenIn(first), []);
  await interrupt(seeder.child);
  await expectDone(startDownload(scene, link, second), share.payload, second);
});

Deno.test("download takes a magnet link that names a peer", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, singleFile(300_000, 32 * 1024));
  const { endpoint } = await seedShare(scene, share);
  const target = scene.newFolder("target");
  const link = `${linkOf(share)}&x.pe=${endpoint.replace("127.0.0.1", "localhost")}`;
  await expectDone(startDownload(scene, link, target), share.payload, target);
});

Deno.test("download of a magnet link takes the metadata and all else from a seeder that dials it", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, singleFile(300_000, 32 * 1024));
  const [target, port] = [scene.newFolder("target"), String(freePort())];
  const download = startLocalbt(scene, ["download", linkOf(share), "-o", target, "--port", port, "--json"]);
  await download.line(/^looking for peers/, 20_000);
  await seedShare(scene, share, ["--peer", `127.0.0.1:${port}`]);
  await expectDone(download, share.payload, target);
});

Deno.test("download of a magnet link goes on from where it was stopped, without a peer to tell it what that was", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, singleFile(4 * 2 ** 20, 64 * 1024));
  const { endpoint, child } = await seedShare(scene, share, ["--upload-limit", "2M"]);
  const target = scene.newFolder("target");
  const begun = startDownload(scene, linkOf(share), target, ["--peer", endpoint]);
  await eventOf(begun, "piece", 20_000);
  await interrupt(begun);
  await interrupt(child);
  assertEquals(hiddenIn(target).length, 2, "the resume file and the metadata");
  const alone = startDownload(scene, linkOf(share), target);
  assertGreater(Number((await eventOf(alone, "start", 20_000)).haveBytes), 0);
  await interrupt(alone);
});

Deno.test("download believes no metadata that does not have the link's hash", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, singleFile(100_000, 32 * 1024));
  const { endpoint } = await seedShare(scene, share);
  const target = scene.newFolder("target");
  Deno.writeTextFileSync(join(target, `.${share.infoHash}.localbt-metadata`), "d4:name1:xe");
  await expectDone(startDownload(scene, linkOf(share), target, ["--peer", endpoint]), share.payload, target);
});

Deno.test("download gives up on a magnet link of a private torrent: nobody gives its metadata (BEP 27)", async () => {
  await using scene = await Scene.open();
  const { payload } = makeShare(scene, singleFile(100_000, 32 * 1024));
  const torrent = join(scene.folder, "private.torrent");
  const path = join(payload.directory, payload.name);
  const made = await runLocalbt(scene, [
    "create",
    "--private",
    "--announce",
    "http://t.test/announce",
    "-o",
    torrent,
    path,
  ]);
  assertEquals(made.code, 0);
  const info = JSON.parse((await runLocalbt(scene, ["info", "--json", torrent])).stdout) as { infoHash: string };
  const { endpoint } = await startSeeder(scene, { torrent, directory: payload.directory });
  const args = ["download", linkOf(info), "-o", scene.newFolder("target"), "--timeout", "2s", "--peer", endpoint];
  const { code, stderr } = await runLocalbt(scene, args);
  assertEquals(code, 5, stderr);
  assertStringIncludes(stderr, "no metadata came for 2s (1 peer connected)");
  assertStringIncludes(stderr, "ask for the .torrent file");
});
