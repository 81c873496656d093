/**
 * `deno task attack [names…] [--seconds N] [--rounds N] [--list]`: attacks the real program and says how it bore it.
 *
 * The victim is the compiled program (LOCALBT_BIN, or ./localbt). Somebody honest works with it all the while, at a rate
 * that is a small part of what the program can do: on one machine the attacker's own appetite for processor would count
 * against the victim otherwise, and for the same reason the attacker runs at a lower priority. A verdict is ok when the
 * victim lived, the honest work ended rightly, kept its rate by `keptMin`, memory stayed below `memoryMax`, and the victim
 * itself says what it refused. A run that was merely slow is repeated: other programs may have been the reason.
 */
import { parseArgs } from "@std/cli/parse-args";
import { Scene } from "../interop/scene.ts";
import type { Attack, Span } from "./attack.ts";
import { attacks } from "./attacks.ts";
import { measure, type Outcome } from "./measure.ts";
import { stages } from "./stages.ts";

/** The part of its rate that the honest one keeps at least. */
const keptMin = 0.7;
/** Runs after which it is believed that the victim is slow. */
const slowTriesMax = 3;
/** Bytes of the victim at its peak. */
const memoryMax = 300e6;

const usage = "deno task attack [names…] [--seconds N] [--rounds N] [--list]";

/** What speaks against the victim; empty if nothing. */
function faultsOf({ keptPart, peakBytes, refused }: Outcome, attack: Attack): string[] {
  const faults: string[] = [];
  if (keptPart < keptMin) faults.push("slow");
  if (peakBytes > memoryMax) faults.push("memory");
  if (attack.refused !== undefined && !attack.refused.some((reason) => (refused[reason] ?? 0) > 0)) {
    faults.push("refused nothing");
  }
  return faults;
}

async function play(attack: Attack, span: Span): Promise<Outcome> {
  const parent = await Deno.stat("/dev/shm").then(() => "/dev/shm", () => undefined);
  await using scene = await Scene.open(parent);
  const open = stages[attack.stage];
  if (open === undefined) throw new Error(`no stage ${attack.stage}`);
  await using stage = await open(scene, span);
  return await measure(scene, stage, attack, span);
}

function describeRefused(refused: Outcome["refused"]): string {
  const counts = Object.entries(refused).toSorted(([, a], [, b]) => b - a);
  return counts.map(([reason, count]) => `${reason} ${count}`).join(", ") || "nothing";
}

const columns = ["attack".padEnd(34), "kept", "  memory", "  fds", "verdict".padEnd(9), "refused"] as const;

function row(attack: Attack, { keptPart, peakBytes, descriptorPeak, refused }: Outcome, verdict: string): string {
  return [
    `${attack.stage}: ${attack.name}`.padEnd(34),
    `${Math.round(keptPart * 100)} %`.padStart(5),
    `${Math.round(peakBytes / 1e6)} MB`.padStart(7),
    String(descriptorPeak).padStart(5),
    verdict.padEnd(9),
    describeRefused(refused),
  ].join(" ");
}

/** @returns whether the victim bore it */
async function judge(attack: Attack, span: Span): Promise<boolean> {
  try {
    let outcome = await play(attack, span);
    let faults = faultsOf(outcome, attack);
    for (let tries = 1; tries < slowTriesMax && faults.includes("slow"); tries++) {
      outcome = await play(attack, span);
      faults = faultsOf(outcome, attack);
    }
    console.log(row(attack, outcome, faults.join(", ") || "ok"));
    return faults.length === 0;
  } catch (error) {
    console.log(`${attack.stage}: ${attack.name}: FAILED: ${error instanceof Error ? error.message : error}`);
    return false;
  }
}

async function main(): Promise<number> {
  const args = parseArgs(Deno.args, {
    string: ["seconds", "rounds"],
    boolean: ["list", "help"],
  });
  const [seconds, rounds] = [Number(args.seconds ?? 3), Number(args.rounds ?? 2)];
  const names = args._.map(String);
  const chosen = attacks.filter(({ name, stage }) =>
    names.length === 0 || names.some((wanted) => `${stage}: ${name}`.includes(wanted))
  );
  if (args.help || !(seconds > 0) || !(rounds >= 1) || chosen.length === 0) {
    console.log(usage);
    return args.help ? 0 : 2;
  }
  if (args.list) {
    for (const { stage, name } of chosen) console.log(`${stage}: ${name}`);
    return 0;
  }
  if (!Deno.env.has("LOCALBT_BIN")) Deno.env.set("LOCALBT_BIN", Deno.realPathSync("localbt"));
  console.log(columns.join(" "));
  let failedCount = 0;
  const startedAt = performance.now();
  for (const attack of chosen) if (!await judge(attack, { windowMs: seconds * 1000, rounds })) failedCount++;
  const took = Math.round((performance.now() - startedAt) / 1000);
  console.log(`${chosen.length - failedCount} of ${chosen.length} attacks borne, in ${took} s`);
  return failedCount === 0 ? 0 : 1;
}

Deno.exit(await main());
