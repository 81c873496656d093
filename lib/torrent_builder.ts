/**
 * Piece hashes and a list of files -> .torrent bytes (BEP 3, 12, 19, 27). The same description gives the same bytes.
 *
 * Version 1 torrents only, since hybrids confuse older clients. What is on the disk, and what to put in the
 * description, is left to peer/io/create_command.ts.
 */
import { createHash } from "node:crypto";
import { type BencodeInput, encodeBencode, EncodedBencode } from "./bencode.ts";
import type { Bytes } from "./bytes.ts";
import { UserError } from "./errors.ts";
import { idLength, type InfoHash, infoHashFromBytes } from "./ids.ts";
import {
  bencodeTokensMax,
  fileCountMax,
  pieceCountMax,
  pieceLengthMax,
  torrentBytesMax,
} from "./limits/torrent_file.ts";
import { KiB, MiB } from "./limits/units.ts";

/** What a torrent is to say; the names are written as they are. */
export interface TorrentDescription {
  readonly name: string;
  /** In the order of their bytes; `path` is below the name, and empty for a single file. */
  readonly files: readonly { readonly path: readonly string[]; readonly length: number }[];
  readonly isMultiFile: boolean;
  /** Bytes. */
  readonly pieceLength: number;
  /** SHA-1 of each piece, 20 bytes each. */
  readonly pieces: Uint8Array;
  /** Tiers of tracker URLs; the first of all is also written as `announce`. */
  readonly announce?: readonly (readonly string[])[];
  readonly webSeeds?: readonly string[];
  readonly comment?: string;
  readonly isPrivate?: boolean;
  readonly source?: string;
  /** Unix time in seconds. */
  readonly creationDate?: number;
  /** Program and version: `localbt/0.1.0`. */
  readonly createdBy?: string;
}

/** Piece lengths that are chosen for the user, in bytes: powers of two. */
const chosenPieceLength = { min: 16 * KiB, max: 16 * MiB } as const;
/** Bencoded values of a file beside the names of its path: dictionary, length, list. */
const valuesPerFile = 3;
/** Bencoded values of a torrent beside its files, with room for trackers and web seeds. */
const otherValueCountMax = 2000;
/** Pieces aimed at: half of it to all of it, so 20 to 40 KiB of hashes. */
const chosenPieceCountMax = 2048;

/**
 * A piece length for so many bytes of data: a power of two from 16 KiB to 16 MiB that makes 1024 to 2048 pieces where
 * it can.
 */
export function choosePieceLength(totalLength: number): number {
  let pieceLength: number = chosenPieceLength.min;
  while (pieceLength < chosenPieceLength.max && pieceLength * chosenPieceCountMax < totalLength) pieceLength *= 2;
  return pieceLength;
}

/**
 * Whether a torrent of this size can be made; to be asked before the hashing.
 *
 * @throws UserError that says what to change
 */
export function checkTorrentSize(
  { totalLength, pieceLength, fileCount }: { totalLength: number; pieceLength: number; fileCount: number },
): void {
  const fail = (why: string, hint?: string) => {
    throw new UserError("create the torrent", why, hint === undefined ? {} : { hint });
  };
  if (totalLength === 0) fail("there is no data: all files are empty");
  if (fileCount > fileCountMax) fail(`there are ${fileCount} files, and a torrent holds at most ${fileCountMax}`);
  if (pieceLength > pieceLengthMax) {
    fail(`a piece length of ${pieceLength} bytes is too large`, `the largest is ${pieceLengthMax / MiB}M`);
  }
  const pieceCount = Math.ceil(totalLength / pieceLength);
  if (pieceCount > pieceCountMax) {
    fail(
      `pieces of ${pieceLength} bytes would be ${pieceCount}, over ${pieceCountMax}`,
      "give a larger --piece-length",
    );
  }
}

/**
 * The bytes of a .torrent file and its info hash.
 *
 * @throws UserError when it would be too large for anyone to read
 * @throws RangeError when the hashes do not fit the files: our own bug
 */
export function buildTorrent(
  description: TorrentDescription,
): { bytes: Bytes; infoBytes: Bytes; infoHash: InfoHash } {
  const { files, pieceLength, pieces } = description;
  const totalLength = files.reduce((sum, file) => sum + file.length, 0);
  checkTorrentSize({ totalLength, pieceLength, fileCount: files.length });
  if (pieces.length !== Math.ceil(totalLength / pieceLength) * idLength) {
    throw new RangeError(`${pieces.length} bytes of piece hashes for ${totalLength} bytes in pieces of ${pieceLength}`);
  }
  const valueCount = files.reduce((sum, file) => sum + valuesPerFile + file.path.length, otherValueCountMax);
  if (valueCount > bencodeTokensMax) {
    throw new UserError("create the torrent", "its files and folders are too many for one torrent", {
      hint: "pack the files into one",
    });
  }
  const infoBytes = encodeBencode(infoOf(description));
  const bytes = encodeTorrent(infoBytes, description);
  if (bytes.length > torrentBytesMax) {
    throw new UserError("create the torrent", `it would have ${bytes.length} bytes, over ${torrentBytesMax}`, {
      hint: "give a larger --piece-length, or pack the files into one",
    });
  }
  return { bytes, infoBytes, infoHash: infoHashFromBytes(createHash("sha1").update(infoBytes).digest()) };
}

/** The bytes of a .torrent file around a ready `info`: what stands beside it changes no info hash. */
export function encodeTorrent(
  infoBytes: Bytes,
  outer: Pick<TorrentDescription, "announce" | "webSeeds" | "comment" | "creationDate" | "createdBy">,
): Bytes {
  const { announce = [], webSeeds = [] } = outer;
  const trackers = announce.flat();
  return encodeBencode({
    announce: trackers[0],
    "announce-list": trackers.length > 1 ? announce.filter((tier) => tier.length > 0) : undefined,
    comment: outer.comment,
    "created by": outer.createdBy,
    "creation date": outer.creationDate,
    encoding: "UTF-8",
    info: new EncodedBencode(infoBytes),
    "url-list": webSeeds.length > 0 ? webSeeds : undefined,
  });
}

/** The `info` dictionary. Private and source are inside, so that they are part of the identity (BEP 27). */
function infoOf(description: TorrentDescription): { readonly [key: string]: BencodeInput | undefined } {
  const { name, files, isMultiFile, pieceLength, pieces, isPrivate = false, source } = description;
  if (!isMultiFile && files.length !== 1) throw new RangeError(`a single-file torrent of ${files.length} files`);
  return {
    files: isMultiFile ? files.map(({ path, length }) => ({ path, length })) : undefined,
    length: isMultiFile ? undefined : files[0].length,
    name,
    "piece length": pieceLength,
    pieces,
    private: isPrivate ? 1 : undefined,
    source,
  };
}
