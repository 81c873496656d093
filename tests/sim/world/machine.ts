/** An honest machine of a simulated world: its disk, its address, and the runs of the program on it, one after the other. */
import type { Endpoint } from "../../../lib/endpoint.ts";
import type { PieceIndex } from "../../../lib/ids.ts";
import { FileSelection } from "../../../peer/file_selection.ts";
import type { PickStrategy } from "../../../peer/piece_picker.ts";
import { Drive } from "./drive.ts";
import type { Host, SocketOwner, VirtualSocket } from "./network.ts";
import { Program } from "./program.ts";
import type { WorldStage } from "./world_stage.ts";

export interface MachinePlan {
  readonly name: string;
  readonly endpoint: Endpoint;
  /** `seed`: nothing is written, and what is missing stays so. */
  readonly kind: "seed" | "download";
  /** What is on its disk at the start. */
  readonly pieces: readonly PieceIndex[];
  /** By file: 1 for wanted; everything if left out. */
  readonly wanted: Uint8Array | undefined;
  /** It knows the info hash alone. */
  readonly isMagnet: boolean;
  readonly knows: readonly Endpoint[];
  /** It speaks the protocol of BEP 3 and nothing else. */
  readonly isPlain: boolean;
  readonly strategy: PickStrategy;
  /** Bytes a second; Infinity for no limit. */
  readonly uploadLimit: number;
  readonly downloadLimit: number;
  readonly maxPeers: number | undefined;
  /** Its disk answers before the program does anything else. */
  readonly isDiskAtOnce: boolean;
  /** Milliseconds of a disk operation, at most, mostly. */
  readonly diskMs: number;
  /** Virtual ms at which it joins. */
  readonly joinsAt: number;
}

export class Machine implements Host {
  readonly plan: MachinePlan;
  readonly drive: Drive;
  readonly selection: FileSelection;
  program: Program | undefined;
  /** The metadata is there: given, or kept by an earlier run. */
  hasMetadata: boolean;
  /** It was cut off from its power. */
  isDark = false;
  runCount = 0;
  isFrozen = false;
  /** Connections that were there when the power went; their other ends have not heard of it. */
  #ghosts: VirtualSocket[] = [];
  /** What happens once it goes on. */
  readonly #backlog: (() => void)[] = [];
  readonly #stage: WorldStage;

  constructor(plan: MachinePlan, stage: WorldStage) {
    this.plan = plan;
    this.#stage = stage;
    this.hasMetadata = !plan.isMagnet;
    const { layout } = stage.content.metainfo;
    this.selection = plan.wanted === undefined ? FileSelection.all(layout) : FileSelection.of(layout, plan.wanted);
    this.drive = new Drive(stage.content, stage.luck, () => stage.network.now);
    for (const piece of plan.pieces) this.drive.lay(piece);
  }

  get name(): string {
    return this.plan.name;
  }

  get endpoint(): Endpoint {
    return this.plan.endpoint;
  }

  get isSeed(): boolean {
    return this.plan.kind === "seed";
  }

  /** It has all that there is, so that there is nothing to complete. */
  get wholeAtStart(): boolean {
    return this.hasMetadata && this.drive.right.isFull;
  }

  get door(): "open" | "refused" | "silent" {
    if (this.isDark) return "silent";
    return this.program === undefined || this.program.isStopping ? "refused" : "open";
  }

  accept(socket: VirtualSocket): SocketOwner {
    this.program!.accept(socket);
    return this.program!;
  }

  /** All that it wants is on its disk, and its program knows. */
  get isServed(): boolean {
    const { torrent } = this.program ?? {};
    if (this.isSeed) return torrent !== undefined;
    return torrent?.isComplete === true && !this.selection.pieces.hasAnyMissingFrom(this.drive.right);
  }

  start(): void {
    if (this.program !== undefined) return;
    this.isDark = false;
    this.isFrozen = false;
    this.runCount++;
    this.#stage.trace.event(this.#stage.network.now, `${this.name} starts, run ${this.runCount}`);
    for (const ghost of this.#ghosts.splice(0)) if (this.#stage.luck.chance(0.7)) ghost.other.fail();
    this.program = new Program(this, this.#stage);
    this.program.begin();
  }

  /** The program is killed, or the whole machine loses its power. */
  crash(manner: "killed" | "power cut"): void {
    const { program } = this;
    if (program === undefined) return;
    const { trace, network } = this.#stage;
    trace.event(network.now, `${this.name} is gone: ${manner}`);
    this.isDark = manner === "power cut";
    this.program = undefined;
    this.#backlog.length = 0;
    this.isFrozen = false;
    this.#ghosts = this.isDark ? [...program.links.values()].map(({ socket }) => socket) : [];
    program.die({ isHeard: !this.isDark });
    if (this.isDark) this.drive.cutPower();
  }

  /** The run came to its end in order. */
  onEnded(program: Program): void {
    if (this.program !== program) return;
    program.die({ isHeard: true });
    this.program = undefined;
  }

  /** There is room on its disk again; the program may find that out at once. */
  makeRoom(): void {
    if (!this.drive.isFull) return;
    this.drive.isFull = false;
    const { program } = this;
    if (this.#stage.luck.chance(0.5)) program?.later(0, () => program.apply({ kind: "diskHasRoom" }));
  }

  whenAwake(run: () => void): void {
    if (this.isFrozen) this.#backlog.push(run);
    else run();
  }

  /** It hangs: nothing is read, nothing done. */
  freeze(): void {
    if (this.program !== undefined) this.isFrozen = true;
  }

  thaw(): void {
    if (!this.isFrozen) return;
    this.isFrozen = false;
    for (const run of this.#backlog.splice(0)) this.whenAwake(run);
    this.program?.resume();
  }
}
