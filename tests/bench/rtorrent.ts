/** rTorrent as a rival of the bench: set up by a file of commands, without a terminal, ended by SIGTERM. */
import { randomUUID } from "node:crypto";
import type { Client, Peer, StartOptions } from "../interop/client.ts";
import { freePort } from "../interop/free_port.ts";
import { loopback } from "../interop/host.ts";
import { runs } from "../interop/installed.ts";
import { join } from "../interop/path.ts";
import type { Scene } from "../interop/scene.ts";
import { waitFor } from "../interop/wait.ts";

export const rtorrent: Client = {
  name: "rtorrent",
  canDial: false,
  takesLoopbackPeers: true,
  makesEmptyFiles: true,
  isInstalled: () => runs(["rtorrent", "-h"]),
  start(scene: Scene, options: StartOptions): Promise<Peer> {
    const host = options.host ?? loopback;
    const state = scene.newFolder("rtorrent");
    const port = freePort();
    const doneFile = join(state, `done-${randomUUID()}`);
    const commands = join(state, "commands.rc");
    Deno.writeTextFileSync(commands, commandsOf(options, { address: host.address, port, state, doneFile }));
    const child = scene.start({
      name: `rtorrent (${options.mode})`,
      command: [...host.prefix, "rtorrent", "-n", "-o", `import=${commands}`],
      env: { TERM: "xterm", HOME: state },
    });
    return Promise.resolve({
      name: child.name,
      pid: child.pid,
      endpoint: `${host.address}:${port}`,
      async finished(deadlineMs: number): Promise<void> {
        await waitFor("rTorrent's end of the download", () => {
          if (!child.isRunning) throw child.failure("ended early");
          return exists(doneFile) || undefined;
        }, deadlineMs);
      },
      fetchedBytes: () => Promise.resolve(NaN),
      protocolErrors: () => [],
      async stop(): Promise<void> {
        await child.stop();
      },
    });
  },
};

function commandsOf(
  { torrent, directory, uploadLimit = 0 }: StartOptions,
  { address, port, state, doneFile }: { address: string; port: number; state: string; doneFile: string },
): string {
  return [
    `directory.default.set = ${directory}`,
    `session.path.set = ${state}`,
    `network.port_range.set = ${port}-${port}`,
    "network.port_random.set = no",
    `network.bind_address.set = ${address}`,
    `network.local_address.set = ${address}`,
    "dht.mode.set = disable",
    "protocol.pex.set = no",
    "protocol.encryption.set = none",
    "trackers.use_udp.set = no",
    // what arrived was checked piece by piece; a second check of the whole would be unfair to it
    "pieces.hash.on_completion.set = no",
    "pieces.memory.max.set = 3500M",
    "network.send_buffer.size.set = 4M",
    "network.receive_buffer.size.set = 4M",
    "throttle.max_uploads.set = 50",
    `throttle.global_up.max_rate.set_kb = ${Math.floor(uploadLimit / 1024)}`,
    "system.daemon.set = true",
    `method.set_key = event.download.finished,bench,"execute2={touch,${doneFile}}"`,
    `schedule2 = add,0,0,"load.start=${torrent}"`,
    "",
  ].join("\n");
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
