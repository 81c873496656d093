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
export const deadlineMs = 60_000;

/** What one host gives away. */
export interface Giver {
  readonly host: LanHost;
  readonly payload: Payload;
  /** For hosts that reach the giver by its first address. */
  readonly torrent: string;
  /** Writes a torrent with another address of the tracker. */
  torrentFor(trackerHost: string): string;
}

/** A tracker and a seeder beside it, which announces by the host's own address or the one that is given. */
export async function give(
  scene: Scene,
  host: LanHost,
  kind: PayloadKind,
  { announceHost = host.urlHost, args = [] }: { announceHost?: string; args?: readonly string[] } = {},
): Promise<Giver> {
  const payload = writePayload(kind, scene.newFolder("data"));
  const { prefix } = host;
  const tracker = startLocalbt(scene, ["tracker", "--port", "6969", "--json"], { prefix });
  await eventOf(tracker, "ready", readyMs);
  const torrentFor = (trackerHost: string) => {
    const path = join(scene.newFolder("torrent"), `${payload.name}.torrent`);
    Deno.writeFileSync(path, referenceTorrent(payload, [`http://${trackerHost}:6969/announce`]).bytes);
    return path;
  };
  const seed = ["seed", torrentFor(announceHost), "--data", payload.directory, "--json", ...args];
  const seeder = startLocalbt(scene, seed, { prefix });
  await eventOf(seeder, "ready", readyMs);
  await eventOf(tracker, "announce", readyMs);
  return { host, payload, torrent: torrentFor(host.urlHost), torrentFor };
}

/** One host's download, which goes on giving to the others once it is done. */
export class Taker {
  readonly host: LanHost;
  readonly target: string;
  readonly #scene: Scene;
  readonly #giver: Giver;
  readonly #args: readonly string[];
  child: Child;

  constructor(scene: Scene, host: LanHost, giver: Giver, args: readonly string[] = []) {
    this.#scene = scene;
    this.host = host;
    this.#giver = giver;
    this.#args = args;
    this.target = scene.newFolder("target");
    this.child = this.#start();
  }

  #start(): Child {
    const args = ["download", this.#giver.torrent, "--output", this.target, "--seed", "--json", ...this.#args];
    return startLocalbt(this.#scene, args, { prefix: this.host.prefix });
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

  /** Waits until it says how much it has, and that is at least this. */
  async hasBytes(count: number): Promise<void> {
    await eventOf(this.child, "progress", deadlineMs, ({ bytes }) => Number(bytes) >= count);
  }

  /** Waits for its end and compares every byte. @returns what its `done` says */
  async finished(): Promise<{ downloadedBytes: number }> {
    const { downloadedBytes } = await eventOf(this.child, "done", deadlineMs);
    assertHoldsPayload(this.#giver.payload, this.target);
    return { downloadedBytes: Number(downloadedBytes) };
  }
}

/** Waits until all have it. @returns how many copies the giver put on its cable, headers included */
export async function copiesSent(giver: Giver, takers: readonly Taker[]): Promise<number> {
  await Promise.all(takers.map((taker) => taker.finished()));
  return await giver.host.sentBytes() / giver.payload.totalLength;
}
