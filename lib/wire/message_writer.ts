/**
 * Writes messages one behind the other into one buffer, so that all answers of a turn leave in one write.
 *
 * Owns little memory of its own: what blocks need is taken from BatchMemory and goes back when they are written.
 */
import { type Bytes, writeUint32 } from "../bytes.ts";
import { KiB } from "../limits/units.ts";
import { BatchMemory, ownBytesMax } from "./batch_memory.ts";
import { MessageId } from "./message.ts";

export class MessageWriter {
  readonly #memory: BatchMemory;
  #buffer: Bytes = new Uint8Array(0);
  #length = 0;
  /** Memory of our own that nothing stands in. */
  #spare: Bytes = new Uint8Array(0);

  constructor(memory = new BatchMemory()) {
    this.#memory = memory;
  }

  /** Bytes that wait to be taken. */
  get length(): number {
    return this.#length;
  }

  /** Raw bytes, for the handshake. */
  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  keepAlive(): void {
    this.#reserve(4);
    writeUint32(this.#buffer, this.#length, 0);
    this.#length += 4;
  }

  /** choke, unchoke, interested, not-interested, have-all or have-none. */
  bare(id: MessageId): void {
    this.#head(id, 0);
  }

  /** have, suggest or allowed-fast. */
  piece(id: MessageId, piece: number): void {
    this.#head(id, 4);
    this.#uint32(piece);
  }

  /** request, cancel or reject. */
  range(id: MessageId, piece: number, begin: number, length: number): void {
    this.#head(id, 12);
    this.#uint32(piece);
    this.#uint32(begin);
    this.#uint32(length);
  }

  /** A piece message: the block is copied here, its only copy on the way out. */
  block(piece: number, begin: number, block: Uint8Array): void {
    this.#head(MessageId.piece, 8 + block.length);
    this.#uint32(piece);
    this.#uint32(begin);
    this.#buffer.set(block, this.#length);
    this.#length += block.length;
  }

  bitfield(payload: Uint8Array): void {
    this.#head(MessageId.bitfield, payload.length);
    this.#buffer.set(payload, this.#length);
    this.#length += payload.length;
  }

  extended(extensionId: number, payload: Uint8Array): void {
    this.#head(MessageId.extended, 1 + payload.length);
    this.#buffer[this.#length++] = extensionId;
    this.#buffer.set(payload, this.#length);
    this.#length += payload.length;
  }

  /** All that was written since the last call, as a view that belongs to the caller until it is recycled. */
  take(): Bytes {
    const taken = this.#buffer.subarray(0, this.#length);
    this.#buffer = this.#spare;
    this.#spare = new Uint8Array(0);
    this.#length = 0;
    return taken;
  }

  /** Gives back what `take` handed out, once nobody reads it any more. */
  recycle(taken: Bytes): void {
    this.#letGo(new Uint8Array(taken.buffer));
  }

  /** Gives all memory back; nothing is written any more. */
  discard(): void {
    const buffer = this.#buffer;
    this.#buffer = this.#spare = new Uint8Array(0);
    this.#length = 0;
    if (buffer.length > ownBytesMax) this.#memory.give(buffer);
  }

  #head(id: MessageId, payloadLength: number): void {
    this.#reserve(5 + payloadLength);
    writeUint32(this.#buffer, this.#length, 1 + payloadLength);
    this.#buffer[this.#length + 4] = id;
    this.#length += 5;
  }

  #uint32(value: number): void {
    writeUint32(this.#buffer, this.#length, value);
    this.#length += 4;
  }

  #reserve(byteCount: number): void {
    const needed = this.#length + byteCount;
    if (needed <= this.#buffer.length) return;
    const grown = this.#memoryFor(needed);
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#letGo(this.#buffer);
    this.#buffer = grown;
  }

  #memoryFor(byteCount: number): Bytes {
    if (byteCount > ownBytesMax) return this.#memory.take(byteCount);
    return new Uint8Array(Math.min(ownBytesMax, Math.max(byteCount, 2 * this.#buffer.length, 1 * KiB)));
  }

  #letGo(memory: Bytes): void {
    if (memory.length > ownBytesMax) this.#memory.give(memory);
    else if (this.#length === 0 && this.#buffer.length < memory.length) this.#buffer = memory;
    else if (this.#spare.length < memory.length) this.#spare = memory;
  }
}
