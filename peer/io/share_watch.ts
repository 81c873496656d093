/**
 * Looks, now and then, whether something came into a folder that is shared, or went: it is not in what others take.
 *
 * Whether the files that are shared are as they were hashed is data_watch.ts's matter.
 */
import { UserError } from "../../lib/errors.ts";
import { watchedNamesMax } from "../../lib/limits/shares.ts";
import type { MadeShare } from "./made_share.ts";

/** Milliseconds between two looks at least, and for each name in the folders: a look takes some 2 µs a name. */
const lookMs = 10_000;
const nameMs = 10;

/**
 * Watches until `stop`.
 *
 * @param onChange told once of each share
 */
export function watchFolders(
  shares: readonly MadeShare[],
  { stop, onChange, everyMs = lookMs }: {
    stop: AbortSignal;
    onChange: (share: MadeShare) => void;
    everyMs?: number;
  },
): void {
  const watched = new Set(shares.filter(({ source }) => source.nameCount > 0 && source.nameCount <= watchedNamesMax));
  if (watched.size === 0) return;
  const nameCount = [...watched].reduce((sum, { source }) => sum + source.nameCount, 0);
  const timer = setInterval(() => {
    for (const share of watched) {
      if (hasSameNames(share)) continue;
      watched.delete(share);
      onChange(share);
    }
  }, Math.max(everyMs, nameCount * nameMs));
  stop.addEventListener("abort", () => clearInterval(timer));
}

function hasSameNames({ source }: MadeShare): boolean {
  try {
    return source.hasSameNames();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return false;
  }
}
