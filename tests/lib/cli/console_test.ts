import { assertEquals } from "@std/assert";
import { makeConsole } from "../../../lib/cli/console.ts";

/** A console whose two streams are kept in the order of writing. */
function consoleOn(options: { json?: boolean; quiet?: boolean; color?: boolean; isTerminal?: boolean } = {}) {
  const { json = false, quiet = false, color = false, isTerminal = true } = options;
  const decoder = new TextDecoder();
  const written: string[] = [];
  const console = makeConsole({
    json,
    quiet,
    terminal: { stdinIsTerminal: false, stderrIsTerminal: isTerminal, color, columns: () => 11 },
    date: () => Date.UTC(2026, 0, 2, 3, 4, 5, 6),
    writeOut: (bytes) => void written.push(`out:${decoder.decode(bytes)}`),
    writeErr: (bytes) => void written.push(`err:${decoder.decode(bytes)}`),
  });
  return { console, written };
}

Deno.test("Console.log() clears the progress line first, with or without colours", () => {
  const plain = consoleOn();
  plain.console.err("\r 10 %");
  plain.console.log("a note");
  plain.console.log("another");
  assertEquals(plain.written, ["err:\r 10 %", `err:\r${" ".repeat(10)}\ra note\n`, "err:another\n"]);
  const colored = consoleOn({ color: true });
  colored.console.err("\r 10 %");
  colored.console.log("a note");
  assertEquals(colored.written.at(-1), "err:\r\x1b[Ka note\n");
});

Deno.test("Console.out() never lands behind the progress line", () => {
  const { console, written } = consoleOn({ color: true });
  console.err("\r 10 %");
  console.out("result\n");
  console.out(new Uint8Array([65, 10]));
  assertEquals(written, ["err:\r 10 %", "err:\r\x1b[K", "out:result\n", "out:A\n"]);
});

Deno.test("Console.log() is silent with --quiet, and warn() is not", () => {
  const { console, written } = consoleOn({ quiet: true });
  console.log("a note");
  console.warn("a warning");
  assertEquals(written, ["err:a warning\n"]);
});

Deno.test("Console.event() prints one JSON line with its time, and only with --json", () => {
  const json = consoleOn({ json: true });
  json.console.event("peer", { peers: 2 });
  assertEquals(json.written, ['out:{"event":"peer","time":"2026-01-02T03:04:05.006Z","peers":2}\n']);
  const text = consoleOn();
  text.console.event("peer");
  assertEquals(text.written, []);
});

Deno.test("Console.end() ends an open line once, and only an open one", () => {
  const { console, written } = consoleOn({ isTerminal: false });
  console.end();
  console.err("half");
  console.end();
  console.end();
  assertEquals(written, ["err:half", "err:\n"]);
});
