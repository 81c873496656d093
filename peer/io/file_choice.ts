/**
 * What the user wants of a torrent, `--select`: files by the numbers under which `info` lists them, or by name.
 *
 * A file's number is its place in the torrent, from 1 on, padding counted: the same as with `aria2c --select-file`, and one
 * more than in a magnet link's `so` (BEP 53).
 */
import { formatCount, formatSize, safeText } from "../../lib/cli/text.ts";
import { ExitCode, UserError } from "../../lib/errors.ts";
import { isOnDisk, type Metainfo } from "../../lib/metainfo.ts";
import { FileSelection } from "../file_selection.ts";
import { PathPattern } from "../path_pattern.ts";

interface NumberRange {
  /** Both from 1 on; `last` is Infinity for all that follow. */
  readonly first: number;
  readonly last: number;
}

/** What was asked for, before the torrent is known. */
export interface FileWish {
  readonly ranges: readonly NumberRange[];
  readonly patterns: readonly string[];
}

/** Names of files that an error lists. */
const namesShownMax = 5;

/**
 * Reads the values of `--select`: each a list like `1-3,5,9-`, or one pattern as PathPattern has them.
 *
 * @returns undefined when there is none; all files are wanted then
 * @throws UserError (2)
 */
export function parseFileWish(values: readonly string[]): FileWish | undefined {
  if (values.length === 0) return undefined;
  const ranges: NumberRange[] = [];
  const patterns: string[] = [];
  for (const value of values) {
    if (value.trim() === "") throw refusal("no file", "--select has to name one");
    if (!/^[\s0-9,-]*$/.test(value)) patterns.push(value);
    else for (const range of value.split(",")) ranges.push(parseRange(range, value));
  }
  return { ranges, patterns };
}

function parseRange(text: string, value: string): NumberRange {
  const match = /^\s*([0-9]{1,9})\s*(-\s*([0-9]{1,9})?\s*)?$/.exec(text);
  if (match === null) throw refusal(value, `"${text}" is no number of a file`);
  const first = Number(match[1]);
  const last = match[3] !== undefined ? Number(match[3]) : match[2] === undefined ? first : Infinity;
  if (first === 0) throw refusal(value, "the first file is number 1");
  if (last < first) throw refusal(value, `${first} comes after ${last}`);
  return { first, last };
}

/**
 * The files that are wanted: what the user asked for, else what the magnet link proposes, else all.
 *
 * @param selectOnly 0-based indices, as Magnet has them
 * @throws UserError (2) when something that was asked for is not there
 */
export function chooseFiles(
  metainfo: Metainfo,
  { wish, selectOnly }: { wish?: FileWish | undefined; selectOnly?: readonly number[] | undefined },
): FileSelection {
  const { files, layout } = metainfo;
  if (wish === undefined && selectOnly === undefined) return FileSelection.all(layout);
  const wanted = wish === undefined ? fromIndices(metainfo, selectOnly!) : fromWish(metainfo, wish);
  const isAll = files.every((file, i) => !isOnDisk(file) || wanted[i] === 1);
  return isAll ? FileSelection.all(layout) : FileSelection.of(layout, wanted);
}

function fromIndices({ files }: Metainfo, indices: readonly number[]): Uint8Array {
  const wanted = new Uint8Array(files.length);
  for (const index of indices) if (index < files.length && isOnDisk(files[index])) wanted[index] = 1;
  if (wanted.includes(1)) return wanted;
  throw new UserError("select what the magnet link proposes", "the torrent has no such files", {
    exitCode: ExitCode.usage,
    hint: "choose with --select; --select 1- takes all",
  });
}

function fromWish(metainfo: Metainfo, { ranges, patterns }: FileWish): Uint8Array {
  const { files } = metainfo;
  // Beginnings and ends only: a million ranges that overlap are no more work than their number.
  const changes = new Int32Array(files.length + 1);
  for (const { first, last } of ranges) {
    const end = last === Infinity ? files.length : last;
    if (end > files.length || first > files.length) throw noSuchNumber(metainfo, Math.max(first, end));
    changes[first - 1]++;
    changes[end]--;
  }
  const wanted = new Uint8Array(files.length);
  let depth = 0;
  for (let i = 0; i < files.length; i++) {
    depth += changes[i];
    if (depth > 0 && isOnDisk(files[i])) wanted[i] = 1;
  }
  if (ranges.length > 0 && !wanted.includes(1)) throw noSuchNumber(metainfo, ranges[0].first);
  for (const pattern of patterns) addMatches(metainfo, pattern, wanted);
  return wanted;
}

function addMatches(metainfo: Metainfo, text: string, wanted: Uint8Array): void {
  const pattern = new PathPattern(text);
  let isMatched = false;
  metainfo.files.forEach((file, i) => {
    if (!isOnDisk(file) || !isNamed(metainfo, file.path, pattern)) return;
    wanted[i] = 1;
    isMatched = true;
  });
  if (isMatched) return;
  const names = metainfo.files.filter(isOnDisk).map(({ path }) =>
    safeText(path.slice(metainfo.isMultiFile ? 1 : 0).join("/"))
  );
  const shown = names.slice(0, namesShownMax).join(", ");
  const rest = names.length - namesShownMax;
  throw refusal(
    text,
    `no file has such a name; there ${names.length === 1 ? "is" : "are"} ${shown}${
      rest > 0 ? ` and ${rest} more` : ""
    }`,
  );
}

/** Whether the pattern fits the file, or a folder that it is in; with or without the torrent's own name before it. */
function isNamed({ isMultiFile }: Metainfo, path: readonly string[], pattern: PathPattern): boolean {
  const roots = isMultiFile ? [path.slice(1), path] : [path];
  return roots.some((names) =>
    names.some((_, i) => pattern.matches(names.slice(0, i + 1), { isFolder: i < names.length - 1 }))
  );
}

function noSuchNumber({ files }: Metainfo, number: number): UserError {
  const why = number <= files.length && !isOnDisk(files[number - 1])
    ? "that is padding, not a file"
    : `the torrent has ${formatCount(files.length, "file")}`;
  return refusal(String(number), why);
}

function refusal(what: string, why: string): UserError {
  return new UserError(`select ${safeText(what)}`, why, {
    exitCode: ExitCode.usage,
    hint: "localbt info lists the files; select like 1-3,5 or '*.mkv' (give --select again for more patterns)",
  });
}

/** What was chosen, for a person. */
export function describeSelection({ files }: Metainfo, selection: FileSelection): string {
  const wanted = files.filter((file, i) => isOnDisk(file) && selection.isWanted(i));
  const name = wanted.length === 1 ? ` (${safeText(wanted[0].path.at(-1)!)})` : "";
  const all = formatCount(files.filter(isOnDisk).length, "file");
  return `takes ${wanted.length} of ${all}${name}, ${formatSize(selection.totalBytes)}`;
}
