/**
 * `deno task sim [count] [first]` runs worlds of tests/sim/world from seeds; `SEED=n deno task sim [-v]` replays one.
 *
 * Exit code 1 when a world had a fault; each is told with the command that replays it.
 */
import { parseArgs } from "@std/cli/parse-args";
import { runSeed } from "./world/run_seed.ts";

const options = parseArgs(Deno.args, { boolean: ["v"] });
const seed = Deno.env.get("SEED");
if (seed !== undefined) Deno.exit(replay(Number(seed)));
const [count = 500, first = 1] = options._.map(Number);
Deno.exit(runMany(count, first));

function replay(seed: number): number {
  const { fault, hash, stepCount } = runSeed(seed, options.v ? (line) => console.log(line) : undefined);
  console.log(fault ?? `seed ${seed}: no fault in ${stepCount} steps, hash ${hash}`);
  return fault === undefined ? 0 : 1;
}

function runMany(count: number, first: number): number {
  const startedAt = performance.now();
  let faultCount = 0;
  let stepCount = 0;
  let crashCount = 0;
  for (let seed = first; seed < first + count; seed++) {
    const run = runSeed(seed);
    stepCount += run.stepCount;
    crashCount += run.crashCount;
    if (run.fault === undefined) continue;
    faultCount++;
    console.log(run.fault);
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  const rate = `${seconds.toFixed(1)} s, ${(count / seconds).toFixed(1)} seeds a second`;
  console.log(
    `${count} seeds from ${first}: ${faultCount} faults, ${stepCount} steps, ${crashCount} crashes in ${rate}`,
  );
  return faultCount === 0 ? 0 : 1;
}
