/** `localbt seed`: shares what is there of one or more torrents until it is told to stop. */
import { command, count, decimal, duration, flag, rate, text, texts } from "../../lib/cli/args.ts";
import type { Context } from "../../lib/cli/context.ts";
import { ProgressLine } from "../../lib/cli/progress.ts";
import { summaries } from "../../lib/cli/summaries.ts";
import { formatSize, safeText } from "../../lib/cli/text.ts";
import { ExitCode, UserError } from "../../lib/errors.ts";
import { readTorrentFile } from "../../lib/io/torrent_file.ts";
import type { Metainfo } from "../../lib/metainfo.ts";
import { findDataDirectory } from "./data_directory.ts";
import { PeerReport } from "./peer_report.ts";
import { describeSeedingEnd, type SeedingBounds, waitForSeedingEnd } from "./seeding_end.ts";
import { resolvePeers, Session } from "./session.ts";
import type { Transfer } from "./transfer.ts";

/** A torrent that is being seeded. */
interface Seeding {
  readonly metainfo: Metainfo;
  readonly transfer: Transfer;
}

export const seedCommand = command({
  name: "seed",
  summary: summaries.seed,
  operands: "<file.torrent>…",
  options: {
    data: text({ short: "d", value: "DIR", help: "where the data is (default: beside the torrent, then here)" }),
    host: text({ value: "ADDRESS", help: "the address to listen on (default: all)" }),
    port: count({ value: "PORT", help: "the port to listen on (default: 6881, then the next free)", max: 65535 }),
    peer: texts({ value: "HOST:PORT", help: "a peer to connect to, besides those of the tracker" }),
    uploadLimit: rate({ value: "RATE", help: "upload at most so many bytes a second", min: 1 }),
    noDiscovery: flag({ help: "do not announce it on the local network, nor look for others there" }),
    maxPeers: count({ value: "N", help: "peers connected at once, for each torrent (default: 600)", min: 1 }),
    noVerify: flag({ help: "do not check the data first: you know that it is whole" }),
    seedTime: duration({ value: "TIME", help: "stop after this time" }),
    seedRatio: decimal({ value: "N", help: "stop after N times the size was given" }),
  },
  examples: [
    "localbt seed holiday.torrent",
    "localbt seed -d /srv/share --upload-limit 20M holiday.torrent music.torrent",
  ],
  async run(context, values, operands) {
    const metainfos = await Promise.all(operands.map(readTorrentFile));
    const peers = await resolvePeers(values.peer);
    const session = new Session({ context, ...values, downloadLimit: undefined });
    try {
      const report = new PeerReport(context);
      const seedings = new Map<string, Seeding>();
      const failure = Promise.withResolvers<never>();
      failure.promise.catch(() => {});
      for (const [index, metainfo] of metainfos.entries()) {
        if (seedings.has(metainfo.infoHash)) continue;
        const directory = values.data ?? await findDataDirectory(metainfo, operands[index]);
        const opened = await openForSeeding(session, metainfo, { directory, isTrusted: values.noVerify });
        const transfer = session.start({
          ...opened,
          strategy: "rarest-first",
          isSeedOnly: true,
          onEvent: (event) => event.kind === "failed" ? failure.reject(event.error) : report.tell(event),
        });
        transfer.apply({ kind: "peersFound", endpoints: peers, source: "user" });
        seedings.set(metainfo.infoHash, { metainfo, transfer });
        tellReady(context, { metainfo, transfer }, { directory, port: session.engine.port });
      }
      const bounds: SeedingBounds = { seedTimeMs: values.seedTime, seedRatio: values.seedRatio };
      await Promise.race([failure.promise, seedUntilEnd(context, session, [...seedings.values()], bounds)]);
    } finally {
      await session.close();
    }
    return ExitCode.done;
  },
});

/** @throws UserError (4) when nothing of the torrent is there */
async function openForSeeding(
  session: Session,
  metainfo: Metainfo,
  { directory, isTrusted }: { directory: string; isTrusted: boolean },
) {
  const opened = await session.open(metainfo, { directory, mode: "seed", isTrusted });
  if (opened.have.isEmpty) {
    throw new UserError(`seed ${safeText(metainfo.name)}`, `no whole piece of it is in ${directory}`, {
      exitCode: ExitCode.dataMismatch,
      hint: "name the folder that holds it with --data DIR",
    });
  }
  return opened;
}

function tellReady(
  context: Context,
  { metainfo, transfer }: Seeding,
  { directory, port }: { directory: string; port: number },
): void {
  const { haveBytes, totalBytes, havePieces, pieceCount } = transfer.torrent.stats(context.now());
  const name = safeText(metainfo.name);
  const { infoHash } = metainfo;
  context.event("ready", { name, infoHash, port, directory, havePieces, pieceCount, haveBytes, totalBytes });
  const part = transfer.torrent.isComplete
    ? formatSize(totalBytes)
    : `${havePieces} of ${pieceCount} pieces, ${formatSize(haveBytes)} of ${formatSize(totalBytes)}`;
  if (!context.json) context.log(`seeding ${name} (${part}) on port ${port}`);
}

async function seedUntilEnd(
  context: Context,
  session: Session,
  seedings: readonly Seeding[],
  bounds: SeedingBounds,
): Promise<void> {
  context.log(`it goes on ${describeSeedingEnd(bounds)}`);
  const progress = new ProgressLine(context);
  const total = () => {
    const all = seedings.map(({ transfer }) => transfer.torrent.stats(context.now()));
    const sum = (pick: (stats: typeof all[number]) => number) => all.reduce((total, stats) => total + pick(stats), 0);
    return {
      uploadedBytes: sum((stats) => stats.uploadedBytes),
      totalBytes: sum((stats) => stats.totalBytes),
      haveBytes: sum((stats) => stats.haveBytes),
      upRate: sum((stats) => stats.upRate),
      peerCount: sum((stats) => stats.peerCount),
    };
  };
  await waitForSeedingEnd(bounds, {
    stop: context.stop,
    ratio: () => total().uploadedBytes / total().totalBytes,
    onSecond: () => {
      const { uploadedBytes, totalBytes, haveBytes, upRate, peerCount } = total();
      if (!context.terminal.stderrIsTerminal && upRate === 0) return;
      progress.update({
        label: seedings.length === 1 ? `seeding ${safeText(seedings[0].metainfo.name)}` : `seeding ${seedings.length}`,
        bytes: haveBytes,
        totalBytes,
        bytesPerSecond: 0,
        upBytesPerSecond: upRate,
        peers: peerCount,
        note: `${formatSize(uploadedBytes)} given`,
      });
    },
  });
  progress.finish();
  const { uploadedBytes } = total();
  const refused = session.refused(seedings.map(({ transfer }) => transfer));
  context.event("done", { uploadedBytes, refused });
  context.log(`gave ${formatSize(uploadedBytes)}`);
}
