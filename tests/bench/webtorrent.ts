/** WebTorrent (npm, on Node) as a rival of the bench: TCP only, through webtorrent_peer.mjs. */
import type { Client, Peer, StartOptions } from "../interop/client.ts";
import { freePort } from "../interop/free_port.ts";
import { loopback } from "../interop/host.ts";
import { join } from "../interop/path.ts";
import type { Scene } from "../interop/scene.ts";
import { npmFile } from "./npm_rivals.ts";

const script = join(import.meta.dirname ?? ".", "webtorrent_peer.mjs");

export const webtorrent: Client = {
  name: "webtorrent",
  canDial: false,
  takesLoopbackPeers: true,
  makesEmptyFiles: true,
  isInstalled: () => npmFile("webtorrent", "index.js") !== undefined,
  async start(scene: Scene, { mode, torrent, directory }: StartOptions): Promise<Peer> {
    const port = freePort();
    const library = npmFile("webtorrent", "index.js") ?? "";
    const child = scene.start({
      name: `webtorrent (${mode})`,
      command: ["node", script, library, mode, torrent, directory, String(port)],
    });
    await child.line(/^READY$/, 60_000);
    return {
      name: child.name,
      pid: child.pid,
      endpoint: `${loopback.address}:${port}`,
      async finished(deadlineMs: number): Promise<void> {
        await child.line(/^FINISHED$/, deadlineMs);
      },
      fetchedBytes: () => Promise.resolve(NaN),
      protocolErrors: () => [],
      async stop(): Promise<void> {
        await child.stop();
      },
    };
  },
};
