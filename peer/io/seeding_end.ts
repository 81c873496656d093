/** When seeding ends: `--seed-time`, `--seed-ratio`, whichever comes first, or never; and how that is said. */
import { formatDuration } from "../../lib/cli/text.ts";

export interface SeedingBounds {
  readonly seedTimeMs: number | undefined;
  /** Uploaded bytes over the torrents' bytes. */
  readonly seedRatio: number | undefined;
}

/** `until Ctrl-C`, `for 10m, or until 2 times its size was given`. */
export function describeSeedingEnd({ seedTimeMs, seedRatio }: SeedingBounds): string {
  const time = seedTimeMs === undefined ? undefined : `for ${formatDuration(seedTimeMs)}`;
  const ratio = seedRatio === undefined ? undefined : `until ${seedRatio} times the size was given`;
  return [time, ratio].filter((part) => part !== undefined).join(", or ") || "until Ctrl-C";
}

/** Waits until seeding is over: a bound is reached, or `stop` aborts. */
export async function waitForSeedingEnd(
  { seedTimeMs, seedRatio }: SeedingBounds,
  { stop, ratio, onSecond }: { stop: AbortSignal; ratio: () => number; onSecond: () => void },
): Promise<void> {
  if (stop.aborted) return;
  await new Promise<void>((resolve) => {
    const end = () => {
      clearInterval(second);
      clearTimeout(time);
      stop.removeEventListener("abort", end);
      resolve();
    };
    const time = seedTimeMs === undefined ? undefined : setTimeout(end, seedTimeMs);
    const second = setInterval(() => {
      onSecond();
      if (seedRatio !== undefined && ratio() >= seedRatio) end();
    }, 1000);
    stop.addEventListener("abort", end);
  });
}
