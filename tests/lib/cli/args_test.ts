import { assertEquals, assertMatch, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import {
  choice,
  command,
  count,
  decimal,
  duration,
  flag,
  nearestName,
  rate,
  size,
  text,
  texts,
} from "../../../lib/cli/args.ts";
import { ExitCode, UserError } from "../../../lib/errors.ts";
import { makeContext } from "../../cli/test_context.ts";

const options = {
  output: text({ short: "o", value: "DIR", help: "where to put it", defaultText: "here" }),
  name: text({ value: "NAME", help: "a name", default: "unnamed" }),
  announce: texts({ short: "a", value: "URL", help: "a tracker" }),
  force: flag({ short: "f", help: "overwrite" }),
  noDate: flag({ help: "leave the date out" }),
  port: count({ value: "PORT", help: "where to listen", min: 1, max: 65535, default: 6881 }),
  pieceLength: size({ short: "l", value: "SIZE", help: "bytes of a piece", min: 16384 }),
  uploadLimit: rate({ value: "RATE", help: "bytes a second" }),
  seedRatio: decimal({ value: "N", help: "stop at" }),
  timeout: duration({ value: "TIME", help: "give up after" }),
  strategy: choice({
    value: "NAME",
    help: "which first",
    choices: ["rarest-first", "random"],
    default: "rarest-first",
  }),
};

function run(args: string[], operands = "[any]…") {
  const seen: { values?: unknown; operands?: string[] } = {};
  const made = command({
    name: "test",
    summary: "for tests",
    operands,
    options,
    examples: ["localbt test x"],
    run(_context, values, operands) {
      Object.assign(seen, { values, operands });
      return Promise.resolve(ExitCode.done);
    },
  });
  return made.run(makeContext(), args).then(() => seen as { values: Record<string, unknown>; operands: string[] });
}

async function refusal(args: string[], operands?: string): Promise<string> {
  const error = await assertRejects(() => run(args, operands), UserError);
  assertEquals(error.exitCode, ExitCode.usage);
  return `${error.message} | ${error.hint}`;
}

Deno.test("command() gives defaults where an option is absent", async () => {
  const { values, operands } = await run([]);
  assertEquals(values, {
    output: undefined,
    name: "unnamed",
    announce: [],
    force: false,
    noDate: false,
    port: 6881,
    pieceLength: undefined,
    uploadLimit: undefined,
    seedRatio: undefined,
    timeout: undefined,
    strategy: "rarest-first",
  });
  assertEquals(operands, []);
});

Deno.test("command() reads values after =, after a space, and directly after a short name", async () => {
  for (const args of [["--output=x y"], ["--output", "x y"], ["-o", "x y"], ["-ox y"], ["-o=x y"], ["-qfo", "x y"]]) {
    assertEquals((await run(args)).values.output, "x y", args.join(" "));
  }
  const { values } = await run([
    "--piece-length",
    "256K",
    "--upload-limit=20M",
    "--timeout",
    "10m",
    "--seed-ratio",
    "1.5",
  ]);
  assertEquals(
    [values.pieceLength, values.uploadLimit, values.timeout, values.seedRatio],
    [262144, 20971520, 600000, 1.5],
  );
});

Deno.test("command() collects repeated options in order, and the last of the others counts", async () => {
  const { values } = await run(["-a", "http://a", "--announce=http://b", "-ahttp://c", "--port", "1", "--port", "2"]);
  assertEquals(values.announce, ["http://a", "http://b", "http://c"]);
  assertEquals(values.port, 2);
});

Deno.test("command() keeps operands as they were written, between and after options, and all after --", async () => {
  const { values, operands } = await run(["1e3", "--json", "true", "-f", "007", "-", "--", "--force", "-x", "--"]);
  assertEquals(operands, ["1e3", "true", "007", "-", "--force", "-x", "--"]);
  assertEquals(values.force, true);
});

Deno.test("command() takes - and negative numbers as values, and an empty one behind =", async () => {
  assertEquals((await run(["-o", "-"])).values.output, "-");
  assertEquals((await run(["--output="])).values.output, "");
  assertStringIncludes(await refusal(["--port", "-5"]), 'option --port needs a whole number, not "-5"');
});

Deno.test("command() has --no-date as an option of its own", async () => {
  assertEquals((await run(["--no-date"])).values.noDate, true);
  assertStringIncludes(await refusal(["--no-force"]), "there is no option --no-force");
});

Deno.test("command() refuses an unknown option and names the nearest", async () => {
  assertEquals(
    await refusal(["--anounce", "x"]),
    "cannot run test: there is no option --anounce | did you mean --announce?; see localbt test --help",
  );
  assertStringIncludes(await refusal(["--piece"]), "did you mean --piece-length?");
  assertEquals(await refusal(["--zzzzzz"]), "cannot run test: there is no option --zzzzzz | see localbt test --help");
  assertStringIncludes(await refusal(["-fz"]), "there is no option -z (in -fz)");
  assertStringIncludes(await refusal(["--__proto__=1"]), "there is no option --__proto__");
  assertStringIncludes(await refusal(["--a.b"]), "there is no option --a.b");
  assertStringIncludes(await refusal(["--pieceLength", "1M"]), "did you mean --piece-length?");
});

Deno.test("command() refuses a missing, needless or malformed value", async () => {
  assertStringIncludes(await refusal(["--output"]), "option --output needs a value (DIR)");
  assertStringIncludes(await refusal(["-o", "--force"]), "option -o needs a value (DIR)");
  assertStringIncludes(await refusal(["--force=yes"]), "option --force takes no value");
  assertStringIncludes(await refusal(["-f=yes"]), "option -f takes no value");
  assertStringIncludes(await refusal(["--port", "0"]), "option --port must be at least 1, not 0");
  assertStringIncludes(await refusal(["--port", "65536"]), "option --port must be at most 65535, not 65536");
  assertStringIncludes(await refusal(["--port", "80x"]), 'option --port needs a whole number, not "80x"');
  assertStringIncludes(await refusal(["-l", "1K"]), "option --piece-length must be at least 16384, not 1K");
  assertStringIncludes(await refusal(["--timeout", "soon"]), "needs a duration such as 90s, 10m or 1h");
  assertStringIncludes(await refusal(["--strategy", "best"]), 'must be rarest-first or random, not "best"');
});

Deno.test("command() checks the number of operands against their placeholders", async () => {
  assertStringIncludes(await refusal([], "<file.torrent>"), "<file.torrent> is missing");
  assertStringIncludes(await refusal([], "<file or folder>…"), "<file or folder>… is missing");
  assertStringIncludes(await refusal(["a", "b c"], "<file.torrent | magnet>"), 'it does not take "b c"');
  assertStringIncludes(await refusal(["a"], ""), 'it does not take "a"');
  assertEquals((await run(["a", "b"], "<file.torrent>…")).operands, ["a", "b"]);
});

Deno.test("Command.globals() finds the options of every command wherever they stand", () => {
  const made = command({
    name: "test",
    summary: "for tests",
    operands: "",
    options,
    examples: [],
    run: () => Promise.resolve(ExitCode.done),
  });
  const off = { json: false, quiet: false, verbose: false, noColor: false, help: false, version: false };
  assertEquals(made.globals(["x"]), off);
  assertEquals(made.globals(["--json", "-qv", "x", "--no-color"]), {
    ...off,
    json: true,
    quiet: true,
    verbose: true,
    noColor: true,
  });
  assertEquals(made.globals(["--", "--json", "-h"]), off);
  assertEquals(made.globals(["--bogus", "-h"]).help, true);
  assertThrows(() => made.globals(["--bogus"]), UserError);
});

Deno.test("Command.help() shows usage, every option with its default, and the examples", () => {
  const help = command({
    name: "test",
    summary: "for tests",
    operands: "<file.torrent>…",
    options,
    examples: ["localbt test x"],
    run: () => Promise.resolve(ExitCode.done),
  }).help();
  assertStringIncludes(help, "Usage: localbt test [options] <file.torrent>…\n");
  assertMatch(help, /^ {2}-o, --output DIR +where to put it \(default: here\)$/m);
  assertMatch(help, /^ {2}-a, --announce URL +a tracker \(may be repeated\)$/m);
  assertMatch(help, /^ {6}--port PORT +where to listen \(default: 6881\)$/m);
  assertMatch(help, /^ {2}-V, --version +show the version$/m);
  assertStringIncludes(help, "Examples:\n  localbt test x\n");
  assertEquals(help.split("\n").filter((line) => line.length > 110), []);
});

Deno.test("nearestName() finds a slip of the finger and nothing far-fetched", () => {
  const commands = ["create", "info", "verify", "tracker", "seed", "download", "demo"];
  assertEquals(nearestName("downlaod", commands), "download");
  assertEquals(nearestName("sed", commands), "seed");
  assertEquals(nearestName("down", commands), "download");
  assertEquals(nearestName("banana", commands), undefined);
});
