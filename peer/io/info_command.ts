/** `localbt info`: what a torrent or a magnet link says, and which peers its trackers know. */
import { type Command, command, duration, flag, texts } from "../../lib/cli/args.ts";
import type { Context } from "../../lib/cli/context.ts";
import { summaries } from "../../lib/cli/summaries.ts";
import { formatCount, formatSize, safeText } from "../../lib/cli/text.ts";
import { type Endpoint, formatEndpoint } from "../../lib/endpoint.ts";
import { ExitCode, reasonOf } from "../../lib/errors.ts";
import { type InfoHash, makePeerId } from "../../lib/ids.ts";
import { readTorrentFile } from "../../lib/io/torrent_file.ts";
import { isOnDisk } from "../../lib/metainfo.ts";
import { formatMagnet, type Magnet } from "../../lib/magnet.ts";
import type { Metainfo } from "../../lib/metainfo.ts";

/** What is told; a magnet link leaves most of it open, which is null. The keys are those of `--json`. */
interface Info {
  name: string | null;
  infoHash: InfoHash;
  totalLength: number | null;
  pieceLength: number | null;
  pieceCount: number | null;
  private: boolean | null;
  /** Tiers of tracker URLs. */
  announce: readonly (readonly string[])[];
  webSeeds: readonly string[];
  comment: string | null;
  createdBy: string | null;
  /** Unix time in seconds. */
  creationDate: number | null;
  /** Path below the download folder, with `/` between its parts; the number is that of `download --select`. */
  files: { number: number; path: string; length: number }[] | null;
  magnet: string;
  peers?: Endpoint[];
}

/** Milliseconds that one tracker has to answer `--peers`. */
const trackerTimeoutMs = 15_000;
/**
 * The ports of which `--peers` announces one before it takes itself off the list again: those that systems give out for a
 * while, since a seeder of this machine, on its usual port, would be the one that went.
 */
const firstAnnouncedPort = 49_152;
const announcedPorts = 2 ** 16 - firstAnnouncedPort;

export const infoCommand: Command = command({
  name: "info",
  summary: summaries.info,
  operands: "<file.torrent | magnet>",
  options: {
    peers: flag({ help: "also ask its trackers for the active peers" }),
    peer: texts({ value: "HOST:PORT", help: "a peer to ask for what a magnet link leaves open" }),
    timeout: duration({
      value: "TIME",
      help: "how long to ask peers about a magnet link; 0 shows the link alone",
      default: 5_000,
      defaultText: "5s",
    }),
    noDiscovery: flag({ help: "do not look for peers on the local network" }),
  },
  examples: [
    "localbt info holiday.torrent",
    "localbt info --peers holiday.torrent",
    'localbt info --json "magnet:?xt=urn:btih:…"',
  ],
  async run(context, values, [source]) {
    const failures: string[] = [];
    const info = /^magnet:/i.test(source.trim())
      ? await infoOfMagnet(context, source, values, failures)
      : infoOfTorrent(await readTorrentFile(source));
    const trackerFailures: string[] = [];
    if (values.peers) info.peers = await askTrackers(context, info, trackerFailures);
    context.out(context.json ? `${JSON.stringify(info, undefined, 2)}\n` : describe(info));
    for (const failure of [...failures, ...trackerFailures]) context.warn(safeText(failure));
    const isAnswered = !values.peers || trackerFailures.length < Math.max(1, info.announce.flat().length);
    return isAnswered ? ExitCode.done : ExitCode.failed;
  },
});

function infoOfTorrent(torrent: Metainfo): Info {
  const { name, infoHash, totalLength, announce, webSeeds } = torrent;
  return {
    name,
    infoHash,
    totalLength,
    pieceLength: torrent.pieceLength,
    pieceCount: torrent.pieceCount,
    private: torrent.isPrivate,
    announce,
    webSeeds,
    comment: torrent.comment ?? null,
    createdBy: torrent.createdBy ?? null,
    creationDate: torrent.creationDate ?? null,
    files: torrent.files.flatMap((file, i) =>
      isOnDisk(file) ? [{ number: i + 1, path: file.path.join("/"), length: file.length }] : []
    ),
    magnet: formatMagnet({ infoHash, name, length: totalLength, trackers: announce.flat(), webSeeds }),
  };
}

/** What peers say, or where nobody answers the link; why is added to `failures`. */
async function infoOfMagnet(
  context: Context,
  link: string,
  { peer, timeout, noDiscovery }: { peer: readonly string[]; timeout: number; noDiscovery: boolean },
  failures: string[],
): Promise<Info> {
  const { readMagnet } = await import("./magnet_source.ts");
  const magnet = readMagnet(link);
  if (timeout === 0) return infoOfLink(magnet);
  const { askForMetainfo } = await import("./magnet_info.ts");
  const { resolvePeers } = await import("./session.ts");
  const question = { peers: await resolvePeers(peer), timeoutMs: timeout, noDiscovery };
  const metainfo = await askForMetainfo(context, magnet, question);
  if (metainfo !== undefined) return infoOfTorrent(metainfo);
  failures.push("no peer gave the metadata: this is what the link says");
  return infoOfLink(magnet);
}

function infoOfLink(magnet: Magnet): Info {
  const { name, infoHash, trackers, webSeeds, length } = magnet;
  return {
    name: name ?? null,
    infoHash,
    totalLength: length ?? null,
    pieceLength: null,
    pieceCount: null,
    private: null,
    announce: trackers.map((url) => [url]),
    webSeeds,
    comment: null,
    createdBy: null,
    creationDate: null,
    files: null,
    magnet: formatMagnet(magnet),
  };
}

/** The peers that all trackers together know; what went wrong is added to `failures`. */
async function askTrackers(context: Context, info: Info, failures: string[]): Promise<Endpoint[]> {
  const { AnnounceClient } = await import("./announce_client.ts");
  const client = new AnnounceClient({ network: context.network, now: () => context.now() });
  const urls = info.announce.flat();
  if (urls.length === 0) failures.push("it names no tracker that could be asked");
  const request = {
    infoHash: info.infoHash,
    peerId: makePeerId(() => context.random()),
    port: firstAnnouncedPort + Math.floor(context.random() * announcedPorts),
    uploaded: 0,
    downloaded: 0,
    left: info.totalLength ?? Number.MAX_SAFE_INTEGER,
    numWant: 200,
    key: Math.floor(context.random() * 2 ** 32),
    compact: true,
  };
  const options = { signal: context.stop, timeoutMs: trackerTimeoutMs };
  const peers = new Map<string, Endpoint>();
  await Promise.all(urls.map(async (url) => {
    try {
      const reply = await client.announce({ url, request: { ...request, event: "started" } }, options);
      for (const peer of reply.peers) peers.set(formatEndpoint(peer), peer);
      // We do not serve anything: nobody should be sent here.
      await client.announce({ url, request: { ...request, event: "stopped", numWant: 0 } }, options).catch(() => {});
    } catch (error) {
      failures.push(`${url}: ${reasonOf(error)}`);
    }
  }));
  client.close();
  context.stop.throwIfAborted();
  return [...peers.values()];
}

/** The info as rows for a person. */
function describe(info: Info): string {
  const rows: [string, string][] = [
    ["Name", info.name ?? "(not in the link)"],
    ["Info hash", info.infoHash],
  ];
  if (info.totalLength !== null) rows.push(["Size", `${formatSize(info.totalLength)} (${info.totalLength} bytes)`]);
  if (info.pieceLength !== null) {
    rows.push(["Pieces", `${info.pieceCount} of ${formatSize(info.pieceLength)}`]);
  }
  if (info.private !== null) rows.push(["Private", info.private ? "yes: peers only from its trackers" : "no"]);
  info.announce.forEach((tier, i) => rows.push([i === 0 ? "Trackers" : "", tier.join("  ")]));
  info.webSeeds.forEach((url, i) => rows.push([i === 0 ? "Web seeds" : "", url]));
  if (info.comment !== null) rows.push(["Comment", info.comment]);
  if (info.createdBy !== null) rows.push(["Created by", info.createdBy]);
  if (info.creationDate !== null) rows.push(["Created", dateOf(info.creationDate)]);
  rows.push(["Magnet", info.magnet]);
  if (info.files !== null) {
    rows.push(["Files", formatCount(info.files.length, "file")]);
    const width = Math.max(...info.files.map(({ length }) => formatSize(length).length));
    const numberWidth = String(info.files.at(-1)?.number ?? 0).length;
    for (const { number, path, length } of info.files) {
      rows.push(["", `${String(number).padStart(numberWidth)}  ${formatSize(length).padStart(width)}  ${path}`]);
    }
  }
  if (info.peers !== undefined) {
    rows.push(["Peers", formatCount(info.peers.length, "active peer")]);
    for (const peer of info.peers) rows.push(["", formatEndpoint(peer)]);
  }
  return rows.map(([key, value]) => `${key.padEnd(12)}${safeText(value)}\n`).join("");
}

/** `2026-01-02 03:04:05 UTC`, or the number where it is no date. */
function dateOf(unixSeconds: number): string {
  const date = new Date(unixSeconds * 1000);
  if (Number.isNaN(date.getTime())) return String(unixSeconds);
  return `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
