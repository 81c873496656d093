/** One world, run to its end, and what to say where it had a fault. */
import { World } from "./world.ts";

export interface SeedRun {
  /** What went wrong, the last steps before it, and how to see it again; undefined when all went well. */
  readonly fault: string | undefined;
  readonly hash: string;
  readonly stepCount: number;
  readonly crashCount: number;
}

/** @param tell takes each line of the trace as it comes */
export function runSeed(seed: number, tell?: (line: string) => void): SeedRun {
  const world = new World(seed, tell);
  let fault: string | undefined;
  try {
    world.run();
  } catch (error) {
    const why = error instanceof Error ? error.stack ?? error.message : String(error);
    fault = [...world.trace.tail, `seed ${seed}: ${why}`, `again: SEED=${seed} deno task sim -v`].join("\n");
  }
  const { hash, stepCount } = world.trace;
  return { fault, hash, stepCount, crashCount: world.crashCount };
}
