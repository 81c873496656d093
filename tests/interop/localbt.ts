/** Our own program as a child: from source, or the binary that LOCALBT_BIN names; its `--json` events as values. */
import { Child, type ChildOptions } from "./child.ts";
import type { Client, Peer, StartOptions } from "./client.ts";
import { freePort } from "./free_port.ts";
import { loopback } from "./host.ts";
import { join, repositoryFolder } from "./path.ts";
import type { Scene } from "./scene.ts";

/** One line of `--json` output. */
export interface Event {
  readonly event: string;
  readonly time: string;
  readonly [field: string]: unknown;
}

/** The program and its first arguments. */
export function localbtCommand(): string[] {
  const binary = Deno.env.get("LOCALBT_BIN");
  if (binary) return [binary];
  // the @std modules come from where this test process has them: scripts/std.ts made that choice for `deno task test`
  const isDetour = import.meta.resolve("@std/assert").startsWith("file:");
  const map = isDetour ? [`--import-map=${join(repositoryFolder, "scripts", "std_npm.json")}`] : [];
  const config = ["--config", join(repositoryFolder, "deno.json")];
  return [Deno.execPath(), "run", "-A", "--no-check", "--quiet", ...config, ...map, join(repositoryFolder, "main.ts")];
}

/** How ours is started, beside its arguments. */
export type RunOptions = Omit<ChildOptions, "name" | "command"> & { readonly prefix?: readonly string[] };

/** Starts `localbt …args`. Outside of namespaces nothing may leave this machine, so that no multicast is sent there. */
export function startLocalbt(scene: Scene, args: readonly string[], options: RunOptions = {}): Child {
  const { prefix = [], ...rest } = options;
  const isInNamespace = /^(ip netns exec|unshare --net)/.test(prefix.join(" "));
  const isPeer = ["seed", "download"].includes(args[0] ?? "") || args.some((arg) => arg.startsWith("magnet:"));
  const quiet = isPeer && !isInNamespace ? ["--no-discovery"] : [];
  const command = [...prefix, ...localbtCommand(), ...args, ...quiet];
  return scene.start({ ...rest, name: `localbt ${args[0]}`, command });
}

/** Runs `localbt …args` to its end. */
export async function runLocalbt(
  scene: Scene,
  args: readonly string[],
  options: RunOptions & { readonly deadlineMs?: number } = {},
): Promise<{ code: number; stdout: string; stderr: string; child: Child }> {
  const { deadlineMs = 60_000, ...rest } = options;
  const child = startLocalbt(scene, args, rest);
  const { code } = await child.exit(deadlineMs);
  return { code, stdout: child.text("stdout"), stderr: child.text("stderr"), child };
}

/** The events so far, in order. */
export function eventsOf(child: Child, name?: string): Event[] {
  return child.lines.filter((line) => line.stream === "stdout" && line.text.startsWith("{"))
    .map((line) => JSON.parse(line.text) as Event).filter((event) => name === undefined || event.event === name);
}

/** Waits for an event that passes the test. */
export function eventOf(
  child: Child,
  name: string,
  deadlineMs: number,
  isWanted: (event: Event) => boolean = () => true,
): Promise<Event> {
  let seen = 0;
  return child.until(`the event "${name}"`, () => {
    for (; seen < child.lines.length; seen++) {
      const line = child.lines[seen];
      if (line?.stream !== "stdout" || !line.text.startsWith("{")) continue;
      const event = JSON.parse(line.text) as Event;
      if (event.event === name && isWanted(event)) {
        seen++;
        return event;
      }
    }
    return undefined;
  }, deadlineMs);
}

/** Our tracker, on a port of its own choice unless one is given. */
export async function startTracker(
  scene: Scene,
  options: RunOptions & { readonly address?: string; readonly port?: number; readonly args?: readonly string[] } = {},
): Promise<{ child: Child; announceUrl: string; udpUrl: string; port: number }> {
  const { address = loopback.address, port: wanted = 0, args = [], ...rest } = options;
  const listen = ["--host", address, "--port", String(wanted)];
  const child = startLocalbt(scene, ["tracker", "--json", ...listen, ...args], rest);
  const ready = await eventOf(child, "ready", 20_000);
  const port = Number(ready.port);
  const host = address.includes(":") ? `[${address}]` : address;
  const place = `${host}:${port}/announce`;
  return { child, announceUrl: `http://${place}`, udpUrl: `udp://${place}`, port };
}

export const localbt: Omit<Client, "start"> & { start(scene: Scene, options: StartOptions): Promise<LocalbtPeer> } = {
  name: "localbt",
  canDial: true,
  takesLoopbackPeers: true,
  makesEmptyFiles: true,
  isInstalled: () => true,
  async start(scene: Scene, options: StartOptions): Promise<LocalbtPeer> {
    const host = options.host ?? loopback;
    const port = freePort();
    const isSilent = options.isBench === true && options.mode === "download";
    const child = startLocalbt(scene, [
      options.mode,
      options.torrent,
      // an event for each piece costs time that a person's download does not take
      ...(isSilent ? [] : ["--json"]),
      ...(options.mode === "seed"
        ? ["--data", options.directory, ...(options.isBench ? ["--no-verify"] : [])]
        : ["--seed", "--output", options.directory]),
      ...(options.onlyFile === undefined ? [] : ["--select", String(options.onlyFile + 1)]),
      ...["--port", String(port)],
      ...(options.discovery || !options.host ? [] : ["--no-discovery"]),
      ...(options.peers ?? []).flatMap((peer) => ["--peer", peer]),
      ...(options.uploadLimit ? ["--upload-limit", String(options.uploadLimit)] : []),
      ...(options.downloadLimit ? ["--download-limit", String(options.downloadLimit)] : []),
    ], { prefix: host.prefix });
    if (isSilent) await child.line(/^when all is there/, 20_000);
    else if (!options.torrent.startsWith("magnet:")) {
      await eventOf(child, options.mode === "seed" ? "ready" : "start", 20_000);
    }
    return new LocalbtPeer(child, `${host.address}:${port}`, isSilent);
  },
};

/** A running `seed` or `download` of ours. */
export class LocalbtPeer implements Peer {
  readonly child: Child;
  readonly name: string;
  readonly pid: number;
  readonly endpoint: string;
  /** Speaks to people, not in events. */
  readonly #isSilent: boolean;

  constructor(child: Child, endpoint: string, isSilent = false) {
    this.#isSilent = isSilent;
    this.child = child;
    this.name = child.name;
    this.pid = child.pid;
    this.endpoint = endpoint;
  }

  async finished(deadlineMs: number): Promise<void> {
    if (this.#isSilent) await this.child.line(/ are there and verified/, deadlineMs);
    else await eventOf(this.child, "done", deadlineMs);
  }

  fetchedBytes(): Promise<number> {
    const done = eventsOf(this.child, "done")[0];
    if (done) return Promise.resolve(Number(done.downloadedBytes));
    const start = Number(eventsOf(this.child, "start")[0]?.haveBytes ?? 0);
    const now = Number(eventsOf(this.child, "progress").at(-1)?.bytes ?? start);
    return Promise.resolve(now - start);
  }

  protocolErrors(): string[] {
    const bans = eventsOf(this.child, "peer").filter((event) => event.state === "banned");
    return [...bans, ...eventsOf(this.child, "error")].map((event) => JSON.stringify(event));
  }

  async stop(): Promise<void> {
    await this.child.stop("SIGINT");
  }
}
