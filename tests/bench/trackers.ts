/** The trackers that are measured, each for HTTP and UDP on one port of 127.0.0.1. */
import { freePort } from "../interop/free_port.ts";
import { startLocalbt } from "../interop/localbt.ts";
import { opentracker } from "../interop/opentracker.ts";
import type { Scene } from "../interop/scene.ts";
import { waitFor } from "../interop/wait.ts";
import type { AnnounceLoad } from "./announce_load.ts";
import { npmFile } from "./npm_rivals.ts";

/** Swarms of the loads with many. */
export const swarmCount = 10_000;
/** Peers that each announce asks for. */
export const numWant = 50;

/** A tracker that can be started. */
export interface Server {
  readonly name: string;
  readonly isInstalled: boolean;
  /** opentracker closes each connection, whatever it is asked. */
  readonly keepsAlive: boolean;
  start(scene: Scene, load: AnnounceLoad): Promise<{ port: number; pid: number }>;
}

export const localbtTracker: Server = {
  name: "localbt",
  isInstalled: true,
  keepsAlive: true,
  async start(scene) {
    const child = startLocalbt(scene, ["tracker", "--quiet", "--host", "127.0.0.1", "--port", "0"]);
    const [, port] = await child.line(/^http:\/\/127\.0\.0\.1:(\d+)\/announce/, 20_000);
    return { port: Number(port), pid: child.pid };
  },
};

export const servers: readonly Server[] = [
  localbtTracker,
  {
    name: "opentracker",
    isInstalled: opentracker.isInstalled(),
    keepsAlive: false,
    start: async (scene, load) => await opentracker.start(scene, await load.hashes(swarmCount)),
  },
  {
    name: "bittorrent-tracker (npm)",
    isInstalled: npmFile("bittorrent-tracker", "bin/cmd.js") !== undefined,
    keepsAlive: true,
    async start(scene) {
      const port = freePort();
      const script = npmFile("bittorrent-tracker", "bin/cmd.js") ?? "";
      const hosts = ["--http-hostname", "127.0.0.1", "--udp-hostname", "127.0.0.1", "--udp6-hostname", "::1"];
      const options = ["-p", String(port), "--http", "--udp", ...hosts, "--silent"];
      const child = scene.start({ name: "bittorrent-tracker", command: ["node", script, ...options] });
      await waitFor("bittorrent-tracker's port", async () => {
        if (!child.isRunning) throw child.failure("did not start");
        return await accepts(port) || undefined;
      }, 15_000);
      return { port, pid: child.pid };
    },
  },
];

async function accepts(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}
