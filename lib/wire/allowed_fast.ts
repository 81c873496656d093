/** The allowed-fast set (BEP 6): pieces that a peer may have while it is choked, computed from its IPv4 address. */
import { createHash } from "node:crypto";
import { readUint32 } from "../bytes.ts";
import { idBytes, type InfoHash } from "../ids.ts";

/**
 * The canonical set, in its order; empty for anything but an IPv4 address.
 *
 * @param host the peer's IPv4 address; only its first three numbers count
 * @param count how many pieces, at most `pieceCount`
 */
export function allowedFastPieces(
  { host, infoHash, pieceCount, count }: { host: string; infoHash: InfoHash; pieceCount: number; count: number },
): number[] {
  const parts = host.split(".").map(Number);
  if (parts.length !== 4 || parts.some((part) => !(part >= 0 && part <= 255))) return [];
  let hash = new Uint8Array(24);
  hash.set([parts[0], parts[1], parts[2], 0]);
  hash.set(idBytes(infoHash), 4);
  const pieces = new Set<number>();
  while (pieces.size < Math.min(count, pieceCount)) {
    hash = new Uint8Array(createHash("sha1").update(hash).digest());
    for (let i = 0; i < 5 && pieces.size < Math.min(count, pieceCount); i++) {
      pieces.add(readUint32(hash, 4 * i) % pieceCount);
    }
  }
  return [...pieces];
}
