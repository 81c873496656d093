/**
 * `deno task crash [--kills 200] [--seed N] [--dir FOLDER]`: kills the real program (LOCALBT_BIN, ./localbt, or from
 * source) so many times within one download of a folder, and a part as often in each of its other undertakings, and
 * says what that cost. Ends with 1 at the first thing that does not hold; the seed and the folder are then named.
 */
import { parseArgs } from "@std/cli/parse-args";
import { formatSize } from "../../../lib/cli/text.ts";
import { join, repositoryFolder } from "../../interop/path.ts";
import { Scene } from "../../interop/scene.ts";
import { crash, type CrashReport } from "./crash.ts";

const usage = "deno task crash [--kills 200] [--seed N] [--dir FOLDER]";

function refuse(why: string): never {
  console.error(`${why}; ${usage}`);
  Deno.exit(2);
}

function findProgram(): string {
  const named = Deno.env.get("LOCALBT_BIN");
  if (named) return named;
  const built = join(repositoryFolder, "localbt");
  try {
    Deno.statSync(built);
  } catch {
    return "from source (`deno task build` makes it faster)";
  }
  Deno.env.set("LOCALBT_BIN", built);
  return built;
}

function tell({ story, part, side }: CrashReport, seconds: number): void {
  for (const [phase, count] of story.kills) console.log(`  ${String(count).padStart(4)}  ${phase}`);
  for (const [what, count] of side) console.log(`  ${String(count).padStart(4)}  ${what}`);
  const all = story.killCount + part.killCount + side.reduce((sum, [, count]) => sum + count, 0);
  console.log(
    `${story.killCount} kills within one download survived (${all} in all): nothing stored was fetched again; ` +
      `${formatSize(story.repeatedBytes)} of pieces under way were (${
        formatSize(story.repeatedBytes / story.killCount)
      } ` +
      `a kill, at most ${formatSize(story.worstBytes)}); ${seconds.toFixed(0)} s`,
  );
}

if (import.meta.main) {
  const options = parseArgs(Deno.args, {
    string: ["kills", "seed", "dir"],
    unknown: (name) => refuse(`what is ${name}?`),
  });
  const killCount = Number(options.kills ?? 200);
  const seed = Number(options.seed ?? Math.floor(Math.random() * 2 ** 31));
  if (!Number.isInteger(killCount) || killCount < 1 || !Number.isInteger(seed)) refuse("that is no number");
  console.log(`program: ${findProgram()}; seed ${seed}`);
  const startedAt = performance.now();
  await using scene = await Scene.open(options.dir === undefined ? undefined : String(options.dir));
  const isTerminal = Deno.stderr.isTerminal();
  const report = await crash(scene, {
    killCount,
    seed,
    onProgress: (what, count) => {
      if (isTerminal) Deno.stderr.writeSync(new TextEncoder().encode(`\r${what}: ${count} kills   `));
      else if (count % 50 === 0 || !["one download", "--select"].includes(what)) {
        console.error(`${what}: ${count} kills`);
      }
    },
  });
  if (isTerminal) console.error();
  tell(report, (performance.now() - startedAt) / 1000);
}
