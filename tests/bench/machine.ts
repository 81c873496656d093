/** What else the machine did while something was measured, from /proc/stat (Linux), and what machine it is. */
import { cpus, loadavg } from "node:os";

/** Ticks a second of the CPU times in /proc; 100 on every Linux that Deno runs on. */
const ticksPerSecond = 100;

/** CPU seconds of others, as cores that they kept busy, and of the host that took the machine's CPUs away. */
export interface Disturbance {
  readonly otherCores: number;
  readonly stolenCores: number;
}

/** Cores that others may keep busy during a run before its figure says nothing: a tenth of two. */
const otherCoresMax = 0.2;
/** The same for what the host takes away. */
const stolenCoresMax = 0.05;
/** Slowest by fastest run of one contender from which on its median says nothing. */
const spreadMax = 1.6;

/** When the figures of a row are called too noisy, for people. */
export const noiseRule =
  `others kept more than ${otherCoresMax} cores busy, the host took more than ${stolenCoresMax} ` +
  `cores away, or the slowest run took more than ${spreadMax} times the fastest`;

/** Watches from its making until `stop`. */
export class MachineWatch {
  readonly #startedAt = performance.now();
  readonly #before = look();

  stop(): Disturbance {
    const after = look();
    const seconds = (performance.now() - this.#startedAt) / 1000;
    const busy = after.busySeconds - this.#before.busySeconds;
    const own = after.ownSeconds - this.#before.ownSeconds;
    // shorter than a few ticks, and the rounding of the ticks would look like others at work
    const rounding = 6 / ticksPerSecond;
    return {
      otherCores: Math.max(0, busy - own - rounding) / seconds,
      stolenCores: (after.stolenSeconds - this.#before.stolenSeconds) / seconds,
    };
  }
}

/** Why the runs of one contender say little, or undefined if they do not. */
export function doubtAbout(
  runs: readonly { readonly seconds: number; readonly otherCores: number; readonly stolenCores: number }[],
): string | undefined {
  const others = median(runs.map((run) => run.otherCores));
  const stolen = median(runs.map((run) => run.stolenCores));
  const seconds = runs.map((run) => run.seconds);
  const spread = Math.max(...seconds) / Math.min(...seconds);
  const reasons = [
    ...(others > otherCoresMax ? [`others kept ${others.toFixed(2)} cores busy`] : []),
    ...(stolen > stolenCoresMax ? [`the host took ${stolen.toFixed(2)} cores away`] : []),
    ...(spread > spreadMax ? [`the slowest run took ${spread.toFixed(1)} times the fastest`] : []),
  ];
  return reasons.length > 0 ? reasons.join(", ") : undefined;
}

/** The machine in words that a reader of the figures needs. */
export function describeMachine(): { cpu: string; cores: number; load: number; deno: string } {
  const all = cpus();
  return { cpu: all[0]?.model ?? "unknown", cores: all.length, load: loadavg()[0] ?? NaN, deno: Deno.version.deno };
}

/** The CPU seconds of children that have ended and were waited for. */
export function endedChildrenCpuSeconds(): number {
  return ownTimes().children;
}

/** The middle of some numbers, or NaN of none. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] ?? NaN : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

/** All CPUs' seconds of programs (interrupts aside), those stolen, and those of this process and its ended children. */
function look(): { busySeconds: number; stolenSeconds: number; ownSeconds: number } {
  const [user = 0, nice = 0, system = 0, , , , , stolen = 0] = read("/proc/stat").split("\n")[0]?.split(/\s+/).slice(1)
    .map(Number) ?? [];
  const own = ownTimes();
  return {
    busySeconds: (user + nice + system) / ticksPerSecond,
    stolenSeconds: stolen / ticksPerSecond,
    ownSeconds: own.self + own.children,
  };
}

function ownTimes(): { self: number; children: number } {
  const stat = read("/proc/self/stat");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ").map(Number);
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11, 15);
  return { self: (user + system) / ticksPerSecond, children: (childrenUser + childrenSystem) / ticksPerSecond };
}

/** Empty on a system without /proc: all figures of this file are 0 there. */
function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
