/**
 * ut_metadata: the info dictionary from peer to peer, in parts of 16 KiB (BEP 9).
 *
 * A message is a dictionary `{msg_type, piece}`; in data it has `total_size` too, and the part's raw bytes follow it.
 */
import { decodeBencodePrefix, dictionaryOf, encodeBencode, integerAt } from "../bencode.ts";
import { type Bytes, concatBytes } from "../bytes.ts";
import { ProtocolError } from "../errors.ts";
import { extensionBytesMax, metadataPartLength } from "../limits/wire.ts";

const MessageType = { request: 0, data: 1, reject: 2 } as const;

/** `part` is a whole number from 0 on, not yet checked against the size of the metadata. */
export type MetadataMessage =
  | { readonly kind: "request"; readonly part: number }
  /** `block` is a view of what was decoded. */
  | { readonly kind: "data"; readonly part: number; readonly totalSize: number | undefined; readonly block: Uint8Array }
  | { readonly kind: "reject"; readonly part: number };

/** Parts of metadata of so many bytes. */
export function metadataPartCount(size: number): number {
  return Math.ceil(size / metadataPartLength);
}

export function encodeMetadataRequest(part: number): Bytes {
  return encodeBencode({ msg_type: MessageType.request, piece: part });
}

export function encodeMetadataReject(part: number): Bytes {
  return encodeBencode({ msg_type: MessageType.reject, piece: part });
}

/** One part of the metadata, which has to exist. */
export function encodeMetadataData(metadata: Uint8Array, part: number): Bytes {
  const head = encodeBencode({ msg_type: MessageType.data, piece: part, total_size: metadata.length });
  return concatBytes([head, metadata.subarray(part * metadataPartLength, (part + 1) * metadataPartLength)]);
}

/**
 * Undefined for a message type that is not known: it is to be ignored (BEP 9).
 *
 * @throws ProtocolError unless the payload begins with a dictionary that names a part
 */
export function decodeMetadataMessage(payload: Uint8Array): MetadataMessage | undefined {
  if (payload.length > extensionBytesMax) throw new ProtocolError(`a metadata message of ${payload.length} bytes`);
  const node = decodeBencodePrefix(payload);
  const dictionary = dictionaryOf(node, "a metadata message");
  const part = integerAt(dictionary, "piece");
  if (part === undefined || part < 0) throw new ProtocolError("a metadata message that names no part");
  switch (integerAt(dictionary, "msg_type")) {
    case MessageType.request:
      return { kind: "request", part };
    case MessageType.reject:
      return { kind: "reject", part };
    case MessageType.data: {
      const totalSize = integerAt(dictionary, "total_size");
      return { kind: "data", part, totalSize, block: payload.subarray(node.end) };
    }
    default:
      return undefined;
  }
}
