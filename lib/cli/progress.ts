/**
 * The progress of a transfer or a check: one repainted line on a terminal, a plain line every few seconds elsewhere.
 *
 * Owns when and how it is shown; what is true is told by the caller.
 */
import type { Context } from "./context.ts";
import { clipText, formatDuration, formatRate, formatSize, widthOfText } from "./text.ts";

/** What a progress line tells. */
export interface ProgressState {
  /** Safe text: the name or what is done, `checking holiday`. */
  label: string;
  bytes: number;
  totalBytes: number;
  bytesPerSecond: number;
  upBytesPerSecond?: number;
  peers?: number;
  etaSeconds?: number;
  /** A few words more: `paused: disk full`. */
  note?: string;
}

/** Milliseconds between two paints on a terminal. */
const repaintMs = 100;
/** Milliseconds between two plain lines elsewhere. */
const plainLineMs = 5000;
const barColumns = 24;
const labelColumns = 28;

/** Whole percent; 100 only when all is there. */
function percentOf(state: ProgressState): number {
  if (state.totalBytes <= 0) return 100;
  return Math.floor(100 * Math.min(1, Math.max(0, state.bytes / state.totalBytes)));
}

function bar(percent: number, color: boolean): string {
  const filled = Math.round(barColumns * percent / 100);
  if (!color) return `[${"#".repeat(filled)}${"-".repeat(barColumns - filled)}]`;
  return `\x1b[32m${"█".repeat(filled)}\x1b[2m${"░".repeat(barColumns - filled)}\x1b[0m`;
}

/** The numbers, each with its rank: the highest ranks are left out first where there is no room. */
function figures(state: ProgressState): { text: string; rank: number }[] {
  const parts = [
    { text: `${String(percentOf(state)).padStart(3)} %`, rank: 0 },
    { text: `${formatSize(state.bytes)} of ${formatSize(state.totalBytes)}`, rank: 3 },
    { text: formatRate(state.bytesPerSecond), rank: 1 },
  ];
  if (state.upBytesPerSecond !== undefined) parts.push({ text: `up ${formatRate(state.upBytesPerSecond)}`, rank: 5 });
  if (state.peers !== undefined) {
    parts.push({ text: `${state.peers} ${state.peers === 1 ? "peer" : "peers"}`, rank: 4 });
  }
  const isDone = state.bytes >= state.totalBytes;
  if (state.etaSeconds !== undefined && Number.isFinite(state.etaSeconds) && !isDone) {
    parts.push({ text: `${formatDuration(Math.max(1, Math.ceil(state.etaSeconds)) * 1000)} left`, rank: 2 });
  }
  if (state.note !== undefined) parts.push({ text: state.note, rank: 6 });
  return parts;
}

/** The state as one line of at most `columns` columns, without a line end. */
export function formatProgress(state: ProgressState, { columns, color }: { columns: number; color: boolean }): string {
  const parts = figures(state);
  const barWidth = color ? barColumns : barColumns + 2;
  const label = clipText(state.label, labelColumns);
  const fits = (hasBar: boolean) =>
    widthOfText(label) + (hasBar ? barWidth + 2 : 0) +
        parts.reduce((sum, part) => sum + 2 + widthOfText(part.text), 0) <=
      columns;
  let hasBar = true;
  while (!fits(hasBar) && parts.length > 1) {
    const highest = Math.max(...parts.map((part) => part.rank));
    if (hasBar && highest <= 3) hasBar = false;
    else parts.splice(parts.findIndex((part) => part.rank === highest), 1);
  }
  const numbers = parts.map((part) => part.text).join("  ");
  if (!hasBar) return clipText(`${label}  ${numbers}`, columns);
  if (!fits(true)) return clipText(`${label}  ${numbers}`, columns);
  return `${label}  ${bar(percentOf(state), color)}  ${numbers}`;
}

/** The state as a plain line for a log. */
function plainLine(state: ProgressState): string {
  return `${state.label}: ${figures(state).map((part) => part.text.trim()).join(", ")}`;
}

/** Shows the progress of one run on stderr; shows nothing with `--quiet`. */
export class ProgressLine {
  readonly #context: Context;
  #shownAt: number;
  #last: ProgressState | undefined;
  #isShown = false;
  readonly #showsAtOnce: boolean;

  /** @param afterMs what is over sooner is not worth a line */
  constructor(context: Context, { afterMs = 0 } = {}) {
    this.#context = context;
    this.#showsAtOnce = context.terminal.stderrIsTerminal && afterMs === 0;
    this.#shownAt = context.now() - (context.terminal.stderrIsTerminal ? repaintMs - afterMs : 0);
  }

  /** Tells the newest state; it is shown when the last showing is long enough ago. */
  update(state: ProgressState): void {
    if (this.#context.quiet) return;
    this.#last = state;
    const everyMs = this.#context.terminal.stderrIsTerminal ? repaintMs : plainLineMs;
    if (this.#context.now() - this.#shownAt >= everyMs) this.#show(state);
  }

  /** Shows the last state and leaves it standing; a run too short for a plain line stays silent. */
  finish(): void {
    if (this.#last === undefined) return;
    if (this.#showsAtOnce || this.#isShown) {
      this.#show(this.#last);
      if (this.#context.terminal.stderrIsTerminal) this.#context.err("\n");
    }
    this.#last = undefined;
    this.#isShown = false;
  }

  #show(state: ProgressState): void {
    this.#shownAt = this.#context.now();
    this.#isShown = true;
    const { terminal } = this.#context;
    if (!terminal.stderrIsTerminal) return this.#context.err(`${plainLine(state)}\n`);
    // The last column stays free: some terminals wrap as soon as it is written.
    const columns = Math.max(1, terminal.columns() - 1);
    const line = formatProgress(state, { columns, color: terminal.color });
    if (terminal.color) return this.#context.err(`\r\x1b[K${line}`);
    this.#context.err(`\r${line}${" ".repeat(Math.max(0, columns - widthOfText(line)))}`);
  }
}
