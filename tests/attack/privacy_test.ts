/**
 * What of this machine leaves it: no path, no home, no user's name, in no torrent, message, request or refusal; and what
 * the process may do once it has started.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Buffer } from "node:buffer";
import { makeShare, startDownload } from "../e2e/swarm.ts";
import { serveAsSeeder, WirePeer } from "../e2e/wire_peer.ts";
import { type Need, runs, testOn } from "../interop/installed.ts";
import { eventOf, runLocalbt, startLocalbt, startTracker } from "../interop/localbt.ts";
import { Lan } from "../interop/lan.ts";
import { networkNamespaces } from "../interop/network_tools.ts";
import { besideHarness, join } from "../interop/path.ts";
import { singleFile, smallFiles } from "../interop/payload.ts";
import { Scene } from "../interop/scene.ts";

/** In the path of everything, and in the names of home and user: it must be in nothing that leaves. */
const marker = "zqmarkerqz";
const python: Need = { name: "python3", isInstalled: () => runs(["python3", "-c", "import socket; socket.AF_PACKET"]) };

/** The environment of somebody whose name is the marker; from source, Deno's cache stays where it is. */
function environment(home: string): Record<string, string> {
  const cache = Deno.env.get("DENO_DIR") ?? join(Deno.env.get("HOME") ?? "/", ".cache", "deno");
  return {
    DENO_DIR: cache,
    HOME: home,
    USER: marker,
    LOGNAME: marker,
    XDG_CONFIG_HOME: `${home}/config`,
    PWD: home,
  };
}

testOn(
  [networkNamespaces, python],
  "no path, home or user's name leaves the machine with a transfer or a share",
  async () => {
    await using outer = await Scene.open();
    const home = outer.newFolder(marker);
    await using scene = await Scene.open(home);
    const options = { env: environment(home), cwd: home };
    const lan = await Lan.open(scene);
    const { prefix } = await lan.addHost();
    const capture = join(outer.folder, "capture");
    const script = besideHarness("../attack/sniffer.py");
    const sniffer = scene.start({ name: "sniffer", command: [...prefix, "python3", script, capture] });
    await sniffer.line(/^ready$/, 20_000);
    const tracker = await startTracker(scene, { prefix, ...options });
    const share = makeShare(scene, smallFiles(5, 16_384), [tracker.announceUrl]);
    const line = ["--json", "--port", "0"];
    const seed = startLocalbt(scene, ["seed", share.torrent, "--data", share.payload.directory, ...line], {
      prefix,
      ...options,
    });
    await eventOf(seed, "ready", 20_000);
    const taken = await runLocalbt(scene, ["download", share.torrent, "-o", scene.newFolder("target"), ...line], {
      prefix,
      ...options,
    });
    assertEquals(taken.code, 0, taken.stderr);
    const source = join(share.payload.directory, share.payload.name);
    const sharing = startLocalbt(scene, ["share", source, ...line, "--host", "127.0.0.1"], { prefix, ...options });
    const { port } = await eventOf(sharing, "ready", 20_000);
    const target = scene.newFolder("target");
    const got = await runLocalbt(scene, ["get", `127.0.0.1:${port}`, "-o", target, ...line], { prefix, ...options });
    assertEquals(got.code, 0, got.stderr);
    // what is refused must not tell either
    for (const path of ["/", "/nothing", "/stats", "/shares.json", "/localbt", "/announce", "/scrape", "/../x"]) {
      for (const at of [port, tracker.port]) {
        // of the program itself the first bytes are enough
        const ask = ["curl", "-s", "-o", "/dev/null", "-r", "0-9999", "--path-as-is", `http://127.0.0.1:${at}${path}`];
        await scene.start({ name: "curl", command: [...prefix, ...ask] }).exit(20_000);
      }
    }
    await sniffer.stop("SIGKILL");
    const sent = Buffer.from(Deno.readFileSync(capture));
    assert(sent.includes(share.payload.name), "the capture has the traffic");
    for (const secret of [marker, home, scene.folder]) {
      const at = sent.indexOf(secret);
      assertEquals(at, -1, `${secret} leaves: ${JSON.stringify(sent.toString("latin1", at - 80, at + 80))}`);
    }
  },
);

Deno.test("a torrent made by create holds no path, no home, no user's and no machine's name", async () => {
  await using outer = await Scene.open();
  const home = outer.newFolder(marker);
  await using scene = await Scene.open(home);
  const { payload } = makeShare(scene, smallFiles(3, 16_384));
  const torrent = join(outer.folder, "made.torrent");
  const line = ["create", join(payload.directory, payload.name), "-o", torrent, "-a", "http://127.0.0.1:6969/announce"];
  const made = await runLocalbt(scene, line, { env: environment(home), cwd: home });
  assertEquals(made.code, 0, made.stderr);
  const text = Buffer.from(Deno.readFileSync(torrent)).toString("latin1");
  for (const secret of [marker, home, scene.folder, Deno.hostname()]) assert(!text.includes(secret), secret);
});

/**
 * Deno opens files in /dev for nobody who has given up any right, so that a program whose folder becomes a link to there
 * after its start tells by its fault that it has.
 */
testOn(
  [{ name: "/dev/shm", isInstalled: () => Deno.build.os === "linux" && runs(["test", "-w", "/dev/shm"]) }],
  "the running program has given up rights: it cannot write even where its folder leads to in /dev",
  async () => {
    await using scene = await Scene.open();
    await using guarded = await Scene.open("/dev/shm");
    const share = makeShare(scene, singleFile(100_000, 16_384));
    const content = Deno.readFileSync(join(share.payload.directory, share.payload.name));
    const { promise: isSwapped, resolve: swapped } = Promise.withResolvers<void>();
    await using peer = new WirePeer(async (wire) => {
      await isSwapped;
      await serveAsSeeder(wire, { infoHash: share.infoHash, content, pieceLength: 16_384 });
    });
    const target = scene.newFolder("target");
    const download = startDownload(scene, share.torrent, target, ["--peer", peer.endpoint]);
    await eventOf(download, "start", 20_000);
    Deno.removeSync(target, { recursive: true });
    Deno.symlinkSync(guarded.folder, target);
    swapped();
    const { code } = await download.exit(20_000);
    assertEquals(code, 1, download.text());
    assertStringIncludes(download.text("stderr"), "may not open files in /dev");
    assertEquals([...Deno.readDirSync(guarded.folder)], []);
  },
);
