/**
 * `deno task fuzz [--inputs N] [--seed N] [--target NAME[,NAME]] [--replay FILE] [--list]`
 *
 * Reads so many drawn inputs with each reader of foreign bytes. Ends with 1 where one breaks a rule: the input is kept
 * and the command that reads it again is printed.
 */
import { parseArgs } from "node:util";
import { formatHex, parseHex } from "../../lib/bytes.ts";
import { fuzz, type Tally } from "./campaign.ts";
import { type Finding, tryInput } from "./rules.ts";
import type { FuzzTarget } from "./target.ts";
import { targets } from "./targets.ts";

/** Where inputs are kept that break a rule. */
const keptFolder = new URL("../../.cache/fuzz/", import.meta.url);

async function main(): Promise<number> {
  const { values: options } = parseArgs({
    args: Deno.args,
    options: {
      inputs: { type: "string", default: "1000000" },
      seed: { type: "string", default: "1" },
      target: { type: "string" },
      replay: { type: "string" },
      list: { type: "boolean", default: false },
    },
  });
  const [inputs, seed] = [Number(options.inputs), Number(options.seed)];
  if (![inputs, seed].every(Number.isSafeInteger)) return fail("--inputs and --seed need whole numbers");
  const names = options.target?.split(",") ?? targets.map(({ name }) => name);
  const chosen = names.flatMap((wanted) => targets.filter(({ name }) => name === wanted));
  if (options.list) console.log(targets.map(({ name }) => name).join("\n"));
  if (options.list) return 0;
  if (chosen.length < names.length) return fail("no such target: --list names them");
  if (options.replay !== undefined) return await replay(chosen, options.replay);
  let findingCount = 0;
  const startedAt = performance.now();
  for (const target of chosen) findingCount += await run(target, { inputs, seed });
  const seconds = (performance.now() - startedAt) / 1000;
  console.log(`${chosen.length} targets, ${findingCount} findings, ${seconds.toFixed(0)} s, seed ${seed}`);
  return findingCount === 0 ? 0 : 1;
}

function fail(why: string): number {
  console.error(why);
  return 2;
}

/** @returns the number of findings */
async function run(target: FuzzTarget, { inputs, seed }: { inputs: number; seed: number }): Promise<number> {
  const startedAt = performance.now();
  const isShown = Deno.stderr.isTerminal();
  const line = (tally: Tally) => {
    const rate = tally.inputs / Math.max(0.001, (performance.now() - startedAt) / 1000);
    const taken = (100 * tally.taken / Math.max(1, tally.inputs)).toFixed(0);
    return `${target.name.padEnd(20)} ${String(tally.inputs).padStart(9)} inputs ${rate.toFixed(0).padStart(7)}/s, ` +
      `${taken.padStart(3)} % taken, worst ${tally.worstMs.toFixed(1)} ms and ${
        (tally.worstBytes / 1e6).toFixed(1)
      } MB`;
  };
  const onProgress = (tally: Tally) => isShown && Deno.stderr.writeSync(new TextEncoder().encode(`\r${line(tally)}`));
  const tally = await fuzz(target, { inputs, seed, onProgress });
  if (isShown) Deno.stderr.writeSync(new TextEncoder().encode("\r\x1b[K"));
  console.log(line(tally));
  for (const finding of tally.findings) await keep(finding, `${target.name}-${seed}-${finding.index}.hex`);
  return tally.findings.length;
}

async function keep({ target, input, what }: Finding, name: string): Promise<void> {
  await Deno.mkdir(keptFolder, { recursive: true });
  await Deno.writeTextFile(new URL(name, keptFolder), `${formatHex(input)}\n`);
  console.log(`  FINDING: ${what.split("\n").slice(0, 6).join("\n    ")}`);
  console.log(`  ${input.length} bytes: ${formatHex(input.subarray(0, 100))}${input.length > 100 ? "…" : ""}`);
  console.log(`  again: deno task fuzz --target ${target} --replay .cache/fuzz/${name}`);
}

async function replay([target, ...others]: readonly FuzzTarget[], file: string): Promise<number> {
  if (target === undefined || others.length > 0) return fail("--replay needs one --target");
  const input = parseHex((await Deno.readTextFile(file)).trim());
  if (input === undefined) return fail(`${file} does not hold hex digits`);
  await target.prepare?.();
  const result = await tryInput(target, input);
  if ("what" in result) console.log(`FINDING: ${result.what}`);
  else {
    const { outcome, cost } = result;
    console.log(`${outcome}, ${cost.ms.toFixed(2)} ms, ${(cost.bytes / 1e6).toFixed(2)} MB`);
  }
  return "what" in result ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main());
