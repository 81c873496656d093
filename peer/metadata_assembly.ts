/**
 * Metadata of one size, being put together from parts of 16 KiB (BEP 9): what is there, who sent it, what to ask next.
 *
 * Takes memory for what came only, never for what was announced.
 */
import { type Bytes, concatBytes, equalBytes } from "../lib/bytes.ts";
import { metadataAskAgainMs, metadataPartLength } from "../lib/limits/wire.ts";
import { metadataPartCount } from "../lib/wire/ut_metadata.ts";
import type { ConnectionId } from "./events.ts";

interface Part {
  block: Bytes | undefined;
  sender: ConnectionId | undefined;
  /** When somebody was asked for it last. */
  askedAt: number;
}

export class MetadataAssembly {
  /** Bytes of the whole. */
  readonly size: number;
  /** When it was begun, or the last part came. */
  movedAt = -Infinity;
  /** Times that it made room for others because nothing came. */
  stallCount = 0;
  #parts: Part[] = [];
  #missingCount = 0;

  constructor(size: number) {
    this.size = size;
    this.clear();
  }

  /** Lets go what came. */
  clear(): void {
    this.#missingCount = metadataPartCount(this.size);
    this.#parts = Array.from({ length: this.#missingCount }, () => ({
      ...{ block: undefined, sender: undefined, askedAt: -Infinity },
    }));
  }

  get isWhole(): boolean {
    return this.#missingCount === 0;
  }

  get receivedBytes(): number {
    return this.#parts.reduce((sum, { block }) => sum + (block?.length ?? 0), 0);
  }

  /** Connections that sent some of it. */
  get senders(): Set<ConnectionId> {
    return new Set(this.#parts.flatMap(({ sender }) => sender ?? []));
  }

  /** Whether there is such a part and it has this length. */
  fits(part: number, length: number): boolean {
    return part < this.#parts.length && length === Math.min(metadataPartLength, this.size - part * metadataPartLength);
  }

  /** A part that is missing, that nobody was asked for lately and that passes; undefined when there is none. */
  nextPart(now: number, isFree: (part: number) => boolean): number | undefined {
    const index = this.#parts.findIndex(({ block, askedAt }, part) =>
      block === undefined && now - askedAt >= metadataAskAgainMs && isFree(part)
    );
    return index < 0 ? undefined : index;
  }

  asked(part: number, now: number): void {
    this.#parts[part].askedAt = now;
  }

  /** Nobody will answer: the part may be asked again at once. */
  released(part: number): void {
    this.#parts[part].askedAt = -Infinity;
  }

  /** A part that fits came; kept as a copy, if it is the first. */
  received(part: number, block: Uint8Array, { sender, now }: { sender: ConnectionId; now: number }): boolean {
    const entry = this.#parts[part];
    if (entry.block !== undefined) return false;
    entry.block = block.slice();
    entry.sender = sender;
    this.movedAt = now;
    this.#missingCount--;
    return true;
  }

  /** The whole, once every part is there. */
  bytes(): Bytes {
    return concatBytes(this.#parts.map(({ block }) => block!));
  }

  /** Who sent parts that differ from the right metadata. */
  liars(metadata: Uint8Array): Set<ConnectionId> {
    const liars = new Set<ConnectionId>();
    for (const [index, { block, sender }] of this.#parts.entries()) {
      const right = metadata.subarray(index * metadataPartLength, (index + 1) * metadataPartLength);
      if (block !== undefined && !equalBytes(block, right)) liars.add(sender!);
    }
    return liars;
  }
}
