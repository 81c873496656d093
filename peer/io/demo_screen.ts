/** The picture of the demo: who holds which piece, repainted as pieces move; plain progress where there is no terminal. */
import type { Bitfield } from "../../lib/bitfield.ts";
import type { Context } from "../../lib/cli/context.ts";
import { ProgressLine } from "../../lib/cli/progress.ts";
import { formatRate, formatSize } from "../../lib/cli/text.ts";
import type { TransferStats } from "../transfer_stats.ts";

/** One peer of the swarm, as it is now. */
export interface DemoRow {
  readonly name: string;
  readonly have: Bitfield;
  readonly stats: TransferStats;
}

/** Columns of a piece map at most; each shows four pieces, two above two. */
const mapColumns = 42;
/** Pieces that a map can show one by one; of a larger torrent, several share a place. */
export const mapPlaces = 4 * mapColumns;
/** By the sum of 1 for the upper left, 2 for the upper right, 4 for the lower left and 8 for the lower right place. */
const quarters = "·▘▝▀▖▌▞▛▗▚▐▜▄▙▟█";

/** Four pieces a character: a quarter is filled where the piece is (where all pieces of its place are). */
export function pieceMap(have: Bitfield): string {
  const places = Math.min(mapPlaces, have.length);
  let map = "";
  for (let column = 0; 4 * column < places; column++) {
    let sum = 0;
    for (let quarter = 0; quarter < 4; quarter++) {
      const place = 4 * column + quarter;
      if (place >= places || isPlaceFull(have, place, places)) sum += 1 << quarter;
    }
    map += quarters[sum];
  }
  return map;
}

function isPlaceFull(have: Bitfield, place: number, places: number): boolean {
  const end = Math.floor((place + 1) * have.length / places);
  for (let piece = Math.floor(place * have.length / places); piece < end; piece++) if (!have.has(piece)) return false;
  return true;
}

/** A row of a seeder: its pieces and what it gave. */
function seederLine({ name, have, stats }: DemoRow): string {
  return `   ${name.padEnd(10)}  ${pieceMap(have)}  gave ${formatSize(stats.uploadedBytes).padStart(9)}`;
}

function downloaderLine({ name, have, stats }: DemoRow): string {
  const pieces = `${stats.havePieces}/${stats.pieceCount}`;
  return `   ${name.padEnd(10)}  ${pieceMap(have)}  ${pieces}  ${formatRate(stats.downRate)}`;
}

export class DemoScreen {
  readonly #context: Context;
  readonly #isLive: boolean;
  readonly #progress: ProgressLine;
  #paintedLines = 0;

  constructor(context: Context) {
    this.#context = context;
    // Moving the cursor up works only while no line wraps.
    this.#isLive = context.terminal.color && context.terminal.columns() >= 80 && !context.quiet && !context.json;
    this.#progress = new ProgressLine(context);
  }

  /** A step of the demo, or a line below it. */
  tell(line: string): void {
    this.#context.log(line);
  }

  /** Shows the swarm as it is, over the picture before. */
  paint(seeders: readonly DemoRow[], downloader: DemoRow): void {
    if (!this.#isLive) {
      const { haveBytes, totalBytes, downRate, peerCount } = downloader.stats;
      const etaSeconds = (totalBytes - haveBytes) / downRate;
      this.#progress.update({
        label: "download",
        bytes: haveBytes,
        totalBytes,
        bytesPerSecond: downRate,
        peers: peerCount,
        etaSeconds,
      });
      return;
    }
    const lines = [...seeders.map(seederLine), downloaderLine(downloader)];
    const up = this.#paintedLines > 0 ? `\x1b[${this.#paintedLines}A` : "";
    const body = lines.map((line, i) => `\r\x1b[K${i === lines.length - 1 ? `\x1b[32m${line}\x1b[0m` : line}\n`).join(
      "",
    );
    this.#context.err(up + body);
    this.#paintedLines = lines.length;
  }

  /** Leaves the last picture standing; where there is no terminal, it is the only one. */
  finish(seeders: readonly DemoRow[], downloader: DemoRow): void {
    this.paint(seeders, downloader);
    if (this.#isLive) return;
    this.#progress.finish();
    for (const seeder of seeders) this.tell(seederLine(seeder));
    this.tell(downloaderLine(downloader));
  }
}
