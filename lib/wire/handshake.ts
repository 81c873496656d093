/**
 * The first 68 bytes of a peer connection (BEP 3).
 *
 * | offset | bytes | what |
 * | ------ | ----- | ---- |
 * | 0      | 1     | 19 |
 * | 1      | 19    | `BitTorrent protocol` |
 * | 20     | 8     | reserved bits |
 * | 28     | 20    | info hash |
 * | 48     | 20    | peer id |
 */
import type { Bytes } from "../bytes.ts";
import { ProtocolError } from "../errors.ts";
import { idBytes, type InfoHash, infoHashFromBytes, type PeerId, peerIdFromBytes } from "../ids.ts";

/** Bytes of a whole handshake. */
export const handshakeLength = 68;
/** Bytes until the info hash is known: the accepting side may answer from here. */
export const handshakeHeadLength = 48;

const protocolName = new TextEncoder().encode("\x13BitTorrent protocol");

export interface Handshake {
  readonly infoHash: InfoHash;
  readonly peerId: PeerId;
  /** Extension protocol (BEP 10): reserved[5] & 0x10. */
  readonly supportsExtensions: boolean;
  /** Fast extension (BEP 6): reserved[7] & 0x04. */
  readonly supportsFast: boolean;
}

export function encodeHandshake(handshake: Handshake): Bytes {
  const bytes = new Uint8Array(handshakeLength);
  bytes.set(protocolName);
  if (handshake.supportsExtensions) bytes[25] |= 0x10;
  if (handshake.supportsFast) bytes[27] |= 0x04;
  bytes.set(idBytes(handshake.infoHash), 28);
  bytes.set(idBytes(handshake.peerId), handshakeHeadLength);
  return bytes;
}

/**
 * Refuses a beginning that can no longer become a handshake, so that garbage is dropped at its first bytes.
 *
 * @throws ProtocolError
 */
export function checkHandshakeStart(bytes: Uint8Array): void {
  const length = Math.min(bytes.length, protocolName.length);
  for (let i = 0; i < length; i++) {
    if (bytes[i] !== protocolName[i]) throw new ProtocolError("the connection does not speak BitTorrent");
  }
}

/** The info hash of a handshake of which at least 48 bytes are there. */
export function decodeHandshakeInfoHash(bytes: Uint8Array): InfoHash {
  return infoHashFromBytes(bytes.subarray(28, handshakeHeadLength));
}

/** @throws ProtocolError unless the 68 bytes are a handshake */
export function decodeHandshake(bytes: Uint8Array): Handshake {
  if (bytes.length !== handshakeLength) throw new ProtocolError(`a handshake of ${bytes.length} bytes`);
  checkHandshakeStart(bytes);
  return {
    infoHash: decodeHandshakeInfoHash(bytes),
    peerId: peerIdFromBytes(bytes.subarray(handshakeHeadLength)),
    supportsExtensions: (bytes[25] & 0x10) !== 0,
    supportsFast: (bytes[27] & 0x04) !== 0,
  };
}
