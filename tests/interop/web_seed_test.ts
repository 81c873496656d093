import { assert, assertEquals, assertGreater, assertLess, assertStringIncludes } from "@std/assert";
import { expectDone, interrupt, startDownload, startSeeder } from "../e2e/swarm.ts";
import { aria2 } from "./aria2.ts";
import { interopTest } from "./installed.ts";
import { eventOf, eventsOf, runLocalbt, startLocalbt } from "./localbt.ts";
import { join } from "./path.ts";
import { assertHoldsPayload, type Payload, type PayloadKind, singleFile, smallFiles, writePayload } from "./payload.ts";
import { Scene } from "./scene.ts";
import { freePort } from "./free_port.ts";
import { nginx, pythonServer } from "./web_servers.ts";

const pieceLength = 64 * 1024;
/** Names that have to be percent-encoded, files that end within pieces, and one without bytes. */
const oddNames: PayloadKind = {
  label: "a folder with odd names",
  name: "web & seed #1",
  pieceLength,
  files: [
    { path: ["50% off.bin"], length: 2_500_000 },
    { path: ["leer"], length: 0 },
    { path: ["Grün und blau", "ä+b.bin"], length: 100_001 },
    { path: ["z.bin"], length: 1_700_000 },
  ],
  seed: 31,
};

/** `create -w` for the payload. */
async function createWith(scene: Scene, payload: Payload, webSeeds: readonly string[]): Promise<string> {
  const torrent = join(scene.newFolder("torrent"), "web.torrent");
  const urls = webSeeds.flatMap((url) => ["-w", url]);
  const source = join(payload.directory, payload.name);
  const { code, stderr } = await runLocalbt(scene, [
    "create",
    "-l",
    String(pieceLength),
    ...urls,
    "-o",
    torrent,
    source,
  ]);
  assertEquals(code, 0, stderr);
  return torrent;
}

for (const server of [nginx, pythonServer]) {
  for (const kind of [singleFile(6_000_000, pieceLength), oddNames, smallFiles(120, pieceLength)]) {
    interopTest(`${server.name} alone gives ${kind.label} that create -w names`, [server], async () => {
      await using scene = await Scene.open();
      const payload = writePayload(kind, scene.newFolder("data"));
      const { origin } = await server.start(scene, payload.directory);
      const torrent = await createWith(scene, payload, [`${origin}/`]);
      const target = scene.newFolder("target");
      const download = startDownload(scene, torrent, target);
      await expectDone(download, payload, target);
      const joined = eventsOf(download, "peer").filter(({ state }) => state === "joined");
      assertEquals(joined.map(({ address, client }) => [address, client]), [[
        origin.slice("http://".length),
        "web seed",
      ]]);
    });
  }
}

interopTest("a web seed's URL without a slash is the single file itself", [nginx], async () => {
  await using scene = await Scene.open();
  const payload = writePayload(singleFile(300_000, pieceLength), scene.newFolder("data"));
  const { origin } = await nginx.start(scene, payload.directory);
  Deno.renameSync(join(payload.directory, payload.name), join(payload.directory, "other name"));
  const torrent = await createWith(scene, { ...payload, name: "other name" }, [`${origin}/other%20name`]);
  const target = scene.newFolder("target");
  assertEquals((await runLocalbt(scene, ["download", torrent, "-o", target, "--port", "0"])).code, 0);
  assertEquals(
    Deno.readFileSync(join(target, "other name")),
    Deno.readFileSync(join(payload.directory, "other name")),
  );
});

interopTest("aria2 fetches from the web seeds that create -w names", [nginx, aria2], async () => {
  await using scene = await Scene.open();
  const payload = writePayload(oddNames, scene.newFolder("data"));
  const { origin } = await nginx.start(scene, payload.directory);
  const torrent = await createWith(scene, payload, [`${origin}/`]);
  const target = scene.newFolder("target");
  const quiet = ["--enable-dht=false", "--enable-peer-exchange=false", "--bt-enable-lpd=false", "--seed-time=0"];
  const port = `--listen-port=${freePort()}`;
  const child = scene.start({ name: "aria2", command: ["aria2c", ...quiet, port, "-d", target, torrent] });
  assertEquals((await child.exit(30_000)).code, 0, child.text());
  assertHoldsPayload(payload, target);
});

interopTest("a magnet link's web seed gives the data, whoever gives the metadata", [nginx], async () => {
  await using scene = await Scene.open();
  const payload = writePayload(oddNames, scene.newFolder("data"));
  const { origin } = await nginx.start(scene, payload.directory);
  const torrent = await createWith(scene, payload, []);
  const port = freePort();
  const empty = startLocalbt(scene, [
    "download",
    torrent,
    "-o",
    scene.newFolder("empty"),
    "--port",
    String(port),
    "--json",
  ]);
  const { infoHash } = await eventOf(empty, "start", 15_000);
  const magnet = `magnet:?xt=urn:btih:${infoHash}&x.pe=127.0.0.1:${port}&ws=${encodeURIComponent(`${origin}/`)}`;
  const target = scene.newFolder("target");
  const download = startDownload(scene, magnet, target, ["--seed-time", "5s"]);
  await eventOf(download, "done", 20_000);
  assertHoldsPayload(payload, target);
  await eventOf(empty, "done", 20_000);
});

interopTest("download --select asks a web seed for no more than the pieces of that file", [nginx], async () => {
  await using scene = await Scene.open();
  const payload = writePayload(oddNames, scene.newFolder("data"));
  const { origin } = await nginx.start(scene, payload.directory);
  const torrent = await createWith(scene, payload, [`${origin}/`]);
  const target = scene.newFolder("target");
  const download = startDownload(scene, torrent, target, ["--select", "2"]);
  assertEquals((await download.exit(20_000)).code, 0, download.text());
  const [name, ...path] = [payload.name, ...oddNames.files[2].path];
  const wanted = join(name, ...path);
  assertEquals(Deno.readFileSync(join(target, wanted)), Deno.readFileSync(join(payload.directory, wanted)));
  const done = await eventOf(download, "done", 1_000);
  assertLess(Number(done.downloadedBytes), oddNames.files[2].length + 2 * pieceLength + 1);
});

interopTest("nginx helps a peer that is much slower, and both give", [nginx], async () => {
  await using scene = await Scene.open();
  const payload = writePayload(singleFile(4_000_000, pieceLength), scene.newFolder("data"));
  const { origin } = await nginx.start(scene, payload.directory, { bytesPerSecond: 300_000 });
  const torrent = await createWith(scene, payload, [`${origin}/`]);
  const seeder = await startSeeder(scene, { torrent, directory: payload.directory }, ["--upload-limit", "40K"]);
  const target = scene.newFolder("target");
  const download = startDownload(scene, torrent, target, ["--peer", seeder.endpoint]);
  await expectDone(download, payload, target, 25_000); // the peer alone needs 100 s
  const joined = eventsOf(download, "peer").filter(({ state }) => state === "joined").map(({ address }) => address);
  assertEquals(joined.toSorted(), [origin.slice("http://".length), seeder.endpoint].toSorted());
  const done = await eventOf(download, "done", 1_000);
  assertLess(Number(done.downloadedBytes), 4_000_000 + 1_500_000, "little comes twice");
});

interopTest("a download goes on from where it was when nginx comes back, and after Ctrl-C", [nginx], async () => {
  await using scene = await Scene.open();
  const payload = writePayload(singleFile(6_000_000, pieceLength), scene.newFolder("data"));
  const slow = await nginx.start(scene, payload.directory, { bytesPerSecond: 100_000 });
  const torrent = await createWith(scene, payload, [`${slow.origin}/`]);
  const target = scene.newFolder("target");
  const first = startDownload(scene, torrent, target);
  await eventOf(first, "piece", 15_000);
  await slow.child.stop();
  await eventOf(first, "peer", 10_000, ({ state }) => state === "left");
  const before = eventsOf(first, "piece").length;
  const again = await nginx.start(scene, payload.directory, { port: slow.port, bytesPerSecond: 100_000 });
  await first.until("another piece", () => eventsOf(first, "piece").length > before || undefined, 15_000);
  await interrupt(first);
  await again.child.stop();
  await nginx.start(scene, payload.directory, { port: slow.port });
  const second = startDownload(scene, torrent, target);
  const start = await eventOf(second, "start", 15_000);
  assertGreater(Number(start.haveBytes), 0);
  await expectDone(second, payload, target);
  const done = await eventOf(second, "done", 1_000);
  assertEquals(Number(done.downloadedBytes), 6_000_000 - Number(start.haveBytes));
});

interopTest("a web server with other data is banned, and a peer gives all", [nginx], async () => {
  await using scene = await Scene.open();
  const payload = writePayload(singleFile(3_000_000, pieceLength), scene.newFolder("data"));
  const wrong = writePayload(
    { ...singleFile(3_000_000, pieceLength, 77), name: payload.name },
    scene.newFolder("wrong"),
  );
  const { origin } = await nginx.start(scene, wrong.directory);
  const torrent = await createWith(scene, payload, [`${origin}/`]);
  const port = freePort();
  const target = scene.newFolder("target");
  const download = startDownload(scene, torrent, target, ["--peer", `127.0.0.1:${port}`]);
  const banned = await eventOf(download, "peer", 15_000, ({ state }) => state === "banned");
  assertEquals(banned.address, origin.slice("http://".length));
  startLocalbt(scene, ["seed", torrent, "--data", payload.directory, "--port", String(port)]);
  await expectDone(download, payload, target);
});

interopTest("download says what is wrong with its only web seed, and gives up in time", [nginx], async () => {
  await using scene = await Scene.open();
  const payload = writePayload(singleFile(300_000, pieceLength), scene.newFolder("data"));
  const { origin } = await nginx.start(scene, scene.newFolder("empty"));
  const torrent = await createWith(scene, payload, [origin.replace("://", "://me:secret@") + "/"]);
  const line = ["download", torrent, "-o", scene.newFolder("target"), "--port", "0", "--timeout", "2s"];
  const { code, stderr } = await runLocalbt(scene, line);
  assertEquals(code, 5, stderr);
  assertStringIncludes(stderr, `web seed ${origin.slice("http://".length)}: it answered 404`);
  assertStringIncludes(stderr, "nothing came for 2s (it answered 404)");
  assert(!stderr.includes("secret"), stderr);
});
