/**
 * Finding out which pieces of a torrent are on disk: what a resume file vouches for is believed, but for a sample; the rest
 * is hashed by all workers.
 */
import type { PieceFiles } from "../../lib/io/piece_files.ts";
import { PieceStatus } from "../../lib/piece_status.ts";
import { PieceRuns } from "../../lib/piece_runs.ts";
import type { Metainfo } from "../../lib/metainfo.ts";
import type { FileState, ResumeState } from "../resume.ts";
import { planCheck, runsOf, sampleOf, vouchedFiles } from "../piece_check.ts";

export interface DataCheckOptions {
  readonly metainfo: Metainfo;
  readonly files: PieceFiles;
  /** What is at the place of each file. */
  readonly states: readonly FileState[];
  /** What is remembered of the last run. */
  readonly saved: ResumeState | undefined;
  /** Told the bytes looked at so far, of all of them. */
  readonly onProgress: (bytesChecked: number) => void;
  readonly signal: AbortSignal;
}

/** A PieceStatus for each piece; rejects with UserError on a disk error, and with the signal's reason when it aborts. */
export async function checkData(options: DataCheckOptions): Promise<Uint8Array> {
  const { metainfo, files, states, saved, onProgress, signal } = options;
  const vouched = vouchedFiles(saved, states);
  const plan = planCheck({ metainfo, states, have: saved?.have, vouched });
  if (saved !== undefined && !(await isGood(sampleOf(plan.believed), options))) {
    return await checkData({ ...options, saved: undefined });
  }
  let bytesChecked = metainfo.totalLength - plan.toCheckBytes;
  onProgress(bytesChecked);
  await files.work("check", {
    runs: new PieceRuns(runsOf(plan.mustCheck), metainfo),
    onResult: ({ first, bytes }) => {
      plan.statuses.set(bytes, first);
      bytesChecked = Math.min(metainfo.totalLength, bytesChecked + bytes.length * metainfo.pieceLength);
      onProgress(bytesChecked);
    },
    signal,
  });
  return plan.statuses;
}

async function isGood(pieces: readonly number[], { metainfo, files, signal }: DataCheckOptions): Promise<boolean> {
  let isGood = true;
  await files.work("check", {
    runs: new PieceRuns(pieces.map((first) => ({ first, count: 1 })), metainfo),
    onResult: ({ bytes }) => isGood &&= bytes[0] === PieceStatus.good,
    signal,
  });
  return isGood;
}
