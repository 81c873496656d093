/** libtorrent-rasterbar, through its Python binding and libtorrent_peer.py. */
import type { Child } from "./child.ts";
import type { Client, Peer, StartOptions } from "./client.ts";
import { loopback } from "./host.ts";
import { runs } from "./installed.ts";
import { besideHarness } from "./path.ts";
import type { Scene } from "./scene.ts";

/** Debian's Python, for which Debian's libtorrent is built, whatever `python3` the user has in front of it. */
const python = "/usr/bin/python3";

export const libtorrent: Client = {
  name: "libtorrent",
  canDial: true,
  takesLoopbackPeers: true,
  makesEmptyFiles: true,
  isInstalled: () => runs([python, "-c", "import libtorrent"]),
  async start(scene: Scene, options: StartOptions): Promise<Peer> {
    const host = options.host ?? loopback;
    const child = scene.start({
      name: `libtorrent (${options.mode})`,
      command: [
        ...host.prefix,
        python,
        besideHarness("libtorrent_peer.py"),
        options.mode,
        options.torrent,
        options.directory,
        host.address,
        ...(options.peers ?? []).map((peer) => `peer=${peer}`),
        ...(options.isBench ? ["bench=1"] : []),
        ...(options.usesPex ? ["pex=1"] : []),
        ...(options.onlyFile === undefined ? [] : [`only=${options.onlyFile}`]),
        ...(options.requestQueueMax ? [`queue=${options.requestQueueMax}`] : []),
        ...(options.uploadLimit ? [`up=${options.uploadLimit}`] : []),
        ...(options.discovery ? ["lsd=1"] : []),
        ...(options.downloadLimit ? [`down=${options.downloadLimit}`] : []),
      ],
    });
    const [, port] = await child.line(/^LISTENING (\d+)$/, 15_000);
    return new LibtorrentPeer(child, `${host.address}:${port}`);
  },
};

/** A running libtorrent, seen through the lines that it prints. */
export class LibtorrentPeer implements Peer {
  readonly name: string;
  readonly pid: number;
  readonly endpoint: string;
  readonly child: Child;

  constructor(child: Child, endpoint: string) {
    this.child = child;
    this.name = child.name;
    this.pid = child.pid;
    this.endpoint = endpoint;
  }

  async finished(deadlineMs: number): Promise<void> {
    await this.child.line(/^FINISHED$/, deadlineMs);
  }

  fetchedBytes(): Promise<number> {
    const last = this.child.lines.findLast((line) => line.text.startsWith("HAVE "));
    return Promise.resolve(Number(last?.text.split(" ")[3] ?? 0));
  }

  protocolErrors(): string[] {
    return this.child.lines.filter((line) => line.text.startsWith("FAULT ")).map((line) => line.text);
  }

  async stop(): Promise<void> {
    await this.child.stop();
  }
}
