/** Finding out what of a download is on disk and right: what a resume file saves of it, and the hashing of the rest. */
import type { PieceFiles } from "../../lib/io/piece_files.ts";
import type { Metainfo } from "../../lib/metainfo.ts";
import { PieceRuns } from "../../lib/piece_runs.ts";
import { PieceStatus } from "../../lib/piece_status.ts";
import { planCheck, runsOf, sampleOf, vouchedFiles } from "../piece_check.ts";
import type { FileStamp, ResumeState } from "../resume.ts";

export class PieceSurvey {
  readonly #metainfo: Metainfo;
  readonly #files: PieceFiles;
  readonly #states: readonly FileStamp[];

  /** @param states what is at the place of each file */
  constructor(
    { metainfo, files, states }: { metainfo: Metainfo; files: PieceFiles; states: readonly FileStamp[] },
  ) {
    this.#metainfo = metainfo;
    this.#files = files;
    this.#states = states;
  }

  /**
   * The resume file, if a sample of the pieces that it vouches for is right: not every file system keeps its word.
   *
   * @returns rejects as PieceFiles.work
   */
  async believable(saved: ResumeState | undefined, signal: AbortSignal): Promise<ResumeState | undefined> {
    const sample = sampleOf(this.#plan(saved).believed);
    let isGood = true;
    await this.#files.work("check", {
      runs: new PieceRuns(sample.map((first) => ({ first, count: 1 })), this.#metainfo),
      onResult: ({ bytes }) => isGood &&= bytes[0] === PieceStatus.good,
      signal,
    });
    return isGood ? saved : undefined;
  }

  /**
   * @param saved what is believed
   * @param onProgress told the bytes looked at so far, of all of them
   * @returns a PieceStatus for each piece; rejects as PieceFiles.work
   */
  async check(
    saved: ResumeState | undefined,
    onProgress: (bytesChecked: number) => void,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const { totalLength, pieceLength } = this.#metainfo;
    const { statuses, mustCheck, toCheckBytes } = this.#plan(saved);
    let bytesChecked = totalLength - toCheckBytes;
    onProgress(bytesChecked);
    await this.#files.work("check", {
      runs: new PieceRuns(runsOf(mustCheck), this.#metainfo),
      onResult: ({ first, bytes }) => {
        statuses.set(bytes, first);
        bytesChecked = Math.min(totalLength, bytesChecked + bytes.length * pieceLength);
        onProgress(bytesChecked);
      },
      signal,
    });
    return statuses;
  }

  /** Whether every piece of these files is right, wherever its bytes lie. Rejects as PieceFiles.work. */
  async areWhole(fileIndices: readonly number[]): Promise<boolean> {
    const marked = new Uint8Array(this.#metainfo.pieceCount);
    for (const fileIndex of fileIndices) {
      const pieces = this.#metainfo.layout.piecesOfFile(fileIndex);
      if (pieces !== undefined) marked.fill(1, pieces.first, pieces.last + 1);
    }
    let isWhole = true;
    await this.#files.work("check", {
      runs: new PieceRuns(runsOf(marked), this.#metainfo),
      onResult: ({ bytes }) =>
        isWhole &&= bytes.every((status) => status === PieceStatus.good || status === PieceStatus.aside),
      signal: new AbortController().signal,
    });
    return isWhole;
  }

  #plan(saved: ResumeState | undefined) {
    const vouched = vouchedFiles(saved, this.#states);
    return planCheck({ metainfo: this.#metainfo, states: this.#states, have: saved?.have, vouched });
  }
}
