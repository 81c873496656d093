import { eventOf, startLocalbt } from "../interop/localbt.ts";
import { interopTest } from "../interop/installed.ts";
import { Lan, networkNamespaces } from "../interop/lan.ts";
import { assertHoldsPayload, singleFile, writePayload } from "../interop/payload.ts";
import { join } from "../interop/path.ts";
import { referenceTorrent } from "../interop/reference_torrent.ts";
import { Scene } from "../interop/scene.ts";

const port = 6969;

interopTest(
  "a seeder beside its tracker, announced by loopback, is reached from other hosts",
  [networkNamespaces],
  async () => {
    await using scene = await Scene.open();
    const lan = await Lan.open(scene);
    const [server, other] = [await lan.addHost(), await lan.addHost()];
    const tracker = startLocalbt(scene, ["tracker", "--port", String(port), "--json"], { prefix: server.prefix });
    await eventOf(tracker, "ready", 10_000);
    const payload = writePayload(singleFile(2_000_000, 32_768), scene.newFolder("data"));
    const torrentFor = (address: string) => {
      const path = join(scene.newFolder("torrent"), "file.torrent");
      Deno.writeFileSync(path, referenceTorrent(payload, [`http://${address}:${port}/announce`]).bytes);
      return path;
    };
    const seed = ["seed", torrentFor("127.0.0.1"), "--data", payload.directory, "--json"];
    const seeder = startLocalbt(scene, seed, { prefix: server.prefix });
    await eventOf(seeder, "ready", 10_000);
    await eventOf(tracker, "announce", 10_000);
    const target = scene.newFolder("target");
    const fetch = ["download", torrentFor(server.address), "--output", target, "--json"];
    const download = startLocalbt(scene, fetch, { prefix: other.prefix });
    const { code } = await download.exit(30_000);
    if (code !== 0) throw download.failure("did not reach the seeder");
    assertHoldsPayload(payload, target);
  },
);

interopTest(
  "five hosts of a LAN share among themselves, and find each other by the tracker alone",
  [networkNamespaces],
  async () => {
    await using scene = await Scene.open();
    const lan = await Lan.open(scene);
    const server = await lan.addHost();
    const tracker = startLocalbt(scene, ["tracker", "--port", String(port), "--json"], { prefix: server.prefix });
    await eventOf(tracker, "ready", 10_000);
    const payload = writePayload(singleFile(6_000_000, 65_536), scene.newFolder("data"));
    const torrent = join(scene.newFolder("torrent"), "file.torrent");
    Deno.writeFileSync(torrent, referenceTorrent(payload, [`http://${server.address}:${port}/announce`]).bytes);
    const seed = ["seed", torrent, "--data", payload.directory, "--upload-limit", "3M", "--json"];
    await eventOf(startLocalbt(scene, seed, { prefix: server.prefix }), "ready", 10_000);
    const hosts = [await lan.addHost(), await lan.addHost(), await lan.addHost(), await lan.addHost()];
    const targets = hosts.map(() => scene.newFolder("target"));
    await Promise.all(hosts.map(async (host, i) => {
      const args = ["download", torrent, "--output", targets[i] ?? "", "--seed", "--json"];
      await eventOf(startLocalbt(scene, args, { prefix: host.prefix }), "done", 40_000);
    }));
    for (const target of targets) assertHoldsPayload(payload, target);
  },
);
