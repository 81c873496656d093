/** What one run of the program does with its machine's disk: in time, in any order, in parts when it is killed. */
import type { Bytes } from "../../../lib/bytes.ts";
import type { PieceIndex } from "../../../lib/ids.ts";
import { resumeSaveMs } from "../../../lib/limits/transfer.ts";
import type { Effect } from "../../../peer/events.ts";
import type { Program } from "./program.ts";
import type { Store } from "./store.ts";
import type { WorldStage } from "./world_stage.ts";

type EffectOf<Kind extends Effect["kind"]> = Extract<Effect, { kind: Kind }>;

export class ProgramDisk {
  /** Pieces were stored since the resume file was saved. */
  hasUnsaved = false;
  readonly #program: Program;
  readonly #stage: WorldStage;
  readonly #storing = new Map<PieceIndex, Bytes>();
  #store: Store | undefined;
  #savedAt = 0;
  #isSaving = false;

  constructor(program: Program, stage: WorldStage) {
    this.#program = program;
    this.#stage = stage;
  }

  /** The store's data has been checked. */
  begin(store: Store): void {
    this.#store = store;
    this.#savedAt = this.#stage.network.now;
  }

  get isBusy(): boolean {
    return this.#storing.size > 0 || this.#isSaving;
  }

  saveIfDue(): void {
    if (this.hasUnsaved && this.#stage.network.now - this.#savedAt >= resumeSaveMs) this.#save();
  }

  /** The program is killed: what was being written is there in part. */
  die(): void {
    for (const [piece, buffer] of this.#storing) {
      if (!this.#store!.isRight(piece, buffer) || this.#stage.luck.chance(0.5)) continue;
      this.#program.machine.drive.write(piece, buffer, { isTorn: true });
    }
  }

  /** Milliseconds that a disk operation takes. */
  takesMs(times = 1): number {
    const { luck } = this.#stage;
    const { diskMs } = this.#program.machine.plan;
    return times * (luck.chance(0.05) ? 10 * diskMs : luck.between(0, diskMs));
  }

  read({ connection, ranges }: EffectOf<"readBlocks">): void {
    const read = () => {
      const { drive } = this.#program.machine;
      const found = ranges.map(({ piece, begin, length }) => drive.readBlock(piece, begin, length));
      const lost = ranges.map(({ piece }) => piece).filter((_, i) => found[i] === undefined);
      if (lost.length > 0 || this.#stage.luck.chance(drive.faultRate)) {
        for (const piece of lost) this.#store!.have.clear(piece);
        return this.#program.apply({
          kind: "readFailed",
          connection,
          ranges,
          lost: [...new Set(lost)],
          why: "it fails",
        });
      }
      const blocks = found as Bytes[];
      this.#program.apply(
        { kind: "blocksRead", connection, ranges, blocks },
        () => blocks.forEach((block) => block.fill(0xee)),
      );
    };
    if (this.#program.machine.plan.isDiskAtOnce) read();
    else this.#program.later(this.takesMs(), read);
  }

  /** Somebody asks for the piece a second time: it is hashed. */
  checkPiece({ piece }: EffectOf<"checkPiece">): void {
    this.#program.later(this.takesMs(), () => {
      const ok = this.#store!.have.has(piece) && this.#program.machine.drive.right.has(piece);
      if (!ok) this.#store!.have.clear(piece);
      this.#program.apply({ kind: "pieceChecked", piece, ok });
    });
  }

  storePiece({ piece, buffer: original }: EffectOf<"storePiece">): void {
    if (this.#program.machine.plan.isDiskAtOnce) return this.#endStore(piece, original);
    const buffer = new Uint8Array(original.buffer.transfer());
    this.#storing.set(piece, buffer);
    this.#program.later(this.takesMs(2), () => {
      this.#storing.delete(piece);
      this.#endStore(piece, buffer);
    });
  }

  #endStore(piece: PieceIndex, buffer: Bytes): void {
    const { drive } = this.#program.machine;
    if (!this.#store!.isRight(piece, buffer)) return this.#program.apply({ kind: "pieceBad", piece, buffer });
    const { luck } = this.#stage;
    if (drive.isFull || luck.chance(drive.faultRate)) {
      const error = new Error(drive.isFull ? "it is full" : "it fails");
      if (!drive.isFull && luck.chance(0.3)) return this.#program.apply({ kind: "storeFailed", piece, error });
      return this.#program.apply({ kind: "storeRefused", piece, buffer, error, isBrief: !drive.isFull });
    }
    this.#store!.write(piece, buffer);
    this.#program.apply({ kind: "pieceStored", piece, buffer });
  }

  #save(): void {
    if (this.#isSaving) return;
    this.#isSaving = true;
    this.#savedAt = this.#stage.network.now;
    this.hasUnsaved = false;
    this.walk(this.#store!.save(), () => this.#isSaving = false);
  }

  /** Work with the disk that takes time at each step. */
  walk(work: Generator<void, void>, onEnd: () => void = () => {}): void {
    if (work.next().done === true) return onEnd();
    this.#program.later(this.takesMs(), () => this.walk(work, onEnd));
  }
}
