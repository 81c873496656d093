/**
 * Sizes, rates and durations as people write them, and names made safe to print. Owns no format of a BEP.
 *
 * `K`, `KiB`, `M`, `MiB`… are powers of 1024; `KB`, `MB`… are powers of 1000.
 */

const binaryUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;
const sizePattern = /^(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?b)?|b)?$/i;
const durationPart = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/y;
const msOfUnit: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Whole bytes from `256K`, `4MiB`, `1.5G`, `20MB` or `1024`; undefined for anything else, or above 2^53 - 1. */
export function parseSize(text: string): number | undefined {
  const match = sizePattern.exec(text.trim());
  if (!match) return undefined;
  const [, digits, letter, suffix] = match;
  const power = letter === undefined ? 0 : "kmgt".indexOf(letter.toLowerCase()) + 1;
  const base = suffix?.toLowerCase() === "b" ? 1000 : 1024;
  const size = Math.round(Number(digits) * base ** power);
  return Number.isSafeInteger(size) ? size : undefined;
}

/** Bytes a second from `20M`, `500KiB/s` or `1000000`; undefined for anything else. */
export function parseRate(text: string): number | undefined {
  return parseSize(text.trim().replace(/\/s$/i, ""));
}

/** Milliseconds from `90` (seconds), `90s`, `10m`, `1h`, `1h30m`, `2d` or `500ms`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const input = text.trim().toLowerCase();
  if (/^\d+(?:\.\d+)?$/.test(input)) return safeOrUndefined(Number(input) * 1000);
  let ms = 0;
  let at = 0;
  while (at < input.length) {
    durationPart.lastIndex = at;
    const match = durationPart.exec(input);
    if (!match) return undefined;
    ms += Number(match[1]) * msOfUnit[match[2]];
    at = durationPart.lastIndex;
  }
  return at === 0 ? undefined : safeOrUndefined(ms);
}

function safeOrUndefined(value: number): number | undefined {
  const rounded = Math.round(value);
  return Number.isSafeInteger(rounded) ? rounded : undefined;
}

/** `1.5 GiB`, `256 MiB`, `512 B`: one decimal below 100, and none where it would be zero. */
export function formatSize(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (unit < binaryUnits.length - 1 && Math.round(value * 10) >= 10_240) {
    value /= 1024;
    unit++;
  }
  const digits = value < 99.95 ? value.toFixed(1).replace(/\.0$/, "") : value.toFixed(0);
  return `${digits} ${binaryUnits[unit]}`;
}

/** `12.5 MiB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatSize(bytesPerSecond)}/s`;
}

/** `350ms`, `5s`, `1m 05s`, `2h 03m`, `3d 04h`: two units at most. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  const two = (value: number) => String(value).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${two(seconds % 60)}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)}d ${two(hours % 24)}h`;
}

/** `1 file`, `3 files`: the plural takes an s unless it is given. */
export function formatCount(count: number, singular: string, plural = `${singular}s`): string {
  return `${count} ${count === 1 ? singular : plural}`;
}

// C0, DEL, C1; soft hyphen and Arabic letter mark; zero width and direction marks, but not the joiners that emoji and
// Indic scripts need; line and paragraph separators, embeddings and overrides; isolates; byte order mark; tags.
const unsafe =
  // deno-lint-ignore no-control-regex -- these are what must go
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

/** A name from outside with every control, escape and bidi character taken out; halves of surrogate pairs become U+FFFD. */
export function safeText(name: string): string {
  return name.toWellFormed().replace(unsafe, "");
}

/** Columns that a character takes on a terminal: 0 for marks, 2 for wide East Asian ones and emoji. */
function columnsOf(character: string): number {
  if (/\p{M}|\p{Cf}/u.test(character)) return 0;
  const code = character.codePointAt(0)!;
  if (code < 0x1100) return 1;
  const isWide = code <= 0x115f || (code >= 0x2e80 && code <= 0xa4cf) || (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) || (code >= 0xfe30 && code <= 0xfe6f) || (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) || (code >= 0x1f300 && code <= 0x1faff) || (code >= 0x20000 && code <= 0x3fffd);
  return isWide ? 2 : 1;
}

/** Columns that safe text takes on a terminal. */
export function widthOfText(text: string): number {
  let columns = 0;
  for (const character of text) columns += columnsOf(character);
  return columns;
}

/** The text in at most `columns` columns; what is cut off shows as `…`. */
export function clipText(text: string, columns: number): string {
  if (widthOfText(text) <= columns) return text;
  if (columns < 1) return "";
  let clipped = "";
  let used = 1;
  for (const character of text) {
    used += columnsOf(character);
    if (used > columns) break;
    clipped += character;
  }
  return `${clipped}…`;
}
