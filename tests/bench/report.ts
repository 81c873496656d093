/** Figures of a bench as rows: medians and spreads, ratios to the best rival, and what has to be reached. */
import { noiseRule } from "./machine.ts";

/** One run of one contender. */
export interface Sample {
  readonly seconds: number;
  readonly [figure: string]: number;
}

/** Something to reach. */
export interface Goal {
  readonly text: string;
  readonly verdict: "reached" | "not reached" | "too noisy to tell" | "no rival";
}

/** One line of a table. */
export interface Row {
  readonly part: string;
  readonly contender: string;
  readonly isOurs: boolean;
  readonly runs: number;
  /** Medians; `secondsMin` and `secondsMax` tell the spread. */
  readonly figures: Readonly<Record<string, number>>;
  /** How many times as fast as the best rival; only ours have one. */
  readonly timesBestRival?: number;
  /** Only ours have some. */
  readonly goals: readonly Goal[];
  /** Why the figures say little. */
  readonly doubt?: string;
  /** Why there are no figures, or fewer. */
  readonly note?: string;
}

/** How fast a row is, in any unit; NaN of a row without figures. */
export type Speed = (figures: Row["figures"]) => number;

/** By its rate where it has one, else by its time. */
export const speedOf: Speed = ({ rate, seconds = NaN }) => rate ?? 1 / seconds;

/** The fastest of some rows; undefined of none that has figures. */
export function fastest(rows: readonly Row[], speed: Speed = speedOf): Row | undefined {
  return rows.filter((row) => row.runs > 0).toSorted((a, b) => speed(b.figures) - speed(a.figures))[0];
}

/** The row named so, if it has figures. */
export function rowNamed(rows: readonly Row[], name: string): Row | undefined {
  return rows.find((row) => row.contender === name && row.runs > 0);
}

/** A copy of `row` with one more goal, which holds when `isReached`; noise cannot hide one that `isOfSpeed` is false for. */
export function withGoal(
  row: Row,
  text: string,
  isReached: (figures: Row["figures"]) => boolean,
  { isOfSpeed = true } = {},
): Row {
  const isTold = row.doubt === undefined || !isOfSpeed;
  const goal = { text, verdict: verdictOf(isTold, isReached(row.figures)) };
  return { ...row, goals: [...row.goals, goal] };
}

/** A copy of `row` with the goal of being at least `times` as fast as another, and told how fast it is beside it. */
export function withRivalGoal(
  row: Row,
  rival: Row | undefined,
  { times, speed = speedOf }: { times: number; speed?: Speed },
): Row {
  const wanted = times === 1 ? "at least as fast as" : `at least ${times} times as fast as`;
  if (rival === undefined) return { ...row, goals: [...row.goals, { text: `${wanted} a rival`, verdict: "no rival" }] };
  const ratio = speed(row.figures) / speed(rival.figures);
  const isTold = row.doubt === undefined && rival.doubt === undefined;
  const goal = {
    text: `${wanted} ${rival.contender}: ${ratio.toFixed(2)}`,
    verdict: verdictOf(isTold, ratio >= times),
  };
  return { ...row, timesBestRival: Math.min(row.timesBestRival ?? Infinity, ratio), goals: [...row.goals, goal] };
}

/** Figures that are only in the JSON, or shown beside the seconds. */
const hidden = new Set(["seconds", "secondsMin", "secondsMax", "startSeconds", "stolenCores"]);

/** Rows as a table for people, with goals, doubts and notes below. */
export function formatRows(rows: readonly Row[]): string {
  const keys = [...new Set(rows.flatMap((row) => Object.keys(row.figures)))].filter((key) => !hidden.has(key));
  // the machine's own column comes last
  const columns = [...keys.filter((key) => key !== "otherCores"), ...keys.filter((key) => key === "otherCores")];
  const hasRatio = rows.some((row) => row.timesBestRival !== undefined);
  const head = ["", "runs", "s (min-max)", ...columns.map(words), ...(hasRatio ? ["x best rival"] : [])];
  const lines = rows.map((row) => [
    row.contender + (row.doubt === undefined ? "" : " ~"),
    String(row.runs),
    formatSeconds(row.figures),
    ...columns.map((key) => formatNumber(row.figures[key])),
    ...(hasRatio ? [formatNumber(row.timesBestRival)] : []),
  ]);
  const widths = head.map((title, i) => Math.max(title.length, ...lines.map((line) => line[i]?.length ?? 0)));
  const table = [head, ...lines].map((line) =>
    line.map((cell, i) => i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)).join("  ").trimEnd()
  );
  const remarks = rows.flatMap((row) => [
    ...row.goals.map(({ text, verdict }) =>
      `  ${verdict.replace("not reached", "NOT REACHED")}: ${row.contender} ${text}`
    ),
    ...(row.note ? [`  ${row.contender}: ${row.note}`] : []),
  ]);
  const noisy = rows.filter((row) => row.doubt !== undefined).length;
  const noise = noisy > 0 ? [`  ~ too noisy to tell in ${noisy} of ${rows.length} rows: ${noiseRule}`] : [];
  return [...table, ...remarks, ...noise].join("\n");
}

function verdictOf(isTold: boolean, isReached: boolean): Goal["verdict"] {
  return !isTold ? "too noisy to tell" : isReached ? "reached" : "not reached";
}

function formatSeconds({ seconds, secondsMin, secondsMax }: Row["figures"]): string {
  if (seconds === undefined) return "-";
  if (secondsMin === secondsMax) return formatNumber(seconds);
  return `${formatNumber(seconds)} (${formatNumber(secondsMin)}-${formatNumber(secondsMax)})`;
}

/** "seederCpuSeconds" as "seeder CPU s", "peakMB" as "peak MB". */
function words(key: string): string {
  const spaced = key.replace(
    /(?<=[a-z])(?:MB$|GiB$|MB(?=[A-Z])|[A-Z])/g,
    (found) => ` ${found.length > 1 ? found : found.toLowerCase()}`,
  );
  return spaced.replace(/\bcpu\b/, "CPU").replace(/\bseconds\b/, "s").replace(/^rate$/, "MB/s");
}

function formatNumber(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return "-";
  return value >= 100
    ? value.toFixed(0)
    : value >= 10
    ? value.toFixed(1)
    : value >= 0.1
    ? value.toFixed(2)
    : value.toFixed(3);
}
