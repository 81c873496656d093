/**
 * The pieces of a part file at the start: which of them are right, and bringing those to their places whose files have
 * become wanted since.
 */
import type { PieceIndex } from "../../lib/ids.ts";
import type { PieceFiles } from "../../lib/io/piece_files.ts";
import { PieceStatus } from "../../lib/piece_status.ts";
import { PieceRuns } from "../../lib/piece_runs.ts";
import type { PartFile } from "./part_file.ts";
import { runsOf } from "../piece_check.ts";

/** Pieces brought to their places between two looks at the signal. */
const piecesPerTurn = 8;

/**
 * Checks the pieces that have a slot. Those that lie partly in the part file, as they should, become good; of scattered
 * ones the files are not, so that they speak for none of them.
 *
 * @param statuses a PieceStatus for each piece, as found in the files
 * @returns the pieces that are right, but not where they belong; rejects as PieceFiles.work
 */
export async function checkAside(
  part: PartFile,
  { files, statuses, pieceLength, signal }: {
    files: PieceFiles;
    statuses: Uint8Array;
    pieceLength: number;
    signal: AbortSignal;
  },
): Promise<PieceIndex[]> {
  const marked = new Uint8Array(statuses.length);
  const found = new Uint8Array(statuses.length);
  const pieces = part.pieces.filter((piece) => statuses[piece] !== PieceStatus.good);
  for (const piece of pieces) {
    marked[piece] = 1;
    part.show(piece);
  }
  await files.work("check", {
    runs: new PieceRuns(runsOf(marked), { pieceLength }),
    onResult: ({ first, bytes }) => found.set(bytes, first),
    signal,
  });
  for (const piece of pieces) {
    if (found[piece] === PieceStatus.aside || found[piece] === PieceStatus.good) statuses[piece] = PieceStatus.good;
    if (found[piece] === PieceStatus.scattered) statuses[piece] = PieceStatus.bad;
    if (found[piece] !== PieceStatus.aside) part.hide(piece);
  }
  return pieces.filter((piece) => found[piece] === PieceStatus.scattered);
}

/**
 * Brings scattered pieces to their places: wanted files get their bytes.
 *
 * @returns those that are there now; rejects with UserError, or the signal's reason
 */
export async function settle(
  part: PartFile,
  scattered: readonly PieceIndex[],
  { files, signal }: { files: PieceFiles; signal: AbortSignal },
): Promise<PieceIndex[]> {
  const settled: PieceIndex[] = [];
  for (const [i, piece] of scattered.entries()) {
    if (i % piecesPerTurn === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    signal.throwIfAborted();
    part.show(piece);
    if (files.settleNow(piece)) settled.push(piece);
    part.makeRoom(piece); // hides it where all of it is in wanted files now
  }
  return settled;
}
