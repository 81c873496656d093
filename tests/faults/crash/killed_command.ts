/** A command that is started again and again and killed each time, until it is left in peace and has to come to its end. */
import { Child } from "../../interop/child.ts";
import { localbtCommand } from "../../interop/localbt.ts";

export interface KilledCommand {
  /** The arguments of localbt. */
  readonly args: readonly string[];
  readonly killCount: number;
  /** What it is started by, where that kills it. */
  readonly prefix?: () => readonly string[];
  /** Resolves when the child is to be killed. */
  readonly due?: (child: Child) => Promise<unknown>;
  /** Throws where what a kill left is not as it has to be. */
  readonly afterKill?: () => void;
  /** Throws where what it made is not as it has to be; makes room for the next. */
  readonly afterEnd: () => void;
}

/** Starts without a kill in time, after which it is a fault of the test. */
const missesMax = 200;
const deadlineMs = 60_000;

/** @returns kills that came in time; throws where anything does not hold */
export async function killAgain({ args, killCount, prefix, due, afterKill, afterEnd }: KilledCommand): Promise<number> {
  let kills = 0;
  for (let misses = 0; kills < killCount && misses < missesMax;) {
    const child = start(args, prefix?.());
    if (due !== undefined) {
      await Promise.race([due(child), child.status]);
      child.signal("SIGKILL");
    }
    const { signal, code } = await child.exit(deadlineMs);
    if (signal === "SIGKILL") {
      kills++;
      afterKill?.();
    } else if (code === 0) {
      misses++;
      afterEnd();
    } else throw child.failure("failed");
  }
  const last = start(args);
  if ((await last.exit(deadlineMs)).code !== 0) throw last.failure("failed after the last kill");
  afterEnd();
  return kills;
}

function start(args: readonly string[], prefix: readonly string[] = []): Child {
  return new Child({ name: `the killed ${args[0]}`, command: [...prefix, ...localbtCommand(), ...args] });
}

/** Waits so long. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
