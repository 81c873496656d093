/**
 * Looks, now and then, whether what is shared is still what was hashed: who takes changed data finds it wrong, piece by
 * piece, and cannot tell why.
 */
import { UserError } from "../../lib/errors.ts";
import { watchedFilesMax } from "../../lib/limits/shares.ts";
import type { MadeShare } from "./made_share.ts";

/** Milliseconds between two looks at least, and for each file: a look takes some 5 µs a file. */
const lookMs = 10_000;
const fileMs = 10;

/**
 * Watches until `stop`.
 *
 * @param onChange told once of each share that changed
 */
export function watchShares(
  shares: readonly MadeShare[],
  { stop, onChange, everyMs = lookMs }: {
    stop: AbortSignal;
    onChange: (share: MadeShare) => void;
    everyMs?: number;
  },
): void {
  const watched = new Set(shares.filter(({ files }) => files.length <= watchedFilesMax));
  const fileCount = [...watched].reduce((sum, { files }) => sum + files.length, 0);
  const timer = setInterval(() => {
    for (const share of watched) {
      if (isUnchanged(share)) continue;
      watched.delete(share);
      onChange(share);
    }
  }, Math.max(everyMs, fileCount * fileMs));
  stop.addEventListener("abort", () => clearInterval(timer));
}

function isUnchanged({ source }: MadeShare): boolean {
  try {
    source.checkUnchanged();
    return true;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return false;
  }
}
