/** One slow seeder and several downloaders: how near they come to the time that the seeder alone would need for one. */
import { aria2 } from "../interop/aria2.ts";
import type { Client, Peer } from "../interop/client.ts";
import { libtorrent } from "../interop/libtorrent.ts";
import { eventsOf, localbt, LocalbtPeer, startTracker } from "../interop/localbt.ts";
import { type Contender, contest } from "./contest.ts";
import { Meter } from "./meter.ts";
import { fastest, type Row, type Sample, withGoal, withRivalGoal } from "./report.ts";
import { MiB, openBenchScene, torrentOf, writeBigFile } from "./stage.ts";

const deadlineMs = 180_000;
const uploadLimit = 20_000_000;
/**
 * What libtorrent asks of one peer at once: with its usual depth a slow seeder is asked by all for the same pieces, and
 * the swarm takes a quarter longer. The rival is measured at its best.
 */
const libtorrentQueueMax = 40;

/** A kind of swarm. */
interface Swarm {
  readonly from: Client;
  readonly to: Client;
  readonly downloaderCount: number;
  readonly length: number;
}

/** 4 and 8 downloaders of one kind behind a seeder at 20 MB/s, ours and the rivals in turn; then 32 of a quarter. */
export async function benchSwarm({ rounds, length }: { rounds: number; length: number }): Promise<Row[]> {
  const rows: Row[] = [];
  for (const downloaderCount of [4, 8]) {
    const swarms = [[localbt, localbt], [libtorrent, aria2], [localbt, aria2], [libtorrent, libtorrent]] as const;
    const taken = await contest(
      { part: "swarm", rounds },
      swarms.map(([from, to]) => contenderOf({ from, to, downloaderCount, length })),
    );
    const rival = fastest(taken.filter((row) => !row.isOurs));
    rows.push(...taken.map((row) => row.isOurs ? withRivalGoal(withBoundGoal(row), rival, { times: 1 }) : row));
  }
  const many = { downloaderCount: 32, length: length / 4 };
  const large = [{ from: localbt, to: localbt, ...many }, { from: libtorrent, to: aria2, ...many }];
  rows.push(...await contest({ part: "swarm", rounds: 1 }, large.map(contenderOf)));
  return rows;
}

function contenderOf(swarm: Swarm): Contender {
  const { from, to, downloaderCount, length } = swarm;
  const isOurs = from === localbt && to === localbt;
  return {
    name: `${downloaderCount} x ${to.name} behind ${from.name}, ${Math.round(length / MiB)} MiB`,
    isOurs,
    absence: from.isInstalled() && to.isInstalled() ? undefined : "not installed",
    run: () => runSwarm(swarm),
  };
}

function withBoundGoal(row: Row): Row {
  const text = `all have it within 1.15 times the bound: ${row.figures.timesBound?.toFixed(2)}`;
  return withGoal(row, text, ({ timesBound = NaN }) => timesBound <= 1.15);
}

/** From the start of all downloaders until the last one has it; a tracker of its own, so that no former peer is met. */
async function runSwarm({ from, to, downloaderCount, length }: Swarm): Promise<Sample> {
  await using scene = await openBenchScene();
  const { announceUrl } = await startTracker(scene);
  const data = writeBigFile(scene.newFolder("data"), length);
  const { torrent, directory } = await torrentOf(scene, data, { pieceLength: MiB / 4, announce: announceUrl });
  const queue = { requestQueueMax: libtorrentQueueMax };
  const seeder = await from.start(scene, { mode: "seed", torrent, directory, uploadLimit, isBench: true });
  const targets = Array.from({ length: downloaderCount }, () => scene.newFolder("target"));
  const seederMeter = new Meter(seeder.pid);
  const meters: Meter[] = [];
  try {
    seederMeter.mark();
    const startedAt = performance.now();
    const finishedAt: number[] = [];
    const downloaders: Peer[] = await Promise.all(targets.map(async (target) => {
      const peer = await to.start(scene, { mode: "download", torrent, directory: target, isBench: true, ...queue });
      meters.push(new Meter(peer.pid));
      return peer;
    }));
    await Promise.all(downloaders.map(async (downloader) => {
      await downloader.finished(deadlineMs);
      finishedAt.push((performance.now() - startedAt) / 1000);
    }));
    const costs = meters.map((meter) => meter.stop());
    const seederCpuSeconds = seederMeter.stop().cpuSeconds;
    for (const peer of [...downloaders, seeder]) await peer.stop();
    for (const target of targets) data.assertSameIn(target);
    const seconds = Math.max(...finishedAt);
    return {
      seconds,
      timesBound: seconds * uploadLimit / length,
      firstSeconds: Math.min(...finishedAt),
      ...(seeder instanceof LocalbtPeer && { copiesSent: uploadedBytes(seeder) / length }),
      seederCpuSeconds,
      cpuSecondsEach: costs.reduce((sum, cost) => sum + cost.cpuSeconds, 0) / costs.length,
      peakMB: Math.max(...costs.map((cost) => cost.peakMegabytes)),
    };
  } finally {
    for (const meter of [...meters, seederMeter]) meter.stop();
  }
}

/** What ours gave, by its last word. */
function uploadedBytes(seeder: LocalbtPeer): number {
  return Number(eventsOf(seeder.child, "done")[0]?.uploadedBytes);
}
