/**
 * Which files in the destination must not be written to: a finished file that merely has the torrent's name is the
 * user's, and a download would destroy it.
 *
 * What other clients leave unfinished (short files that end with a block, or full-length ones with holes or zeros where
 * data is missing) is continued; what shows none of these marks, and no piece that is right, is not ours to touch.
 */
import type { Layout } from "../../lib/layout.ts";
import { blockLength } from "../../lib/limits/wire.ts";
import { PieceStatus } from "../../lib/piece_status.ts";
import { UserError } from "../../lib/errors.ts";
import type { Metainfo } from "../../lib/metainfo.ts";
import type { FileState } from "../resume.ts";

/** What is known of one file that exists on disk. */
export interface ExistingFile {
  readonly fileIndex: number;
  /** Where it begins in the torrent's run of bytes. */
  readonly offset: number;
  /** Bytes on disk. */
  readonly length: number;
  /** Bytes in the torrent. */
  readonly wantedLength: number;
}

/**
 * Whether the file is somebody's finished file.
 *
 * @param statuses a PieceStatus for each piece of the torrent
 * @param hasData whether the file holds something else than zeros; asked only when it matters
 */
export async function isForeign(
  file: ExistingFile,
  { layout, statuses, hasData }: {
    layout: Layout;
    statuses: Uint8Array;
    hasData: (fileIndex: number) => Promise<boolean>;
  },
): Promise<boolean> {
  const pieces = layout.piecesOfFile(file.fileIndex);
  if (pieces === undefined) return file.length > 0;
  const own = statuses.subarray(pieces.first, pieces.last + 1);
  if (own.every((status) => status === PieceStatus.good)) return false;
  // No client leaves an unfinished file too long; the bytes behind may be all that the user has.
  if (file.length > file.wantedLength) return true;
  if (own.includes(PieceStatus.good) || file.length === 0 || !(await hasData(file.fileIndex))) return false;
  const isCutInBlock = (file.offset + file.length) % layout.pieceLength % blockLength !== 0;
  if (file.length < file.wantedLength && isCutInBlock) return true;
  return own.includes(PieceStatus.bad) || !statuses.includes(PieceStatus.good);
}

/**
 * Looks at every file that is there.
 *
 * @param isExempt whether a file, by its index, need not be looked at: it is ours, or nothing is written to it
 * @returns rejects with UserError at the first that is somebody's finished file
 */
export async function refuseForeign(
  { files, layout }: Metainfo,
  { states, statuses, isExempt, paths, hasData }: {
    states: readonly FileState[];
    statuses: Uint8Array;
    isExempt: (fileIndex: number) => boolean;
    paths: readonly string[];
    hasData: (fileIndex: number) => Promise<boolean>;
  },
): Promise<void> {
  let offset = 0;
  for (const [fileIndex, file] of files.entries()) {
    const { length } = states[fileIndex];
    const existing = { fileIndex, offset, length, wantedLength: file.length };
    offset += file.length;
    if (length < 0 || isExempt(fileIndex) || !(await isForeign(existing, { layout, statuses, hasData }))) continue;
    throw new UserError(
      `write ${paths[fileIndex]}`,
      "a file of that name is there, and its data is not the torrent's",
      {
        hint: "move it away, or download to another folder with -o",
      },
    );
  }
}
