/**
 * What a command says: results to stdout, everything else to stderr, and the progress line out of the way of both.
 *
 * Owns the state of the line under the cursor; the two streams come from main.ts.
 */
import type { Context, Terminal } from "./context.ts";

/** Where the bytes go, and what shapes them. */
export interface ConsoleOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly terminal: Terminal;
  /** Milliseconds since 1970, for the `time` of events. */
  date(): number;
  writeOut(bytes: Uint8Array): void;
  writeErr(bytes: Uint8Array): void;
}

export type Console = Pick<Context, "out" | "err" | "log" | "warn" | "event"> & {
  /** Ends a line that was left open on stderr, so that the shell's prompt begins at the left. */
  end(): void;
};

/** Makes the speaking part of a Context. */
export function makeConsole(options: ConsoleOptions): Console {
  const { terminal, quiet, json } = options;
  const encoder = new TextEncoder();
  let isLineOpen = false;

  const err = (text: string) => {
    if (text === "") return;
    options.writeErr(encoder.encode(text));
    isLineOpen = !text.endsWith("\n");
  };
  const eraser = () => {
    if (!isLineOpen || !terminal.stderrIsTerminal) return "";
    return terminal.color ? "\r\x1b[K" : `\r${" ".repeat(Math.max(0, terminal.columns() - 1))}\r`;
  };
  const out = (text: string | Uint8Array) => {
    // stdout may be the same screen: what is printed there must not land behind the progress line.
    if (isLineOpen) {
      options.writeErr(encoder.encode(eraser()));
      isLineOpen = false;
    }
    options.writeOut(typeof text === "string" ? encoder.encode(text) : text);
  };
  const warn = (line: string) => err(`${eraser()}${line}\n`);
  return {
    out,
    err,
    warn,
    log: (line) => quiet ? undefined : warn(line),
    event(event, fields = {}) {
      if (json) out(`${JSON.stringify({ event, time: new Date(options.date()).toISOString(), ...fields })}\n`);
    },
    end: () => isLineOpen ? err("\n") : undefined,
  };
}
