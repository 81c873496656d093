/**
 * Writes ./localbt by `deno compile`: one file that runs alone.
 *
 * The modules are bundled first, into one for each command and a few that commands share: loading some 30 modules one by
 * one takes 20 ms, a third of a short command's time. Where the bundler cannot be had (Deno fetches it from npm once), the
 * program is made of the modules as they are: the same, but slower to start.
 *
 * Takes `--target <name>` for another system (then the output is localbt-<target>, with .exe for Windows), and hands other
 * options, such as the import map of scripts/std.ts, to `deno compile`. DENORT_BIN names the runtime to use instead of
 * the one that Deno downloads.
 */
import { basename } from "node:path";
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

/** Loaded at run time by name, so the compiler does not see it: what the demo shares. */
const sample = "data/sample";
/** The same: the module of the disk workers. */
const worker = "lib/io/piece_worker.ts";
/**
 * Where the bundle is put: two folders deep, as the modules that name the worker (beside them) and the sample (two folders
 * up) by URL. Always the same, so that the same source gives the same program.
 */
const bundleFolder = ".cache/program";

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

/** Runs Deno, or the program that was built, to its end. @returns whether it did well, and what it said on stderr */
async function run(program: string, args: string[]): Promise<{ success: boolean; complaint: string }> {
  const certificates = Deno.env.get("DENO_TLS_CA_STORE") ?? "mozilla,system";
  const env = { DENO_TLS_CA_STORE: certificates, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" };
  const { success, stderr } = await new Deno.Command(program, { args, env, stdout: "inherit", stderr: "piped" })
    .output();
  return { success, complaint: new TextDecoder().decode(stderr).trim() };
}

function removeBundle(): void {
  try {
    Deno.removeSync(bundleFolder, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Bundles the program and its worker. @returns whether it could be done */
async function bundle(options: readonly string[]): Promise<boolean> {
  const bundler = ["bundle", "--quiet", "--no-check", "--platform", "deno", ...options];
  removeBundle();
  const ofMain = await run(Deno.execPath(), [...bundler, "--code-splitting", "--outdir", bundleFolder, "main.ts"]);
  if (!ofMain.success) {
    const [reason] = ofMain.complaint.split("\n");
    console.log(`build: the modules stay as they are, which starts 20 ms slower: no bundler here (${reason})`);
    return false;
  }
  const ofWorker = await run(Deno.execPath(), [...bundler, "--output", `${bundleFolder}/${basename(worker)}`, worker]);
  if (!ofWorker.success) fail(ofWorker.complaint);
  return true;
}

const { target, rest } = takeTarget(Deno.args);
const system = target ?? Deno.build.target;
const output = (target === undefined ? "localbt" : `localbt-${target}`) + (system.includes("windows") ? ".exe" : "");
const chosenTarget = target === undefined ? [] : ["--target", target];
const [importMap, others] = [true, false].map((isMap) =>
  rest.filter((option) => option.startsWith("--import-map=") === isMap)
);
const isBundled = await bundle(importMap);
// The bundle holds what the map leads to: without it the program does not carry the npm package as well.
const source = isBundled ? [...others, `${bundleFolder}/main.js`] : [...others, ...importMap, "main.ts"];
const compiled = await run(Deno.execPath(), [
  "compile",
  "--quiet",
  "--no-check",
  // V8's cache would lie in a file in /tmp whose name anybody can guess and take first; and it saves no time.
  "--no-code-cache",
  ...permissions,
  ...["--include", isBundled ? `${bundleFolder}/${basename(worker)}` : worker, "--include", sample],
  ...chosenTarget,
  "--output",
  output,
  ...source,
]);
removeBundle();
if (!compiled.success) fail(compiled.complaint);
if (compiled.complaint !== "") console.error(compiled.complaint);
if (target === undefined && !(await run(`./${output}`, ["--version"])).success) {
  Deno.removeSync(output);
  fail(`${output} does not start: a runtime given by DENORT_BIN must be that of Deno ${Deno.version.deno}`);
}
const bytes = Deno.readFileSync(output);
const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
console.log(`wrote ${output} (${(bytes.length / 2 ** 20).toFixed(0)} MiB), SHA-256 ${formatHex(digest)}`);
