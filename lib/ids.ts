/**
 * Branded identities: an info hash, a peer id and a piece index can only be made where they are checked.
 *
 * An info hash and a peer id are 20 bytes; here they are 40 lower-case hex digits, so that they can be Map keys.
 */
import { type Bytes, formatHex, parseHex } from "./bytes.ts";

declare const brand: unique symbol;

/** SHA-1 over the raw bytes of a torrent's `info` dictionary (BEP 3), as 40 lower-case hex digits. */
export type InfoHash = string & { readonly [brand]: "InfoHash" };
/** A peer's 20 bytes of identity (BEP 3, BEP 20), as 40 lower-case hex digits. */
export type PeerId = string & { readonly [brand]: "PeerId" };
/** A piece's place in its torrent, 0-based; only Layout makes it, so it is always in range. */
export type PieceIndex = number & { readonly [brand]: "PieceIndex" };

/** Length in bytes of an info hash, a piece hash and a peer id. */
export const idLength = 20;

function hexOf20(bytes: Uint8Array, what: string): string {
  if (bytes.length !== idLength) throw new RangeError(`${what} has ${bytes.length} bytes, not ${idLength}`);
  return formatHex(bytes);
}

/** @throws RangeError unless there are 20 bytes */
export function infoHashFromBytes(bytes: Uint8Array): InfoHash {
  return hexOf20(bytes, "an info hash") as InfoHash;
}

/** An info hash from 40 hex digits in either case; undefined for anything else. */
export function parseInfoHash(text: string): InfoHash | undefined {
  return /^[0-9a-fA-F]{40}$/.test(text) ? (text.toLowerCase() as InfoHash) : undefined;
}

/** @throws RangeError unless there are 20 bytes */
export function peerIdFromBytes(bytes: Uint8Array): PeerId {
  return hexOf20(bytes, "a peer id") as PeerId;
}

/** The 20 bytes of an identity. */
export function idBytes(id: InfoHash | PeerId): Bytes {
  return parseHex(id)!;
}

/**
 * A fresh peer id in the style of BEP 20: `-LB0100-` and 12 random bytes.
 *
 * @param random numbers in [0, 1)
 */
export function makePeerId(random: () => number): PeerId {
  const bytes = new Uint8Array(idLength);
  new TextEncoder().encodeInto("-LB0100-", bytes);
  for (let i = 8; i < idLength; i++) bytes[i] = Math.floor(random() * 256);
  return peerIdFromBytes(bytes);
}
