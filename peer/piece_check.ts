/** Which pieces a check must hash, given what is on disk and what a resume file vouches for. No effects. */
import type { Bitfield } from "../lib/bitfield.ts";
import { PieceStatus } from "../lib/piece_status.ts";
import type { PieceRun } from "../lib/piece_runs.ts";
import { resumeSampleCount } from "../lib/limits/disk.ts";
import { isOnDisk, type Metainfo } from "../lib/metainfo.ts";
import type { FileState, ResumeState } from "./resume.ts";

export interface CheckPlan {
  /** A PieceStatus for each piece; those to be hashed count as absent until they are. */
  readonly statuses: Uint8Array;
  /** For each piece 1 if it must be hashed. */
  readonly mustCheck: Uint8Array;
  /** Bytes of the pieces to hash. */
  readonly toCheckBytes: number;
  /** Pieces that are taken to be good because the resume file says so. */
  readonly believed: readonly number[];
}

/** For each file whether it is as it was when the resume file was written. */
export function vouchedFiles(saved: ResumeState | undefined, states: readonly FileState[]): boolean[] {
  return states.map(({ length, mtimeMs }, i) => {
    const file = saved?.files[i];
    return file !== undefined && file.length === length && (length < 0 || file.mtimeMs === mtimeMs);
  });
}

/**
 * @param have pieces that the resume file vouches for; it speaks for the pieces whose files are all `vouched`
 */
export function planCheck({ metainfo, states, have, vouched }: {
  metainfo: Metainfo;
  states: readonly FileState[];
  have: Bitfield | undefined;
  vouched: readonly boolean[];
}): CheckPlan {
  const { layout, pieceCount } = metainfo;
  const mustCheck = new Uint8Array(pieceCount);
  const isAbsent = new Uint8Array(pieceCount);
  const hasFile = new Uint8Array(pieceCount);
  metainfo.files.forEach((file, i) => {
    const pieces = layout.piecesOfFile(i);
    if (pieces === undefined || !isOnDisk(file)) return;
    hasFile.fill(1, pieces.first, pieces.last + 1);
    if (states[i].length < 0) isAbsent.fill(1, pieces.first, pieces.last + 1);
    else if (!vouched[i]) mustCheck.fill(1, pieces.first, pieces.last + 1);
  });
  const statuses = new Uint8Array(pieceCount);
  const believed: number[] = [];
  let toCheckBytes = 0;
  for (let piece = 0; piece < pieceCount; piece++) {
    // A piece of nothing but padding is zeros: only the hash can say whether that is right.
    if (hasFile[piece] === 0) mustCheck[piece] = 1;
    if (isAbsent[piece] === 1) mustCheck[piece] = 0;
    else if (mustCheck[piece] === 1) toCheckBytes += layout.lengthOfPiece(layout.toPieceIndex(piece)!);
    else if (have?.has(piece)) {
      statuses[piece] = PieceStatus.good;
      believed.push(piece);
    } else statuses[piece] = PieceStatus.badWithGap;
  }
  return { statuses, mustCheck, toCheckBytes, believed };
}

/** The runs of pieces whose byte is 1. */
export function* runsOf(marked: Uint8Array): Generator<PieceRun> {
  for (let first = marked.indexOf(1); first >= 0; first = marked.indexOf(1, first)) {
    const end = marked.indexOf(0, first);
    const count = (end < 0 ? marked.length : end) - first;
    yield { first, count };
    first += count;
  }
}

/** A few of the pieces, evenly spread, the first and the last among them. */
export function sampleOf(pieces: readonly number[]): number[] {
  if (pieces.length <= resumeSampleCount) return [...pieces];
  const step = (pieces.length - 1) / (resumeSampleCount - 1);
  return Array.from({ length: resumeSampleCount }, (_, i) => pieces[Math.round(i * step)]);
}

/** A PieceStatus for each piece where every file that has its full length is believed, without hashing. */
export function assumedStatuses(metainfo: Metainfo, states: readonly FileState[]): Uint8Array {
  const statuses = new Uint8Array(metainfo.pieceCount).fill(PieceStatus.good);
  metainfo.files.forEach((file, i) => {
    const pieces = metainfo.layout.piecesOfFile(i);
    if (pieces === undefined || !isOnDisk(file) || states[i].length >= file.length) return;
    statuses.fill(PieceStatus.absent, pieces.first, pieces.last + 1);
  });
  return statuses;
}
