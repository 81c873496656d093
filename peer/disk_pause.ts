/**
 * What becomes of pieces that the disk does not take: they wait, and are stored when it takes them again.
 *
 * Owns the pieces that wait. Each stays `checking` with its memory, so nothing has to be fetched again, and at the bound
 * of PieceTable nothing more is asked for. One piece is tried again after a while, each time a longer one; once it is
 * stored the others follow, more and more at a time.
 */
import type { Bytes } from "../lib/bytes.ts";
import type { PieceIndex } from "../lib/ids.ts";
import { briefRetriesMax, storeRetryMaxMs, storeRetryMinMs } from "../lib/limits/disk.ts";
import type { Effect, Input } from "./events.ts";

type Refusal = Extract<Input, { kind: "storeRefused" }>;

export class DiskPause {
  readonly #emit: (effect: Effect) => void;
  /** Pieces that wait, the oldest first. */
  readonly #held = new Map<PieceIndex, Bytes>();
  /** Pieces that are being tried again. */
  readonly #tried = new Set<PieceIndex>();
  #isWaiting = false;
  #delayMs = 0;
  #retryAt = Infinity;
  /** Pieces that may be tried at once. */
  #allowance = 1;
  #briefCount = 0;

  constructor(emit: (effect: Effect) => void) {
    this.#emit = emit;
  }

  /** When (monotonic ms) a piece is tried again; Infinity while none waits for that. */
  get wakeAt(): number {
    return this.#isWaiting && this.#tried.size === 0 ? this.#retryAt : Infinity;
  }

  /** Hands an effect on; pieces to be stored have to wait while the disk takes none. */
  pass(effect: Effect): void {
    if (this.#isWaiting && effect.kind === "storePiece") this.#held.set(effect.piece, effect.buffer);
    else this.#emit(effect);
  }

  /**
   * The disk refused the piece, which may pass.
   *
   * @returns false when it was tried often enough: the piece is not held
   */
  refused({ piece, buffer, error, isBrief }: Refusal, now: number): boolean {
    this.#held.set(piece, buffer);
    const wasTried = this.#tried.delete(piece);
    if (this.#isWaiting && !wasTried) return true; // it was under way when another one was refused
    this.#briefCount = isBrief ? this.#briefCount + 1 : 0;
    if (this.#briefCount > briefRetriesMax) return !this.#held.delete(piece);
    this.#delayMs = this.#isWaiting ? Math.min(2 * this.#delayMs, storeRetryMaxMs) : storeRetryMinMs;
    this.#retryAt = now + this.#delayMs;
    this.#allowance = 1;
    if (!this.#isWaiting) this.#emit({ kind: "diskPaused", error });
    this.#isWaiting = true;
    return true;
  }

  /** The disk has done with the piece. */
  settled(piece: PieceIndex, now: number): void {
    if (!this.#tried.delete(piece)) return;
    this.#allowance *= 2;
    if (now >= this.#retryAt) this.#tryNext();
    if (this.#tried.size + this.#held.size > 0) return;
    this.#isWaiting = false;
    this.#briefCount = 0;
    this.#emit({ kind: "diskResumed" });
  }

  /** There may be room. */
  retry(now: number): void {
    if (this.wakeAt < Infinity) this.#retryAt = now;
    this.tick(now);
  }

  tick(now: number): void {
    if (now >= this.wakeAt) this.#tryNext();
  }

  /** Nothing is tried any more. */
  stop(): void {
    this.#retryAt = Infinity;
  }

  #tryNext(): void {
    for (const [piece, buffer] of this.#held) {
      if (this.#tried.size >= this.#allowance || this.#retryAt === Infinity) return;
      this.#held.delete(piece);
      this.#tried.add(piece);
      this.#emit({ kind: "storePiece", piece, buffer });
    }
  }
}
