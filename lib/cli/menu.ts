/**
 * The numbered menu: asks for what a command needs, shows the command line and runs it.
 *
 * Owns the questions only; the commands are the real ones, run by whoever started the menu.
 */
import { ExitCode } from "../errors.ts";
import type { Context } from "./context.ts";

/** What is asked before a command runs. */
interface Question {
  ask: string;
  /** Used when the answer is empty; without it the answer must not be empty. */
  preset?: string;
  /** Turns the answer into arguments. */
  args(answer: string): string[];
}

interface Entry {
  title: string;
  command: string;
  fixed?: readonly string[];
  questions: readonly Question[];
}

const operand = (answer: string) => [answer];
/** The same, or nothing when the preset was taken. */
const present = (answer: string) => answer === "" ? [] : [answer];
/** The option with the answer as its value, or nothing when the preset was taken. */
const optional = (name: string) => (answer: string) => answer === "" ? [] : [`${name}=${answer}`];
/** Words become one option each: several trackers, several torrents. */
const each = (name: string) => (answer: string) => answer.split(/\s+/).filter(Boolean).map((word) => `${name}=${word}`);

const download: readonly Question[] = [
  { ask: "Torrent file", args: operand },
  { ask: "Put it into this folder", preset: "here", args: optional("--output") },
  { ask: "Also connect to these peers (HOST:PORT …)", preset: "none", args: each("--peer") },
];

const entries: readonly Entry[] = [
  {
    title: "share a file or folder with everybody on this network",
    command: "share",
    questions: [{ ask: "File or folder to share", args: operand }],
  },
  {
    title: "get what others on this network share",
    command: "get",
    questions: [
      { ask: "Name or address of a share", preset: "show me what there is", args: present },
      { ask: "Put it into this folder", preset: "here", args: optional("--output") },
    ],
  },
  {
    title: "create a torrent from a file or folder",
    command: "create",
    questions: [
      { ask: "File or folder to share", args: operand },
      { ask: "Tracker URLs", preset: "none", args: each("--announce") },
    ],
  },
  {
    title: "show what is in a torrent",
    command: "info",
    questions: [{ ask: "Torrent file or magnet link", args: operand }],
  },
  {
    title: "seed: share the files of a torrent",
    command: "seed",
    questions: [
      { ask: "Torrent file", args: operand },
      { ask: "Folder that holds the data", preset: "beside the torrent, or here", args: optional("--data") },
    ],
  },
  { title: "download", command: "download", questions: download },
  {
    title: "download, rarest piece first",
    command: "download",
    fixed: ["--strategy=rarest-first"],
    questions: download,
  },
  {
    title: "run a tracker",
    command: "tracker",
    questions: [{ ask: "Port", preset: "6969", args: optional("--port") }],
  },
  { title: "demo: watch a small swarm at work", command: "demo", questions: [] },
];

/**
 * Shows the menu until the user quits, stdin ends or the run is stopped.
 *
 * @param run runs one command line (its name first) and tells its exit code; it reports its own errors
 */
export async function runMenu(context: Context, run: (argv: string[]) => Promise<ExitCode>): Promise<ExitCode> {
  const quit = entries.length + 1;
  let code: ExitCode = ExitCode.done;
  while (!context.stop.aborted) {
    context.err(`\nlocalbt ${context.version}\n`);
    entries.forEach((entry, i) => context.err(`  ${String(i + 1).padStart(2)}. ${entry.title}\n`));
    context.err(`  ${quit}. quit\nChoice [1-${quit}]: `);
    const choice = await readAnswer(context);
    if (choice === undefined || choice === String(quit) || /^q(uit)?$/i.test(choice)) break;
    const entry = entries[Number(choice) - 1];
    if (entry === undefined || !/^\d+$/.test(choice)) {
      context.err(`Please type a number from 1 to ${quit}.\n`);
      continue;
    }
    const argv = await askFor(context, entry);
    if (argv === undefined) break;
    context.err(`\n> localbt ${argv.map(quoteArgument).join(" ")}\n`);
    code = await run(argv);
  }
  return code;
}

/** The command line that the answers make; undefined when stdin ended. */
async function askFor(context: Context, entry: Entry): Promise<string[] | undefined> {
  const argv = [entry.command, ...entry.fixed ?? []];
  const operands: string[] = [];
  for (const question of entry.questions) {
    const answer = await askOne(context, question);
    if (answer === undefined) return undefined;
    (question.args === operand || question.args === present ? operands : argv).push(...question.args(answer));
  }
  return operands.some((word) => word.startsWith("-")) ? [...argv, "--", ...operands] : [...argv, ...operands];
}

async function askOne(context: Context, { ask, preset }: Question): Promise<string | undefined> {
  while (true) {
    context.err(`${ask}${preset === undefined ? "" : ` [${preset}]`}: `);
    const answer = await readAnswer(context);
    if (answer === undefined || answer !== "" || preset !== undefined) return answer;
  }
}

/** A line without the quotes and the space that a terminal adds to a file dropped on it; undefined at the end of stdin. */
async function readAnswer(context: Context): Promise<string | undefined> {
  const line = await context.readLine();
  if (line === undefined || context.stop.aborted) return undefined;
  const answer = line.trim();
  return /^(['"]).*\1$/.test(answer) && answer.length > 1 ? answer.slice(1, -1) : answer;
}

/** The argument as it can be typed: in quotes when it holds more than plain characters. */
function quoteArgument(argument: string): string {
  return /^[\w@%+=:,./\\-]+$/.test(argument) ? argument : `"${argument}"`;
}
