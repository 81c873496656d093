/**
 * The processes that live as long as the soak: two trackers of which one is restarted, a seeder of all torrents, a
 * downloader that goes on seeding, and a share. All on loopback, all slowed down, so that the machine stays usable.
 */
import type { Child } from "../interop/child.ts";
import { eventOf, startLocalbt, startTracker } from "../interop/localbt.ts";
import { join } from "../interop/path.ts";
import { type Payload, singleFile, smallFiles, writePayload } from "../interop/payload.ts";
import { referenceTorrent } from "../interop/reference_torrent.ts";
import type { Scene } from "../interop/scene.ts";

/** Something that a visitor can fetch. */
export interface Offer {
  readonly payload: Payload;
  /** Arguments of `localbt` that fetch it, without the folder. */
  readonly command: readonly string[];
  /** Whether it may be told to go on seeding, and how. */
  readonly canSeed: boolean;
}

/** Bytes a second that a long-lived process gives away. */
const uploadLimit = "3M";
/** Bytes a second that a visitor takes. */
export const downloadLimit = "1M";
const onLoopback = ["--host", "127.0.0.1", "--port", "0"];
/** How often peers announce: the least that a client believes. */
const interval = ["--interval", "10s"];
const startMs = 20_000;

export class World {
  readonly offers: Offer[] = [];
  /** By the name that the table shows. */
  readonly longLived = new Map<string, Child>();
  trackerRestarts = 0;
  readonly #scene: Scene;
  readonly #fickle: FickleTracker;
  /** Of what the seeder has. */
  readonly #dataFolder: string;
  readonly #torrents: string[] = [];
  readonly #keptFolder: string;

  private constructor(scene: Scene, fickle: FickleTracker) {
    this.#scene = scene;
    this.#fickle = fickle;
    this.#dataFolder = scene.newFolder("data");
    this.#keptFolder = scene.newFolder("kept");
  }

  static async open(scene: Scene): Promise<World> {
    const steady = await startTracker(scene, { args: interval, keep: isRare });
    const fickle = await FickleTracker.start(scene);
    const world = new World(scene, fickle);
    world.longLived.set("tracker", steady.child);
    world.#addTorrents(steady.announceUrl, fickle.announceUrl);
    world.longLived.set("seeder", await world.#startSeeder());
    world.longLived.set("downloader", await world.#startKeeper());
    world.longLived.set("share", await world.#startShare());
    return world;
  }

  /** A file on both trackers, one on the steady (by a magnet link too), a folder on the one that is restarted, and one over UDP. */
  #addTorrents(steady: string, fickle: string): void {
    const ofMagnet = singleFile(4_000_001, 32_768, 12);
    const kinds = [
      { kind: singleFile(6_000_000, 65_536, 11), trackers: [steady, fickle] },
      { kind: ofMagnet, trackers: [steady] },
      { kind: smallFiles(200, 65_536, 13), trackers: [fickle] },
      { kind: singleFile(3_000_000, 16_384, 14), trackers: [steady.replace("http:", "udp:"), fickle] },
    ];
    const folder = this.#scene.newFolder("torrents");
    for (const { kind, trackers } of kinds) {
      const payload = writePayload(kind, this.#dataFolder);
      const torrent = join(folder, `${payload.name}.torrent`);
      const { bytes, infoHash } = referenceTorrent(payload, trackers);
      Deno.writeFileSync(torrent, bytes);
      this.#torrents.push(torrent);
      this.offers.push({ payload, command: ["download", torrent, ...onLoopback], canSeed: true });
      if (kind !== ofMagnet) continue;
      const magnet = `magnet:?xt=urn:btih:${infoHash}&tr=${encodeURIComponent(steady)}`;
      this.offers.push({ payload, command: ["download", magnet, ...onLoopback], canSeed: true });
    }
  }

  async #startSeeder(): Promise<Child> {
    const child = startLocalbt(this.#scene, [
      ...["seed", ...this.#torrents, "--data", this.#dataFolder, ...onLoopback],
      ...["--upload-limit", uploadLimit, "--json"],
    ], { keep: isRare });
    let ready = 0;
    await eventOf(child, "ready", startMs, () => ++ready === this.#torrents.length);
    return child;
  }

  async #startKeeper(): Promise<Child> {
    const child = startLocalbt(this.#scene, [
      ...["download", this.#torrents[0], ...onLoopback, "--output", this.#keptFolder],
      ...["--seed", "--upload-limit", uploadLimit, "--json"],
    ], { keep: isRare });
    await eventOf(child, "done", startMs);
    return child;
  }

  async #startShare(): Promise<Child> {
    const payload = writePayload(smallFiles(150, 32_768, 15), this.#scene.newFolder("data"));
    const child = startLocalbt(this.#scene, [
      ...["share", join(payload.directory, payload.name), ...onLoopback, "--no-discovery"],
      ...["--upload-limit", uploadLimit, "--json"],
    ], { keep: isRare });
    const { port } = await eventOf(child, "ready", startMs);
    const command = ["get", `127.0.0.1:${port}`, ...onLoopback, "--no-discovery"];
    this.offers.push({ payload, command, canSeed: false });
    return child;
  }

  /** What the long-lived downloader has, and where. */
  get kept(): { payload: Payload; folder: string } {
    return { payload: this.offers[0].payload, folder: this.#keptFolder };
  }

  /** Ends the fickle tracker, by force every second time, and has it back on the same port after `downMs`. */
  async restartTracker(downMs: number): Promise<void> {
    await this.#fickle.restart(this.trackerRestarts++ % 2 === 0 ? "SIGTERM" : "SIGKILL", downMs);
  }
}

class FickleTracker {
  readonly announceUrl: string;
  readonly #scene: Scene;
  readonly #port: number;
  #child: Child;

  private constructor(scene: Scene, port: number, child: Child) {
    this.#scene = scene;
    this.#port = port;
    this.#child = child;
    this.announceUrl = `http://127.0.0.1:${port}/announce`;
  }

  static async start(scene: Scene): Promise<FickleTracker> {
    const port = lowPort();
    const { child } = await startTracker(scene, { port, args: interval, keep: isRare });
    return new FickleTracker(scene, port, child);
  }

  async restart(signal: Deno.Signal, downMs: number): Promise<void> {
    await this.#child.stop(signal);
    await new Promise((resolve) => setTimeout(resolve, downMs));
    this.#child = (await startTracker(this.#scene, { port: this.#port, args: interval, keep: isRare })).child;
  }
}

/** A free port that no connection gets by itself: while the tracker is down it must stay free. */
function lowPort(): number {
  for (let port = 20_000 + Math.floor(Math.random() * 10_000);; port++) {
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** Events that come without end are not kept: the soak's own memory is to stay flat too. */
function isRare(text: string): boolean {
  return !/"event":"(progress|piece|peer|announce|visitor|whole|page)"/.test(text);
}
