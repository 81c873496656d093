/** The torrent of a simulated world: small files drawn from luck, with real metadata. */
import { encodeBencode } from "../../../lib/bencode.ts";
import type { Bytes } from "../../../lib/bytes.ts";
import type { PieceIndex } from "../../../lib/ids.ts";
import { decodeInfo, type Metainfo } from "../../../lib/metainfo.ts";
import { sha1 } from "../../peer/virtual_disk.ts";
import type { Luck } from "./luck.ts";

export interface WorldContent {
  readonly metainfo: Metainfo;
  readonly bytes: Bytes;
}

/** 2 to 24 pieces in 1 to 5 files, some of them empty; few files end where a piece does. */
export function drawContent(
  luck: Luck,
  { tiers, isPrivate }: { tiers: readonly (readonly string[])[]; isPrivate: boolean },
): WorldContent {
  const pieceLength = luck.pick(1_000, 6_000, 16_384, 20_000, 50_000, 70_000);
  const totalLength = 1 + Math.floor(pieceLength * luck.between(1, luck.pick(4, 12, 24)));
  const words = new Uint32Array(Math.ceil(totalLength / 4));
  let state = 1 + luck.below(2 ** 31);
  for (let i = 0; i < words.length; i++) words[i] = state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  const bytes = new Uint8Array(words.buffer, 0, totalLength);
  const pieces = new Uint8Array(Math.ceil(totalLength / pieceLength) * 20);
  for (let at = 0, i = 0; at < totalLength; at += pieceLength, i++) {
    pieces.set(sha1(bytes.subarray(at, at + pieceLength)), 20 * i);
  }
  const infoBytes = encodeBencode({
    // so that the metadata has several parts now and then
    filler: new Uint8Array(luck.chance(0.3) ? luck.below(50_000) : 0),
    files: drawLengths(luck, totalLength).map((length, i) => ({ length, path: [`file ${i}`] })),
    name: "world",
    "piece length": pieceLength,
    pieces,
    ...(isPrivate && { private: 1 }),
  });
  return { metainfo: decodeInfo(infoBytes, { announce: tiers.map((tier) => [...tier]), webSeeds: [] }), bytes };
}

function drawLengths(luck: Luck, totalLength: number): number[] {
  const cuts = Array.from({ length: luck.below(5) }, () => luck.below(totalLength + 1)).sort((a, b) => a - b);
  return [...cuts, totalLength].map((cut, i) => cut - (i === 0 ? 0 : cuts[i - 1]));
}

/** The right bytes of a range of a piece, as a view. */
export function bytesOf({ metainfo, bytes }: WorldContent, piece: number, begin = 0, length?: number): Bytes {
  const { layout } = metainfo;
  const offset = layout.pieceOffset(piece as PieceIndex) + begin;
  return bytes.subarray(offset, offset + (length ?? layout.lengthOfPiece(piece as PieceIndex)));
}
