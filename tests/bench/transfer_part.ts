/** One seeder to one downloader, ours and the rivals in turn; and the memory that a large torrent takes. */
import { aria2 } from "../interop/aria2.ts";
import type { Client } from "../interop/client.ts";
import { freePort } from "../interop/free_port.ts";
import { libtorrent } from "../interop/libtorrent.ts";
import { eventOf, localbt, startTracker } from "../interop/localbt.ts";
import type { Scene } from "../interop/scene.ts";
import { type Contender, contest } from "./contest.ts";
import { Meter } from "./meter.ts";
import { fastest, type Row, rowNamed, type Sample, withGoal, withRivalGoal } from "./report.ts";
import { rtorrent } from "./rtorrent.ts";
import {
  type BenchShare,
  GiB,
  MiB,
  openBenchScene,
  torrentOf,
  writeBigFile,
  writeManyFiles,
  writeSmallFiles,
} from "./stage.ts";
import { webtorrent } from "./webtorrent.ts";

const deadlineMs = 180_000;
/** Some of rtorrent's runs never end. */
const rtorrentDeadlineMs = 60_000;
const memoryMaxMB = 200;

const pairs: readonly (readonly [Client, Client])[] = [
  [localbt, localbt],
  [libtorrent, libtorrent],
  [aria2, aria2],
  [libtorrent, localbt],
  [localbt, libtorrent],
  [localbt, aria2],
  [libtorrent, aria2],
  [rtorrent, rtorrent],
  [webtorrent, webtorrent],
];

/** Moves a file of `length` bytes `rounds` times with each pair, interleaved; then ours with other pieces and files. */
export async function benchTransfer({ rounds, length }: { rounds: number; length: number }): Promise<Row[]> {
  await using scene = await openBenchScene();
  const trackerPort = freePort();
  const announce = `http://127.0.0.1:${trackerPort}/announce`;
  const data = writeBigFile(scene.newFolder("data"), length);
  const share = await torrentOf(scene, data, { pieceLength: MiB, announce });
  const rows = await contest(
    { part: "transfer", rounds },
    pairs.map(([from, to]) => contenderOf(scene, trackerPort, share, [from, to])),
  );
  const many = writeManyFiles(scene.newFolder("many"), length / 2);
  const small = await torrentOf(scene, writeSmallFiles(scene.newFolder("small")), {
    pieceLength: 256 * 1024,
    announce,
  });
  const others = [
    ...await Promise.all([16 * 1024, 256 * 1024, 16 * MiB].map(async (pieceLength) => ({
      label: `, pieces of ${pieceLength < MiB ? `${pieceLength / 1024} KiB` : `${pieceLength / MiB} MiB`}`,
      share: await torrentOf(scene, data, { pieceLength, announce }),
      clients: [localbt],
    }))),
    {
      label: `, 2,000 files of ${Math.round(length / 2 / 2000 / 1024)} KiB`,
      share: await torrentOf(scene, many, { pieceLength: MiB, announce }),
      clients: [localbt],
    },
    { label: ", 2,000 small files", share: small, clients: [localbt, libtorrent, aria2] },
  ];
  const variants = await contest(
    { part: "transfer", rounds },
    others.flatMap(({ label, share, clients }) =>
      clients.map((client) => contenderOf(scene, trackerPort, share, [client, client], label))
    ),
  );
  return judge(rows, variants);
}

/** Moves a file of zeros that is larger than memory should hold of it, once, ours to ours. */
export async function benchLarge({ length }: { length: number }): Promise<Row[]> {
  await using scene = await openBenchScene();
  const trackerPort = freePort();
  const announce = `http://127.0.0.1:${trackerPort}/announce`;
  const data = writeBigFile(scene.newFolder("data"), length, { sparse: true });
  const share = await torrentOf(scene, data, { pieceLength: 4 * MiB, announce });
  const contender = contenderOf(scene, trackerPort, share, [localbt, localbt], `, ${length / GiB} GiB`);
  return (await contest({ part: "large", rounds: 1 }, [contender])).map(withMemoryGoal);
}

function contenderOf(
  scene: Scene,
  trackerPort: number,
  share: BenchShare,
  [from, to]: readonly [Client, Client],
  label = "",
): Contender {
  const absent = [from, to].find((client) => !client.isInstalled());
  return {
    name: `${from.name} > ${to.name}${label}`,
    isOurs: from === localbt && to === localbt,
    absence: absent && "not installed",
    run: () => runPair(scene, [from, to], share, trackerPort),
  };
}

/**
 * From the start of the downloader until it says that every piece is checked. The tracker is a new one each time: some
 * rivals leave without a word, and the next one would dial them.
 */
async function runPair(
  scene: Scene,
  [from, to]: readonly [Client, Client],
  share: BenchShare,
  trackerPort: number,
): Promise<Sample> {
  const { torrent, directory, length } = share;
  const { child: tracker } = await startTracker(scene, { port: trackerPort });
  const seeder = await from.start(scene, { mode: "seed", torrent, directory, isBench: true });
  const target = scene.newFolder("target");
  const seederMeter = new Meter(seeder.pid);
  try {
    await eventOf(tracker, "announce", 60_000, (event) => event.left === 0);
    seederMeter.mark();
    const startedAt = performance.now();
    const downloader = await to.start(scene, { mode: "download", torrent, directory: target, isBench: true });
    const startSeconds = (performance.now() - startedAt) / 1000;
    const downloaderMeter = new Meter(downloader.pid);
    try {
      await downloader.finished(to === rtorrent ? rtorrentDeadlineMs : deadlineMs);
      const seconds = (performance.now() - startedAt) / 1000;
      const [ofSeeder, ofDownloader] = [seederMeter.stop(), downloaderMeter.stop()];
      await downloader.stop();
      share.assertSameIn(target);
      return {
        seconds,
        startSeconds,
        rate: length / 1e6 / seconds,
        seederCpuPerGiB: ofSeeder.cpuSeconds * GiB / length,
        downloaderCpuPerGiB: ofDownloader.cpuSeconds * GiB / length,
        seederMB: ofSeeder.peakMegabytes,
        seederPrivateMB: ofSeeder.privateMegabytes,
        downloaderMB: ofDownloader.peakMegabytes,
        downloaderPrivateMB: ofDownloader.privateMegabytes,
      };
    } finally {
      downloaderMeter.stop();
      await downloader.stop();
    }
  } finally {
    seederMeter.stop();
    await seeder.stop();
    await tracker.stop();
    await Deno.remove(target, { recursive: true });
  }
}

/** Puts the goals on the rows of ours. */
function judge(rows: readonly Row[], variants: readonly Row[]): Row[] {
  const rivals = rows.filter((row) => !row.contender.includes("localbt"));
  const standard = rowNamed(rows, "localbt > localbt");
  const besideStandard = (row: Row): Row => {
    if (standard === undefined || !row.contender.startsWith("localbt > localbt,")) return row;
    if (row.contender.includes(" files")) {
      const times = (moving(row.figures) / moving(standard.figures)).toFixed(2);
      const text = `at least 0.6 of the rate with one file, both without their start: ${times}`;
      return withGoal(row, text, (figures) => moving(figures) >= 0.6 * moving(standard.figures));
    }
    const share = row.contender.includes(" 16 KiB") ? 0.3 : 0.75;
    const times = ((row.figures.rate ?? NaN) / (standard.figures.rate ?? NaN)).toFixed(2);
    return withMemoryGoal(withGoal(
      row,
      `at least ${share} of the rate with 1 MiB: ${times}`,
      ({ rate = NaN }) => rate >= share * (standard.figures.rate ?? NaN),
    ));
  };
  const folderRivals = variants.filter((row) => row.contender.endsWith("small files") && !row.isOurs);
  return [
    ...rows.map((row) => {
      const goals: Record<string, () => Row> = {
        "localbt > localbt": () =>
          withMemoryGoal(withCpuGoal(withRivalGoal(row, fastest(rivals), { times: 2 }), rivals)),
        "libtorrent > localbt": () => withRivalGoal(row, rowNamed(rows, "libtorrent > libtorrent"), { times: 1.3 }),
        "localbt > libtorrent": () => withRivalGoal(row, rowNamed(rows, "libtorrent > libtorrent"), { times: 1 }),
        "localbt > aria2": () => withRivalGoal(row, rowNamed(rows, "libtorrent > aria2"), { times: 1 }),
      };
      return row.runs > 0 ? goals[row.contender]?.() ?? row : row;
    }),
    ...variants.map((row) =>
      row.isOurs && row.contender.endsWith("small files")
        ? withRivalGoal(besideStandard(row), fastest(folderRivals), { times: 1 })
        : besideStandard(row)
    ),
  ];
}

/** Bytes a second from the start of the transfer, as the length does not matter for a ratio: rate without the start. */
function moving({ rate = NaN, seconds = NaN, startSeconds = NaN }: Row["figures"]): number {
  return rate * seconds / (seconds - startSeconds);
}

function withMemoryGoal(row: Row): Row {
  const isSmall = ({ seederMB = NaN, downloaderMB = NaN }: Row["figures"]) =>
    seederMB < memoryMaxMB && downloaderMB < memoryMaxMB;
  return withGoal(row, `under ${memoryMaxMB} MB a side`, isSmall, { isOfSpeed: false });
}

function withCpuGoal(row: Row, rivals: readonly Row[]): Row {
  const least = (key: string) => Math.min(...rivals.map((rival) => rival.figures[key] ?? Infinity));
  const [seeder, downloader] = [least("seederCpuPerGiB"), least("downloaderCpuPerGiB")];
  if (seeder === Infinity) return row;
  const ofSeeder = withGoal(
    row,
    `CPU of the seeder under the best rival's ${seeder.toFixed(2)} s/GiB`,
    ({ seederCpuPerGiB = NaN }) => seederCpuPerGiB < seeder,
  );
  return withGoal(
    ofSeeder,
    `CPU of the downloader under the best rival's ${downloader.toFixed(2)} s/GiB`,
    ({ downloaderCpuPerGiB = NaN }) => downloaderCpuPerGiB < downloader,
  );
}
