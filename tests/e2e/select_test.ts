/** `download --select`: some files of a torrent, whose neighbours share pieces with them. */
import { assert, assertEquals, assertGreater, assertLess, assertStringIncludes } from "@std/assert";
import { eventOf, eventsOf, runLocalbt, startTracker } from "../interop/localbt.ts";
import { join } from "../interop/path.ts";
import { assertHoldsPayload, type Payload, type PayloadKind } from "../interop/payload.ts";
import { Scene } from "../interop/scene.ts";
import { interrupt, makeShare, seedShare, type Share, startDownload, startSeeder } from "./swarm.ts";

const piece = 65_536;
/** 16 pieces; the files touch the pieces 0-1, 1-3, 3-14, none and 14-15. */
const album: PayloadKind = {
  label: "an album",
  name: "album",
  pieceLength: piece,
  files: [
    { path: ["one.bin"], length: 100_000 },
    { path: ["two.bin"], length: 150_000 },
    { path: ["sub", "three.mkv"], length: 700_000 },
    { path: ["empty"], length: 0 },
    { path: ["five.bin"], length: 90_000 },
  ],
  seed: 5,
};

/** The payload as if it had but these files. */
function onlyOf(payload: Payload, numbers: readonly number[]): Payload {
  return { ...payload, files: numbers.map((number) => payload.files[number - 1]!) };
}

/** Paths of all files below, hidden ones too. */
function filesIn(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder)).flatMap(({ name, isDirectory }) =>
    isDirectory ? filesIn(join(folder, name)).map((inner) => `${name}/${inner}`) : [name]
  ).sort();
}

const visibleIn = (folder: string) => filesIn(folder).filter((path) => !path.startsWith("."));

/** Downloads a selection to its end; returns the bytes that came. */
async function fetch(scene: Scene, share: Share, target: string, args: readonly string[]): Promise<number> {
  const download = startDownload(scene, share.torrent, target, args);
  const { code } = await download.exit(30_000);
  if (code !== 0) throw download.failure("did not finish the download");
  return Number(eventsOf(download, "done")[0]?.downloadedBytes);
}

const fetches = [["rarest-first", "2", 3], ["sequential", "3", 12], ["random", "two.bin", 3]] as const;
for (const [strategy, select, pieceCount] of fetches) {
  Deno.test(`download --select ${select} --strategy ${strategy} takes the pieces of that file and touches no other name`, async () => {
    await using scene = await Scene.open();
    const share = makeShare(scene, album);
    const seeder = await seedShare(scene, share);
    const target = scene.newFolder("target");
    const args = ["--strategy", strategy, "--select", select, "--peer", seeder.endpoint];
    assertEquals(await fetch(scene, share, target, args), pieceCount * piece);
    const number = select === "3" ? 3 : 2;
    assertHoldsPayload(onlyOf(share.payload, [number]), target);
    assertEquals(visibleIn(target), [["album", ...album.files[number - 1]!.path].join("/")]);
    const blocks = filesIn(target).reduce((sum, path) => sum + Deno.statSync(join(target, path)).blocks! * 512, 0);
    assertLess(blocks, album.files[number - 1]!.length + 2 * piece + 5 * 4096);
  });
}

Deno.test("download --select counts what is wanted, and takes up with more files where it left off", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, album);
  const seeder = await seedShare(scene, share);
  const target = scene.newFolder("target");
  const peer = ["--peer", seeder.endpoint];
  const first = startDownload(scene, share.torrent, target, ["--select", "2", ...peer]);
  assertEquals((await first.exit(30_000)).code, 0, first.text());
  const [start] = eventsOf(first, "start");
  assertEquals([start?.totalBytes, start?.pieceCount, start?.haveBytes], [150_000, 3, 0]);
  assertEquals(eventsOf(first, "done")[0]?.bytes, 150_000);
  assertEquals(await fetch(scene, share, target, ["--select", "2", ...peer]), 0);
  assertEquals(await fetch(scene, share, target, ["--select", "2", "--select", "*.mkv", ...peer]), 11 * piece);
  assertHoldsPayload(onlyOf(share.payload, [2, 3]), target);
  assertEquals(await fetch(scene, share, target, peer), share.payload.totalLength - 14 * piece);
  assertHoldsPayload(share.payload, target);
  assertEquals(filesIn(target), visibleIn(target), "nothing hidden is left");
});

Deno.test("download goes on after Ctrl-C with another selection, and fetches nothing again", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, album);
  const seeder = await seedShare(scene, share, ["--upload-limit", "400K"]);
  const target = scene.newFolder("target");
  const peer = ["--peer", seeder.endpoint];
  const first = startDownload(scene, share.torrent, target, ["--select", "3", "--strategy", "sequential", ...peer]);
  await eventOf(first, "piece", 20_000, ({ piece }) => piece === 4);
  await interrupt(first);
  const done = eventsOf(first, "piece").length;
  assertGreater(done, 1);
  // three.mkv is not wanted any more: its part stays as it is, and the piece that it shares with two.bin is used
  const before = Deno.readFileSync(join(target, "album", "sub", "three.mkv"));
  assertEquals(await fetch(scene, share, target, ["--select", "2", ...peer]), 2 * piece);
  assertEquals(Deno.readFileSync(join(target, "album", "sub", "three.mkv")), before);
  assertEquals(await fetch(scene, share, target, ["--select", "2-3", ...peer]), (12 - done) * piece);
  assertHoldsPayload(onlyOf(share.payload, [2, 3]), target);
});

Deno.test("download --select leaves files alone that happen to have the name of one that nobody asked for", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, album);
  const seeder = await seedShare(scene, share);
  const target = scene.newFolder("target");
  Deno.mkdirSync(join(target, "album"));
  const path = join(target, "album", "one.bin");
  Deno.writeTextFileSync(path, "all that I have of her letters");
  Deno.utimeSync(path, 1_000_000_000, 1_000_000_000);
  const peer = ["--peer", seeder.endpoint];
  assertEquals(await fetch(scene, share, target, ["--select", "2", ...peer]), 3 * piece);
  const { mtime } = Deno.statSync(path);
  assertEquals([Deno.readTextFileSync(path), mtime?.getTime()], ["all that I have of her letters", 1e12]);
  const refused = startDownload(scene, share.torrent, target, ["--select", "1-2", ...peer]);
  assertEquals((await refused.exit(20_000)).code, 1, refused.text());
  assertStringIncludes(refused.text("stderr"), "one.bin: a file of that name is there");
  assertEquals(Deno.readTextFileSync(path), "all that I have of her letters");
});

for (
  const [select, why] of [["9", "the torrent has 5 files"], ["*.avi", "there are one.bin, two.bin"], [
    "0",
    "is number 1",
  ]]
) {
  Deno.test(`download --select '${select}' is wrong usage: 2, with a hint, and nothing is made`, async () => {
    await using scene = await Scene.open();
    const share = makeShare(scene, album);
    const target = join(scene.folder, "never");
    const args = ["download", share.torrent, "-o", target, "--port", "0", "--select", select!];
    const { code, stdout, stderr } = await runLocalbt(scene, args);
    assertEquals([code, stdout], [2, ""]);
    const [error, hint] = stderr.split("\n");
    assertStringIncludes(error!, `localbt: cannot select ${select}:`);
    assertStringIncludes(error!, why!);
    assertStringIncludes(hint!, "localbt info lists the files");
    assertEquals(Array.from(Deno.readDirSync(scene.folder)).some(({ name }) => name === "never"), false);
  });
}

Deno.test("a partial download seeds what it has, its shared pieces too; seed and verify find them later", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, album);
  const seeder = await seedShare(scene, share);
  const [partial, second, third] = ["partial", "second", "third"].map((name) => scene.newFolder(name));
  await fetch(scene, share, partial!, ["--select", "2", "--peer", seeder.endpoint]);
  await seeder.child.stop();

  const again = await startSeeder(scene, { torrent: share.torrent, directory: partial! });
  const [ready] = eventsOf(again.child, "ready");
  assertEquals([ready?.havePieces, ready?.pieceCount], [3, 16]);
  assertEquals(await fetch(scene, share, second!, ["--select", "2", "--peer", again.endpoint]), 3 * piece);
  assertHoldsPayload(onlyOf(share.payload, [2]), second!);
  const greedy = startDownload(scene, share.torrent, third!, [
    "--select",
    "1-2",
    "--timeout",
    "2s",
    "--peer",
    again.endpoint,
  ]);
  assertEquals((await greedy.exit(30_000)).code, 5, "a partial seed is no full seed");
  assertEquals(eventsOf(greedy, "piece").length, 3);

  const verified = await runLocalbt(scene, ["verify", "--data", partial!, share.torrent]);
  assertEquals(verified.code, 4);
  assertStringIncludes(verified.stdout, "good     album/two.bin\n");
  assertStringIncludes(verified.stdout, "1 of 5 files good, 3 of 16 pieces good");
});

Deno.test("trackers hear of a partial download that much is left, and no word of completion", async () => {
  await using scene = await Scene.open();
  const tracker = await startTracker(scene);
  const share = makeShare(scene, album, [tracker.announceUrl]);
  await seedShare(scene, share);
  const target = scene.newFolder("target");
  const download = startDownload(scene, share.torrent, target, ["--select", "2", "--seed"]);
  await eventOf(download, "done", 20_000);
  const stats = await (await globalThis.fetch(tracker.announceUrl.replace("/announce", "/stats"))).text();
  await interrupt(download);
  await eventOf(tracker.child, "announce", 5_000, (event) => event.kind === "stopped");
  const kinds = eventsOf(tracker.child, "announce").map((event) => event.kind);
  assert(!kinds.includes("completed"), `${kinds}`);
  assertStringIncludes(stats.replace(/\s/g, ""), '"seeds":1,"leechers":1', "the partial seed is counted as a leecher");
});

Deno.test("a magnet link's selection (so) is followed, and --select overrides it", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, album);
  const seeder = await seedShare(scene, share);
  const link = `magnet:?xt=urn:btih:${share.infoHash}&so=1,3&x.pe=${seeder.endpoint}`;
  const [proposed, own] = ["proposed", "own"].map((name) => scene.newFolder(name));
  for (const [target, args] of [[proposed!, []], [own!, ["--select", "five.bin"]]] as const) {
    const download = startDownload(scene, link, target, args);
    assertEquals((await download.exit(30_000)).code, 0, download.text());
  }
  assertEquals(visibleIn(proposed!), ["album/empty", "album/two.bin"]);
  assertHoldsPayload(onlyOf(share.payload, [2]), proposed!);
  assertEquals(visibleIn(own!), ["album/five.bin"]);
});

Deno.test("download --select of an empty file makes it, and needs nobody", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, album);
  const target = scene.newFolder("target");
  assertEquals(await fetch(scene, share, target, ["--select", "4"]), 0);
  assertEquals(filesIn(target), ["album/empty"]);
});
