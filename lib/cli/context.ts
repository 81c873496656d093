/**
 * What a command gets from the world: a whole run as a value, so that a test can make one.
 *
 * stdout carries results only; `log`, `warn` and progress go to stderr (shared rule of every command).
 */
import type { Network } from "../io/network.ts";

/** The streams a person looks at. */
export interface Terminal {
  readonly stdinIsTerminal: boolean;
  readonly stderrIsTerminal: boolean;
  /** Colours and cursor movement may be used on stderr. */
  readonly color: boolean;
  /** Width of stderr in columns, now. */
  columns(): number;
}

/** One run of the program. */
export interface Context {
  /** `--json`, `--quiet`, `--verbose`. */
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly version: string;
  readonly terminal: Terminal;
  readonly network: Network;
  /** Aborted by the first Ctrl-C or SIGTERM; `reason` is "SIGINT" or "SIGTERM". The second ends the process at once. */
  readonly stop: AbortSignal;
  /** Writes to stdout, as it is. */
  out(text: string | Uint8Array): void;
  /** Writes raw text to stderr (the progress line). */
  err(text: string): void;
  /** A line on stderr, unless `--quiet`; the progress line is cleared first. */
  log(line: string): void;
  /** A warning line on stderr, also with `--quiet`. */
  warn(line: string): void;
  /** One JSON object as a line on stdout, `{event, time, …fields}`, if `--json`; else nothing. `time` is ISO 8601. */
  event(event: string, fields?: Record<string, unknown>): void;
  /** An environment variable that the program may read; undefined when unset or not allowed. */
  env(name: string): string | undefined;
  /** Reads one line from stdin; undefined at its end. */
  readLine(): Promise<string | undefined>;
  /** Monotonic milliseconds. */
  now(): number;
  /** Milliseconds since 1970. */
  date(): number;
  /** A number in [0, 1). */
  random(): number;
}
