/** `localbt download`: fetches a torrent's files, verified piece by piece, from all who have them. */
import {
  choice,
  command,
  count,
  decimal,
  duration,
  flag,
  rate,
  text,
  texts,
  type ValuesOf,
} from "../../lib/cli/args.ts";
import type { Context } from "../../lib/cli/context.ts";
import { summaries } from "../../lib/cli/summaries.ts";
import type { Endpoint } from "../../lib/endpoint.ts";
import { ExitCode, UserError } from "../../lib/errors.ts";
import { readTorrentFile } from "../../lib/io/torrent_file.ts";
import type { Magnet } from "../../lib/magnet.ts";
import type { Metainfo } from "../../lib/metainfo.ts";
import type { PickStrategy } from "../piece_picker.ts";
import { Download } from "./download.ts";
import { DownloadLock } from "./download_lock.ts";
import { chooseFiles, parseFileWish } from "./file_choice.ts";
import { fetchMagnet, findLinkPeers, readMagnet } from "./magnet_source.ts";
import { flushFolder } from "./flush.ts";
import { MetadataFile } from "./metadata_file.ts";
import { describeSeedingEnd, type SeedingBounds } from "./seeding_end.ts";
import { resolvePeers, Session } from "./session.ts";

/** The options of `download`, which `get` takes too. */
export const downloadOptions = {
  output: text({ short: "o", value: "DIR", help: "the folder to put it in", default: "." }),
  strategy: choice<PickStrategy>({
    value: "NAME",
    help: "which piece comes next: rarest-first, sequential or random",
    choices: ["rarest-first", "sequential", "random"],
    default: "rarest-first",
  }),
  select: texts({
    value: "FILES",
    help: "only these files: 1-3,5 as info numbers them, or '*.mkv'",
  }),
  maxPeers: count({ value: "N", help: "peers connected at once (default: 600)", min: 1 }),
  peer: texts({ value: "HOST:PORT", help: "a peer to connect to, besides those of the tracker" }),
  host: text({ value: "ADDRESS", help: "the address to listen on (default: all)" }),
  port: count({ value: "PORT", help: "the port to listen on (default: 6881, then the next free)", max: 65535 }),
  downloadLimit: rate({ value: "RATE", help: "download at most so many bytes a second", min: 1 }),
  uploadLimit: rate({ value: "RATE", help: "upload at most so many bytes a second", min: 1 }),
  timeout: duration({ value: "TIME", help: "give up when nothing has come for so long (exit code 5)" }),
  noResume: flag({ help: "check all data that is there, whatever the last run remembers" }),
  noDiscovery: flag({ help: "do not announce it on the local network, nor look for others there" }),
  seed: flag({ help: "go on seeding when all is there" }),
  seedTime: duration({ value: "TIME", help: "seed for so long when all is there" }),
  seedRatio: decimal({ value: "N", help: "seed until N times the size was given" }),
};

/** What the user asked for with them. */
export type DownloadValues = ValuesOf<typeof downloadOptions>;

export const downloadCommand = command({
  name: "download",
  summary: summaries.download,
  operands: "<file.torrent | magnet>",
  options: downloadOptions,
  examples: [
    "localbt download -o dest holiday.torrent",
    "localbt download --peer 192.168.1.20:6881 --seed holiday.torrent",
    'localbt download "magnet:?xt=urn:btih:…"',
    "localbt download --select 1-3,5 --select '*.jpg' holiday.torrent",
  ],
  run: (context, values, [operand]) => downloadOperand(context, values, operand),
});

/** Downloads what a torrent file or a magnet link names. @throws UserError */
export async function downloadOperand(context: Context, values: DownloadValues, operand: string): Promise<ExitCode> {
  if (/^magnet:/i.test(operand)) {
    return await fetchTorrent(context, values, { magnet: readMagnet(operand), peers: [] });
  }
  return await fetchTorrent(context, values, { metainfo: await readTorrentFile(operand), peers: [] });
}

/**
 * Downloads a torrent, or what a magnet link names, and, where that is wished, goes on seeding it.
 *
 * @param peers where it can be had, beside what the trackers and `--peer` name
 * @throws UserError
 */
export async function fetchTorrent(
  context: Context,
  values: DownloadValues,
  { peers, ...source }: ({ metainfo: Metainfo } | { magnet: Magnet }) & { peers: readonly Endpoint[] },
): Promise<ExitCode> {
  const wish = parseFileWish(values.select);
  const endpoints = [...peers, ...await resolvePeers(values.peer)];
  const bounds: SeedingBounds = { seedTimeMs: values.seedTime, seedRatio: values.seedRatio };
  const seedsAfter = values.seed || bounds.seedTimeMs !== undefined || bounds.seedRatio !== undefined;
  const session = new Session({ context, ...values });
  let lock: DownloadLock | undefined;
  try {
    const magnet = "magnet" in source ? source.magnet : undefined;
    const kept = magnet && new MetadataFile({ directory: values.output, infoHash: magnet.infoHash });
    const torrent = "metainfo" in source
      ? { metainfo: source.metainfo, fetched: undefined }
      : await fetchMagnet(context, session, { ...source, peers: endpoints, timeoutMs: values.timeout, kept: kept! });
    if (torrent === undefined) return ExitCode.done; // the person stopped it
    const selection = chooseFiles(torrent.metainfo, { wish, selectOnly: magnet?.selectOnly });
    lock = DownloadLock.take(torrent.metainfo, values.output);
    const download = await Download.begin(
      context,
      session,
      torrent.metainfo,
      { ...values, selection },
      torrent.fetched,
    );
    const found = (endpoints: readonly Endpoint[]) =>
      download.transfer.apply({ kind: "peersFound", endpoints, source: "user" });
    found(endpoints);
    if (magnet !== undefined && torrent.fetched === undefined) findLinkPeers(context, magnet, found);
    context.log(
      `when all is there it ${seedsAfter ? `goes on seeding ${describeSeedingEnd(bounds)}` : "ends"}`,
    );
    await download.finish({
      timeoutMs: values.timeout,
      whenWhole: async () => {
        await new MetadataFile({ directory: values.output, infoHash: torrent.metainfo.infoHash }).remove();
        lock?.release();
        await flushFolder(values.output); // what is gone shall not be there again after a power cut
      },
    });
    if (!context.stop.aborted && seedsAfter) await download.seed(bounds);
  } catch (error) {
    if (error instanceof UserError) context.event("error", { message: error.message, exitCode: error.exitCode });
    throw error;
  } finally {
    await session.close();
    lock?.release();
  }
  return ExitCode.done;
}
