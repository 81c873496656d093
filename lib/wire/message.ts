/**
 * Messages of the peer wire: BEP 3, the fast extension (BEP 6) and the envelope of the extension protocol (BEP 10).
 *
 * A body is one byte of id and a payload of exact length: choke, unchoke, interested, not-interested, have-all and
 * have-none 0; have, suggest and allowed-fast 4 (piece); request, cancel and reject 12 (piece, begin, length);
 * piece 8 + n (piece, begin, block); port 2; bitfield and extended any.
 */
import { readUint32 } from "../bytes.ts";
import { ProtocolError } from "../errors.ts";

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
