/** Figures of a bench as rows: medians, ratios to the best rival, and the figure to reach. */

/** One run of one contender. */
export interface Sample {
  readonly seconds: number;
  readonly [figure: string]: number;
}

/** One line of a table. */
export interface Row {
  readonly part: string;
  readonly contender: string;
  readonly runs: number;
  /** Medians; `secondsMin` and `secondsMax` tell the spread. */
  readonly figures: Readonly<Record<string, number>>;
  /** What has to be reached, as a sentence, and whether it was; only ours have one. */
  readonly goal?: { readonly text: string; readonly reached: boolean };
}

/** The middle of some numbers, or NaN of none. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] ?? NaN : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

/** A row of the medians of some samples. */
export function rowOf(part: string, contender: string, samples: readonly Sample[]): Row {
  const keys = [...new Set(samples.flatMap((sample) => Object.keys(sample)))];
  const figures: Record<string, number> = {};
  for (const key of keys) figures[key] = median(samples.flatMap((sample) => sample[key] ?? []));
  figures.secondsMin = Math.min(...samples.map((sample) => sample.seconds));
  figures.secondsMax = Math.max(...samples.map((sample) => sample.seconds));
  return { part, contender, runs: samples.length, figures };
}

/** The same row with a verdict. */
export function withGoal(row: Row, text: string, isReached: (figures: Row["figures"]) => boolean): Row {
  return { ...row, goal: { text, reached: isReached(row.figures) } };
}

/** Rows as a table for people. */
export function formatRows(rows: readonly Row[]): string {
  return rows.map((row) => {
    const { seconds = NaN, secondsMin = NaN, secondsMax = NaN, ...others } = row.figures;
    const spread = row.runs > 1 ? ` (${round(secondsMin)}-${round(secondsMax)})` : "";
    const figures = Object.entries(others).map(([key, value]) => `${words(key)} ${round(value)}`).join(", ");
    const goal = row.goal ? `\n${" ".repeat(24)}${row.goal.reached ? "reached" : "NOT REACHED"}: ${row.goal.text}` : "";
    return `${row.contender.padEnd(24)}${round(seconds)} s${spread}  ${figures}${goal}`;
  }).join("\n");
}

/** "seederCpuSeconds" as "seeder CPU s", "peakMB" as "peak MB". */
function words(key: string): string {
  const spaced = key.replace(/(?<=[a-z])(?:MB$|[A-Z])/g, (found) => ` ${found === "MB" ? found : found.toLowerCase()}`);
  return spaced.replace(/\bcpu\b/, "CPU").replace(/\bseconds\b/, "s").replace(/^rate$/, "MB/s");
}

function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
