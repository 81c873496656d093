/**
 * Commands and their options as values: one description gives the parser, the checks and the help text.
 *
 * Arguments are first spelled out (`-qo x` becomes `--quiet --output=x`, operands go behind `--`), so that parse-args has
 * nothing left to guess; a wrong option, value or operand is a UserError with exit code 2 that names the cure.
 */
import { parseArgs } from "@std/cli/parse-args";
import { ExitCode, UserError } from "../errors.ts";
import type { Context } from "./context.ts";
import { parseDuration, parseRate, parseSize } from "./text.ts";

/** One option of a command; `T` is what `run` gets. */
export interface Option<T> {
  readonly short: string | undefined;
  /** Placeholder of the value in the help; undefined for a flag, which takes none. */
  readonly value: string | undefined;
  readonly help: string;
  readonly isList: boolean;
  /** Shown in the help; undefined when there is nothing to show. */
  readonly defaultText: string | undefined;
  /**
   * Values as they stand on the line, in order; none when the option was not given.
   * @throws RangeError with words that follow the option's name: `needs a number, not "x"`
   */
  read(values: readonly string[]): T;
}

interface FlagSpec {
  /** One letter. */
  short?: string;
  help: string;
}
interface ValueSpec extends FlagSpec {
  /** Placeholder in the help: `DIR`. */
  value: string;
  /** Shown in the help where the default is not a plain value: `beside the torrent`. */
  defaultText?: string;
}
interface Range {
  min?: number;
  max?: number;
}
/** Options by their camelCase names. */
export type Options = Record<string, Option<unknown>>;
/** What `run` gets for these options. */
export type ValuesOf<O extends Options> = { [K in keyof O]: O[K] extends Option<infer T> ? T : never };

function option<T>(spec: FlagSpec & Partial<ValueSpec>, isList: boolean, read: Option<T>["read"]): Option<T> {
  return { short: spec.short, value: spec.value, help: spec.help, isList, defaultText: spec.defaultText, read };
}

/** `--force`: present or not. */
export function flag(spec: FlagSpec): Option<boolean> {
  return option(spec, false, (values) => values.length > 0);
}

/** `--comment TEXT`: the last one given. */
export function text(spec: ValueSpec & { default: string }): Option<string>;
export function text(spec: ValueSpec): Option<string | undefined>;
export function text(spec: ValueSpec & { default?: string }): Option<string | undefined> {
  return option({ defaultText: spec.default ?? "", ...spec }, false, (values) => values.at(-1) ?? spec.default);
}

/** `--announce URL`, which may be repeated; all of them in order. */
export function texts(spec: ValueSpec): Option<string[]> {
  return option(spec, true, (values) => [...values]);
}

/** `--strategy NAME`: one of a few words. */
export function choice<T extends string>(spec: ValueSpec & { choices: readonly T[]; default: T }): Option<T> {
  return option({ defaultText: spec.default, ...spec }, false, (values) => {
    const given = values.at(-1);
    if (given === undefined) return spec.default;
    const known = spec.choices.find((word) => word === given);
    if (known === undefined) throw new RangeError(`must be ${orList(spec.choices)}, not "${given}"`);
    return known;
  });
}

function orList(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

type NumberOption = {
  (spec: ValueSpec & Range & { default: number }): Option<number>;
  (spec: ValueSpec & Range): Option<number | undefined>;
};

/** An option that holds a number, read by `parse` and told by `form` (`a size such as 4MiB`). */
function numberOption(parse: (text: string) => number | undefined, form: string): NumberOption {
  function make(spec: ValueSpec & Range & { default: number }): Option<number>;
  function make(spec: ValueSpec & Range): Option<number | undefined>;
  function make(spec: ValueSpec & Range & { default?: number }): Option<number | undefined> {
    const { min = 0, max = Number.MAX_SAFE_INTEGER } = spec;
    const defaultText = spec.default === undefined ? "" : String(spec.default);
    return option<number | undefined>({ defaultText, ...spec }, false, (values) => {
      const given = values.at(-1);
      if (given === undefined) return spec.default;
      const number = parse(given);
      if (number === undefined) throw new RangeError(`needs ${form}, not "${given}"`);
      if (number < min) throw new RangeError(`must be at least ${min}, not ${given}`);
      if (number > max) throw new RangeError(`must be at most ${max}, not ${given}`);
      return number;
    });
  }
  return make;
}

/** `--max-peers N`: a whole number within its range (from 0 unless `min` says otherwise). */
export const count: NumberOption = numberOption(
  (text) => /^\d{1,15}$/.test(text) ? Number(text) : undefined,
  "a whole number",
);
/** `--seed-ratio 1.5`: a number that may have decimals. */
export const decimal: NumberOption = numberOption(
  (text) => /^\d{1,15}(\.\d+)?$/.test(text) ? Number(text) : undefined,
  "a number",
);
/** `--piece-length 4MiB`: bytes. */
export const size: NumberOption = numberOption(parseSize, "a size such as 256K or 4MiB");
/** `--upload-limit 20M`: bytes a second. */
export const rate: NumberOption = numberOption(parseRate, "a rate such as 500K or 20M");
/** `--timeout 10m`: milliseconds; a plain number is seconds. A numeric default is milliseconds too. */
export const duration: NumberOption = numberOption(parseDuration, "a duration such as 90s, 10m or 1h");

/** The options that every command takes. */
export interface GlobalOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly noColor: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

const globalOptions = {
  json: flag({ help: "print JSON on stdout" }),
  quiet: flag({ short: "q", help: "no progress and no notes" }),
  verbose: flag({ short: "v", help: "tell more" }),
  noColor: flag({ help: "no colours (as with NO_COLOR)" }),
  help: flag({ short: "h", help: "show this help" }),
  version: flag({ short: "V", help: "show the version" }),
} satisfies Options;

/** One command of the program, as main.ts sees it. */
export interface Command {
  readonly name: string;
  /** What it does, for the list of commands: `share the files of a torrent`. */
  readonly summary: string;
  /** Placeholders of what stands after the options: `<file.torrent>…`. */
  readonly operands: string;
  /** The text of `--help`. */
  help(): string;
  /** The options that main.ts acts on. @throws UserError (2) when the arguments are wrong, unless help is wanted */
  globals(args: readonly string[]): GlobalOptions;
  /** Runs the command. @throws UserError (2) when the arguments are wrong */
  run(context: Context, args: readonly string[]): Promise<ExitCode>;
}

export interface CommandSpec<O extends Options> {
  name: string;
  summary: string;
  /** `<x>` must be there, `[x]` may be; a following `…` means any number more. */
  operands: string;
  /** Keys in camelCase; `pieceLength` is `--piece-length` on the line. */
  options: O;
  /** Whole lines: `localbt seed holiday.torrent`. */
  examples: readonly string[];
  run(context: Context, values: ValuesOf<O>, operands: string[]): Promise<ExitCode>;
}

/** Makes a command from its description. */
export function command<O extends Options>(spec: CommandSpec<O>): Command {
  const all: Options = { ...globalOptions, ...spec.options };
  return {
    name: spec.name,
    summary: spec.summary,
    operands: spec.operands,
    help: () => helpOf(spec),
    globals(args) {
      const options = args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
      const help = options.includes("--help") || options.includes("-h");
      return { ...read(spec, globalOptions, help ? new Map() : parse(spec, all, args).values), help };
    },
    async run(context, args) {
      const { values, operands } = parse(spec, all, args);
      checkOperands(spec, operands);
      return await spec.run(context, read(spec, spec.options, values), operands);
    },
  };
}

function usageError(spec: { name: string }, why: string, hint?: string): UserError {
  const help = `localbt ${spec.name} --help`;
  return new UserError(`run ${spec.name}`, why, {
    exitCode: ExitCode.usage,
    hint: hint === undefined ? `see ${help}` : `${hint}; see ${help}`,
  });
}

/** `pieceLength` -> `piece-length`. */
function kebabCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

type Values = ReadonlyMap<string, readonly string[]>;

/** The values of each option as they stand on the line (a flag's are empty), by key. */
function parse(
  spec: { name: string },
  options: Options,
  args: readonly string[],
): { values: Values; operands: string[] } {
  const names = Object.keys(options).map(kebabCase);
  const takesValue = (name: string) => options[camelCase(name)].value !== undefined;
  const parsed = parseArgs(spellOut(spec, options, args), {
    boolean: names.filter((name) => !takesValue(name)),
    string: [...names.filter(takesValue), "_"],
    collect: names.filter(takesValue),
  });
  const values = new Map<string, readonly string[]>();
  for (const key of Object.keys(options)) {
    const value = (parsed as Record<string, unknown>)[kebabCase(key)];
    values.set(key, Array.isArray(value) ? value.map(String) : value === true ? [""] : []);
  }
  return { values, operands: parsed._.map(String) };
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** Every option as `--name` or `--name=value`, then `--` and the operands. */
function spellOut(spec: { name: string }, options: Options, args: readonly string[]): string[] {
  const spelled: string[] = [];
  const operands: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (arg === "--") {
      operands.push(...args.slice(i + 1));
      break;
    }
    if (arg === "-" || !arg.startsWith("-")) {
      operands.push(arg);
      continue;
    }
    const expanded = arg.startsWith("--") ? [spellLong(spec, options, arg)] : spellShort(spec, options, arg);
    for (const { name, value, shown } of expanded) {
      if (options[camelCase(name)].value === undefined) {
        spelled.push(`--${name}`);
        continue;
      }
      const taken = value ?? nextValue(args[i + 1]);
      if (taken === undefined) {
        throw usageError(spec, `option ${shown} needs a value (${options[camelCase(name)].value})`);
      }
      if (value === undefined) i++;
      spelled.push(`--${name}=${taken}`);
    }
  }
  return [...spelled, "--", ...operands];
}

/** The argument as the value of the option before it; undefined when there is none or it is itself an option. */
function nextValue(arg: string | undefined): string | undefined {
  return arg === undefined || (arg.length > 1 && arg.startsWith("-") && !/^-\d/.test(arg)) ? undefined : arg;
}

interface Spelled {
  name: string;
  value: string | undefined;
  /** As the user wrote it, for messages. */
  shown: string;
}

function spellLong(spec: { name: string }, options: Options, arg: string): Spelled {
  const [, shown, value] = /^(--[^=]*)(?:=(.*))?$/s.exec(arg)!;
  const name = shown.slice(2);
  const known = Object.keys(options).find((key) => kebabCase(key) === name);
  if (known === undefined) throw unknownOption(spec, options, shown);
  if (options[known].value === undefined && value !== undefined) {
    throw usageError(spec, `option ${shown} takes no value`);
  }
  return { name, value, shown };
}

/** `-qo x`, `-ox` and `-o=x`: flags may share one dash, and the last may be an option with its value. */
function spellShort(spec: { name: string }, options: Options, arg: string): Spelled[] {
  const spelled: Spelled[] = [];
  for (let i = 1; i < arg.length; i++) {
    const letter = arg[i];
    const key = Object.keys(options).find((key) => options[key].short === letter);
    if (key === undefined) throw unknownOption(spec, options, arg.length === 2 ? arg : `-${letter} (in ${arg})`);
    const name = kebabCase(key);
    const rest = arg.slice(i + 1).replace(/^=/, "");
    if (options[key].value !== undefined) {
      spelled.push({ name, value: arg.length > i + 1 ? rest : undefined, shown: `-${letter}` });
      break;
    }
    if (arg[i + 1] === "=") throw usageError(spec, `option -${letter} takes no value`);
    spelled.push({ name, value: undefined, shown: `-${letter}` });
  }
  return spelled;
}

function unknownOption(spec: { name: string }, options: Options, shown: string): UserError {
  const near = nearestName(shown, Object.keys(options).map((key) => `--${kebabCase(key)}`));
  return usageError(spec, `there is no option ${shown}`, near === undefined ? undefined : `did you mean ${near}?`);
}

/** The known name that is most like `name`: it begins with it, or differs in a third of its letters at most. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const begins = known.filter((other) => name.length > 2 && other.startsWith(name));
  if (begins.length === 1) return begins[0];
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(name.replace(/^-+/, "").length / 3)) + 1;
  for (const other of known) {
    const distance = editDistance(name, other);
    if (distance < bestDistance) [best, bestDistance] = [other, distance];
  }
  return best;
}

/** Letters to insert, remove or replace to make `a` into `b`. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}

function read<O extends Options>(spec: { name: string }, options: O, values: Values): ValuesOf<O> {
  const result: Record<string, unknown> = {};
  for (const [key, option] of Object.entries(options)) {
    try {
      result[key] = option.read(values.get(key) ?? []);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw usageError(spec, `option --${kebabCase(key)} ${error.message}`);
    }
  }
  return result as ValuesOf<O>;
}

function checkOperands(spec: { name: string; operands: string }, operands: readonly string[]): void {
  const places = spec.operands.match(/<[^>]*>…?|\[[^\]]*\]…?/g) ?? [];
  const required = places.filter((place) => place.startsWith("<"));
  if (operands.length < required.length) throw usageError(spec, `${required[operands.length]} is missing`);
  const isOpen = places.some((place) => place.endsWith("…"));
  if (operands.length > places.length && !isOpen) {
    throw usageError(spec, `it does not take "${operands[places.length]}"`, "put names with spaces in quotes");
  }
}

function helpOf(spec: CommandSpec<Options>): string {
  const usage = ["localbt", spec.name, "[options]", spec.operands].filter((word) => word !== "").join(" ");
  const lines = [`localbt ${spec.name}: ${spec.summary}`, "", `Usage: ${usage}`, ""];
  if (Object.keys(spec.options).length > 0) lines.push("Options:", ...optionLines(spec.options), "");
  lines.push("Options of every command:", ...optionLines(globalOptions), "");
  lines.push("Examples:", ...spec.examples.map((example) => `  ${example}`));
  return `${lines.join("\n")}\n`;
}

function optionLines(options: Options): string[] {
  const rows = Object.entries(options).map(([key, { short, value, help, isList, defaultText }]) => {
    const name = `${short === undefined ? "    " : `-${short}, `}--${kebabCase(key)}${
      value === undefined ? "" : ` ${value}`
    }`;
    const notes = [isList ? "may be repeated" : "", defaultText ? `default: ${defaultText}` : ""].filter((note) =>
      note
    );
    return { name, help: notes.length > 0 ? `${help} (${notes.join("; ")})` : help };
  });
  const width = Math.min(30, Math.max(...rows.map(({ name }) => name.length)));
  return rows.map(({ name, help }) =>
    name.length > width ? `  ${name}\n  ${" ".repeat(width)}  ${help}` : `  ${name.padEnd(width)}  ${help}`
  );
}
