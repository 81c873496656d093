/**
 * One attack measured: how much of its rate the honest one keeps, and what the victim's memory and descriptors come to.
 *
 * Windows of quiet and of attack take turns, so that what else the machine does falls on both; the middle of each sort
 * counts. The last attack goes on until the honest work has ended, which it has to, and rightly.
 */
import { Child } from "../interop/child.ts";
import { join, repositoryFolder } from "../interop/path.ts";
import type { Scene } from "../interop/scene.ts";
import type { Attack, Span, Stage } from "./attack.ts";
import { sourceCommand } from "./source_command.ts";

/** What came out. */
export interface Outcome {
  /** The part of its rate that the honest one keeps. */
  readonly keptPart: number;
  /** Peak of the victim's memory, mapped files included. */
  readonly peakBytes: number;
  /** Most descriptors at a time. */
  readonly descriptorPeak: number;
  readonly refused: Readonly<Record<string, number>>;
}

/** Milliseconds that the honest work may go on after the last window. */
const finishMs = 30_000;
/** Milliseconds between two looks at the victim. */
const lookEveryMs = 100;
/** Milliseconds that an attacker has to get to its height. */
const heightMs = 20_000;

/** Plays the attack on the stage. @throws when the victim crashes, or the honest work does not end rightly */
export async function measure(scene: Scene, stage: Stage, attack: Attack, span: Span): Promise<Outcome> {
  let descriptorPeak = 0;
  const kept = attack.honestComes === "during"
    ? await joinUnderAttack(scene, stage, attack, span, (count) => descriptorPeak = Math.max(descriptorPeak, count))
    : await windows(scene, stage, attack, span, (count) => descriptorPeak = Math.max(descriptorPeak, count));
  const peakBytes = peakOf(stage.pid);
  return { keptPart: kept, peakBytes, descriptorPeak, refused: await stage.refused() };
}

type OnDescriptors = (count: number) => void;

async function windows(
  scene: Scene,
  stage: Stage,
  attack: Attack,
  { windowMs, rounds }: Span,
  onDescriptors: OnDescriptors,
): Promise<number> {
  const [quiet, attacked]: [number[], number[]] = [[], []];
  let attacker: Child | undefined;
  for (let round = 0; round < rounds; round++) {
    await attacker?.stop("SIGKILL");
    attacker = await loadAttacker(scene, attack, stage);
    if (round === 0) await stage.begin();
    quiet.push(await watch(stage, windowMs, onDescriptors));
    await letLoose(attacker);
    attacked.push(await watch(stage, windowMs, onDescriptors));
  }
  await stage.finish(finishMs);
  await attacker?.stop("SIGKILL");
  return median(attacked) / median(quiet);
}

/** The honest one comes when all is under attack; `begin` fails when it is not let in. */
async function joinUnderAttack(
  scene: Scene,
  stage: Stage,
  attack: Attack,
  { windowMs }: Span,
  onDescriptors: OnDescriptors,
): Promise<number> {
  const take = async () => {
    await stage.begin();
    const rate = await watch(stage, windowMs, onDescriptors);
    await stage.finish(finishMs);
    return rate;
  };
  const quiet = await take();
  const attacker = await loadAttacker(scene, attack, stage);
  await letLoose(attacker);
  const attacked = await take();
  await attacker.stop("SIGKILL");
  return attacked / quiet;
}

/** Bytes a second of the honest one in one window. */
async function watch(stage: Stage, windowMs: number, onDescriptors: OnDescriptors): Promise<number> {
  const from = Date.now();
  while (Date.now() - from < windowMs && stage.isOver !== true) {
    onDescriptors(descriptorsOf(stage.pid));
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
  const to = Date.now();
  if (to - from < windowMs / 4) throw new Error("the honest work was over before it could be measured");
  return stage.gotBetween(from, to) / (to - from) * 1000;
}

/** The attacker yields to whoever is measured: its processor time is not the victim's to spare. */
async function loadAttacker(scene: Scene, attack: Attack, stage: Stage): Promise<Child> {
  const script = join(repositoryFolder, "tests", "attack", "attacker.ts");
  const command = [...sourceCommand(), script, attack.name, JSON.stringify(stage.target)];
  const child = scene.start({
    name: `attacker (${attack.name})`,
    command: [...stage.attackerPrefix ?? [], "nice", "-n", "10", ...command],
  });
  await child.line(/^loaded$/, heightMs);
  return child;
}

/** Resolves when the attack is at its height. */
async function letLoose(attacker: Child): Promise<void> {
  attacker.signal("SIGUSR1");
  await attacker.line(/^ready$/, heightMs);
}

function descriptorsOf(pid: number): number {
  try {
    return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
  } catch {
    return 0; // it has ended
  }
}

/** Peak resident memory in bytes. */
function peakOf(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(status.match(/^VmHWM:\s+(\d+)/m)?.[1] ?? 0) * 1024;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
