/**
 * What a resume file is worth beside what is on disk: which files are as it says, which of them are ours to write to, and
 * which pieces must be hashed.
 *
 * A file is believed while its length, its times and its number are those of the resume file. Of these the time of its
 * own change (ctime) cannot be set back, but has a tick: a file that was changed within the last one is not believed,
 * since a second change would not show.
 */
import type { Bitfield } from "../lib/bitfield.ts";
import { PieceStatus } from "../lib/piece_status.ts";
import type { PieceRun } from "../lib/piece_runs.ts";
import { resumeSampleCount } from "../lib/limits/disk.ts";
import { isOnDisk, type Metainfo } from "../lib/metainfo.ts";
import type { FileStamp, ResumeState } from "./resume.ts";

/** Milliseconds: the runtime tells a file's own change in whole seconds. */
const changeTickMs = 1_000;
/** Milliseconds: FAT file systems note times in steps of two seconds. */
const fatTickMs = 2_000;
/** Milliseconds by which the clock that files get their times from is late, at most. */
const clockLagMs = 20;

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

/** Whether two looks at a path found the same file, untouched. */
export function isSameFile(a: FileStamp, b: FileStamp): boolean {
  if (a.length !== b.length) return false;
  return a.length < 0 || (a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs && a.inode === b.inode);
}

/**
 * How long after its last change a file has to rest until every later change would show in its stamp.
 *
 * @returns milliseconds since 1970
 */
export function settlesAt({ mtimeMs, ctimeMs }: FileStamp): number {
  const isCoarse = mtimeMs % fatTickMs === 0;
  return (ctimeMs > 0 ? ctimeMs : mtimeMs) + (isCoarse ? fatTickMs : changeTickMs) + clockLagMs;
}

/** For each file whether it is as it was when the resume file was written. */
export function vouchedFiles(saved: ResumeState | undefined, states: readonly FileStamp[]): boolean[] {
  return states.map((state, i) => {
    const file = saved?.files[i];
    return file !== undefined && isSameFile(file, state) && (file.vouches || file.length < 0);
  });
}

/**
 * For each file whether it may be written to, whatever is in it: it is not there, or a resume file says that we made it.
 * What somebody else put in its place since is another file, and not ours; where our files were merely swapped all are.
 */
export function ownFiles(
  saved: ResumeState | undefined,
  { states, isWanted }: { states: readonly FileStamp[]; isWanted: (fileIndex: number) => boolean },
): boolean[] {
  const inodes = new Set<number>([0]);
  for (const { createdByUs, inode } of saved?.files ?? []) if (createdByUs) inodes.add(inode);
  return states.map(({ length, inode }, i) => {
    // A file that is not wanted is not made: what is there later is somebody else's.
    if (length < 0) return isWanted(i);
    const file = saved?.files[i];
    // One that was not there yet may have been made since that resume file was written.
    return file?.createdByUs === true && (file.length < 0 || inodes.has(inode));
  });
}

/**
 * @param have pieces that the resume file vouches for; it speaks for the pieces whose files are all `vouched`
 */
export function planCheck({ metainfo, states, have, vouched }: {
  metainfo: Metainfo;
  states: readonly FileStamp[];
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
export function assumedStatuses(metainfo: Metainfo, states: readonly FileStamp[]): Uint8Array {
  const statuses = new Uint8Array(metainfo.pieceCount).fill(PieceStatus.good);
  metainfo.files.forEach((file, i) => {
    const pieces = metainfo.layout.piecesOfFile(i);
    if (pieces === undefined || !isOnDisk(file) || states[i].length >= file.length) return;
    statuses.fill(PieceStatus.absent, pieces.first, pieces.last + 1);
  });
  return statuses;
}
