/**
 * A whole world from one seed: a network, trackers, honest machines and hostile peers, and all that goes wrong with them.
 *
 * Troubles end at some moment; hostile peers stay. From then on every honest peer has to become whole in bounded time, and
 * to end in order. The rules of invariants.ts are held after every step of a core.
 */
import { assert, fail } from "@std/assert";
import type { Endpoint } from "../../../lib/endpoint.ts";
import type { Effect, Input } from "../../../peer/events.ts";
import { drawContent, type WorldContent } from "./content.ts";
import { Hostile } from "./hostile.ts";
import { Rules } from "./invariants.ts";
import { Luck } from "./luck.ts";
import { Machine } from "./machine.ts";
import { Network } from "./network.ts";
import { drawMachines, drawNetwork, drawTroubles, endpointOf, type Troubles } from "./plan.ts";
import type { Program } from "./program.ts";
import { Trace } from "./trace.ts";
import { TrackerHost } from "./tracker_host.ts";
import type { WorldStage } from "./world_stage.ts";

/** Milliseconds after the last trouble in which all have to become whole: a redial waits for 5 minutes, an announce too. */
const recoveryMs = 1_500_000;
/** Milliseconds in which what was said last gets through. */
const quietMs = 3_000;
/** Milliseconds in which a half-open connection is given up: that of a handshake and more. */
const settleMs = 15_000;
/** Milliseconds that an orderly end takes at most, on the slowest disk. */
const endMs = 60_000;

/** Reasons for which a connection between honest peers may be closed. */
const partings: ReadonlySet<string> = new Set([
  "it has to hear anew what is here",
  "it stalls",
  "its place went to another",
  "neither wants anything",
  "no handshake came",
  "nothing came for minutes",
  "the fetch ends",
  "the peer is connected twice",
  "the transfer ends",
  "there are enough peers",
]);

export class World implements WorldStage {
  readonly luck: Luck;
  readonly content: WorldContent;
  readonly network: Network;
  readonly trace: Trace;
  readonly trackers: readonly TrackerHost[];
  readonly machines: readonly Machine[];
  readonly hostiles: readonly Hostile[];
  readonly #rules: Rules;
  readonly #troubles: Troubles;
  /** Steps until the next crash. */
  #stepsLeft = Infinity;
  crashCount = 0;
  #isOver = false;

  constructor(seed: number, tell?: (line: string) => void) {
    const luck = this.luck = new Luck(seed);
    this.trace = new Trace(tell);
    this.network = new Network(luck, drawNetwork(luck));
    // Trackers of one tier tell each other of their peers (BEP 12), and ours do not: of those only one is there.
    const isOneTier = luck.chance(0.5);
    this.trackers = Array.from(
      { length: luck.pick(0, 1, 1, 2) },
      (_, i) => new TrackerHost(i + 1, { luck, isGone: isOneTier && i === 1 }),
    );
    const hasTracker = this.trackers.length > 0;
    const urls = this.trackers.map(({ url }) => url);
    const isPrivate = hasTracker && luck.chance(0.1);
    this.content = drawContent(luck, { tiers: isOneTier && hasTracker ? [urls] : urls.map((url) => [url]), isPrivate });
    const { layout } = this.content.metainfo;
    this.machines = drawMachines(luck, { layout, hasTracker, mayMagnet: !isPrivate })
      .map((plan) => new Machine(plan, this));
    this.hostiles = Array.from(
      { length: luck.pick(0, 1, 1, 2) },
      (_, i) => new Hostile(endpointOf("hostile", i), `liar${i}`, this),
    );
    for (const host of [...this.machines, ...this.hostiles]) this.network.addHost(host);
    this.#rules = new Rules(this.content);
    this.#troubles = drawTroubles(luck);
  }

  /** From the beginning to the end. @throws when something is not as it should be */
  run(): void {
    this.#begin();
    this.#runUntil(() => this.network.now >= this.#troubles.untilMs, Infinity);
    this.#mend();
    const deadline = this.network.now + recoveryMs;
    this.#runUntil(() => this.machines.every((machine) => machine.isServed), deadline);
    for (const hostile of this.hostiles) hostile.end();
    this.#runFor(quietMs);
    const unsettled = new Set([...this.#rules.unsettled(this.machines)].map(({ link }) => link));
    if (unsettled.size > 0) this.#runFor(settleMs);
    this.#rules.checkSettled(this.machines, unsettled);
    this.#end();
  }

  #begin(): void {
    const { network } = this;
    for (const hostile of this.hostiles) {
      this.trace.event(network.now, hostile.describe());
      hostile.begin(this.machines.filter(() => this.luck.chance(0.7)).map(({ endpoint }) => endpoint));
    }
    for (const machine of this.machines) {
      const { knows, pieces, wanted, ...plan } = machine.plan;
      this.trace.event(
        network.now,
        `${JSON.stringify(plan)}, ${knows.length} known, ${pieces.length} pieces, wants ${wanted}`,
      );
      network.at(network.now + machine.plan.joinsAt, () => this.#start(machine));
    }
    this.#stepsLeft = this.#drawSteps();
    this.#trouble();
  }

  #drawSteps(): number {
    const { stepsToCrash } = this.#troubles;
    return stepsToCrash === Infinity ? Infinity : 1 + this.luck.below(stepsToCrash);
  }

  // Troubles

  get isTroubled(): boolean {
    return this.network.now < this.#troubles.untilMs;
  }

  /** Something goes wrong, and again after a while. */
  #trouble(): void {
    const { network, luck } = this;
    network.at(network.now + luck.between(0, this.#troubles.pauseMs), () => {
      if (!this.isTroubled) return;
      const machine = luck.of(this.machines)!;
      this.#harm(machine);
      this.#trouble();
    });
  }

  #harm(machine: Machine): void {
    const { luck, network, trace } = this;
    const tell = (what: string) => trace.event(network.now, `${machine.name}: ${what}`);
    const later = (run: () => void) => network.at(network.now + luck.between(100, 20_000), run);
    const { drive, program } = machine;
    const what = luck.next();
    if (what < 0.3) {
      const link = luck.of(program?.links.values() ?? []);
      const manner = luck.pick("reset", "reset", "silent" as const);
      if (link !== undefined) tell(`connection #${link.socket.id} breaks, ${manner}`);
      link?.socket.break(manner);
    } else if (what < 0.4) {
      tell("hangs");
      machine.freeze();
      later(() => machine.thaw());
    } else if (what < 0.5) {
      this.#crash(machine);
    } else if (what < 0.6) {
      tell("is told to stop");
      program?.stop();
    } else if (what < 0.7 && !machine.isSeed) {
      tell("its disk is full");
      drive.isFull = true;
      later(() => machine.makeRoom());
    } else if (what < 0.8) {
      tell("its disk fails now and then");
      drive.faultRate = luck.pick(0.05, 0.5);
      later(() => drive.faultRate = 0);
    } else if (what < 0.86 && !machine.isSeed) {
      tell(`file ${drive.damage({ isAtRest: program === undefined })} is spoiled`);
    } else if (what < 0.89 && program === undefined && drive.oldResumes.length > 0) {
      tell("an older resume file is put back");
      drive.replaceResume(luck.of(drive.oldResumes));
      drive.settleResume();
    } else if (what < 0.95) this.#harmTracker(later);
    if (machine.program === undefined) later(() => this.#start(machine));
    if (machine.program?.isStopping === true) later(() => this.#start(machine));
  }

  #harmTracker(later: (run: () => void) => void): void {
    const tracker = this.luck.of(this.trackers);
    if (tracker === undefined) return;
    this.trace.event(this.network.now, `${tracker.url} goes down`);
    tracker.isUp = false;
    later(() => tracker.restart());
  }

  #crash(machine: Machine): void {
    if (machine.program === undefined) return;
    this.crashCount++;
    machine.crash(this.luck.pick("killed", "power cut"));
    this.network.at(this.network.now + this.luck.between(50, 15_000), () => this.#start(machine));
  }

  isStruck(program: Program): boolean {
    if (program.isEnded) return true;
    if (this.#stepsLeft === Infinity || --this.#stepsLeft > 0 || !this.isTroubled) return false;
    this.#stepsLeft = this.#drawSteps();
    this.#crash(program.machine);
    return program.isEnded;
  }

  /** All troubles are over; who lacks something is started anew, as a person would. */
  #mend(): void {
    this.trace.event(this.network.now, "the troubles are over");
    for (const tracker of this.trackers) tracker.restart();
    for (const machine of this.machines) {
      machine.makeRoom();
      machine.drive.faultRate = 0;
      machine.thaw();
      this.#keepUp(machine);
    }
  }

  #start(machine: Machine): void {
    if (!this.#isOver) machine.start();
  }

  /** Starts a machine that is down, and ends a run that cannot become whole: what it had was damaged after its end. */
  #keepUp(machine: Machine): void {
    this.#start(machine);
    const { torrent, store } = machine.program ?? {};
    const isPastMending = torrent?.view.availability.wantsNothing === true && !torrent.isComplete ||
      store?.isSettled === true && machine.drive.spoiled.size > 0;
    if (isPastMending && !machine.isSeed) machine.program?.stop();
    if (!this.#isOver) this.network.at(this.network.now + 5_000, () => this.#keepUp(machine));
  }

  // Steps

  afterStep(program: Program, input: Input): void {
    if (!program.isEnded) this.#rules.checkStep(program, input, this.network.now);
  }

  onBanned(program: Program, { endpoint, why }: Extract<Effect, { kind: "peerBanned" }>): void {
    assert(!this.#isHonest(endpoint), `${program.machine.name} banned ${endpoint.host}, who is honest: ${why}`);
  }

  onClosing(program: Program, remote: Endpoint, why: string): void {
    if (partings.has(why)) return;
    assert(!this.#isHonest(remote), `${program.machine.name} closes ${remote.host}, who is honest: ${why}`);
  }

  #isHonest({ host }: Endpoint): boolean {
    return this.machines.some(({ endpoint }) => endpoint.host === host);
  }

  #runFor(ms: number): void {
    const end = this.network.now + ms;
    this.#runUntil(() => this.network.now >= end, Infinity);
  }

  #runUntil(isDone: () => boolean, deadline: number): void {
    while (!isDone() && this.network.nextAt < Infinity) {
      if (this.network.nextAt > deadline) fail(`not all are whole in time: ${this.#describe()}`);
      this.network.step();
    }
  }

  #describe(): string {
    return this.machines.filter((machine) => !machine.isServed).map(({ name, program }) => {
      const { torrent, fetch } = program ?? {};
      if (torrent === undefined) return `${name} has ${fetch === undefined ? "nothing" : "no metadata"}`;
      const { havePieces, pieceCount, peerCount } = torrent.stats(this.network.now);
      return `${name} has ${havePieces}/${pieceCount} of ${peerCount} peers`;
    }).join("; ");
  }

  /** Everybody leaves; nothing is left behind. */
  #end(): void {
    this.#isOver = true;
    for (const { program } of this.machines) program?.stop();
    this.#runFor(endMs);
    this.#rules.checkEnd(this.machines, this.trackers);
  }
}
