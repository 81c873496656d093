/** One slow seeder and several downloaders: how near they come to the time that the seeder alone would need for one. */
import { aria2 } from "../interop/aria2.ts";
import type { Client, Peer } from "../interop/client.ts";
import { libtorrent } from "../interop/libtorrent.ts";
import { localbt, startTracker } from "../interop/localbt.ts";
import { join } from "../interop/path.ts";
import type { Scene } from "../interop/scene.ts";
import { Meter } from "./meter.ts";
import { type Row, rowOf, type Sample, withGoal } from "./report.ts";
import { assertSameFile, type BenchShare, makeBenchShare, MiB, openBenchScene } from "./stage.ts";

const deadlineMs = 180_000;
const uploadLimit = 20_000_000;

/** 4 downloaders of one kind behind our seeder at 20 MB/s; ours and the rivals in turn. */
export async function benchSwarm({ rounds, length }: { rounds: number; length: number }): Promise<Row[]> {
  const clients = [localbt, aria2, libtorrent].filter((client) => client.isInstalled());
  const boundSeconds = length / uploadLimit;
  const samples = new Map<Client, Sample[]>(clients.map((client) => [client, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [client, taken] of samples) {
      // a tracker of its own for each run, so that nobody meets the peers of the last one
      await using scene = await openBenchScene();
      const { announceUrl } = await startTracker(scene);
      const share = await makeBenchShare(scene, { length, pieceLength: MiB / 4, announce: announceUrl });
      taken.push(await runSwarm(scene, client, share, boundSeconds));
    }
  }
  return [...samples].map(([client, taken]) => {
    const row = rowOf("swarm", `4 x ${client.name}`, taken);
    const text = `all have it within 1.5 times the bound of ${boundSeconds.toFixed(1)} s`;
    return client === localbt ? withGoal(row, text, ({ timesBound = NaN }) => timesBound <= 1.5) : row;
  });
}

async function runSwarm(scene: Scene, client: Client, share: BenchShare, boundSeconds: number): Promise<Sample> {
  const { torrent, directory, path, name } = share;
  const seeder = await localbt.start(scene, { mode: "seed", torrent, directory, uploadLimit, isBench: true });
  const targets = Array.from({ length: 4 }, () => scene.newFolder("target"));
  const startedAt = performance.now();
  const downloaders: Peer[] = await Promise.all(
    targets.map((target) => client.start(scene, { mode: "download", torrent, directory: target, isBench: true })),
  );
  const meters = downloaders.map((downloader) => new Meter(downloader.pid));
  try {
    await Promise.all(downloaders.map((downloader) => downloader.finished(deadlineMs)));
  } finally {
    for (const meter of meters) meter.stop();
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const costs = meters.map((meter) => meter.stop());
  for (const peer of [...downloaders, seeder]) await peer.stop();
  for (const target of targets) assertSameFile(path, join(target, name));
  return {
    seconds,
    timesBound: seconds / boundSeconds,
    cpuSecondsEach: costs.reduce((sum, cost) => sum + cost.cpuSeconds, 0) / costs.length,
    peakMB: Math.max(...costs.map((cost) => cost.peakMegabytes)),
  };
}
