/** Runs ours and its rivals in turn, round after round, so that a change of the machine's mood meets all of them. */
import { doubtAbout, MachineWatch, median } from "./machine.ts";
import type { Row, Sample } from "./report.ts";

/** One that is measured. */
export interface Contender {
  readonly name: string;
  /** Ours must not fail; a rival that does is reported and left at that. */
  readonly isOurs: boolean;
  /** Why it cannot take part on this machine: "not installed". */
  readonly absence?: string | undefined;
  run(): Promise<Sample>;
}

/** Names a part's rows and tells of what goes on. */
export interface Contest {
  readonly part: string;
  readonly rounds: number;
}

/** A run with what disturbed it. */
type DisturbedSample = Sample & { readonly otherCores: number; readonly stolenCores: number };

/** Runs each contender once a round; the rows are in the order of the contenders. */
export async function contest({ part, rounds }: Contest, contenders: readonly Contender[]): Promise<Row[]> {
  const entries = contenders.map((contender) => ({
    contender,
    samples: [] as DisturbedSample[],
    failures: [] as string[],
  }));
  for (let round = 0; round < rounds; round++) {
    for (const { contender, samples, failures } of entries) {
      if (contender.absence) continue;
      tellStage(`${part}: ${contender.name}, round ${round + 1} of ${rounds}`);
      const watch = new MachineWatch();
      try {
        const sample = await contender.run();
        samples.push({ ...sample, ...watch.stop() });
      } catch (error) {
        if (contender.isOurs) throw error;
        failures.push(firstLine(error));
      }
    }
  }
  tellStage("");
  return entries.map(({ contender, samples, failures }) => rowOf(part, contender, samples, failures));
}

/** Says on a terminal's last line what is being measured; an empty text clears it. */
export function tellStage(text: string): void {
  if (!Deno.stderr.isTerminal()) return;
  Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${text}`));
}

function rowOf(
  part: string,
  { name, isOurs, absence }: Pick<Contender, "name" | "isOurs" | "absence">,
  samples: readonly DisturbedSample[],
  failures: readonly string[],
): Row {
  const figures: Record<string, number> = {};
  for (const key of new Set(samples.flatMap((sample) => Object.keys(sample)))) {
    figures[key] = median(samples.flatMap((sample) => sample[key] ?? []));
  }
  const seconds = samples.map((sample) => sample.seconds);
  const doubt = samples.length > 0 ? doubtAbout(samples) : undefined;
  const note = absence ??
    (failures.length > 0
      ? `${failures.length} of ${failures.length + samples.length} runs failed: ${failures[0]}`
      : undefined);
  return {
    part,
    contender: name,
    isOurs,
    runs: samples.length,
    figures: samples.length > 0
      ? { ...figures, secondsMin: Math.min(...seconds), secondsMax: Math.max(...seconds) }
      : {},
    goals: [],
    ...(doubt !== undefined && { doubt }),
    ...(note !== undefined && { note }),
  };
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split("\n")[0] ?? "";
}
