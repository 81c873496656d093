/** The ways in which ours and a foreign client meet, each as one checked transfer. */
import { assertEquals, assertLess } from "@std/assert";
import type { Client, Peer, StartOptions } from "./client.ts";
import type { Host } from "./host.ts";
import { localbt, runLocalbt } from "./localbt.ts";
import { join } from "./path.ts";
import { assertHoldsPayload, type Payload, type PayloadKind, singleFile, smallFiles, writePayload } from "./payload.ts";
import type { Scene } from "./scene.ts";
import { waitFor } from "./wait.ts";

/** What every pair of clients moves. */
export const inputs: readonly PayloadKind[] = [
  singleFile(16 * 2 ** 20, 256 * 1024),
  smallFiles(2_000, 64 * 1024),
  singleFile(6_123_457, 100_000, 3, "pieces of 100,000 bytes"),
];

/** Milliseconds that a transfer may take; Transmission needs several seconds to gather speed. */
const transferDeadlineMs = 60_000;

/** Data in a folder, and its torrent by our `create`. */
export interface Share {
  readonly payload: Payload;
  readonly torrent: string;
  /** What a downloader gets instead of the torrent, if not that. */
  readonly magnet?: string;
  readonly announce?: string | undefined;
}

/** Writes a payload and makes its torrent. */
export async function makeShare(scene: Scene, kind: PayloadKind, announce?: string): Promise<Share> {
  const payload = writePayload(kind, scene.newFolder("data"));
  const torrent = join(scene.folder, `${payload.name}.torrent`);
  const args = ["create", join(payload.directory, payload.name), "--output", torrent];
  const { code, child } = await runLocalbt(scene, [
    ...args,
    ...["--piece-length", String(payload.pieceLength)],
    ...(announce ? ["--announce", announce] : []),
  ]);
  if (code !== 0) throw child.failure("made no torrent");
  return { payload, torrent, announce };
}

/** One seeder and one downloader without a tracker. */
export async function transferDirectly(scene: Scene, share: Share, from: Client, to: Client): Promise<void> {
  const target = scene.newFolder("target");
  const { seeder, downloader } = await startPair(scene, share, { from, to, target });
  await downloader.finished(transferDeadlineMs);
  await endAll([downloader, seeder]);
  assertHoldsPayload(share.payload, target, { emptyFiles: to.makesEmptyFiles });
}

/** Starts a seeder and a downloader of which whoever can dials the other. */
async function startPair(
  scene: Scene,
  { torrent, payload, magnet = torrent }: Share,
  { from, to, target, downloadLimit }: { from: Client; to: Client; target: string; downloadLimit?: number },
): Promise<{ seeder: Peer; downloader: Peer }> {
  const seed: StartOptions = { mode: "seed", torrent, directory: payload.directory };
  const limit = downloadLimit ? { downloadLimit } : {};
  const download: StartOptions = { mode: "download", torrent: magnet, directory: target, ...limit };
  if (to.canDial) {
    const seeder = await from.start(scene, seed);
    return { seeder, downloader: await to.start(scene, { ...download, peers: [seeder.endpoint] }) };
  }
  const downloader = await to.start(scene, download);
  return { seeder: await from.start(scene, { ...seed, peers: [downloader.endpoint] }), downloader };
}

/** Several downloaders that know nothing but the announce URL of the torrent. */
export async function transferByTracker(
  scene: Scene,
  share: Share,
  from: { client: Client; host?: Host; uploadLimit?: number },
  to: readonly { client: Client; host?: Host }[],
): Promise<void> {
  const { torrent, payload, announce } = share;
  const kind = { torrent, ...(announce?.startsWith("udp:") ? { udpTracker: true } : {}) };
  const seeder = await from.client.start(scene, {
    ...kind,
    mode: "seed",
    directory: payload.directory,
    ...(from.host ? { host: from.host } : {}),
    ...(from.uploadLimit ? { uploadLimit: from.uploadLimit } : {}),
  });
  const targets = to.map(() => scene.newFolder("target"));
  const downloaders = await Promise.all(
    to.map(({ client, host }, i) =>
      client.start(scene, { ...kind, mode: "download", directory: targets[i] ?? "", ...(host ? { host } : {}) })
    ),
  );
  await Promise.all(downloaders.map((downloader) => downloader.finished(transferDeadlineMs)));
  await endAll([...downloaders, seeder]);
  to.forEach(({ client }, i) => assertHoldsPayload(payload, targets[i] ?? "", { emptyFiles: client.makesEmptyFiles }));
}

/** `first` downloads a part and is stopped; `second` goes on in the same folder and must not fetch that part again. */
export async function transferInTwoParts(scene: Scene, share: Share, first: Client, second: Client): Promise<void> {
  const target = scene.newFolder("target");
  const total = share.payload.totalLength;
  const begun = await startPair(scene, share, {
    from: localbt,
    to: first,
    target,
    downloadLimit: Math.ceil(total / 4),
  });
  await waitFor(`the part that ${first.name} fetches`, async () => {
    return await begun.downloader.fetchedBytes() > total / 2 ? true : undefined;
  }, transferDeadlineMs);
  await endAll([begun.downloader, begun.seeder]);
  const resumed = await startPair(scene, share, { from: localbt, to: second, target });
  await resumed.downloader.finished(transferDeadlineMs);
  const fetched = await resumed.downloader.fetchedBytes();
  await endAll([resumed.downloader, resumed.seeder]);
  assertHoldsPayload(share.payload, target, { emptyFiles: false });
  // not simply half: a client that is stopped may hold many pieces that are begun and not yet whole
  assertLess(fetched, total * 0.75, `${second.name} fetched again what ${first.name} had`);
}

/** Ends all, and holds each to what it logged about the others. */
export async function endAll(peers: readonly Peer[]): Promise<void> {
  for (const peer of peers) await peer.stop();
  for (const peer of peers) assertEquals(peer.protocolErrors(), [], `${peer.name} met breaches of the protocol`);
}
