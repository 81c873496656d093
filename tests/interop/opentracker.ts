/** opentracker, the tracker of the wide world, as Debian builds it: only torrents on its whitelist are tracked. */
import { freePort } from "./free_port.ts";
import { type Host, loopback } from "./host.ts";
import type { Need } from "./installed.ts";
import { join } from "./path.ts";
import type { Scene } from "./scene.ts";
import { waitFor } from "./wait.ts";

export const opentracker: Need & {
  start(
    scene: Scene,
    infoHashes: readonly string[],
    host?: Host,
  ): Promise<{ announceUrl: string; udpUrl: string; port: number; pid: number }>;
} = {
  name: "opentracker",
  isInstalled: () => Deno.build.os === "linux" && Deno.uid() === 0 && isOnPath("opentracker"),
  /** Starts it for some info hashes (40 hex digits each); it ends with the scene. */
  async start(scene, infoHashes, host = loopback) {
    // it changes its root to this folder and then its user to nobody
    const folder = scene.newFolder("opentracker");
    Deno.chmodSync(scene.folder, 0o755);
    Deno.writeTextFileSync(join(folder, "whitelist"), infoHashes.join("\n") + "\n");
    const port = freePort();
    const at = ["-i", host.address, "-p", String(port), "-P", String(port)];
    const child = scene.start({
      name: "opentracker",
      command: [...host.prefix, "opentracker", ...at, "-d", folder, "-u", "nobody", "-w", "/whitelist"],
    });
    await waitFor("opentracker's port", () => {
      if (!child.isRunning) throw child.failure("did not start");
      return isListening(child.pid) ? true : undefined;
    }, 10_000);
    const place = `${host.address}:${port}/announce`;
    return { announceUrl: `http://${place}`, udpUrl: `udp://${place}`, port, pid: child.pid };
  },
};

/** True once the process's network namespace has its TCP listener (state 0A of /proc/PID/net/tcp, inode among its own). */
function isListening(pid: number): boolean {
  const inodes = new Set<string>();
  for (const entry of Deno.readDirSync(`/proc/${pid}/fd`)) {
    try {
      const [, inode] = Deno.readLinkSync(`/proc/${pid}/fd/${entry.name}`).match(/^socket:\[(\d+)\]$/) ?? [];
      if (inode) inodes.add(inode);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  const rows = Deno.readTextFileSync(`/proc/${pid}/net/tcp`).split("\n").map((row) => row.trim().split(/\s+/));
  return rows.some((row) => row[3] === "0A" && inodes.has(row[9] ?? ""));
}

function isOnPath(program: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((folder) => {
    try {
      return Deno.statSync(join(folder, program)).isFile;
    } catch {
      return false;
    }
  });
}
