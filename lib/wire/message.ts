/**
 * Messages of the peer wire: BEP 3, the fast extension (BEP 6) and the envelope of the extension protocol (BEP 10).
 *
 * A body is one byte of id and a payload of exact length: choke, unchoke, interested, not-interested, have-all and
 * have-none 0; have, suggest and allowed-fast 4 (piece); request, cancel and reject 12 (piece, begin, length);
 * piece 8 + n (piece, begin, block); port 2; bitfield and extended any.
 */
import { type Bytes, readUint32, writeUint32 } from "../bytes.ts";
import { ProtocolError } from "../errors.ts";
import { KiB } from "../limits.ts";

/** Message ids. */
export const MessageId = {
  choke: 0,
  unchoke: 1,
  interested: 2,
  notInterested: 3,
  have: 4,
  bitfield: 5,
  request: 6,
  piece: 7,
  cancel: 8,
  port: 9,
  suggest: 13,
  haveAll: 14,
  haveNone: 15,
  reject: 16,
  allowedFast: 17,
  extended: 20,
} as const;
export type MessageId = typeof MessageId[keyof typeof MessageId];

/** A range inside a piece, as requests name it; not checked against a torrent. */
export interface BlockRange {
  readonly piece: number;
  readonly begin: number;
  readonly length: number;
}

export type Message =
  | { readonly kind: "keepAlive" | "choke" | "unchoke" | "interested" | "notInterested" | "haveAll" | "haveNone" }
  | { readonly kind: "have" | "suggest" | "allowedFast"; readonly piece: number }
  | { readonly kind: "bitfield"; readonly payload: Uint8Array }
  | ({ readonly kind: "request" | "cancel" | "reject" } & BlockRange)
  | { readonly kind: "piece"; readonly piece: number; readonly begin: number; readonly block: Uint8Array }
  | { readonly kind: "port"; readonly port: number }
  | { readonly kind: "extended"; readonly id: number; readonly payload: Uint8Array }
  | { readonly kind: "unknown"; readonly id: number };

const payloadLengths: Readonly<Record<number, number>> = {
  [MessageId.choke]: 0,
  [MessageId.unchoke]: 0,
  [MessageId.interested]: 0,
  [MessageId.notInterested]: 0,
  [MessageId.have]: 4,
  [MessageId.request]: 12,
  [MessageId.cancel]: 12,
  [MessageId.port]: 2,
  [MessageId.suggest]: 4,
  [MessageId.haveAll]: 0,
  [MessageId.haveNone]: 0,
  [MessageId.reject]: 12,
  [MessageId.allowedFast]: 4,
};

/**
 * One message body, `buffer` from `start` to `end`, without its length prefix; views of the buffer, nothing copied.
 *
 * @throws ProtocolError when the payload has not the exact length of its id
 */
export function decodeMessage(buffer: Uint8Array, start: number, end: number): Message {
  if (start === end) return { kind: "keepAlive" };
  const id = buffer[start];
  const at = start + 1;
  const payloadLength = end - at;
  if (id === MessageId.piece) {
    if (payloadLength < 9) throw new ProtocolError(`a piece message with a payload of ${payloadLength} bytes`);
    return {
      kind: "piece",
      piece: readUint32(buffer, at),
      begin: readUint32(buffer, at + 4),
      block: buffer.subarray(at + 8, end),
    };
  }
  const wanted = payloadLengths[id];
  if (wanted !== undefined && wanted !== payloadLength) {
    throw new ProtocolError(`a message of id ${id} with a payload of ${payloadLength} bytes, wanted ${wanted}`);
  }
  switch (id) {
    case MessageId.request:
      return { kind: "request", ...decodeRange(buffer, at) };
    case MessageId.cancel:
      return { kind: "cancel", ...decodeRange(buffer, at) };
    case MessageId.reject:
      return { kind: "reject", ...decodeRange(buffer, at) };
    case MessageId.have:
      return { kind: "have", piece: readUint32(buffer, at) };
    case MessageId.suggest:
      return { kind: "suggest", piece: readUint32(buffer, at) };
    case MessageId.allowedFast:
      return { kind: "allowedFast", piece: readUint32(buffer, at) };
    case MessageId.bitfield:
      return { kind: "bitfield", payload: buffer.subarray(at, end) };
    case MessageId.port:
      return { kind: "port", port: (buffer[at] << 8) | buffer[at + 1] };
    case MessageId.extended:
      if (payloadLength < 1) throw new ProtocolError("an extended message without its id");
      return { kind: "extended", id: buffer[at], payload: buffer.subarray(at + 1, end) };
    default:
      return decodeBareMessage(id);
  }
}

function decodeBareMessage(id: number): Message {
  switch (id) {
    case MessageId.choke:
      return { kind: "choke" };
    case MessageId.unchoke:
      return { kind: "unchoke" };
    case MessageId.interested:
      return { kind: "interested" };
    case MessageId.notInterested:
      return { kind: "notInterested" };
    case MessageId.haveAll:
      return { kind: "haveAll" };
    case MessageId.haveNone:
      return { kind: "haveNone" };
    default:
      return { kind: "unknown", id };
  }
}

function decodeRange(buffer: Uint8Array, at: number): BlockRange {
  return { piece: readUint32(buffer, at), begin: readUint32(buffer, at + 4), length: readUint32(buffer, at + 8) };
}

/** Bytes of memory that an idle peer keeps: some hundred requests fit. */
const keptBytesMax = 8 * KiB;

/**
 * Writes messages one behind the other into one buffer, so that all answers of a turn leave in one write.
 *
 * The buffer grows by doubling and is handed away whole by `take`; one that comes back by `recycle` is used again.
 */
export class MessageWriter {
  #buffer: Bytes = new Uint8Array(0);
  #length = 0;
  #spare: Bytes | undefined;

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
    this.#buffer = this.#spare ?? new Uint8Array(0);
    this.#spare = undefined;
    this.#length = 0;
    return taken;
  }

  /** Gives back what `take` handed out, once nobody reads it any more. */
  recycle(taken: Bytes): void {
    const buffer = new Uint8Array(taken.buffer);
    if (this.#length === 0 && this.#buffer.length < buffer.length) this.#buffer = buffer;
    else this.#spare = buffer;
  }

  /** Lets go of the memory that blocks took: the peer asks for none any more. */
  shrink(): void {
    if (this.#spare !== undefined && this.#spare.length > keptBytesMax) this.#spare = undefined;
    if (this.#length === 0 && this.#buffer.length > keptBytesMax) this.#buffer = new Uint8Array(0);
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
    const grown = new Uint8Array(Math.max(needed, 2 * this.#buffer.length, 1 * KiB));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }
}
