/** A Context for tests: captures what a command prints, and takes its time, input and terminal from the test. */
import type { Context, Terminal } from "../../lib/cli/context.ts";
import type { Network } from "../../lib/io/network.ts";

/** A Context and what was written through it. */
export interface TestContext extends Context {
  /** Text written to stdout so far. */
  readonly stdout: () => string;
  /** Text written to stderr so far. */
  readonly stderr: () => string;
  /** The `event()` objects so far, without their time. */
  readonly events: Record<string, unknown>[];
  /** Moves `now()` on. */
  advance(ms: number): void;
  /** Asks the command to stop, as the first Ctrl-C does. */
  interrupt(signal?: "SIGINT" | "SIGTERM"): void;
}

const loopback: Network = {
  listen: (options) => Deno.listen(options),
  connect: ({ hostname, port, signal }) =>
    Deno.connect(signal === undefined ? { hostname, port } : { hostname, port, signal }),
  listenDatagram: (options) => Deno.listenDatagram({ ...options, transport: "udp" }),
  interfaces: () => [],
};

/** A run whose clock stands still at 0 and whose stderr is no terminal, unless the overrides say otherwise. */
export function makeContext(
  overrides: Partial<Omit<Context, "terminal">> & {
    terminal?: Partial<Terminal>;
    input?: string[];
    clock?: () => number;
  } = {},
): TestContext {
  const { terminal, input = [], clock, ...rest } = overrides;
  const decoder = new TextDecoder();
  const controller = new AbortController();
  const events: Record<string, unknown>[] = [];
  let [stdout, stderr, now] = ["", "", 0];
  const base: Context = {
    json: false,
    quiet: false,
    verbose: false,
    version: "0.0.0-test",
    terminal: { stdinIsTerminal: false, stderrIsTerminal: false, color: false, columns: () => 80, ...terminal },
    network: loopback,
    stop: controller.signal,
    out: (text) => void (stdout += typeof text === "string" ? text : decoder.decode(text)),
    err: (text) => void (stderr += text),
    log: (line) => void (stderr += rest.quiet ? "" : `${line}\n`),
    warn: (line) => void (stderr += `${line}\n`),
    event: (event, fields = {}) => void (rest.json && events.push({ event, ...fields })),
    env: () => undefined,
    readLine: () => Promise.resolve(input.shift()),
    now: clock ?? (() => now),
    date: () => 1_700_000_000_000,
    random: () => 0.5,
  };
  return {
    ...base,
    ...rest,
    stdout: () => stdout,
    stderr: () => stderr,
    events,
    advance: (ms) => void (now += ms),
    interrupt: (signal = "SIGINT") => controller.abort(signal),
  };
}
