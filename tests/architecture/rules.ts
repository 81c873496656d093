/** The rules of the house as a function: path and source of one file in, what is wrong with it out. */
import { blankOut, functionsOf, importsOf } from "./source_code.ts";

/** Where a file stands; see "Who may import whom" in CONTRIBUTING.md. */
export type Layer = "main" | "lib" | "lib/cli" | "lib/io" | "tracker" | "tracker/io" | "peer" | "peer/io" | "other";

const fileLinesMax = 400;
const functionLinesMax = 70;

/** What each layer may load, beside itself. */
const mayImport: Readonly<Record<Exclude<Layer, "other">, readonly Layer[]>> = {
  main: ["lib", "lib/cli", "lib/io", "tracker/io", "peer/io"],
  lib: [],
  "lib/cli": ["lib"],
  "lib/io": ["lib"],
  tracker: ["lib"],
  "tracker/io": ["lib", "lib/cli", "lib/io", "tracker"],
  peer: ["lib"],
  "peer/io": ["lib", "lib/cli", "lib/io", "peer"],
};

/** What a layer may name in types only: a Context carries a Network. */
const mayImportTypes: Partial<Record<Layer, readonly Layer[]>> = { "lib/cli": ["lib/io"] };

/** Layers without effects. */
const pureLayers: readonly Layer[] = ["lib", "lib/cli", "tracker", "peer"];
/** Layers that never wait, so that nothing changes between a check and its use; lib/cli only awaits what it is given. */
const synchronousLayers: readonly Layer[] = ["lib", "tracker", "peer"];

/** Clock, luck, timers, disk, sockets, threads and the process. */
const effects: readonly [pattern: RegExp, what: string][] = [
  [/\bDeno\b/, "Deno"],
  [/\b(?:set|clear)(?:Timeout|Interval|Immediate)\b/, "timers"],
  [/\bqueueMicrotask\b/, "microtasks"],
  [/\bDate\.now\b|\bnew Date\(\s*\)|(?<!\bnew )\bDate\(/, "the clock"],
  [/\bperformance\b/, "the clock"],
  [/\bMath\.random\b/, "Math.random"],
  [/\b(?:getRandomValues|randomUUID|randomBytes|randomInt)\b/, "randomness"],
  [/(?<![.\w])crypto\./, "WebCrypto"],
  [/(?<![.\w])fetch\s*\(/, "fetch"],
  [/\bnew (?:Worker|WebSocket|BroadcastChannel|MessageChannel)\b/, "threads and channels"],
  [/\bglobalThis\b/, "globalThis"],
  [/(?<![.\w])process\./, "process"],
  [/(?<![.\w])console\./, "console"],
];

/** Packages of deno.json beside @std: codecs without effects, and those that only io may load. */
const purePackages: readonly string[] = ["dns-packet"];
const packages: readonly string[] = [...purePackages, "@serenity-kit/opaque", "uqr"];

/** Things that only main.ts does. */
const ofMainOnly: readonly [pattern: RegExp, what: string][] = [
  [/\bDeno\.(?:args|exit)\b/, "Deno.args and Deno.exit"],
  [/\bDeno\.(?:listen|listenTls|listenDatagram|connect|connectTls)\b/, "Deno.listen and Deno.connect"],
  [/\bDeno\.env\b/, "the environment"],
  [/\bDeno\.(?:add|remove)SignalListener\b/, "signals"],
  [/\bDeno\.(?:stdin|stdout|stderr)\b|\bconsole\./, "the process's streams"],
];
/** Things that the program never does, so that the compiled one has no permission for them. */
const neverDone: readonly [pattern: RegExp, what: string][] = [
  [/\bDeno\.(?:Command|run|dlopen)\b/, "other programs or libraries"],
  [/\beval\s*\(|\bnew Function\b/, "code from text"],
];

/** The layer of a path that is relative to the repository, with `/`. */
export function layerOf(path: string): Layer {
  if (path === "main.ts") return "main";
  const [top, second] = path.split("/");
  if (top === "lib") return second === "cli" || second === "io" ? `lib/${second}` : "lib";
  if (top === "tracker" || top === "peer") return second === "io" ? `${top}/io` : top;
  return "other";
}

/** What is wrong with a source file, one sentence each; nothing for a file that keeps the rules. */
export function faultsOf(path: string, source: string): string[] {
  const layer = layerOf(path);
  const code = blankOut(source);
  const faults = [...sizeFaults(source), ...nameFaults(path)];
  if (layer !== "other") {
    faults.push(...importFaults(path, layer, source), ...wordFaults(layer, code));
    if (!source.startsWith("/**")) faults.push("does not begin with a comment that says what it owns");
  }
  return faults.map((fault) => `${path}: ${fault}`);
}

function sizeFaults(source: string): string[] {
  const lines = source.split("\n").length - 1;
  const faults = lines > fileLinesMax ? [`has ${lines} lines, over ${fileLinesMax}`] : [];
  for (const { line, lineCount } of functionsOf(source)) {
    if (lineCount > functionLinesMax) faults.push(`has a function of ${lineCount} lines at line ${line}`);
  }
  return faults;
}

function nameFaults(path: string): string[] {
  const name = path.split("/").at(-1)!;
  if (!/^[a-z][a-z0-9_]*\.(?:ts|py)$/.test(name)) return ["is not named in snake_case"];
  return /(?:^|_)(?:utils?|helpers?|common|manager|misc)(?:_|\.)/.test(name) ? ["is named after nothing"] : [];
}

function importFaults(path: string, layer: Exclude<Layer, "other">, source: string): string[] {
  const faults: string[] = [];
  for (const { specifier, isTypeOnly } of importsOf(source)) {
    if (!specifier.startsWith(".")) {
      faults.push(...packageFaults(layer, specifier));
      continue;
    }
    const target = new URL(specifier, `file:///${path}`).pathname.slice(1);
    if (target === "deno.json" && layer === "main") continue;
    const other = layerOf(target);
    const allowed = [layer, ...mayImport[layer], ...isTypeOnly ? mayImportTypes[layer] ?? [] : []];
    if (!allowed.includes(other)) faults.push(`imports ${target}: ${layer} may not import ${other}`);
  }
  return faults;
}

function packageFaults(layer: Layer, specifier: string): string[] {
  if (/^(?:npm|jsr|https?|data|blob|file):/.test(specifier)) return [`imports ${specifier}: name it in deno.json`];
  if (/^node:(?:child_process|cluster|inspector|module|repl|sqlite|vm|wasi|worker_threads)(?:\/|$)/.test(specifier)) {
    return [`imports ${specifier}: other programs, or code from text`];
  }
  const isPure = pureLayers.includes(layer);
  // A hash is a function of its bytes, the randomness of node:crypto is refused by its names; a Buffer is bytes.
  if (isPure && specifier.startsWith("node:") && !["node:crypto", "node:buffer"].includes(specifier)) {
    return [`imports ${specifier}, an effect`];
  }
  if (isPure ? purePackages.includes(specifier) : packages.includes(specifier)) return [];
  return /^(?:node:|@std\/)/.test(specifier) ? [] : [`imports ${specifier}, which deno.json does not name`];
}

function wordFaults(layer: Layer, code: string): string[] {
  const rules: [pattern: RegExp, words: string][] = neverDone.map(([pattern, what]) => [pattern, `uses ${what}`]);
  if (layer !== "main") {
    rules.push(...ofMainOnly.map(([pattern, what]) => [pattern, `uses ${what}: for main.ts`] as [RegExp, string]));
  }
  if (pureLayers.includes(layer)) {
    rules.push(
      ...effects.map(([pattern, what]) => [pattern, `uses ${what} in ${layer}, which is pure`] as [RegExp, string]),
    );
  }
  if (synchronousLayers.includes(layer)) rules.push([/\b(?:await|async)\b/, `waits in ${layer}, which is synchronous`]);
  const faults: string[] = [];
  for (const [pattern, words] of rules) {
    const match = pattern.exec(code);
    if (match) faults.push(`${words} (line ${code.slice(0, match.index).split("\n").length})`);
  }
  return faults;
}
