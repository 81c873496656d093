/** `localbt tracker`: runs a tracker until it is stopped, and says under which URLs others reach it. */
import { type Command, command, count, duration, text, texts } from "../../lib/cli/args.ts";
import type { Context } from "../../lib/cli/context.ts";
import { summaries } from "../../lib/cli/summaries.ts";
import { formatCount, formatDuration, formatSize, safeText } from "../../lib/cli/text.ts";
import { ExitCode, reasonOf, UserError } from "../../lib/errors.ts";
import type { InfoHash } from "../../lib/ids.ts";
import { announceIntervalMaxMs, announceIntervalMinMs } from "../../lib/limits/tracker.ts";
import { readAllowList } from "./allow_list.ts";
import { type Announced, type ServerStats, TrackerServer } from "./http_listener.ts";

/** Milliseconds between two looks at whether there is something new to tell. */
const reportEveryMs = 10_000;

export const trackerCommand: Command = command({
  name: "tracker",
  summary: summaries.tracker,
  operands: "[file.torrent]…",
  options: {
    host: text({ value: "ADDRESS", help: "listen on this address alone", defaultText: "all, IPv4 and IPv6" }),
    port: count({ value: "PORT", help: "listen on this port", default: 6969, max: 65535 }),
    interval: duration({
      value: "TIME",
      help: "time between two announces of a client",
      default: 60_000,
      defaultText: "60s",
      min: announceIntervalMinMs,
      max: announceIntervalMaxMs,
    }),
    allow: texts({ value: "FILE.torrent", help: "track only these torrents; more files may follow" }),
  },
  examples: [
    "localbt tracker",
    "localbt tracker --port 8080 --interval 30s",
    "localbt tracker --allow holiday.torrent exams.torrent",
  ],
  async run(context, { host, port, interval, allow }, operands) {
    if (operands.length > 0 && allow.length === 0) {
      throw new UserError("run tracker", `it does not take "${operands[0]}"`, {
        exitCode: ExitCode.usage,
        hint: "to track only some torrents: localbt tracker --allow FILE.torrent…",
      });
    }
    const paths = [...allow, ...operands];
    const allowed = paths.length > 0 ? await readAllowList(paths) : undefined;
    const server = TrackerServer.start({
      network: context.network,
      host,
      port,
      intervalMs: interval,
      allow: allowed,
      now: () => context.now(),
      random: () => context.random(),
      onFault: (error) => context.warn(`a request failed: ${reasonOf(error)}`),
      ...((context.json || context.verbose) && { onAnnounce: (announced) => tellAnnounce(context, announced) }),
    });
    tellReady(context, server, { intervalMs: interval, allowed });
    const reporter = setInterval(reporterOf(context, server), reportEveryMs);
    await stopped(context.stop);
    clearInterval(reporter);
    await server.close();
    const { announces, uptimeSeconds } = server.stats;
    context.log(`stopped after ${formatDuration(uptimeSeconds * 1000)} and ${formatCount(announces, "announce")}`);
    context.event("stats", { ...server.stats });
    return ExitCode.done;
  },
});

function tellReady(
  context: Context,
  server: TrackerServer,
  { intervalMs, allowed }: { intervalMs: number; allowed: ReadonlySet<InfoHash> | undefined },
): void {
  const { port, announceUrls, udpUrls } = server;
  context.event("ready", { port, announceUrls, udpUrls, intervalMs, allowed: allowed?.size });
  if (!context.json) context.out(announceUrls.map((url) => `${url}\n`).join(""));
  const what = allowed === undefined ? "any torrent" : formatCount(allowed.size, "torrent");
  context.log(`the tracker listens on port ${port}, TCP and UDP, for ${what}; clients announce to the URL above`);
  context.log(`clients that prefer UDP: ${udpUrls[0]}`);
  context.log("press Ctrl-C to stop");
}

function tellAnnounce(context: Context, announced: Announced): void {
  const { peer, kind, infoHash, left, complete, incomplete } = announced;
  context.event("announce", { ...announced });
  if (!context.verbose) return;
  const what = kind === "regular" ? "announced" : kind;
  const missing = left === 0 ? "has all" : left === Number.MAX_SAFE_INTEGER ? "" : `needs ${formatSize(left)}`;
  const swarm = `${formatCount(complete, "seed")}, ${formatCount(incomplete, "downloader")}`;
  context.log(safeText([peer, what, infoHash.slice(0, 8), missing, `(${swarm})`].filter((word) => word).join(" ")));
}

/** Tells how many peers there are whenever that has changed. */
function reporterOf(context: Context, server: TrackerServer): () => void {
  let told = "";
  return () => {
    const { stats } = server;
    const words = summaryOf(stats);
    if (words === told) return;
    told = words;
    context.event("stats", { ...stats });
    context.log(words);
  };
}

function summaryOf({ peers, seeds, swarms }: ServerStats): string {
  if (peers === 0) return "no peers";
  return `${formatCount(peers, "peer")} (${formatCount(seeds, "seed")}) in ${formatCount(swarms, "torrent")}`;
}

function stopped(stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop.aborted) resolve();
    else stop.addEventListener("abort", () => resolve(), { once: true });
  });
}
