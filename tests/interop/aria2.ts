/** aria2: started by its command line, watched through its debug log, ended by SIGTERM. */
import type { Child } from "./child.ts";
import type { Client, Peer, StartOptions } from "./client.ts";
import { freePort } from "./free_port.ts";
import { loopback } from "./host.ts";
import { runs } from "./installed.ts";
import { besideHarness } from "./path.ts";
import type { Scene } from "./scene.ts";

/** The lines of the debug log that are kept: exceptions with their causes, the milestones, and what a person would see. */
const ofUse = /^Exception: (?!.*is too short)|^ +->|\[(?:NOTICE|WARN|ERROR)\]|The download was complete/;

/** A block that arrived: "From: 127.0.0.1:6881 piece index=3, begin=0, length=16384". */
const blockLine = /From: \S+ piece index=\d+, begin=\d+, length=(\d+)/;

/**
 * Reasons for the end of a peer connection that are no fault of the other side. aria2 logs each end with its exception,
 * and only at level DEBUG; every reason that is not listed counts as a breach of the protocol.
 */
const harmless =
  /Good Bye Seeder|Same Peer ID|Got EOF from peer|Failed to (?:receive|send|connect|read)|Failed to check|Timeout|Network problem|DHT routing table|nteresting|is too short|tracker|announce/i;

export const aria2: Client = {
  name: "aria2",
  canDial: false,
  takesLoopbackPeers: true,
  makesEmptyFiles: true,
  isInstalled: () => runs(["aria2c", "--version"]),
  async start(scene: Scene, options: StartOptions): Promise<Peer> {
    const host = options.host ?? loopback;
    const port = freePort();
    let fetched = 0;
    let previous = "";
    const child = scene.start({
      name: `aria2 (${options.mode})`,
      command: [...host.prefix, "aria2c", ...aria2Options(options, host.address, port), options.torrent],
      keep(text) {
        fetched += Number(text.match(blockLine)?.[1] ?? 0);
        // a tracker's reply is a download too, and complete when its only segment is
        const isReply = previous.includes("The download for one segment completed");
        previous = text;
        return ofUse.test(text) && !isReply;
      },
    });
    if (!options.isBench) await child.line(/IPv4 BitTorrent: listening on TCP port/, 15_000);
    const downloadCount = options.torrent.startsWith("magnet:") ? 2 : 1;
    return new Aria2Peer(child, { endpoint: `${host.address}:${port}`, fetched: () => fetched, downloadCount });
  },
};

function aria2Options(options: StartOptions, address: string, port: number): string[] {
  return [
    "--no-conf",
    `--dir=${options.directory}`,
    `--listen-port=${port}`,
    `--interface=${address}`,
    "--disable-ipv6=true",
    "--async-dns=false",
    ...(options.udpTracker ? udpTrackerOptions(options.directory) : ["--enable-dht=false"]),
    "--enable-dht6=false",
    ...(options.discovery ? ["--bt-enable-lpd=true", `--bt-lpd-interface=${address}`] : ["--bt-enable-lpd=false"]),
    "--enable-peer-exchange=false",
    "--bt-require-crypto=false",
    "--bt-min-crypto-level=plain",
    "--file-allocation=none",
    "--bt-max-peers=0",
    "--seed-ratio=0.0",
    "--summary-interval=0",
    "--enable-color=false",
    "--show-console-readout=false",
    "--console-log-level=error",
    ...(options.isBench
      ? ["--disk-cache=64M", `--on-bt-download-complete=${besideHarness("say_complete.sh")}`]
      : ["--log=-", "--log-level=debug"]),
    "--allow-overwrite=true",
    `--max-upload-limit=${options.uploadLimit ?? 0}`,
    `--max-download-limit=${options.downloadLimit ?? 0}`,
    `--stop-with-process=${Deno.pid}`,
    ...(options.mode === "seed"
      ? ["--check-integrity=false", "--bt-seed-unverified=true"]
      : ["--check-integrity=true"]),
  ];
}

/** Its DHT knows nobody and asks nobody: it has no entry point and an empty table. */
function udpTrackerOptions(directory: string): string[] {
  return ["--enable-dht=true", `--dht-listen-port=${freePort()}`, `--dht-file-path=${directory}.dht`];
}

/** A running aria2. */
class Aria2Peer implements Peer {
  readonly name: string;
  readonly pid: number;
  readonly endpoint: string;
  readonly #child: Child;
  readonly #fetched: () => number;
  /** The metadata of a magnet link is a download of its own. */
  readonly #downloadCount: number;

  constructor(
    child: Child,
    { endpoint, fetched, downloadCount }: { endpoint: string; fetched: () => number; downloadCount: number },
  ) {
    this.#downloadCount = downloadCount;
    this.#child = child;
    this.#fetched = fetched;
    this.name = child.name;
    this.pid = child.pid;
    this.endpoint = endpoint;
  }

  async finished(deadlineMs: number): Promise<void> {
    await this.#child.until("the end of the download", () => {
      const ends = this.#child.lines.filter(({ text }) => text.includes("The download was complete"));
      return ends.length >= this.#downloadCount ? true : undefined;
    }, deadlineMs);
  }

  fetchedBytes(): Promise<number> {
    return Promise.resolve(this.#fetched());
  }

  protocolErrors(): string[] {
    return this.#child.lines.map((line) => line.text).filter((line) =>
      /^Exception: |^ +->/.test(line) && !harmless.test(line)
    );
  }

  async stop(): Promise<void> {
    await this.#child.stop();
  }
}
