/**
 * What an attack is: something to do to a running program of ours, from a process of its own.
 *
 * Owns the two halves' common words: the runner (main.ts) sets a stage up and measures, the attacker (attacker.ts) does the
 * harm. An attack knows its target by plain values only, since these go to another process as JSON.
 */

/** Where the victim is and what it serves; each stage adds what its attacks need. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly [name: string]: string | number;
}

/** One attack. */
export interface Attack {
  /** As it is named on the command line and in the table: few words. */
  readonly name: string;
  /** The stage that it is played on, by its name in `stages.ts`. */
  readonly stage: string;
  /** When the honest one comes: in the quiet before (default), or when the attack is at its height. */
  readonly honestComes?: "before" | "during";
  /** What it counts on being refused for, by the victim's own words; the verdict asks for at least one of them. */
  readonly refused?: readonly string[];
  /**
   * Does the harm until the process is killed.
   *
   * @param isReady to be called when the attack is at its height: measuring begins then
   */
  run(target: Target, isReady: () => void): Promise<void>;
}

/** A victim, and somebody honest who wants something of it. */
export interface Stage extends AsyncDisposable {
  readonly pid: number;
  readonly target: Target;
  /** Goes before the attacker's command: the network namespace that it lives in. */
  readonly attackerPrefix?: readonly string[];
  /** Begins the honest work; resolves once it moves. */
  begin(): Promise<void>;
  /** What the honest one got in a span of wall-clock time (ms since 1970), in units of the stage's own. */
  gotBetween(from: number, to: number): number;
  /** The honest work has ended already: nothing more can be measured. */
  readonly isOver?: boolean;
  /** Waits for the end of the honest work. @throws when it does not come, or what was got is wrong */
  finish(deadlineMs: number): Promise<void>;
  /** Ends the victim in the orderly way; what it says that it refused, by reason. @throws when it had crashed */
  refused(): Promise<Readonly<Record<string, number>>>;
}

/** How long things take. */
export interface Span {
  /** Milliseconds of one window of measuring. */
  readonly windowMs: number;
  /** Windows of each sort, quiet and under attack. */
  readonly rounds: number;
}
