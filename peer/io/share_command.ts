/**
 * `localbt share`: a file or folder on this machine, and everything that others need to take it: the torrent, the tracker,
 * the first peer, a page, and the lines to type. Nothing is written beside the data.
 *
 * The tracker is handed in by main.ts, since peer and tracker meet only in lib.
 */
import { type Command, command, count, flag, rate, text } from "../../lib/cli/args.ts";
import type { Context } from "../../lib/cli/context.ts";
import { summaries } from "../../lib/cli/summaries.ts";
import { formatCount, formatSize, safeText } from "../../lib/cli/text.ts";
import { formatEndpoint, isLoopback } from "../../lib/endpoint.ts";
import { ExitCode, UserError } from "../../lib/errors.ts";
import { hostName } from "../../lib/io/host_name.ts";
import type { Network } from "../../lib/io/network.ts";
import { formatMagnet } from "../../lib/magnet.ts";
import { parseShareTarget, sharePort } from "../../lib/share_target.ts";
import { originOf } from "../../lib/site_host.ts";
import { type MadeShare, makeShares } from "./made_share.ts";
import { guardNetwork } from "./guarded_network.ts";
import { checkPin, makePin } from "./pin.ts";
import type { PinServer } from "./pin_server.ts";
import { ProgramFile } from "./program_file.ts";
import { qrCodeLines } from "./qr_code.ts";
import { Session } from "./session.ts";
import { ShareAnnouncer } from "./share_announcer.ts";
import { ShareReport } from "./share_report.ts";
import { ShareSite } from "./share_site.ts";
import { type ShareTracker, startOnNextFree, type StartShareTracker } from "./share_tracker.ts";
import { watchFolders } from "./share_watch.ts";
import { stopCode } from "./stop_code.ts";

/** The `share` command. @param startTracker makes the tracker that introduces those who take it to each other */
export function makeShareCommand(startTracker: StartShareTracker): Command {
  return command({
    name: "share",
    summary: summaries.share,
    operands: "<file or folder>…",
    options: {
      name: text({ value: "NAME", help: "what others see (default: the name of the file or folder)" }),
      host: text({ value: "ADDRESS", help: "the address to listen on (default: all)" }),
      port: count({
        value: "PORT",
        help: `the port of page and tracker (default: ${sharePort}, then the next free)`,
        max: 65535,
      }),
      pin: text({ value: "WORD", help: "only who knows this word gets it" }),
      makePin: flag({ help: "the same with a PIN that is made and shown" }),
      noDiscovery: flag({ help: "do not announce it on the network: others name this machine's address" }),
      uploadLimit: rate({ value: "RATE", help: "upload at most so many bytes a second", min: 1 }),
    },
    examples: [
      "localbt share holiday",
      "localbt share --make-pin holiday",
      "localbt share --pin otter exams.zip",
      "localbt share --name 'Photos of May' --upload-limit 20M DCIM",
    ],
    async run(context, values, sources) {
      if (values.name !== undefined && sources.length > 1) {
        throw new UserError("run share", "--name is for one file or folder", {
          exitCode: ExitCode.usage,
          hint: "share them one by one, each with its name",
        });
      }
      const program = ProgramFile.open();
      try {
        const pin = values.pin !== undefined ? checkPin(values.pin) : values.makePin ? makePin() : undefined;
        const shares = await makeShares(context, sources, { name: values.name, isPinned: pin !== undefined });
        await new Sharing({ context, shares, program, ...values, pin, startTracker }).run();
      } catch (error) {
        if (context.stop.aborted) return stopCode(context.stop);
        throw error;
      }
      return ExitCode.done;
    },
  });
}

interface SharingOptions {
  readonly context: Context;
  readonly shares: readonly MadeShare[];
  readonly program: ProgramFile | undefined;
  readonly host: string | undefined;
  readonly port: number | undefined;
  /** Undefined where everybody may take it. */
  readonly pin: string | undefined;
  readonly noDiscovery: boolean;
  readonly uploadLimit: number | undefined;
  readonly startTracker: StartShareTracker;
}

/** Milliseconds between two warnings that somebody guesses. */
const suspicionMs = 30_000;

/** The network of a peer that serves only those who know the PIN. */
function guarded(network: Network, pinServer: PinServer): Network {
  return guardNetwork(network, (host) => pinServer.hasAdmitted(host));
}

/** One run: tracker, peer and page from the first visitor to Ctrl-C. */
class Sharing {
  readonly #options: SharingOptions;
  readonly #context: Context;
  /** Undefined until the first torrent is there. */
  #site: ShareSite | undefined;
  readonly #closers: (() => Promise<void>)[] = [];

  constructor(options: SharingOptions) {
    this.#options = options;
    this.#context = options.context;
  }

  async run(): Promise<void> {
    try {
      const { context, shares, host, uploadLimit } = this.#options;
      const pinServer = await this.#makePinServer();
      const session = new Session({
        context: pinServer === undefined ? context : { ...context, network: guarded(context.network, pinServer) },
        host,
        port: undefined,
        uploadLimit,
        downloadLimit: undefined,
        maxPeers: undefined,
        noDiscovery: this.#options.noDiscovery,
      });
      this.#closers.push(() => session.close());
      const report = new ShareReport(context, shares);
      const tracker = this.#startTracker(session, report, pinServer);
      const failure = Promise.withResolvers<never>();
      failure.promise.catch(() => {});
      for (const { metainfo, directory, paths } of shares) {
        const own = { ...metainfo, announce: [[`http://${formatEndpoint(this.#ownEndpoint(tracker))}/announce`]] };
        const opened = await session.open(own, { directory, paths, mode: "seed", isTrusted: true });
        const transfer = session.start({
          ...opened,
          strategy: "rarest-first",
          isSeedOnly: true,
          onEvent: (event) => event.kind === "failed" ? failure.reject(event.error) : report.tell(event, metainfo),
        });
        report.add(transfer);
      }
      const isAnnounced = await this.#announce(tracker, session);
      await this.#tellReady(tracker, session, isAnnounced);
      watchFolders(shares, { stop: context.stop, onChange: (share) => report.changed(share) });
      await Promise.race([failure.promise, report.untilStopped()]);
      report.tellDone(session);
    } finally {
      for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) await close();
    }
  }

  async #makePinServer(): Promise<PinServer | undefined> {
    const { pin, context } = this.#options;
    if (pin === undefined) return undefined;
    const { PinServer } = await import("./pin_server.ts");
    let saidAt = -Infinity;
    return await PinServer.make({
      pin,
      now: () => context.now(),
      onSuspicion: (host) => {
        if (context.now() - saidAt < suspicionMs) return;
        saidAt = context.now();
        context.event("suspicion", { address: host });
        context.warn(`${host} tries too many PINs: it has to wait between them`);
      },
    });
  }

  #startTracker(session: Session, report: ShareReport, pinServer: PinServer | undefined): ShareTracker {
    const { context, shares, host, port, program, startTracker } = this.#options;
    const tracker = startOnNextFree(startTracker, {
      network: context.network,
      host,
      port,
      intervalMs: 60_000,
      allow: new Set(shares.map(({ metainfo }) => metainfo.infoHash)),
      now: () => context.now(),
      random: () => context.random(),
      site: (request, ends) => this.#site?.answer(request, ends),
      onAnnounce: (announced) => report.announced(announced),
      peersRefused: () => report.refused(session),
      onFault: (error) => report.fault(error),
    });
    this.#closers.push(() => tracker.close());
    this.#site = new ShareSite({
      shares: shares.map(({ metainfo, files }) => ({ ...metainfo, files })),
      hostName: hostName(),
      peerPort: session.engine.port,
      version: context.version,
      program,
      pinServer,
      announceUrls: tracker.announceUrls,
    });
    return tracker;
  }

  /** Tells the network. @returns whether there is one */
  async #announce({ port }: ShareTracker, session: Session): Promise<boolean> {
    const { context, shares, host, noDiscovery } = this.#options;
    if (noDiscovery) return false;
    const announcer = await ShareAnnouncer.start({
      network: context.network,
      host,
      port,
      shares: shares.map(({ metainfo: { name, infoHash, totalLength }, files }, index) => {
        const peerPort = session.engine.port;
        const openHash = this.#options.pin === undefined ? infoHash : undefined;
        return {
          name,
          hostName: hostName(),
          infoHash: openHash,
          totalLength,
          fileCount: files.length,
          peerPort,
          index,
        };
      }),
      now: () => context.now(),
      random: () => context.random(),
      onFault: (name, why) => context.verbose && context.warn(`${name}: ${why}`),
    });
    this.#closers.push(() => announcer.close());
    return announcer.hasLinks;
  }

  /** How this machine's own peer reaches the tracker. */
  #ownEndpoint({ port }: ShareTracker) {
    const { host } = this.#options;
    return { host: host === undefined || host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host, port };
  }

  async #tellReady(tracker: ShareTracker, session: Session, isAnnounced: boolean): Promise<void> {
    const { shares, program, pin } = this.#options;
    const context = this.#context;
    const hosts = tracker.announceUrls.map((url) => new URL(url).hostname.replace(/^\[|\]$/g, ""));
    const origins = hosts.map((host) => originOf({ host, port: tracker.port }));
    const peerPort = session.engine.port;
    context.event("ready", {
      port: tracker.port,
      peerPort,
      urls: origins.map((origin) => `${origin}/`),
      pin: pin ?? null,
      shares: shares.map(({ metainfo: { name, infoHash, totalLength }, files }) => {
        const magnet = formatMagnet({
          infoHash,
          name,
          length: totalLength,
          trackers: tracker.announceUrls,
          peers: [{ host: hosts[0], port: peerPort }],
        });
        return { name: safeText(name), infoHash, totalLength, fileCount: files.length, magnet };
      }),
    });
    if (context.json) return;
    context.out(`${origins[0]}/\n`);
    const names = shares.map(({ metainfo, files }) => {
      const { name, totalLength } = metainfo;
      return `${safeText(name)} (${formatSize(totalLength)}, ${formatCount(files.length, "file")})`;
    });
    context.log(`sharing ${names.join(", ")} until Ctrl-C`);
    const place = tracker.port === sharePort ? hosts[0] : formatEndpoint({ host: hosts[0], port: tracker.port });
    const withPin = pin === undefined ? "" : ` --pin ${typeable(pin) ?? "PIN"}`;
    const address = `${place}${withPin}`;
    if (pin !== undefined) context.out(`PIN ${pin}\n`);
    const name = shares.length === 1 ? typeable(shares[0].metainfo.name) : undefined;
    const lines: [string, string][] = isAnnounced && name !== undefined
      ? [["others type", `localbt get ${name}${withPin}`], ["or", `localbt get ${address}`]]
      : [["others type", `localbt get ${address}`]];
    lines.push(["or open", `${origins[0]}/`]);
    if (program !== undefined) {
      const { fileName, platform } = program;
      const run = `chmod +x ${fileName} && ./${fileName} get ${address}`;
      lines.push([`or, on ${platform}`, `curl -o ${fileName} ${origins[0]}/${fileName} && ${run}`]);
    }
    if (origins.length > 1) lines.push(["also at", origins.slice(1, 4).map((origin) => `${origin}/`).join("  ")]);
    const width = Math.max(...lines.map(([when]) => when.length));
    context.log(`\n${lines.map(([when, what]) => `  ${when.padEnd(width)}  ${what}\n`).join("")}`);
    const isForOthers = context.terminal.stderrIsTerminal && !isLoopback(hosts[0]);
    if (isForOthers && !context.quiet) {
      context.log(`${(await qrCodeLines(`${origins[0]}/`, context.terminal)).join("\n")}\n`);
    }
  }
}

/** The name as it can be typed in every shell; undefined where that is not safe to tell. */
function typeable(name: string): string | undefined {
  if (/^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.+@-]*$/u.test(name)) {
    return parseShareTarget(name)?.kind === "name" ? name : undefined;
  }
  return /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.,+@() -]*$/u.test(name) ? `"${name}"` : undefined;
}
