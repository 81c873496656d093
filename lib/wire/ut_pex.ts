/**
 * ut_pex: whom a peer is connected to, told to its other peers (BEP 11).
 *
 * A dictionary of compact lists: `added` and `added6` with a byte of flags for each peer in `added.f` and `added6.f`,
 * `dropped` and `dropped6`.
 */
import { bytesAt, decodeBencodePrefix, dictionaryOf, encodeBencode } from "../bencode.ts";
import { type Bytes, concatBytes } from "../bytes.ts";
import { decodeCompact, encodeCompact, type Endpoint, isIpv6 } from "../endpoint.ts";
import { ProtocolError } from "../errors.ts";
import { extensionBytesMax, pexTakenMax } from "../limits/wire.ts";

/** Bits of the flags. */
export const PexFlag = { seed: 0x02, reachable: 0x10 } as const;

export interface PexPeer {
  readonly endpoint: Endpoint;
  /** Of PexFlag, and bits that we do not know. */
  readonly flags: number;
}

export interface PexMessage {
  readonly added: readonly PexPeer[];
  readonly dropped: readonly Endpoint[];
}

/** @throws RangeError when a host is no IP address */
export function encodePexMessage({ added, dropped }: PexMessage): Bytes {
  const [added4, added6] = [false, true].map((v6) => added.filter(({ endpoint }) => isIpv6(endpoint.host) === v6));
  const listOf = (peers: readonly PexPeer[]) => concatBytes(peers.map(({ endpoint }) => encodeCompact(endpoint)));
  const flagsOf = (peers: readonly PexPeer[]) => Uint8Array.from(peers, ({ flags }) => flags);
  const droppedOf = (v6: boolean) => concatBytes(dropped.filter(({ host }) => isIpv6(host) === v6).map(encodeCompact));
  return encodeBencode({
    "added": listOf(added4),
    "added.f": flagsOf(added4),
    "added6": listOf(added6),
    "added6.f": flagsOf(added6),
    "dropped": droppedOf(false),
    "dropped6": droppedOf(true),
  });
}

/**
 * What is beyond `pexTakenMax` in a list, ports 0 and flags without a peer are left out; absent flags are 0.
 *
 * @throws ProtocolError unless the payload begins with a dictionary, and for a list of odd length
 */
export function decodePexMessage(payload: Uint8Array): PexMessage {
  if (payload.length > extensionBytesMax) throw new ProtocolError(`a peer exchange of ${payload.length} bytes`);
  const entries = dictionaryOf(decodeBencodePrefix(payload), "a peer exchange");
  const peersAt = (key: string, family: 4 | 6): PexPeer[] => {
    const flags = bytesAt(entries, `${key}.f`);
    return endpointsOf(bytesAt(entries, key), family).flatMap((endpoint, index) =>
      endpoint === undefined ? [] : { endpoint, flags: flags?.[index] ?? 0 }
    );
  };
  const droppedAt = (key: string, family: 4 | 6) =>
    endpointsOf(bytesAt(entries, key), family).filter((endpoint) => endpoint !== undefined);
  return {
    added: [...peersAt("added", 4), ...peersAt("added6", 6)],
    dropped: [...droppedAt("dropped", 4), ...droppedAt("dropped6", 6)],
  };
}

/** Endpoints at their places; undefined for port 0. */
function endpointsOf(bytes: Uint8Array | undefined, family: 4 | 6): (Endpoint | undefined)[] {
  if (bytes === undefined) return [];
  const stride = family === 4 ? 6 : 18;
  if (bytes.length % stride !== 0) {
    throw new ProtocolError(`a peer exchange list of ${bytes.length} bytes, wanted a multiple of ${stride}`);
  }
  const count = Math.min(bytes.length / stride, pexTakenMax);
  return Array.from(
    { length: count },
    (_, i) => decodeCompact(bytes.subarray(i * stride, (i + 1) * stride), family)[0],
  );
}
