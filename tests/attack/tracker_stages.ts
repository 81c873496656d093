/**
 * The victims that are asked over HTTP and UDP: `tracker` and `share`, with thirty honest peers that announce.
 *
 * What counts is how many of the honest announces (and, of a share, looks at its pages) are answered, and that in the end
 * every honest peer is still listed and found. Where the attackers need many addresses, all live in network namespaces.
 */
import { assertEquals } from "@std/assert";
import type { Child } from "../interop/child.ts";
import { type Host, loopback } from "../interop/host.ts";
import { eventOf, runLocalbt, startLocalbt } from "../interop/localbt.ts";
import { Lan } from "../interop/lan.ts";
import { ip } from "../interop/network_tools.ts";
import { join, repositoryFolder } from "../interop/path.ts";
import { assertHoldsPayload, type Payload, singleFile, writePayload } from "../interop/payload.ts";
import type { Scene } from "../interop/scene.ts";
import type { Stage, Target } from "./attack.ts";
import { sourceCommand } from "./source_command.ts";

/** The swarm of the honest. */
const honestHash = "ab".repeat(20);
/** Milliseconds for the honest to look at the end whether all are there. */
const foundMs = 30_000;

/** Where everybody is. */
interface Places {
  readonly victim: Host;
  readonly honest: Host;
  readonly attacker: Host;
  /** The first two bytes of the addresses that the attacker may use. */
  readonly attackerNetwork: string;
}

const allOnLoopback: Places = {
  victim: loopback,
  honest: loopback,
  attacker: loopback,
  attackerNetwork: "127.0",
};

/** Three hosts of a LAN; the attacker has a whole network to itself. */
async function onLan(scene: Scene): Promise<Places> {
  const lan = await Lan.open(scene);
  const [victim, honest, attacker] = [await lan.addHost(), await lan.addHost(), await lan.addHost()];
  await ip(attacker.namespace, "route add local 10.99.0.0/16 dev lo");
  for (const host of [victim, honest]) await ip(host.namespace, `route add 10.99.0.0/16 via ${attacker.address}`);
  return { victim, honest, attacker, attackerNetwork: "10.99" };
}

/** What most shells let a program open, so that floods are met with no more than that. */
const fewFiles = ["sh", "-c", 'ulimit -n 1024 && exec "$@"', "sh"];

abstract class AnnounceStage implements Stage {
  protected readonly scene: Scene;
  protected readonly places: Places;
  protected readonly victim: Child;
  readonly target: Target;
  readonly #pages: readonly string[];
  #honest: Child | undefined;

  protected constructor(
    scene: Scene,
    { places, victim, target, pages = [] }: {
      places: Places;
      victim: Child;
      target: { port: number; infoHash: string };
      pages?: string[];
    },
  ) {
    this.scene = scene;
    this.places = places;
    this.victim = victim;
    this.target = { host: places.victim.address, network: places.attackerNetwork, ...target };
    this.#pages = pages;
  }

  get pid(): number {
    return this.victim.pid;
  }

  get attackerPrefix(): readonly string[] {
    return this.places.attacker.prefix;
  }

  async begin(): Promise<void> {
    const script = join(repositoryFolder, "tests", "attack", "honest_announcers.ts");
    const { host, port, infoHash } = this.target;
    const args = [String(host), String(port), String(infoHash), ...this.#pages];
    this.#honest = this.scene.start({
      name: "the honest",
      command: [...this.places.honest.prefix, ...sourceCommand(), script, ...args],
    });
    // the first second has fewer: connections are opened
    await this.#honest.until("announces", () => this.#got().length > 5 || undefined, 20_000);
  }

  gotBetween(from: number, to: number): number {
    return this.#got().filter(([time]) => time > from && time <= to).reduce((sum, [, count]) => sum + count, 0);
  }

  #got(): [time: number, count: number][] {
    return (this.#honest?.lines ?? []).flatMap(({ text }) => {
      const match = /^got (\d+) (\d+)$/.exec(text);
      return match === null ? [] : [[Number(match[1]), Number(match[2])] as [number, number]];
    });
  }

  async finish(_deadlineMs: number): Promise<void> {
    this.#honest?.signal("SIGINT");
    const [, found, all] = await this.#honest!.line(/^found (\d+) of (\d+)$/, foundMs);
    if (found !== all) throw new Error(`only ${found} of ${all} honest peers are found`);
  }

  async refused(): Promise<Record<string, number>> {
    const url = `http://${this.places.victim.address}:${this.target.port}/stats`;
    const look = [...this.places.honest.prefix, "curl", "-s", "-m", "10", url];
    const child = this.scene.start({ name: "curl", command: look });
    assertEquals((await child.exit(15_000)).code, 0, child.text());
    const { refused } = JSON.parse(child.text("stdout"));
    await this.endVictim();
    return Object.fromEntries(
      Object.entries(refused as Record<string, Record<string, number>>).flatMap(([part, counts]) =>
        Object.entries(counts).filter(([, count]) => count > 0).map(([reason, count]) => [`${part}.${reason}`, count])
      ),
    );
  }

  protected async endVictim(): Promise<void> {
    this.victim.signal("SIGINT");
    assertEquals((await this.victim.exit(10_000)).code, this.endCode, this.victim.text("stderr"));
    if (/^ +at |internal error|a request failed/m.test(this.victim.text("stderr"))) {
      throw this.victim.failure("complains");
    }
  }

  /** Exit code after Ctrl-C. */
  protected abstract readonly endCode: number;

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#honest?.stop("SIGKILL");
    await this.victim.stop("SIGKILL");
  }
}

export class TrackerStage extends AnnounceStage {
  protected readonly endCode = 130;

  static async open(scene: Scene, { isOnLan = false } = {}): Promise<TrackerStage> {
    const places = isOnLan ? await onLan(scene) : allOnLoopback;
    const args = ["tracker", "--port", "0", "--json", ...isOnLan ? [] : ["--host", "0.0.0.0"]];
    // an event for each announce is for those who want to read them
    const keep = (text: string) => !text.includes('"event":"announce"');
    const victim = startLocalbt(scene, args, { prefix: [...places.victim.prefix, ...fewFiles], keep });
    const { port } = await eventOf(victim, "ready", 20_000);
    return new TrackerStage(scene, { places, victim, target: { port: Number(port), infoHash: honestHash } });
  }
}

export class ShareStage extends AnnounceStage {
  protected readonly endCode = 130;
  readonly #payload: Payload;

  static async open(scene: Scene, { isOnLan = false } = {}): Promise<ShareStage> {
    const places = isOnLan ? await onLan(scene) : allOnLoopback;
    const payload = writePayload(singleFile(20_000_000, 256 * 1024), scene.newFolder("data"));
    const quiet = isOnLan ? [] : ["--host", "127.0.0.1", "--no-discovery"];
    const line = ["share", "--port", "0", "--json", ...quiet, join(payload.directory, payload.name)];
    const victim = startLocalbt(scene, line, { prefix: [...places.victim.prefix, ...fewFiles] });
    const ready = await eventOf(victim, "ready", 20_000);
    const [{ infoHash }] = ready.shares as { infoHash: string }[];
    return new ShareStage(scene, payload, { places, victim, target: { port: Number(ready.port), infoHash } });
  }

  private constructor(
    scene: Scene,
    payload: Payload,
    { places, victim, target }: { places: Places; victim: Child; target: { port: number; infoHash: string } },
  ) {
    super(scene, { places, victim, target, pages: ["/", "/shares.json", `/${target.infoHash}.torrent`] });
    this.#payload = payload;
  }

  /** Under attack somebody takes it, too. */
  override async finish(deadlineMs: number): Promise<void> {
    const target = this.scene.newFolder("target");
    const { host, port } = this.target;
    const line = ["get", `${host}:${port}`, "-o", target, "--port", "0", "--no-discovery"];
    const { code, stderr } = await runLocalbt(this.scene, line, { prefix: this.places.honest.prefix, deadlineMs });
    assertEquals(code, 0, stderr);
    assertHoldsPayload(this.#payload, target);
    await super.finish(deadlineMs);
  }
}
