/** Transmission's daemon: set up by its settings file, spoken to through transmission-remote, watched by its deep log. */
import type { Child } from "./child.ts";
import type { Client, Peer, StartOptions } from "./client.ts";
import { freePort } from "./free_port.ts";
import { type Host, loopback } from "./host.ts";
import { runs } from "./installed.ts";
import { join } from "./path.ts";
import { singleFile, writePayload } from "./payload.ts";
import { writeReferenceTorrent } from "./reference_torrent.ts";
import type { Scene } from "./scene.ts";
import { waitFor } from "./wait.ts";

/** Lines of the deep log (TR_DEBUG_FD) that say that the other side broke the protocol. */
const fault = new RegExp([
  "bad packet - BT message",
  "wrong block size",
  "dropping invalid block",
  "sent us an UNKNOWN",
  "rejecting an invalid request",
  "rejecting request for a piece we don't have",
  "reqq is full",
  "out-of-range reject",
  "contributed to corrupt piece",
  "failed its checksum",
  "couldn't get dictionary",
  "skipping unknown ltep message",
  "banning peer",
  "unhandled error",
].join("|"));

/** What is kept of the log beside that: its news for people, without the chatter of the event loop. */
const ofUse = /started \(session|Serving RPC|Bound socket|Couldn't|[Ee]rror|State changed|corrupt|verif/;

/** A peer has connected, or wants something. */
const newsOfPeer = /got Interested|got a bitfield|Got a BT_FEXT_HAVE_ALL/;

/** Each nudge needs a torrent that its Transmission has not seen. */
let nudgeCount = 1_000;

export const transmission: Client = {
  name: "Transmission",
  canDial: false,
  takesLoopbackPeers: false,
  makesEmptyFiles: false,
  isInstalled: () => runs(["transmission-daemon", "--version"]) && runs(["transmission-remote", "--version"]),
  async start(scene: Scene, options: StartOptions): Promise<Peer> {
    const host = options.host ?? loopback;
    const state = scene.newFolder("transmission");
    const [port, rpcPort] = [freePort(), freePort()];
    Deno.writeTextFileSync(
      join(state, "settings.json"),
      JSON.stringify(settings(options, host.address, port, rpcPort)),
    );
    let peer: TransmissionPeer | undefined = undefined;
    const child = scene.start({
      name: `Transmission (${options.mode})`,
      command: [...host.prefix, "transmission-daemon", "-f", "-g", state],
      env: { TR_DEBUG_FD: "2", HOME: state },
      keep(text) {
        if (newsOfPeer.test(text)) peer?.nudge();
        return fault.test(text) || ofUse.test(text);
      },
    });
    peer = new TransmissionPeer(scene, child, host, port, rpcPort);
    await peer.add(options.torrent, options.directory);
    scene.atEnd(() => peer?.stop());
    return peer;
  },
};

function settings(options: StartOptions, address: string, port: number, rpcPort: number): Record<string, unknown> {
  const kilobytes = (limit: number | undefined) => Math.round((limit ?? 0) / 1000);
  return {
    "bind-address-ipv4": address,
    "bind-address-ipv6": "::1",
    "peer-port": port,
    "peer-port-random-on-start": false,
    "rpc-bind-address": "127.0.0.1",
    "rpc-port": rpcPort,
    "rpc-host-whitelist-enabled": false,
    "rpc-authentication-required": false,
    "dht-enabled": false,
    "lpd-enabled": options.discovery === true,
    "pex-enabled": false,
    "utp-enabled": false,
    "port-forwarding-enabled": false,
    "encryption": 0,
    "message-level": 3,
    "download-dir": options.directory,
    "incomplete-dir-enabled": false,
    "rename-partial-files": false,
    // From its write cache Transmission 3 sends garbage behind a block that is shorter than the one asked for, which its
    // blocks are where the piece length is no power of two.
    "cache-size-mb": 0,
    "preallocation": 1,
    "speed-limit-up-enabled": options.uploadLimit !== undefined,
    "speed-limit-up": kilobytes(options.uploadLimit),
    "speed-limit-down-enabled": options.downloadLimit !== undefined,
    "speed-limit-down": kilobytes(options.downloadLimit),
    "ratio-limit-enabled": false,
    "idle-seeding-limit-enabled": false,
    "queue-stalled-enabled": false,
    "scrape-paused-torrents-enabled": false,
    "peer-limit-per-torrent": 200,
    "watch-dir-enabled": false,
  };
}

/** A running transmission-daemon. */
class TransmissionPeer implements Peer {
  readonly name: string;
  readonly pid: number;
  readonly endpoint: string;
  readonly #scene: Scene;
  readonly #child: Child;
  readonly #remoteCommand: readonly string[];
  #nudging: Promise<void> = Promise.resolve();
  #nudgesWaiting = 0;

  constructor(scene: Scene, child: Child, host: Host, port: number, rpcPort: number) {
    this.#scene = scene;
    this.#child = child;
    this.name = child.name;
    this.pid = child.pid;
    this.endpoint = `${host.address}:${port}`;
    this.#remoteCommand = [...host.prefix, "transmission-remote", String(rpcPort)];
  }

  /** Adds the torrent once the daemon answers, and waits until what is in the folder has been checked. */
  async add(torrent: string, directory: string): Promise<void> {
    await waitFor("Transmission's answer", () => this.#answers(), 15_000);
    const added = await this.#remote("--download-dir", directory, "--add", torrent);
    if (!added?.includes("success")) throw this.#child.failure(`does not take the torrent: ${added}`);
    await waitFor("Transmission's check of the data", async () => {
      const state = (await this.#details()).get("State");
      return state !== undefined && !/verif|check/i.test(state) ? state : undefined;
    }, 20_000);
  }

  /**
   * Makes Transmission reconsider whom it unchokes and in whom it is interested, which it otherwise does every 10 s: the
   * start of any torrent, here one of a byte that nobody has, does that for all. It saves waiting and changes nothing else.
   */
  nudge(): void {
    if (this.#nudgesWaiting > 0 || !this.#child.isRunning) return;
    this.#nudgesWaiting++;
    this.#nudging = this.#nudging.then(async () => {
      this.#nudgesWaiting--;
      const folder = this.#scene.newFolder("nudge");
      const torrent = writeReferenceTorrent(writePayload(singleFile(1, 16_384, ++nudgeCount), folder), folder);
      await this.#remote("--download-dir", this.#scene.newFolder("nudged"), "--add", torrent);
    });
  }

  async finished(deadlineMs: number): Promise<void> {
    try {
      await waitFor("the end of the download", async () => {
        const details = await this.#details();
        return details.get("Percent Done") === "100%" && details.get("State") !== "Downloading" ? true : undefined;
      }, deadlineMs);
    } catch (error) {
      throw this.#child.failure(`${error}; ${[...await this.#details()].map((pair) => pair.join("=")).join(", ")}`);
    }
  }

  async fetchedBytes(): Promise<number> {
    return parseSize((await this.#details()).get("Downloaded") ?? "None");
  }

  protocolErrors(): string[] {
    return this.#child.lines.map((line) => line.text).filter((line) => fault.test(line));
  }

  async stop(): Promise<void> {
    await this.#child.stop();
    await this.#nudging;
  }

  async #answers(): Promise<true | undefined> {
    if (!this.#child.isRunning) throw this.#child.failure("did not start");
    return await this.#remote("--session-info") === undefined ? undefined : true;
  }

  /** The table of `--info` for the one torrent that matters, by its labels. */
  async #details(): Promise<Map<string, string>> {
    const text = await this.#remote("--torrent", "1", "--info") ?? "";
    return new Map([...text.matchAll(/^ +([A-Z][\w ]*): (.*)$/gm)].map(([, key = "", value = ""]) => [key, value]));
  }

  /** Runs transmission-remote; undefined if it fails. */
  async #remote(...args: string[]): Promise<string | undefined> {
    const [program = "", ...prefix] = this.#remoteCommand;
    const command = new Deno.Command(program, { args: [...prefix, ...args], stdin: "null", stderr: "null" });
    const output = await command.output();
    return output.success ? new TextDecoder().decode(output.stdout) : undefined;
  }
}

/** Transmission's "25.16 MB" in bytes, as exact as it is printed. */
function parseSize(text: string): number {
  const [, number = "0", unit = ""] = text.match(/^([\d.]+) ?([kKMG]?)i?B/) ?? [];
  return Number(number) * ({ k: 1e3, K: 1e3, M: 1e6, G: 1e9 }[unit] ?? 1);
}
