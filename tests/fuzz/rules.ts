/**
 * What holds for every input of every target: 50 ms, 64 MB, and no throw.
 *
 * A busy machine makes anything slow, and a collection of garbage comes when it likes: what breaks a bound is run again,
 * and the least of some runs counts. Memory is all that was allocated, whether it lived on or not: more than it takes.
 */
import v8 from "node:v8";
import type { FuzzTarget, Outcome } from "./target.ts";

/** Milliseconds, and bytes, that one input may take. */
export const inputMsMax = 50;
export const inputBytesMax = 64e6;

/** What one input took. */
export interface Cost {
  readonly ms: number;
  readonly bytes: number;
}

/** An input that breaks a rule. */
export interface Finding {
  readonly target: string;
  readonly input: Uint8Array;
  readonly what: string;
}

/** Milliseconds of a first look, by the clock on the wall, that are worth a second one by what the thread ran. */
const suspectMs = 5;
/** Times that an input is run before it counts as over a bound. */
const looksMax = 5;

/** Whether an input is to be run once more. */
function isDoubtful({ ms, bytes }: Cost, looks: number): boolean {
  if (looks < 2) return ms > suspectMs || bytes > inputBytesMax;
  return looks < looksMax && (ms > inputMsMax || bytes > inputBytesMax);
}

/** Runs one input. @returns what it took and what became of it, or how it breaks a rule */
export async function tryInput(
  target: FuzzTarget,
  input: Uint8Array,
): Promise<{ readonly outcome: Outcome; readonly cost: Cost } | Finding> {
  const finding = (what: string): Finding => ({ target: target.name, input, what });
  let cost: Cost = { ms: Infinity, bytes: Infinity };
  let outcome: Outcome = "refused";
  for (let look = 0; isDoubtful(cost, look); look++) {
    const before = meter(look > 0);
    try {
      const running = target.run(input);
      outcome = typeof running === "string" ? running : await running;
    } catch (error) {
      return finding(error instanceof Error ? error.stack ?? error.message : String(error));
    }
    const { ms, bytes } = between(before, meter(look > 0));
    cost = { ms: Math.min(cost.ms, ms), bytes: Math.min(cost.bytes, bytes) };
  }
  if (cost.ms > inputMsMax) return finding(`took ${cost.ms.toFixed(1)} ms`);
  if (cost.bytes > inputBytesMax) return finding(`took ${(cost.bytes / 1e6).toFixed(1)} MB`);
  return { outcome, cost };
}

/** What the types of Deno leave out. */
type HeapStatistics = ReturnType<typeof v8.getHeapStatistics> & { readonly total_allocated_bytes: number };

/** Time so far; bytes allocated so far, those of buffers as they are now. @param isExact the time is that of this thread */
function meter(isExact: boolean): Cost & { readonly bufferBytes: number } {
  const { total_allocated_bytes, external_memory } = v8.getHeapStatistics() as HeapStatistics;
  const ms = isExact ? threadMs() : performance.now();
  return { ms, bytes: total_allocated_bytes, bufferBytes: external_memory };
}

/** Milliseconds that this thread has run, where the system tells it: others run beside it. */
function threadMs(): number {
  if (Deno.build.os !== "linux") return performance.now();
  return Number(Deno.readTextFileSync("/proc/thread-self/schedstat").split(" ", 1)[0]) / 1e6;
}

/** What was taken between two looks; buffers that were let go give nothing back. */
function between(before: ReturnType<typeof meter>, after: ReturnType<typeof meter>): Cost {
  const bufferBytes = Math.max(0, after.bufferBytes - before.bufferBytes);
  return { ms: after.ms - before.ms, bytes: after.bytes - before.bytes + bufferBytes };
}
