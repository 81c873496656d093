import { assert, assertEquals, assertGreater } from "@std/assert";
import { eventOf, eventsOf, runLocalbt, startTracker } from "../interop/localbt.ts";
import { join } from "../interop/path.ts";
import { assertHoldsPayload, bytesFrom, singleFile, smallFiles, writePayload } from "../interop/payload.ts";
import { Scene } from "../interop/scene.ts";
import { expectDone, interrupt, makeShare, seedShare, startDownload, startSeeder } from "./swarm.ts";

Deno.test("tracker, seed and download move a folder, and the tracker hears started, completed and stopped", async () => {
  await using scene = await Scene.open();
  const tracker = await startTracker(scene);
  const share = makeShare(scene, smallFiles(200, 32 * 1024), [tracker.announceUrl]);
  const seeder = await seedShare(scene, share);
  const target = scene.newFolder("target");
  const download = startDownload(scene, share.torrent, target);
  await expectDone(download, share.payload, target);
  await interrupt(seeder.child);
  await interrupt(tracker.child);
  const kinds = eventsOf(tracker.child, "announce").map((event) => event.kind);
  assertEquals(kinds.filter((kind) => kind === "started").length, 2);
  assertEquals(kinds.filter((kind) => kind === "completed").length, 1, "a seeder that began whole has not completed");
  assertEquals(kinds.filter((kind) => kind === "stopped").length, 2);
});

Deno.test("download tells what happens in events that other programs can read", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, singleFile(3 * 2 ** 20 + 17, 256 * 1024));
  const seeder = await seedShare(scene, share);
  const target = scene.newFolder("target");
  const download = startDownload(scene, share.torrent, target, ["--peer", seeder.endpoint]);
  await expectDone(download, share.payload, target);
  const events = eventsOf(download);
  assertEquals(events[0]?.event, "start");
  assertEquals(events.at(-1)?.event, "done");
  assertEquals(new Set(eventsOf(download, "piece").map((event) => event.piece)).size, share.pieceCount);
  for (const { time } of events) assert(!Number.isNaN(Date.parse(time)), `"${time}" is a time`);
  for (const key of ["bytes", "totalBytes", "downRate", "upRate", "peers", "etaSeconds"]) {
    assert(eventsOf(download, "progress").every((event) => key in event), `progress has ${key}`);
  }
  const lines = download.text("stdout").split("\n");
  assertEquals(lines.length, events.length, "stdout holds nothing but events");
});

Deno.test("download prints the path of what it fetched, and nothing else, on stdout", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, singleFile(100_000, 16 * 1024));
  const seeder = await seedShare(scene, share);
  const target = scene.newFolder("target");
  const args = ["download", share.torrent, "-o", target, "--port", "0", "--peer", seeder.endpoint];
  const { code, stdout } = await runLocalbt(scene, args);
  assertEquals([code, stdout], [0, `${target}/${share.payload.name}`]);
});

for (const strategy of ["rarest-first", "sequential", "random"]) {
  Deno.test(`download --strategy ${strategy} fetches every piece once`, async () => {
    await using scene = await Scene.open();
    const share = makeShare(scene, singleFile(2 * 2 ** 20, 32 * 1024));
    // slow enough that the order of the pieces is the picker's, not the network's
    const seeder = await seedShare(scene, share, ["--upload-limit", "2M"]);
    const target = scene.newFolder("target");
    const args = ["--strategy", strategy, "--peer", seeder.endpoint];
    const download = startDownload(scene, share.torrent, target, args);
    await expectDone(download, share.payload, target);
    const pieces = eventsOf(download, "piece").map((event) => Number(event.piece));
    assertEquals([...pieces].sort((a, b) => a - b), Array.from({ length: share.pieceCount }, (_, i) => i));
    const ascents = pieces.filter((piece, i) => i > 0 && piece > (pieces[i - 1] ?? 0)).length;
    if (strategy === "sequential") assertGreater(ascents, pieces.length * 0.8, `in order: ${pieces}`);
    else assert(ascents < pieces.length * 0.8, `not in order: ${pieces}`);
  });
}

Deno.test("IPv6 on loopback: tracker, seeder and downloader", async () => {
  await using scene = await Scene.open();
  const tracker = await startTracker(scene, { address: "::1" });
  const share = makeShare(scene, singleFile(500_000, 16 * 1024), [tracker.announceUrl]);
  await startSeeder(scene, { torrent: share.torrent, directory: share.payload.directory }, ["--host", "::1"]);
  const target = scene.newFolder("target");
  const download = startDownload(scene, share.torrent, target, ["--host", "::1"]);
  await expectDone(download, share.payload, target);
  const [joined] = eventsOf(download, "peer").filter((event) => event.state === "joined");
  assert(String(joined?.address).startsWith("[::1]:"), `the peer was ${joined?.address}`);
});

Deno.test("one seed serves several torrents on one port", async () => {
  await using scene = await Scene.open();
  const shares = [11, 12, 13].map((seed) => makeShare(scene, singleFile(400_000, 16 * 1024, seed)));
  const [first, ...others] = shares;
  assert(first);
  const folder = scene.newFolder("all");
  for (const { payload } of shares) writePayload(payload, folder);
  const more = others.map((share) => share.torrent);
  const seeder = await startSeeder(scene, { torrent: first.torrent, directory: folder }, more);
  await Promise.all(shares.map(async (share) => {
    const target = scene.newFolder("target");
    const download = startDownload(scene, share.torrent, target, ["--peer", seeder.endpoint]);
    await expectDone(download, share.payload, target);
  }));
});

Deno.test("five seeders that each hold a part make a whole", async () => {
  await using scene = await Scene.open();
  const tracker = await startTracker(scene);
  const share = makeShare(scene, singleFile(6 * 2 ** 20, 64 * 1024), [tracker.announceUrl]);
  for (let part = 0; part < 5; part++) {
    const directory = scene.newFolder(`part${part}`);
    const bytes = Deno.readFileSync(join(share.payload.directory, share.payload.name));
    for (let piece = 0; piece < share.pieceCount; piece++) {
      // each piece is with two of the five
      const isHere = piece % 5 === part || (piece + 2) % 5 === part;
      if (!isHere) bytes.fill(0, piece * share.payload.pieceLength, (piece + 1) * share.payload.pieceLength);
    }
    Deno.writeFileSync(join(directory, share.payload.name), bytes);
    await startSeeder(scene, { torrent: share.torrent, directory });
  }
  const target = scene.newFolder("target");
  const download = startDownload(scene, share.torrent, target);
  await expectDone(download, share.payload, target);
  const peers = new Set(eventsOf(download, "peer").filter((e) => e.state === "joined").map((e) => e.address));
  assertEquals(peers.size, 5, "it met all five");
});

Deno.test("seed of a folder that is partly there says how much it has", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, singleFile(10 * 16_384, 16_384));
  const directory = scene.newFolder("part");
  const bytes = Deno.readFileSync(join(share.payload.directory, share.payload.name)).subarray(0, 3 * 16_384);
  Deno.writeFileSync(join(directory, share.payload.name), bytes);
  const seeder = await startSeeder(scene, { torrent: share.torrent, directory });
  const ready = await eventOf(seeder.child, "ready", 1_000);
  assertEquals([ready.havePieces, ready.pieceCount], [3, 10]);
});

Deno.test("four downloaders help each other: the seeder gives less than four times the size", async () => {
  await using scene = await Scene.open();
  const tracker = await startTracker(scene);
  const share = makeShare(scene, singleFile(6 * 2 ** 20, 64 * 1024), [tracker.announceUrl]);
  const seeder = await seedShare(scene, share, ["--upload-limit", "3M"]);
  const targets = Array.from({ length: 4 }, () => scene.newFolder("target"));
  const downloads = targets.map((target) => startDownload(scene, share.torrent, target, ["--seed"]));
  await Promise.all(downloads.map((download) => eventOf(download, "done", 30_000)));
  for (const target of targets) assertHoldsPayload(share.payload, target);
  await interrupt(seeder.child);
  const [done] = eventsOf(seeder.child, "done");
  const given = Number(done?.uploadedBytes);
  assert(given < 3 * share.payload.totalLength, `the seeder gave ${given} of ${4 * share.payload.totalLength}`);
});

for (
  const [what, length, pieceLength] of [
    ["one byte", 1, 16_384],
    ["exactly one piece", 32_768, 32_768],
    ["6 pieces", 6 * 16_384, 16_384],
    ["a last piece of one byte", 5 * 16_384 + 1, 16_384],
    ["pieces smaller than a block", 100_000, 1_000],
  ] as const
) {
  Deno.test(`a torrent of ${what} is moved`, async () => {
    await using scene = await Scene.open();
    const share = makeShare(scene, singleFile(length, pieceLength));
    const seeder = await seedShare(scene, share);
    const target = scene.newFolder("target");
    const download = startDownload(scene, share.torrent, target, ["--peer", seeder.endpoint]);
    await expectDone(download, share.payload, target);
  });
}

Deno.test("a download that is complete already ends at once, and with --seed goes on seeding", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, singleFile(300_000, 16 * 1024));
  const again = await runLocalbt(scene, [
    ...["download", share.torrent, "-o", share.payload.directory, "--port", "0", "--json"],
  ]);
  assertEquals(again.code, 0, again.stderr);
  assertEquals(eventsOf(again.child, "done")[0]?.downloadedBytes, 0);
  const seeding = startDownload(scene, share.torrent, share.payload.directory, ["--seed"]);
  await eventOf(seeding, "done", 10_000);
  assert(seeding.isRunning);
  await interrupt(seeding);
});

Deno.test("a file of the same size that is not the torrent's is never overwritten", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, singleFile(300_000, 16 * 1024));
  const seeder = await seedShare(scene, share);
  const target = scene.newFolder("target");
  const path = join(target, share.payload.name);
  const foreign = bytesFrom(4711, 300_000);
  Deno.writeFileSync(path, foreign);
  const download = startDownload(scene, share.torrent, target, ["--peer", seeder.endpoint]);
  const { code } = await download.exit(20_000);
  assert(code !== 0, "it must not claim success");
  assertEquals(Deno.readFileSync(path), foreign);
  assert(/^localbt: cannot /m.test(download.text("stderr")), download.text("stderr"));
});

Deno.test("seed --no-verify of damaged data harms nobody: the downloader gets the rest elsewhere", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, singleFile(20 * 16_384, 16_384));
  const damaged = scene.newFolder("damaged");
  const bytes = Deno.readFileSync(join(share.payload.directory, share.payload.name));
  bytes.fill(0, 0, 8 * 16_384);
  Deno.writeFileSync(join(damaged, share.payload.name), bytes);
  const bad = await startSeeder(scene, { torrent: share.torrent, directory: damaged }, ["--no-verify"]);
  const good = await seedShare(scene, share);
  const target = scene.newFolder("target");
  const peers = ["--peer", bad.endpoint, "--peer", good.endpoint];
  const download = startDownload(scene, share.torrent, target, peers);
  await expectDone(download, share.payload, target);
  assertHoldsPayload(share.payload, target);
});
