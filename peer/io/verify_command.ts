/** `localbt verify`: whether the data on disk is the torrent's, file by file and in all. Writes nothing. */
import { basename, dirname, join, resolve } from "node:path";
import { command, count, text } from "../../lib/cli/args.ts";
import type { Context } from "../../lib/cli/context.ts";
import { summaries } from "../../lib/cli/summaries.ts";
import { formatCount, formatSize, safeText } from "../../lib/cli/text.ts";
import { ExitCode, UserError } from "../../lib/errors.ts";
import { PieceStatus } from "../../lib/piece_status.ts";
import { sweepPieces } from "../../lib/io/piece_sweep.ts";
import { readTorrentFile } from "../../lib/io/torrent_file.ts";
import { diskWorkersMax } from "../../lib/limits/disk.ts";
import { isOnDisk, type Metainfo } from "../../lib/metainfo.ts";
import { findDataDirectory } from "./data_directory.ts";
import type { FileState } from "../resume.ts";
import { sourcePaths, sourceState } from "./destination.ts";
import { PartFile } from "./part_file.ts";
import { planCheck, runsOf } from "../piece_check.ts";
import { stopCode } from "./stop_code.ts";
import { WorkProgress } from "./work_progress.ts";

type FileVerdict = "good" | "bad" | "missing" | "short" | "long";

interface FileReport {
  readonly path: string;
  readonly verdict: FileVerdict;
  /** Bytes in the torrent. */
  readonly length: number;
  /** Bytes in pieces that are right. */
  readonly goodBytes: number;
  /** Bytes that are there, but in pieces that are wrong or not whole. */
  readonly badBytes: number;
  /** Bytes that are not there. */
  readonly missingBytes: number;
}

interface Report {
  readonly name: string;
  readonly data: string;
  readonly pieceCount: number;
  readonly goodPieces: number;
  readonly badPieces: number;
  readonly missingBytes: number;
  readonly isWhole: boolean;
  readonly files: readonly FileReport[];
}

export const verifyCommand = command({
  name: "verify",
  summary: summaries.verify,
  operands: "<file.torrent>",
  options: {
    data: text({ short: "d", value: "DIR", help: "where the data is (default: beside the torrent, then here)" }),
    workers: count({
      value: "N",
      help: "threads that read and hash (default: one a core; 1 for a spinning disk)",
      min: 1,
      max: diskWorkersMax,
    }),
  },
  examples: ["localbt verify holiday.torrent", "localbt verify -d /srv/share --json holiday.torrent"],
  async run(context, values, [torrentPath]) {
    const metainfo = await readTorrentFile(torrentPath);
    const directory = values.data === undefined
      ? await findDataDirectory(metainfo, torrentPath)
      : await readDataOption(metainfo, values.data);
    try {
      const report = await verify(context, { metainfo, directory, workers: values.workers });
      tell(context, report);
      return report.isWhole ? ExitCode.done : ExitCode.dataMismatch;
    } catch (error) {
      if (context.stop.aborted) return stopCode(context.stop);
      throw error;
    }
  },
});

/** The folder that was named; where it is itself the torrent's folder or file, the one above. */
async function readDataOption(metainfo: Metainfo, given: string): Promise<string> {
  const isThere = async (path: string) => (await Deno.stat(path).catch(() => undefined)) !== undefined;
  if (!(await isThere(given))) throw new UserError(`read ${given}`, "there is no such file or folder");
  const isRoot = basename(resolve(given)) === metainfo.name && !(await isThere(join(given, metainfo.name)));
  return isRoot ? dirname(resolve(given)) : given;
}

async function verify(
  context: Context,
  { metainfo, directory, workers }: { metainfo: Metainfo; directory: string; workers: number | undefined },
): Promise<Report> {
  const paths = sourcePaths(metainfo, directory);
  const states = paths.map(sourceState);
  const { mustCheck, toCheckBytes } = planCheck({ metainfo, states, have: undefined, vouched: [] });
  const part = PartFile.toRead(metainfo, { directory, states });
  for (const piece of part?.pieces ?? []) {
    mustCheck[piece] = 1;
    part!.show(piece);
  }
  const label = `checking ${safeText(metainfo.name)}`;
  const progress = new WorkProgress(context, { label, totalBytes: toCheckBytes });
  try {
    const checked = await sweepPieces("check", {
      table: {
        paths,
        lengths: metainfo.files.map((file) => file.length),
        pieceLength: metainfo.pieceLength,
        hashes: metainfo.pieces,
        aside: part?.table,
      },
      pieceCount: metainfo.pieceCount,
      runs: runsOf(mustCheck),
      byteCount: toCheckBytes,
      threadCount: workers,
      onProgress: (doneCount) => progress.update(doneCount * metainfo.pieceLength),
      signal: context.stop,
    });
    return reportOf(metainfo, { directory, states, statuses: checked });
  } finally {
    progress.finish();
  }
}

function reportOf(
  metainfo: Metainfo,
  { directory, states, statuses }: { directory: string; states: readonly FileState[]; statuses: Uint8Array },
): Report {
  const goodBytes = new Float64Array(metainfo.files.length);
  let goodPieces = 0;
  statuses.forEach((status, piece) => {
    if (status !== PieceStatus.good && status !== PieceStatus.aside) return;
    goodPieces++;
    for (const { fileIndex, length } of metainfo.layout.spansOfPiece(metainfo.layout.toPieceIndex(piece)!)) {
      // What the part file has of a file that is not wholly there does not make this file any better.
      const isInFile = status === PieceStatus.good || states[fileIndex].length >= metainfo.files[fileIndex].length;
      if (isInFile) goodBytes[fileIndex] += length;
    }
  });
  const files: FileReport[] = [];
  metainfo.files.forEach((file, i) => {
    if (!isOnDisk(file)) return;
    const missingBytes = file.length - Math.max(0, Math.min(file.length, states[i].length));
    const badBytes = file.length - goodBytes[i] - missingBytes;
    const verdict = verdictOf(states[i].length, { length: file.length, badBytes });
    files.push({
      path: file.path.join("/"),
      verdict,
      length: file.length,
      goodBytes: goodBytes[i],
      badBytes,
      missingBytes,
    });
  });
  return {
    name: metainfo.name,
    data: directory,
    pieceCount: metainfo.pieceCount,
    goodPieces,
    badPieces: metainfo.pieceCount - goodPieces,
    missingBytes: files.reduce((sum, file) => sum + file.missingBytes, 0),
    isWhole: goodPieces === metainfo.pieceCount && files.every((file) => file.verdict === "good"),
    files,
  };
}

/** @param actual bytes on disk, -1 for no file */
function verdictOf(actual: number, { length, badBytes }: { length: number; badBytes: number }): FileVerdict {
  if (actual < 0) return "missing";
  if (actual > length) return "long";
  if (actual < length) return "short";
  return badBytes > 0 ? "bad" : "good";
}

function tell(context: Context, report: Report): void {
  if (context.json) return context.out(`${JSON.stringify(report, undefined, 2)}\n`);
  const lines = report.files.map((file) => `${file.verdict.padEnd(8)} ${safeText(file.path)}${noteOf(file)}`);
  const { goodPieces, pieceCount, files, missingBytes } = report;
  const goodFiles = files.filter((file) => file.verdict === "good").length;
  const missing = missingBytes > 0 ? `, ${formatSize(missingBytes)} missing` : "";
  const sum = `${goodFiles} of ${formatCount(files.length, "file")} good, ` +
    `${goodPieces} of ${formatCount(pieceCount, "piece")} good${missing}`;
  context.out(`${[...lines, `${report.isWhole ? "whole" : "NOT WHOLE"}: ${sum}`].join("\n")}\n`);
}

function noteOf({ verdict, length, badBytes, missingBytes }: FileReport): string {
  switch (verdict) {
    case "good":
      return "";
    case "missing":
      return ` (${formatSize(length)})`;
    case "long":
      return ` (longer than its ${formatSize(length)})`;
    case "bad":
      return ` (${formatSize(badBytes)} of ${formatSize(length)} in bad pieces)`;
    case "short":
      return ` (${formatSize(missingBytes)} of ${formatSize(length)} missing)`;
  }
}
