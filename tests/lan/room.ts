/** A room full of hosts: one gives a file away, the others fetch it; how they find each other is the test's affair. */
import type { Child } from "../interop/child.ts";
import type { LanHost } from "../interop/lan_host.ts";
import { eventOf, startLocalbt } from "../interop/localbt.ts";
import { join } from "../interop/path.ts";
import { assertHoldsPayload, type Payload, type PayloadKind, writePayload } from "../interop/payload.ts";
import { referenceTorrent } from "../interop/reference_torrent.ts";
import type { Scene } from "../interop/scene.ts";

/** Milliseconds for a program to say that it is ready, on a machine that does much else. */
const readyMs = 20_000;
/** Milliseconds for a whole transfer. */
const deadlineMs = 60_000;
const trackerPort = 6969;

/** What one host gives away. */
export interface Giver {
  readonly host: LanHost;
  readonly payload: Payload;
  /** The program that gives it. */
  readonly child: Child;
}

/** A host that runs `share`; `port` is that of its page. */
export async function share(scene: Scene, host: LanHost, kind: PayloadKind): Promise<Giver & { port: number }> {
  return await sharePayload(scene, host, writePayload(kind, scene.newFolder("data")));
}

/** The same with a payload that takers know already: those who wait for its name all begin at the same moment. */
export async function sharePayload(scene: Scene, host: LanHost, payload: Payload): Promise<Giver & { port: number }> {
  const child = startLocalbt(scene, ["share", join(payload.directory, payload.name), "--json"], host);
  const { port } = await eventOf(child, "ready", readyMs);
  return { host, payload, child, port: Number(port) };
}

/** A host with `tracker` and `seed`, and torrents for others. */
export interface SeedingGiver extends Giver {
  /** Writes a torrent with an address of the tracker, or with none. */
  torrentFor(trackerHost?: string): string;
}

/** The seeder announces to the tracker beside it by the host's address, or by the one that is given. */
export async function seedBesideTracker(
  scene: Scene,
  host: LanHost,
  kind: PayloadKind,
  announceHost = host.urlHost,
): Promise<SeedingGiver> {
  const payload = writePayload(kind, scene.newFolder("data"));
  const torrentFor = (trackerHost?: string) => {
    const announce = trackerHost === undefined ? [] : [`http://${trackerHost}:${trackerPort}/announce`];
    const path = join(scene.newFolder("torrent"), `${payload.name}.torrent`);
    Deno.writeFileSync(path, referenceTorrent(payload, announce).bytes);
    return path;
  };
  const tracker = startLocalbt(scene, ["tracker", "--port", String(trackerPort), "--json"], host);
  await eventOf(tracker, "ready", readyMs);
  const seed = ["seed", torrentFor(announceHost), "--data", payload.directory, "--json"];
  const child = startLocalbt(scene, seed, host);
  await eventOf(child, "ready", readyMs);
  await eventOf(tracker, "announce", readyMs);
  return { host, payload, child, torrentFor };
}

/** One host's `get` or `download`, which goes on giving to the others once it is done. */
export class Taker {
  readonly host: LanHost;
  readonly target: string;
  readonly #scene: Scene;
  readonly #payload: Payload;
  readonly #words: readonly string[];
  child: Child;

  /** @param words the command and what tells it from where: `["get"]`, `["get", "10.77.0.1"]` */
  constructor(scene: Scene, host: LanHost, { payload }: Pick<Giver, "payload">, words: readonly string[]) {
    this.#scene = scene;
    this.host = host;
    this.#payload = payload;
    this.#words = words;
    this.target = scene.newFolder("target");
    this.child = this.#start();
  }

  #start(): Child {
    return startLocalbt(this.#scene, [...this.#words, "--output", this.target, "--seed", "--json"], this.host);
  }

  /** Ends the program without a goodbye. */
  async kill(): Promise<void> {
    this.child.signal("SIGKILL");
    await this.child.exit(readyMs);
  }

  /** Starts it again, with the same words in the same folder. */
  restart(): void {
    this.child = this.#start();
  }

  /** Waits until it has at least so many bytes. */
  async hasBytes(count: number): Promise<void> {
    await eventOf(this.child, "progress", deadlineMs, ({ bytes }) => Number(bytes) >= count);
  }

  /** Waits until it says that it has all. @returns bytes that it got from others */
  async done(): Promise<{ downloadedBytes: number }> {
    const { downloadedBytes } = await eventOf(this.child, "done", deadlineMs);
    return { downloadedBytes: Number(downloadedBytes) };
  }

  /** The same, and compares every byte. */
  async finished(): Promise<{ downloadedBytes: number }> {
    const done = await this.done();
    assertHoldsPayload(this.#payload, this.target);
    return done;
  }
}

/** Waits until all have it. @returns how many copies the giver put on its cable, headers included */
export async function copiesSent({ host, payload }: Giver, takers: readonly Taker[]): Promise<number> {
  await Promise.all(takers.map((taker) => taker.finished()));
  return await host.sentBytes() / payload.totalLength;
}
