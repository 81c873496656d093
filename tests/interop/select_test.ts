/** Partial downloads and partial seeds, ours with foreign ones. */
import { assertEquals, assertMatch } from "@std/assert";
import { aria2 } from "./aria2.ts";
import type { Client, Peer } from "./client.ts";
import { interopTest } from "./installed.ts";
import { libtorrent } from "./libtorrent.ts";
import { eventsOf, localbt, type LocalbtPeer, runLocalbt } from "./localbt.ts";
import { join } from "./path.ts";
import { assertHoldsPayload, type PayloadKind } from "./payload.ts";
import { Scene } from "./scene.ts";
import { makeShare } from "./transfers.ts";
import { waitFor } from "./wait.ts";

const piece = 65_536;
/** 16 pieces; the second file is in the pieces 2 to 9, of which it shares the first and the last. */
const kind: PayloadKind = {
  label: "three files",
  name: "three",
  pieceLength: piece,
  files: [
    { path: ["first.bin"], length: 150_000 },
    { path: ["second.bin"], length: 500_000 },
    { path: ["third.bin"], length: 16 * piece - 650_000 },
  ],
  seed: 8,
};
const onlyFile = 1;

const deadlineMs = 20_000;

async function seed(scene: Scene, client: Client) {
  const share = await makeShare(scene, kind);
  const { torrent, payload: { directory } } = share;
  return { share, seeder: await client.start(scene, { mode: "seed", torrent, directory }) };
}

/** Ours with the second file alone, from that seeder; it goes on seeding. */
async function fetchSecond(
  scene: Scene,
  torrent: string,
  seeder: Peer,
): Promise<{ peer: LocalbtPeer; directory: string }> {
  const directory = scene.newFolder("second");
  const peer = await localbt.start(scene, { mode: "download", torrent, directory, peers: [seeder.endpoint], onlyFile });
  await peer.finished(deadlineMs);
  return { peer, directory };
}

for (const client of [aria2, libtorrent]) {
  interopTest(`our downloader takes one file of three from ${client.name}`, [client], async () => {
    await using scene = await Scene.open();
    const { share, seeder } = await seed(scene, client);
    const { peer, directory } = await fetchSecond(scene, share.torrent, seeder);
    assertEquals(await peer.fetchedBytes(), 8 * piece);
    assertHoldsPayload({ ...share.payload, files: [kind.files[onlyFile]!] }, directory);
    assertEquals(Array.from(Deno.readDirSync(join(directory, kind.name)), ({ name }) => name), ["second.bin"]);
    assertEquals([...seeder.protocolErrors(), ...peer.protocolErrors()], []);
  });
}

interopTest("libtorrent takes from our partial seed what this has, shared pieces too, and no full seed for it", [
  libtorrent,
], async () => {
  await using scene = await Scene.open();
  const { share: { torrent, payload }, seeder } = await seed(scene, localbt);
  const { peer: partial } = await fetchSecond(scene, torrent, seeder);
  await seeder.stop();
  const same = await libtorrent.start(scene, {
    ...{ mode: "download", torrent, directory: scene.newFolder("same"), peers: [partial.endpoint], onlyFile },
  });
  await same.finished(deadlineMs);
  const directory = scene.newFolder("all");
  const all = await libtorrent.start(scene, { mode: "download", torrent, directory, peers: [partial.endpoint] });
  await waitFor("eight pieces", async () => await all.fetchedBytes() >= 8 * piece || undefined, deadlineMs);
  assertEquals(await all.fetchedBytes(), 8 * piece);
  // with the rest from elsewhere it becomes whole
  const { endpoint } = await localbt.start(scene, { mode: "seed", torrent, directory: payload.directory });
  const helper = await localbt.start(scene, {
    mode: "download",
    torrent,
    directory: scene.newFolder("x"),
    peers: [endpoint, all.endpoint],
  });
  await all.finished(deadlineMs);
  assertHoldsPayload(payload, directory);
  const errors = [partial, same, all, helper].flatMap((peer) => peer.protocolErrors());
  assertEquals(errors, []);
});

interopTest(
  "our partial seed parts from a partial seed of libtorrent",
  [libtorrent],
  async () => {
    await using scene = await Scene.open();
    const { share: { torrent }, seeder } = await seed(scene, libtorrent);
    const options = { mode: "download", torrent, onlyFile } as const;
    const theirs = await libtorrent.start(scene, {
      ...options,
      directory: scene.newFolder("theirs"),
      peers: [seeder.endpoint],
    });
    await theirs.finished(deadlineMs);
    // ours takes all it wants from the partial seed, and then neither wants anything
    const { peer: ours } = await fetchSecond(scene, torrent, theirs);
    const parted = () =>
      eventsOf(ours.child, "peer").some(({ state, why }) => state === "left" && why === "neither wants anything") ||
      undefined;
    await waitFor("the end of it", parted, deadlineMs);
    assertEquals([...theirs.protocolErrors(), ...ours.protocolErrors()], []);
  },
);

interopTest("the numbers of files are those of aria2, padding or not", [aria2], async () => {
  await using scene = await Scene.open();
  const torrent = new URL("../../data/golden/libtorrent_padded.torrent", import.meta.url).pathname;
  const { stdout } = await runLocalbt(scene, ["info", "--json", torrent]);
  const ours: { number: number; path: string }[] = JSON.parse(stdout).files;
  const listing = new Deno.Command("aria2c", { args: ["--show-files", torrent] }).outputSync().stdout;
  const lines = new TextDecoder().decode(listing).split("\n");
  for (const { number, path } of ours) {
    const line = lines.find((line) => line.endsWith(`./${path}`)) ?? "";
    assertMatch(line, new RegExp(`^ *${number}\\|`));
  }
});

interopTest(
  "libtorrent takes the rest when a file is taken away under our seeder, and finds no fault",
  [libtorrent],
  async () => {
    await using scene = await Scene.open();
    const { share: { torrent, payload }, seeder } = await seed(scene, localbt);
    Deno.removeSync(join(payload.directory, kind.name, "second.bin"));
    const directory = scene.newFolder("rest");
    const peer = await libtorrent.start(scene, { mode: "download", torrent, directory, peers: [seeder.endpoint] });
    await waitFor("eight pieces", async () => await peer.fetchedBytes() >= 8 * piece || undefined, deadlineMs);
    assertEquals([...peer.protocolErrors(), ...seeder.protocolErrors()], []);
  },
);
