/**
 * `deno task sim:scale [peers] [--megabytes N] [--connections N] [--scenario NAME] [--strategy NAME]`: crowds on the
 * virtual network beside the bound of scale_bound.ts.
 *
 * Times are virtual, so they are the same on every machine; SEED=n draws another crowd. `x bound` is the last one's time
 * by the bound; `copies` is what the source sent, in files; `each` is what all sent for each receiver, above 1 is waste.
 * CPU seconds and memory are what the simulation itself takes. With up to 100 peers all strategies are run.
 */
import { parseArgs } from "@std/cli/parse-args";
import type { PickStrategy } from "../../peer/piece_picker.ts";
import { makeContent } from "../peer/virtual_disk.ts";
import { type CrowdOptions, type Outcome, runCrowd, type Scenario } from "./scale_crowd.ts";
import { scenarioNamed, scenarios } from "./scale_scenarios.ts";

const strategies: readonly PickStrategy[] = ["rarest-first", "random", "sequential"];
/** Up to so many peers all strategies are run unless one is named. */
const smallCrowd = 100;
const pieceLength = 64 * 1024;

const options = parseArgs(Deno.args, {
  string: ["megabytes", "connections", "scenario", "strategy"],
  unknown: (argument) => !argument.startsWith("-") || refuse(`there is no option ${argument}`),
});
const count = positive("peers", options._[0] ?? 60);
const megabytes = positive("megabytes", options.megabytes ?? 16);
const maxPeers = positive("connections", options.connections ?? 30);
const seed = Number(Deno.env.get("SEED") ?? 1);
const chosenScenarios = options.scenario === undefined ? scenarios : [scenarioNamed(String(options.scenario))];
const chosenStrategies = options.strategy !== undefined
  ? [options.strategy as PickStrategy]
  : strategies.slice(0, count <= smallCrowd ? strategies.length : 1);
for (const strategy of chosenStrategies) if (!strategies.includes(strategy)) refuse(`no strategy "${strategy}"`);

const content = makeContent({ totalLength: megabytes * 1e6, pieceLength });
console.log(
  `${count} peers, ${megabytes} MB in ${content.layout.pieceCount} pieces, ${maxPeers} connections each, SEED=${seed}`,
);
console.log(
  row("scenario", "strategy", "bound s", "first", "median", "last", "x bound", "copies", "each", "CPU s", "MB"),
);
for (const scenario of chosenScenarios) {
  for (const strategy of chosenStrategies) console.log(rowOf(scenario, { content, count, strategy, maxPeers, seed }));
}

function rowOf(scenario: Scenario, crowd: CrowdOptions): string {
  const startedAt = cpuSeconds();
  const outcome: Outcome = runCrowd(scenario, crowd);
  const seconds = (ms: number) => (ms / 1000).toFixed(1);
  return row(
    scenario.name,
    crowd.strategy,
    ...[outcome.boundMs, outcome.firstMs, outcome.medianMs, outcome.lastMs].map(seconds),
    (outcome.lastMs / outcome.boundMs).toFixed(2),
    outcome.sourceCopies.toFixed(2),
    outcome.copiesEach.toFixed(3),
    (cpuSeconds() - startedAt).toFixed(0),
    (Deno.memoryUsage().rss / 1e6).toFixed(0),
  );
}

/** CPU seconds of this process where the system tells, else seconds. */
function cpuSeconds(): number {
  try {
    const stat = Deno.readTextFileSync("/proc/self/stat");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return performance.now() / 1000;
  }
}

function row(name: string, strategy: string, ...cells: string[]): string {
  return `${name.padEnd(22)} ${strategy.padEnd(12)} ${cells.map((cell) => cell.padStart(7)).join(" ")}`;
}

function positive(name: string, value: unknown): number {
  const number = Number(value);
  return Number.isInteger(number) && number > 0 ? number : refuse(`${name} is a whole number above 0, not "${value}"`);
}

function refuse(why: string): never {
  console.error(`sim:scale: ${why}`);
  Deno.exit(2);
}
