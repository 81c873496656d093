/** What is shared, shown as a list, and the question which one to take. */
import type { Context } from "../../lib/cli/context.ts";
import { clipText, formatSize, safeText, widthOfText } from "../../lib/cli/text.ts";
import { formatEndpoint } from "../../lib/endpoint.ts";
import type { FoundShare, ShareSource } from "../found_share.ts";

const nameColumns = 40;

/** One line for each share: name, size, who has it, and whether a PIN is needed; safe to print. */
export function formatShares(shares: readonly FoundShare[]): string[] {
  const rows = shares.map(({ name, totalLength, sources, infoHash }) => [
    clipText(safeText(name), nameColumns),
    formatSize(totalLength),
    `from ${sources.slice(0, 3).map(sourceName).join(", ")}${sources.length > 3 ? " and others" : ""}`,
    infoHash === undefined ? "needs a PIN" : "",
  ]);
  const widths = [0, 1].map((column) => Math.max(0, ...rows.map((row) => widthOfText(row[column]))));
  return rows.map(([name, size, from, pin]) => {
    const padding = " ".repeat(widths[0] - widthOfText(name));
    return `${name}${padding}  ${size.padStart(widths[1])}  ${from}${pin === "" ? "" : `  (${pin})`}`;
  });
}

/** `laptop (192.168.1.5)`. */
export function sourceName({ hostName, hosts, port }: ShareSource): string {
  const address = port === 6969 ? hosts[0] : formatEndpoint({ host: hosts[0], port });
  return hostName === "" ? address : `${clipText(safeText(hostName), nameColumns)} (${address})`;
}

/** Prints the list as the result: lines, or one JSON document. */
export function tellShares(context: Context, shares: readonly FoundShare[]): void {
  if (!context.json) return context.out(formatShares(shares).map((line) => `${line}\n`).join(""));
  const listed = shares.map(({ name, infoHash, totalLength, fileCount, sources }) => ({
    name: safeText(name),
    infoHash: infoHash ?? null,
    totalLength,
    fileCount,
    pin: infoHash === undefined,
    sources: sources.map(({ hostName, hosts, port }) => ({ host: safeText(hostName), addresses: hosts, port })),
  }));
  context.out(`${JSON.stringify(listed, undefined, 2)}\n`);
}

/** Asks for a number; Enter takes the only one. @returns undefined when stdin ends or the run is stopped */
export async function askForShare(context: Context, shares: readonly FoundShare[]): Promise<FoundShare | undefined> {
  const width = String(shares.length).length;
  formatShares(shares).forEach((line, i) => context.err(`  ${String(i + 1).padStart(width)}. ${line}\n`));
  const range = shares.length === 1 ? "1" : `1-${shares.length}`;
  while (!context.stop.aborted) {
    context.err(shares.length === 1 ? "Take it? Enter for yes, q for no: " : `Which one? [${range}, q to quit]: `);
    const line = await context.readLine();
    if (line === undefined || context.stop.aborted) return undefined;
    const answer = line.trim().toLowerCase();
    if (answer === "q" || answer === "n" || answer === "no" || answer === "quit") return undefined;
    const isYes = shares.length === 1 && (answer === "" || answer === "y" || answer === "yes");
    const chosen = isYes ? shares[0] : /^\d+$/.test(answer) ? shares[Number(answer) - 1] : undefined;
    if (chosen !== undefined) return chosen;
    context.err(`Please type a number from ${range}.\n`);
  }
  return undefined;
}
