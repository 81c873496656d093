import { assert, assertEquals, assertGreater, assertGreaterOrEqual, assertLess } from "@std/assert";
import { freePort } from "../interop/free_port.ts";
import { eventOf, eventsOf, startLocalbt, startTracker } from "../interop/localbt.ts";
import { singleFile } from "../interop/payload.ts";
import { Scene } from "../interop/scene.ts";
import { expectDone, interrupt, makeShare, seedShare, startDownload, startSeeder } from "./swarm.ts";
import { serveAsSeeder, WirePeer } from "./wire_peer.ts";

const kind = singleFile(8 * 2 ** 20, 64 * 1024);

Deno.test("Ctrl-C stops a download with 130, tells the tracker, and the same command goes on from there", async () => {
  await using scene = await Scene.open();
  const tracker = await startTracker(scene);
  const share = makeShare(scene, kind, [tracker.announceUrl]);
  await seedShare(scene, share, ["--upload-limit", "3M"]);
  const target = scene.newFolder("target");
  const first = startDownload(scene, share.torrent, target);
  await eventOf(first, "progress", 20_000, (event) => Number(event.bytes) > 2 * 2 ** 20);
  await interrupt(first);
  assert(!first.text("stderr").includes("    at "), "no stack trace");
  await eventOf(tracker.child, "announce", 5_000, (event) => event.kind === "stopped");

  const done = eventsOf(first, "piece").length;
  const second = startDownload(scene, share.torrent, target);
  const start = await eventOf(second, "start", 10_000);
  assertGreaterOrEqual(Number(start.havePieces), done, "what was there is still there");
  await expectDone(second, share.payload, target);
  const fetched = Number(eventsOf(second, "done")[0]?.downloadedBytes);
  assertLess(fetched, share.payload.totalLength - done * share.payload.pieceLength + 1, "nothing is fetched again");
});

Deno.test("SIGTERM stops a download with 143", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, kind);
  const download = startDownload(scene, share.torrent, scene.newFolder("target"));
  await eventOf(download, "start", 10_000);
  download.signal("SIGTERM");
  assertEquals((await download.exit(3_500)).code, 143);
});

Deno.test("Ctrl-C ends in time although the tracker never answers", async () => {
  await using scene = await Scene.open();
  const mute = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const held: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const connection of mute) held.push(connection);
  })();
  try {
    const share = makeShare(scene, kind, [`http://127.0.0.1:${mute.addr.port}/announce`]);
    const seeder = await seedShare(scene, share);
    await interrupt(seeder.child);
  } finally {
    mute.close();
    for (const connection of held) connection.close();
    await accepting;
  }
});

Deno.test("a second Ctrl-C ends it at once", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, kind, ["http://127.0.0.1:1/announce"]);
  const seeder = await seedShare(scene, share);
  seeder.child.signal("SIGINT");
  seeder.child.signal("SIGINT");
  assertEquals((await seeder.child.exit(2_000)).code, 130);
});

Deno.test("kill -9 loses no piece that was announced as done", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, kind);
  const seeder = await seedShare(scene, share, ["--upload-limit", "3M"]);
  const target = scene.newFolder("target");
  const peer = ["--peer", seeder.endpoint];
  const first = startDownload(scene, share.torrent, target, peer);
  await eventOf(first, "progress", 20_000, (event) => Number(event.bytes) > 3 * 2 ** 20);
  first.signal("SIGKILL");
  await first.exit(5_000);
  const done = eventsOf(first, "piece").length;
  assertGreater(done, 40);
  const second = startDownload(scene, share.torrent, target, peer);
  const start = await eventOf(second, "start", 10_000);
  assertGreaterOrEqual(Number(start.havePieces), done);
  await expectDone(second, share.payload, target);
});

Deno.test("kill -9 of the seeder, and its return, does not end a download", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, kind);
  const port = freePort();
  const seed = () =>
    startLocalbt(scene, [
      ...["seed", share.torrent, "--data", share.payload.directory, "--json"],
      ...["--port", String(port), "--upload-limit", "3M"],
    ]);
  const first = seed();
  await eventOf(first, "ready", 10_000);
  const target = scene.newFolder("target");
  const download = startDownload(scene, share.torrent, target, ["--peer", `127.0.0.1:${port}`]);
  await eventOf(download, "progress", 20_000, (event) => Number(event.bytes) > 2 ** 20);
  first.signal("SIGKILL");
  await first.exit(5_000);
  await eventOf(download, "peer", 10_000, (event) => event.state === "left");
  seed();
  await expectDone(download, share.payload, target);
});

Deno.test("download --timeout gives up with 5 when there is no peer", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, kind);
  const download = startDownload(scene, share.torrent, scene.newFolder("target"), ["--timeout", "1s"]);
  assertEquals((await download.exit(10_000)).code, 5);
  assert(/^localbt: cannot download .+: .+/m.test(download.text("stderr")), download.text("stderr"));
  assertEquals(eventsOf(download, "error")[0]?.exitCode, 5);
});

Deno.test("download --timeout gives up with 5 when the only peer sends nothing", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, kind);
  const data = { infoHash: share.infoHash, content: new Uint8Array(kind.files[0]?.length ?? 0), pieceLength: 65_536 };
  await using mute = new WirePeer((wire) => serveAsSeeder(wire, data, { block: () => undefined }));
  const args = ["--timeout", "2s", "--peer", mute.endpoint];
  const download = startDownload(scene, share.torrent, scene.newFolder("target"), args);
  assertEquals((await download.exit(15_000)).code, 5);
});

Deno.test("seed --seed-time ends by itself with 0", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, kind);
  const target = { torrent: share.torrent, directory: share.payload.directory };
  const seeder = await startSeeder(scene, target, ["--seed-time", "1s"]);
  assertEquals((await seeder.child.exit(5_000)).code, 0);
});

Deno.test("seed --seed-ratio ends by itself with 0 once it has given enough", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, kind);
  const seeder = await seedShare(scene, share, ["--seed-ratio", "0.9"]);
  const target = scene.newFolder("target");
  await expectDone(
    startDownload(scene, share.torrent, target, ["--peer", seeder.endpoint]),
    share.payload,
    target,
  );
  assertEquals((await seeder.child.exit(5_000)).code, 0);
});
