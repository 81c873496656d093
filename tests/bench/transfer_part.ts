/** One seeder to one downloader, ours and the rivals in turn; and the memory that a large torrent takes. */
import { aria2 } from "../interop/aria2.ts";
import type { Client } from "../interop/client.ts";
import { libtorrent } from "../interop/libtorrent.ts";
import { eventOf, localbt, startTracker } from "../interop/localbt.ts";
import { join } from "../interop/path.ts";
import type { Scene } from "../interop/scene.ts";
import { Meter } from "./meter.ts";
import { type Row, rowOf, type Sample, withGoal } from "./report.ts";
import { assertSameFile, type BenchShare, makeBenchShare, MiB, openBenchScene } from "./stage.ts";

const deadlineMs = 180_000;

/** A seeder and a downloader. */
interface Pair {
  readonly from: Client;
  readonly to: Client;
}

/** Moves a file of `length` bytes `rounds` times with each pair of clients that this machine has, interleaved. */
export async function benchTransfer({ rounds, length }: { rounds: number; length: number }): Promise<Row[]> {
  const clients = [localbt, libtorrent, aria2].filter((client) => client.isInstalled());
  const pairs = clients.flatMap((from) => clients.map((to) => ({ from, to })))
    .filter(({ from, to }) => from === to || from === localbt || to === localbt);
  await using scene = await openBenchScene();
  const { announceUrl, child: tracker } = await startTracker(scene);
  const share = await makeBenchShare(scene, { length, pieceLength: MiB, announce: announceUrl });
  const samples = new Map<Pair, Sample[]>(pairs.map((pair) => [pair, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [pair, taken] of samples) taken.push(await runPair(scene, pair, share, tracker));
  }
  return [...samples].map(([{ from, to }, taken]) => {
    const row = rowOf("transfer", `${from.name} > ${to.name}`, taken);
    if (from !== localbt || to !== localbt) return row;
    const text = "at least 262 MB/s (250 MiB/s), each side under 250 MB";
    return withGoal(
      row,
      text,
      ({ rate = 0, seederMB = NaN, downloaderMB = NaN }) => rate >= 262 && seederMB < 250 && downloaderMB < 250,
    );
  });
}

/** Moves a file of zeros that is larger than memory should hold of it, once, ours to ours. */
export async function benchLarge({ length }: { length: number }): Promise<Row[]> {
  await using scene = await openBenchScene();
  const { announceUrl, child: tracker } = await startTracker(scene);
  const share = await makeBenchShare(scene, { length, pieceLength: 4 * MiB, announce: announceUrl, sparse: true });
  const sample = await runPair(scene, { from: localbt, to: localbt }, share, tracker);
  const row = rowOf("large", `localbt > localbt, ${length / 2 ** 30} GiB`, [sample]);
  const text = "each side under 250 MB";
  return [withGoal(row, text, ({ seederMB = NaN, downloaderMB = NaN }) => seederMB < 250 && downloaderMB < 250)];
}

/** From the start of the downloader until it says that every piece is checked. */
async function runPair(
  scene: Scene,
  { from, to }: Pair,
  { torrent, directory, path, name, length }: BenchShare,
  tracker: Parameters<typeof eventOf>[0],
): Promise<Sample> {
  const seenBefore = tracker.lines.length;
  const seeder = await from.start(scene, { mode: "seed", torrent, directory, isBench: true });
  await tracker.until("the seeder's announce", () => {
    const lines = tracker.lines.slice(seenBefore);
    return lines.find((line) => line.text.includes('"event":"announce"') && line.text.includes('"left":0')) && true;
  }, 30_000);
  const seederMeter = new Meter(seeder.pid);
  seederMeter.mark();
  const target = scene.newFolder("target");
  const startedAt = performance.now();
  const downloader = await to.start(scene, { mode: "download", torrent, directory: target, isBench: true });
  const downloaderMeter = new Meter(downloader.pid);
  try {
    await downloader.finished(deadlineMs);
  } finally {
    downloaderMeter.stop();
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const [ofSeeder, ofDownloader] = [seederMeter.stop(), downloaderMeter.stop()];
  await downloader.stop();
  await seeder.stop();
  assertSameFile(path, join(target, name));
  await Deno.remove(target, { recursive: true });
  return {
    seconds,
    rate: length / 1e6 / seconds,
    seederCpuSeconds: ofSeeder.cpuSeconds,
    downloaderCpuSeconds: ofDownloader.cpuSeconds,
    seederMB: ofSeeder.peakMegabytes,
    seederPrivateMB: ofSeeder.privateMegabytes,
    downloaderMB: ofDownloader.peakMegabytes,
    downloaderPrivateMB: ofDownloader.privateMegabytes,
  };
}
