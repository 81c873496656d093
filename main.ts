/**
 * The program: one command line in, one exit code out.
 *
 * Owns argv, the signals, the process's streams and its end, and hands the rest of the program its sockets: this is where
 * `Deno.listen`, `Deno.connect` and `Deno.listenDatagram` are. Commands are loaded when they are wanted, so that each
 * starts fast.
 */
import config from "./deno.json" with { type: "json" };
import type { Command } from "./lib/cli/args.ts";
import type { Context, Terminal } from "./lib/cli/context.ts";
import type { GlobalOptions } from "./lib/cli/args.ts";
import { type CommandName, summaries } from "./lib/cli/summaries.ts";
import { ExitCode, ProtocolError, UserError } from "./lib/errors.ts";
import { readInterfaces } from "./lib/io/local_interfaces.ts";
import type { Network } from "./lib/io/network.ts";
import { openFilesMax } from "./lib/io/open_files.ts";
import { bypassProxyOnLan, giveUpRights } from "./lib/io/rights.ts";

const commands: Readonly<Record<CommandName, () => Promise<Command>>> = {
  share: async () => {
    const [{ makeShareCommand }, { TrackerServer }] = await Promise.all([
      import("./peer/io/share_command.ts"),
      import("./tracker/io/http_listener.ts"),
    ]);
    return makeShareCommand((options) => TrackerServer.start(options));
  },
  get: async () => (await import("./peer/io/get_command.ts")).getCommand,
  create: async () => (await import("./peer/io/create_command.ts")).createCommand,
  info: async () => (await import("./peer/io/info_command.ts")).infoCommand,
  verify: async () => (await import("./peer/io/verify_command.ts")).verifyCommand,
  tracker: async () => (await import("./tracker/io/tracker_command.ts")).trackerCommand,
  seed: async () => (await import("./peer/io/seed_command.ts")).seedCommand,
  download: async () => (await import("./peer/io/download_command.ts")).downloadCommand,
  demo: async () => {
    const [{ makeDemoCommand }, { TrackerServer }] = await Promise.all([
      import("./peer/io/demo_command.ts"),
      import("./tracker/io/http_listener.ts"),
    ]);
    return makeDemoCommand((options) => TrackerServer.start(options));
  },
};

/** Environment variables that the program reads. */
const environmentNames = ["NO_COLOR", "SOURCE_DATE_EPOCH", "LOCALBT_DEBUG", "COLUMNS"];
/** Milliseconds that a command has to end after the first signal; the promise is 3 s. */
const graceMs = 2500;
/** Connections that wait to be accepted: the largest that systems grant without being told to. */
const listenBacklog = 4096;
/** Exit code when the reader of stdout is gone, as shells count it: 128 + SIGPIPE. */
const brokenPipeCode = 141;

const noOptions: GlobalOptions = {
  json: false,
  quiet: false,
  verbose: false,
  noColor: false,
  help: false,
  version: false,
};

const network: Network = {
  listen: ({ hostname, port }) => Deno.listen({ hostname, port, tcpBacklog: listenBacklog }),
  connect: ({ hostname, port, signal }) =>
    Deno.connect(signal === undefined ? { hostname, port } : { hostname, port, signal }),
  listenDatagram: (options) => Deno.listenDatagram({ ...options, transport: "udp" }),
  interfaces: () => readInterfaces(),
  socketsMax: openFilesMax(),
};

/** The stop signal of this run and the exit code that goes with it. */
class Stop {
  readonly #controller = new AbortController();
  #code: number | undefined;
  /** Ends the line under the cursor before the process ends. */
  beforeExit = (): void => {};

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Undefined as long as nobody asked for an end. */
  get code(): number | undefined {
    return this.#code;
  }

  /** The first call asks the command to end, and ends the process if it does not; the second ends it at once. */
  request(reason: string, code: number): void {
    if (this.#code !== undefined) return this.#exit();
    this.#code = code;
    Deno.unrefTimer(setTimeout(() => this.#exit(), graceMs));
    this.#controller.abort(reason);
  }

  #exit(): never {
    this.beforeExit();
    Deno.exit(this.#code);
  }

  listen(): void {
    const signals = [["SIGINT", ExitCode.interrupted], ["SIGTERM", ExitCode.terminated]] as const;
    for (const [signal, code] of signals) {
      try {
        Deno.addSignalListener(signal, () => this.request(signal, code));
      } catch {
        // This system does not have the signal: Windows knows no SIGTERM.
      }
    }
  }
}

/** Writes all of it; a reader that has gone ends the run, quietly. */
function writeAll(stream: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array, onBroken: () => void): void {
  try {
    for (let offset = 0; offset < bytes.length;) offset += stream.writeSync(bytes.subarray(offset));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    onBroken();
  }
}

/** What the named variables held at the start; afterwards the environment is out of reach. */
const environment = new Map<string, string>();

function readEnvironment(): void {
  for (const name of environmentNames) {
    const value = Deno.env.get(name);
    if (value !== undefined && value !== "") environment.set(name, value);
  }
}

function env(name: string): string | undefined {
  return environment.get(name);
}

function terminalOf(options: GlobalOptions): Terminal {
  const stderrIsTerminal = Deno.stderr.isTerminal();
  return {
    stdinIsTerminal: Deno.stdin.isTerminal(),
    stderrIsTerminal,
    color: stderrIsTerminal && !options.noColor && env("NO_COLOR") === undefined,
    columns() {
      const told = Number(env("COLUMNS"));
      if (Number.isInteger(told) && told > 0) return told;
      try {
        return Deno.consoleSize().columns || 80;
      } catch {
        return 80;
      }
    },
  };
}

/** Lines of stdin, as they come; bytes behind a line end are kept for the next. A stop ends the waiting. */
function lineReader(stop: AbortSignal): () => Promise<string | undefined> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(4096);
  const stopped = new Promise<null>((resolve) => stop.addEventListener("abort", () => resolve(null)));
  let pending = "";
  let isAtEnd = false;
  return async () => {
    while (!pending.includes("\n") && !isAtEnd) {
      const count = await Promise.race([Deno.stdin.read(buffer), stopped]);
      if (count === null) isAtEnd = true;
      else pending += decoder.decode(buffer.subarray(0, count), { stream: true });
    }
    if (pending === "") return undefined;
    const end = pending.includes("\n") ? pending.indexOf("\n") : pending.length;
    const line = pending.slice(0, end).replace(/\r$/, "");
    pending = pending.slice(end + 1);
    return line;
  };
}

async function contextOf(options: GlobalOptions, stop: Stop): Promise<Context> {
  const { makeConsole } = await import("./lib/cli/console.ts");
  const terminal = terminalOf(options);
  const console = makeConsole({
    json: options.json,
    quiet: options.quiet,
    terminal,
    date: () => Date.now(),
    writeOut: (bytes) =>
      writeAll(Deno.stdout, bytes, () => stop.code === undefined && stop.request("SIGTERM", brokenPipeCode)),
    writeErr: (bytes) => writeAll(Deno.stderr, bytes, () => {}),
  });
  stop.beforeExit = () => console.end();
  return {
    ...options,
    ...console,
    version: config.version,
    terminal,
    network,
    stop: stop.signal,
    env,
    readLine: lineReader(stop.signal),
    now: () => performance.now(),
    date: () => Date.now(),
    random: () => Math.random(),
  };
}

function helpText(): string {
  const all = Object.entries(summaries);
  const width = Math.max(...all.map(([name]) => name.length));
  return [
    `localbt ${config.version}: share files over the local network by BitTorrent`,
    "",
    "Usage: localbt <command> [options] [arguments]",
    "",
    "Commands:",
    ...all.map(([name, summary]) => `  ${name.padEnd(width)}  ${summary}`),
    "",
    "Options of every command: --json, -q/--quiet, -v/--verbose, --no-color, -h/--help, -V/--version",
    "More on one command: localbt <command> --help",
    "",
  ].join("\n");
}

/** The command's name and its arguments; options before the name go to the command too. */
function splitArgv(argv: readonly string[]): { name: string | undefined; args: string[] } {
  const at = argv.findIndex((arg) => !arg.startsWith("-"));
  if (at === -1) return { name: undefined, args: [...argv] };
  return { name: argv[at], args: [...argv.slice(0, at), ...argv.slice(at + 1)] };
}

async function loadCommand(name: string): Promise<Command> {
  if (Object.hasOwn(commands, name)) return await commands[name as CommandName]();
  const { nearestName } = await import("./lib/cli/args.ts");
  const near = nearestName(name, Object.keys(commands));
  throw new UserError("run this", `there is no command "${name}"`, {
    exitCode: ExitCode.usage,
    hint: near === undefined ? "localbt --help lists the commands" : `did you mean localbt ${near}?`,
  });
}

/** Runs one command line. @param context the run that the command joins (the menu's), if there is one */
async function runCommand(argv: readonly string[], stop: Stop, context?: Context): Promise<number> {
  const { name, args } = splitArgv(argv);
  const command = await loadCommand(name ?? "");
  const options = command.globals(args);
  const own = context ?? await contextOf(options, stop);
  if (options.help) own.out(command.help());
  else if (options.version) own.out(`localbt ${config.version}\n`);
  else return await command.run(own, args);
  return ExitCode.done;
}

/** No command: the menu where somebody can answer it, else the help. */
async function runWithoutCommand(argv: readonly string[], stop: Stop): Promise<number> {
  const context = await contextOf(noOptions, stop);
  if (argv.some((arg) => arg === "--help" || arg === "-h")) {
    context.out(helpText());
    return ExitCode.done;
  }
  if (argv.length > 0) {
    throw new UserError("run this", `${argv[0]} needs a command`, {
      exitCode: ExitCode.usage,
      hint: "localbt --help lists the commands",
    });
  }
  if (!context.terminal.stdinIsTerminal || !context.terminal.stderrIsTerminal) {
    context.err(helpText());
    return ExitCode.usage;
  }
  const { runMenu } = await import("./lib/cli/menu.ts");
  return await runMenu(context, async (argv) => {
    const code = await guarded(stop, () => runCommand(argv, stop, context));
    return code as ExitCode;
  });
}

/** Runs it and turns whatever is thrown into a line on stderr and an exit code. */
async function guarded(stop: Stop, run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    return await report(error, stop);
  }
}

async function report(error: unknown, stop: Stop): Promise<number> {
  const isOfStop = stop.signal.aborted &&
    (error === stop.signal.reason || (error instanceof DOMException && error.name === "AbortError"));
  if (isOfStop) return stop.code ?? ExitCode.failed;
  const { safeText } = await import("./lib/cli/text.ts");
  const [line, hint, code] = wordsOf(error);
  stop.beforeExit();
  const lines = [`localbt: ${line}`, ...hint === undefined ? [] : [hint]].map((line) => `${safeText(line)}\n`);
  if (env("LOCALBT_DEBUG") === "1" && error instanceof Error) lines.push(`${error.stack}\n`);
  writeAll(Deno.stderr, new TextEncoder().encode(lines.join("")), () => {});
  return code;
}

/** One line, a hint, and the exit code of an error. */
function wordsOf(error: unknown): [line: string, hint: string | undefined, code: ExitCode] {
  if (error instanceof UserError) return [error.message, error.hint, error.exitCode];
  if (error instanceof ProtocolError) return [`cannot read this: ${error.message}`, undefined, ExitCode.notATorrent];
  const words = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return [`internal error: ${words}`, "LOCALBT_DEBUG=1 shows where it happened", ExitCode.failed];
}

/** Runs the program. @returns the exit code */
async function main(argv: readonly string[]): Promise<number> {
  const stop = new Stop();
  stop.listen();
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    report(event.reason, stop).then((code) => Deno.exit(stop.code ?? code));
  });
  const code = await guarded(stop, () => {
    return splitArgv(argv).name === undefined ? runWithoutCommand(argv, stop) : runCommand(argv, stop);
  });
  stop.beforeExit();
  return stop.code ?? code;
}

if (import.meta.main) {
  if (Deno.args[0] === "-V" || Deno.args[0] === "--version") {
    console.log(`localbt ${config.version}`);
    Deno.exit(ExitCode.done);
  }
  readEnvironment();
  bypassProxyOnLan(Deno.env);
  giveUpRights(Deno.args);
  Deno.exit(await main(Deno.args));
}
