/**
 * The victims among peers: a `seed` that an honest `download` takes from, and a `download` that an honest `seed` gives to.
 *
 * The honest transfer is limited to `honestRate`, a small part of what the program can do: an attacker on the same machine
 * eats processor that it would not eat on its own, and what is asked is whether the victim still serves, not who wins a core.
 * What was got is told by the downloading side's `piece` events, whose times are wall-clock.
 */
import type { Child } from "../interop/child.ts";
import { freePort } from "../interop/free_port.ts";
import { type Event, eventOf, eventsOf } from "../interop/localbt.ts";
import { join } from "../interop/path.ts";
import { assertHoldsPayload, singleFile, writePayload } from "../interop/payload.ts";
import { referenceTorrent } from "../interop/reference_torrent.ts";
import type { Scene } from "../interop/scene.ts";
import { expectDone, type Share, startDownload, startSeeder } from "../e2e/swarm.ts";
import type { Span, Stage, Target } from "./attack.ts";

/** Bytes a second of the honest transfer. */
export const honestRate = 20e6;
const pieceLength = 128 * 1024;

/** The data of a transfer that lasts for all windows of a measurement and a little longer. */
function shareFor(scene: Scene, { windowMs, rounds }: Span): Share {
  const seconds = rounds * (2 * windowMs + 2_500) / 1000 + 1;
  const payload = writePayload(singleFile(Math.ceil(honestRate * seconds), pieceLength), scene.newFolder("data"));
  const reference = referenceTorrent(payload, []);
  const torrent = join(scene.newFolder("torrent"), `${payload.name}.torrent`);
  Deno.writeFileSync(torrent, reference.bytes);
  return { ...reference, payload, torrent };
}

function targetOf(share: Share, port: number): Target {
  const { infoHash, payload: { totalLength, directory, name } } = share;
  return { host: "127.0.0.1", port, infoHash, pieceLength, totalLength, content: join(directory, name) };
}

/** The times of a download's pieces, in order. */
class PieceTimes {
  readonly #child: Child;
  readonly #times: number[] = [];
  #seen = 0;

  constructor(child: Child) {
    this.#child = child;
  }

  /** The last piece came. */
  get isOver(): boolean {
    return this.#child.lines.at(-1)?.text.includes('"event":"done"') === true;
  }

  between(from: number, to: number): number {
    const { lines } = this.#child;
    for (; this.#seen < lines.length; this.#seen++) {
      const { text } = lines[this.#seen];
      if (text.includes('"event":"piece"')) this.#times.push(Date.parse((JSON.parse(text) as Event).time));
    }
    return this.#times.filter((time) => time >= from && time < to).length * pieceLength;
  }
}

/** What a program says at its end that it refused. */
function refusedBy(child: Child): Record<string, number> {
  const last = eventsOf(child).findLast(({ event }) => event === "done" || event === "seeded");
  return (last?.refused ?? {}) as Record<string, number>;
}

abstract class PeerStage implements Stage {
  protected readonly scene: Scene;
  protected readonly share: Share;
  readonly target: Target;
  abstract readonly victim: Child;
  protected honest: Child | undefined;
  #times: PieceTimes | undefined;

  protected constructor(scene: Scene, share: Share, port: number) {
    this.scene = scene;
    this.share = share;
    this.target = targetOf(share, port);
  }

  get pid(): number {
    return this.victim.pid;
  }

  get isOver(): boolean {
    return this.#times?.isOver ?? false;
  }

  abstract begin(): Promise<void>;
  abstract finish(deadlineMs: number): Promise<void>;

  /** @param taker the side that downloads */
  protected async moves(taker: Child): Promise<void> {
    this.#times = new PieceTimes(taker);
    await eventOf(taker, "piece", 20_000);
  }

  gotBetween(from: number, to: number): number {
    return this.#times?.between(from, to) ?? 0;
  }

  async refused(): Promise<Record<string, number>> {
    this.victim.signal("SIGINT");
    const { code } = await this.victim.exit(10_000);
    if (code !== 130 && code !== 0) throw this.victim.failure(`ended with ${code}`);
    if (this.victim.text("stderr").includes("    at ")) throw this.victim.failure("shows a trace");
    return refusedBy(this.victim);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.honest?.stop("SIGINT");
    await this.victim.stop("SIGINT");
  }
}

export class SeedStage extends PeerStage {
  readonly victim: Child;
  #takes = 0;
  #target = "";

  static async open(scene: Scene, span: Span): Promise<SeedStage> {
    const share = shareFor(scene, span);
    const from = { torrent: share.torrent, directory: share.payload.directory };
    const { child, endpoint } = await startSeeder(scene, from, ["--host", "0.0.0.0", "--no-verify"]);
    return new SeedStage(scene, share, { child, port: Number(endpoint.split(":")[1]) });
  }

  private constructor(scene: Scene, share: Share, { child, port }: { child: Child; port: number }) {
    super(scene, share, port);
    this.victim = child;
  }

  /** Each call is another download, into a folder of its own. */
  async begin(): Promise<void> {
    this.#target = this.scene.newFolder(`taken-${this.#takes++}`);
    const limit = ["--download-limit", String(honestRate), "--peer", `127.0.0.1:${this.target.port}`];
    this.honest = startDownload(this.scene, this.share.torrent, this.#target, limit);
    await this.moves(this.honest);
  }

  async finish(deadlineMs: number): Promise<void> {
    await expectDone(this.honest!, this.share.payload, this.#target, deadlineMs);
    Deno.removeSync(this.#target, { recursive: true });
  }
}

export class DownloadStage extends PeerStage {
  #victim: Child | undefined;
  readonly #endpoint: string;
  readonly #folder: string;

  static async open(scene: Scene, span: Span): Promise<DownloadStage> {
    const share = shareFor(scene, span);
    const from = { torrent: share.torrent, directory: share.payload.directory };
    const limit = ["--no-verify", "--upload-limit", String(honestRate)];
    const { child, endpoint } = await startSeeder(scene, from, limit);
    const stage = new DownloadStage(scene, share, { endpoint, port: freePort() });
    stage.honest = child;
    return stage;
  }

  private constructor(scene: Scene, share: Share, { endpoint, port }: { endpoint: string; port: number }) {
    super(scene, share, port);
    this.#endpoint = endpoint;
    this.#folder = scene.newFolder("victim");
  }

  get victim(): Child {
    if (this.#victim === undefined) throw new Error("the download has not begun");
    return this.#victim;
  }

  async begin(): Promise<void> {
    const args = ["--port", String(this.target.port), "--peer", this.#endpoint, "--seed"];
    this.#victim = startDownload(this.scene, this.share.torrent, this.#folder, args);
    await this.moves(this.#victim);
  }

  async finish(deadlineMs: number): Promise<void> {
    await eventOf(this.victim, "done", deadlineMs);
    assertHoldsPayload(this.share.payload, this.#folder);
  }
}
