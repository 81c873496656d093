/** `@std/cli/parse-args` from npm, typed for the way lib/cli/args.ts calls it. */
import { parseArgs as untyped } from "deno-std/cli/parse_args.js";

/** The options of `parseArgs` that this project uses. */
export interface ParseOptions {
  boolean?: readonly string[];
  string?: readonly string[];
  collect?: readonly string[];
  negatable?: readonly string[];
  alias?: Record<string, string | readonly string[]>;
  stopEarly?: boolean;
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

export const parseArgs: (
  args: string[],
  options?: ParseOptions,
) => { _: (string | number)[]; [name: string]: unknown } = untyped;
