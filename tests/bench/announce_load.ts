/** The load generators of the tracker bench: announce_load.c and announce_load_udp.c, compiled when they are needed. */
import { runs } from "../interop/installed.ts";
import { join } from "../interop/path.ts";
import type { Scene } from "../interop/scene.ts";

/** One load; see the head of announce_load.c. */
export interface Load {
  readonly port: number;
  readonly swarmCount: number;
  /** Peers asked for in each announce. */
  readonly numWant: number;
  /** Announces in all, or without bound. */
  readonly count?: number;
  readonly seconds?: number;
  /** Announces a second; as many as go unless given. */
  readonly rate?: number;
}

/** A load over HTTP. */
export interface HttpLoad extends Load {
  readonly keepAlive: boolean;
}

export interface LoadResult {
  readonly good: number;
  readonly bad: number;
  /** Neither answered nor refused. */
  readonly lost: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export const connectionCount = 64;
const deadlineMs = 300_000;
/** Of the names of the program for UDP and its source. */
const udpSuffix = "_udp";

export class AnnounceLoad {
  readonly #scene: Scene;
  readonly #program: string;

  private constructor(scene: Scene, program: string) {
    this.#scene = scene;
    this.#program = program;
  }

  static isPossible(): boolean {
    return Deno.build.os === "linux" && runs(["gcc", "--version"]);
  }

  static async compile(scene: Scene): Promise<AnnounceLoad> {
    const program = join(scene.newFolder("load"), "announce_load");
    for (const suffix of ["", udpSuffix]) {
      const source = join(import.meta.dirname ?? ".", `announce_load${suffix}.c`);
      const child = scene.start({ name: "gcc", command: ["gcc", "-O2", "-o", program + suffix, source] });
      const { code } = await child.exit(60_000);
      if (code !== 0) throw child.failure("does not compile the load generator");
    }
    return new AnnounceLoad(scene, program);
  }

  /** The info hashes of the first swarms, as hex digits. */
  async hashes(swarmCount: number): Promise<string[]> {
    const child = this.#scene.start({ name: "announce_load", command: [this.#program, "hashes", String(swarmCount)] });
    await child.exit(deadlineMs);
    return child.text("stdout").split("\n");
  }

  /** @throws when the tracker refused or lost more than one announce in a thousand */
  async run({ port, keepAlive, swarmCount, numWant, count = 0, seconds = 0, rate = 0 }: HttpLoad): Promise<LoadResult> {
    const numbers = [port, connectionCount, keepAlive ? 1 : 0, swarmCount, numWant, count, seconds, rate];
    return await this.#measure([this.#program, "run", ...numbers.map(String)]);
  }

  /** As {@linkcode run}, with as many announces on their way as there are connections there. */
  async runUdp({ port, swarmCount, numWant, count = 0, seconds = 0, rate = 0 }: Load): Promise<LoadResult> {
    const numbers = [port, connectionCount, swarmCount, numWant, count, seconds, rate];
    return await this.#measure([this.#program + udpSuffix, ...numbers.map(String)]);
  }

  async #measure(command: string[]): Promise<LoadResult> {
    const child = this.#scene.start({ name: "announce_load", command });
    const { code } = await child.exit(deadlineMs);
    if (code !== 0) throw child.failure("failed");
    const result = JSON.parse(child.text("stdout")) as LoadResult;
    if ((result.bad + result.lost) * 1000 > result.good) throw child.failure("announces were refused or lost");
    return result;
  }
}
