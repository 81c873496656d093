/**
 * Writes ./localbt by `deno compile`: one file that runs alone.
 *
 * Takes `--target <name>` for another system (then the output is localbt-<target>, with .exe for Windows), and hands other
 * options, such as the import map of scripts/std.ts, to `deno compile`. DENORT_BIN names the runtime to use instead of
 * the one that Deno downloads.
 */
import { crypto } from "@std/crypto";
import { formatHex } from "../lib/bytes.ts";

const targets = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
];

/** All of them, to be given up at the start by lib/io/rights.ts, which says why; nothing is ever asked for. */
const permissions = ["--allow-all", "--no-prompt"];

/** Loaded at run time by name, so the compiler does not see them: the worker, and what the demo shares. */
const hidden = ["lib/io/piece_worker.ts", "data/sample"];

function fail(message: string): never {
  console.error(`build: ${message}`);
  Deno.exit(2);
}

/** The value of `--target x` or `--target=x`, and the arguments without it. */
function takeTarget(args: readonly string[]): { target: string | undefined; rest: string[] } {
  const at = args.findIndex((arg) => arg === "--target" || arg.startsWith("--target="));
  if (at === -1) return { target: undefined, rest: [...args] };
  const [, inline] = args[at].split("=");
  const target = inline ?? args[at + 1] ?? "";
  if (!targets.includes(target)) fail(`--target takes one of:\n  ${targets.join("\n  ")}`);
  return { target, rest: args.filter((_, i) => i !== at && (inline !== undefined || i !== at + 1)) };
}

/** Runs a program to its end with its output shown. @returns its exit code */
async function run(program: string, args: string[]): Promise<number> {
  const env = { DENO_TLS_CA_STORE: Deno.env.get("DENO_TLS_CA_STORE") ?? "mozilla,system", DENO_NO_UPDATE_CHECK: "1" };
  const { code } = await new Deno.Command(program, { args, env, stdin: "null", stdout: "inherit", stderr: "inherit" })
    .spawn().status;
  return code;
}

const { target, rest } = takeTarget(Deno.args);
const system = target ?? Deno.build.target;
const output = (target === undefined ? "localbt" : `localbt-${target}`) + (system.includes("windows") ? ".exe" : "");
const included = hidden.flatMap((path) => ["--include", path]);
const chosenTarget = target === undefined ? [] : ["--target", target];
const code = await run(Deno.execPath(), [
  "compile",
  "--quiet",
  "--no-check",
  ...permissions,
  ...included,
  ...chosenTarget,
  "--output",
  output,
  ...rest,
  "main.ts",
]);
if (code !== 0) Deno.exit(code);
if (target === undefined && await run(`./${output}`, ["--version"]) !== 0) {
  Deno.removeSync(output);
  fail(`${output} does not start: a runtime given by DENORT_BIN must be that of Deno ${Deno.version.deno}`);
}
const bytes = Deno.readFileSync(output);
const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
console.log(`wrote ${output} (${(bytes.length / 2 ** 20).toFixed(0)} MiB), SHA-256 ${formatHex(digest)}`);
