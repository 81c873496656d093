/** The soak's table: what each long-lived process had at the beginning and at the end, and what is wrong with that. */
import type { ProcessWatch } from "./process_watch.ts";
import { descriptorsAllowed, growthAllowedMB, memoryTrend, slopeAllowedMB } from "./trend.ts";

/** One process over the soak. */
export interface Watched {
  readonly watch: ProcessWatch;
  /** Descriptors while nobody visited: after the first visits, and after the last. */
  readonly quietBefore: number;
  readonly quietAfter: number;
}

/** The table, and one sentence for each leak. */
export function report(all: readonly Watched[], warmUpSeconds: number): { table: string; leaks: string[] } {
  const leaks: string[] = [];
  const rows = [["process", "own MB", "peak", "slope MB/h", "growth MB", "RSS MB", "descriptors", "threads"]];
  for (const { watch, quietBefore, quietAfter } of all) {
    const trend = memoryTrend(watch.ownSince(warmUpSeconds));
    const late = watch.looks.filter(({ at }) => at >= warmUpSeconds);
    const [first, last] = [late[0], late.at(-1)];
    rows.push([
      watch.name,
      `${trend.firstMB.toFixed(1)} > ${trend.lastMB.toFixed(1)}`,
      trend.peakMB.toFixed(1),
      trend.slopeMB.toFixed(1),
      trend.growthMB.toFixed(1),
      `${megabytes(first?.resident)} > ${megabytes(last?.resident)}`,
      `${quietBefore} > ${quietAfter} (most ${Math.max(...watch.looks.map(({ descriptors }) => descriptors))})`,
      `${first?.threads} > ${last?.threads}`,
    ]);
    if (trend.isLeak) {
      leaks.push(
        `${watch.name}: memory grows by ${trend.slopeMB.toFixed(1)} MB an hour (${
          trend.growthMB.toFixed(1)
        } MB seen); ` +
          `a leak is more than ${slopeAllowedMB} MB an hour and ${growthAllowedMB} MB in all`,
      );
    }
    if (quietAfter > quietBefore + descriptorsAllowed) {
      leaks.push(
        `${watch.name}: ${quietAfter} descriptors are open when all have gone, and ${quietBefore} were before they came; ` +
          `${descriptorsAllowed} more are let pass`,
      );
    }
  }
  return { table: aligned(rows), leaks };
}

function megabytes(bytes = 0): string {
  return (bytes / 1e6).toFixed(1);
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row.map((cell, column) => column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])).join("  ")
  ).join("\n");
}
