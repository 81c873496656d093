/** The extension handshake (BEP 10): extended message 0, a dictionary of what a peer can do. */
import { bytesAt, decodeBencodePrefix, dictionaryAt, dictionaryOf, encodeBencode, integerAt } from "../bencode.ts";
import type { Bytes } from "../bytes.ts";
import { decodeAddress, encodeAddress } from "../endpoint.ts";
import { ProtocolError } from "../errors.ts";
import { extensionBytesMax } from "../limits/wire.ts";

/** The extended message id of the handshake itself. */
export const extensionHandshakeId = 0;

/** The ids under which we want to receive each extension. */
export const ownExtensionIds = { ut_pex: 1, ut_metadata: 2, lt_donthave: 3, upload_only: 4 } as const;
/** An extension that we speak: ut_pex (BEP 11), ut_metadata (BEP 9), lt_donthave (BEP 54), upload_only (BEP 21). */
export type ExtensionName = keyof typeof ownExtensionIds;

export interface ExtensionHandshake {
  /** `m`: name of an extension -> the id that its sender wants to receive it under; 0 turns it off. */
  readonly extensionIds: ReadonlyMap<string, number>;
  /** `v`: name and version of the program. */
  readonly client?: string;
  /** `reqq`: requests that the sender queues before it drops some. */
  readonly requestQueueMax?: number;
  /** `p`: the TCP port the sender listens on. */
  readonly listenPort?: number;
  /** `metadata_size`: bytes of the info dictionary (BEP 9), as its sender says: a whole number, not yet within any bound. */
  readonly metadataSize?: number;
  /** `upload_only`: the sender wants nothing (BEP 21). */
  readonly isUploadOnly?: boolean;
  /** `yourip`: the address under which the receiver is seen, canonical. */
  readonly yourIp?: string;
}

export function encodeExtensionHandshake(handshake: ExtensionHandshake): Bytes {
  return encodeBencode({
    m: handshake.extensionIds,
    metadata_size: handshake.metadataSize,
    p: handshake.listenPort,
    reqq: handshake.requestQueueMax,
    upload_only: handshake.isUploadOnly === undefined ? undefined : Number(handshake.isUploadOnly),
    v: handshake.client,
    yourip: handshake.yourIp === undefined ? undefined : encodeAddress(handshake.yourIp),
  });
}

/**
 * Keys of a wrong type or range are taken as absent: clients differ, and none of them is needed.
 *
 * @throws ProtocolError unless the payload begins with a dictionary
 */
export function decodeExtensionHandshake(payload: Uint8Array): ExtensionHandshake {
  if (payload.length > extensionBytesMax) throw new ProtocolError(`an extension handshake of ${payload.length} bytes`);
  const dictionary = dictionaryOf(decodeBencodePrefix(payload), "an extension handshake");
  const extensionIds = new Map<string, number>();
  for (const [name, node] of dictionaryAt(dictionary, "m") ?? []) {
    if (node.kind === "integer" && node.value >= 0 && node.value <= 255) extensionIds.set(name, node.value);
  }
  const client = bytesAt(dictionary, "v");
  const requestQueueMax = inRange(integerAt(dictionary, "reqq"), 1, 1_000_000);
  const listenPort = inRange(integerAt(dictionary, "p"), 1, 65_535);
  const metadataSize = integerAt(dictionary, "metadata_size");
  const uploadOnly = integerAt(dictionary, "upload_only");
  const yourIp = bytesAt(dictionary, "yourip");
  const yourHost = yourIp && decodeAddress(yourIp);
  return {
    extensionIds,
    ...(client !== undefined && { client: new TextDecoder().decode(client.subarray(0, 64)) }),
    ...(requestQueueMax !== undefined && { requestQueueMax }),
    ...(listenPort !== undefined && { listenPort }),
    ...(metadataSize !== undefined && { metadataSize }),
    ...(uploadOnly !== undefined && { isUploadOnly: uploadOnly !== 0 }),
    ...(yourHost !== undefined && { yourIp: yourHost }),
  };
}

function inRange(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}
