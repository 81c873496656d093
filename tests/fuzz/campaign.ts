/** Runs a target on the inputs of a seed, one after the other, and counts. */
import { type Finding, tryInput } from "./rules.ts";
import { type FuzzTarget, inputOf } from "./target.ts";

/** What came of the inputs of one target. */
export interface Tally {
  inputs: number;
  /** Those that the reader took. */
  taken: number;
  /** The most that one input took. */
  worstMs: number;
  worstBytes: number;
  readonly findings: (Finding & { readonly index: number })[];
}

/** Findings of one target, after which it is left alone. */
const findingsMax = 5;

/** @param onProgress told now and then, and asked nothing */
export async function fuzz(
  target: FuzzTarget,
  { seed, inputs, onProgress }: { seed: number; inputs: number; onProgress?: (tally: Tally) => void },
): Promise<Tally> {
  await target.prepare?.();
  const tally: Tally = { inputs: 0, taken: 0, worstMs: 0, worstBytes: 0, findings: [] };
  const count = Math.ceil(inputs / (target.oneIn ?? 1));
  for (let index = 0; index < count && tally.findings.length < findingsMax; index++) {
    const result = await tryInput(target, inputOf(target, seed, index));
    tally.inputs++;
    if ("what" in result) tally.findings.push({ ...result, index });
    else {
      if (result.outcome === "taken") tally.taken++;
      // The first inputs pay for the compiler.
      if (index >= warmUpInputs) tally.worstMs = Math.max(tally.worstMs, result.cost.ms);
      tally.worstBytes = Math.max(tally.worstBytes, result.cost.bytes);
    }
    if (index % 1000 === 999) onProgress?.(tally);
  }
  return tally;
}

const warmUpInputs = 200;
