/**
 * Whether there is room on a full disk again: compares its free space with the least that was seen, now and then.
 *
 * What the system does not tell, as with quotas, is found out by trying (peer/disk_pause.ts).
 */
import { roomLookMs } from "../../lib/limits/disk.ts";

export class RoomWatch {
  readonly #freeBytes: () => number | undefined;
  readonly #neededBytes: number;
  #leastBytes = Infinity;
  #lookAt = Infinity;

  /** @param neededBytes bytes of room that are worth another try */
  constructor({ freeBytes, neededBytes }: { freeBytes: () => number | undefined; neededBytes: number }) {
    this.#freeBytes = freeBytes;
    this.#neededBytes = neededBytes;
  }

  /** The disk is full. */
  begin(now: number): void {
    this.#leastBytes = this.#freeBytes() ?? Infinity;
    this.#lookAt = now + roomLookMs;
  }

  end(): void {
    this.#lookAt = Infinity;
  }

  /** Whether room was made since the last look; always false between two looks. */
  hasGrown(now: number): boolean {
    if (now < this.#lookAt) return false;
    this.#lookAt = now + roomLookMs;
    const freeBytes = this.#freeBytes();
    if (freeBytes === undefined) return false;
    const hasGrown = freeBytes > this.#leastBytes && freeBytes >= this.#neededBytes;
    this.#leastBytes = hasGrown ? freeBytes : Math.min(this.#leastBytes, freeBytes);
    return hasGrown;
  }
}
