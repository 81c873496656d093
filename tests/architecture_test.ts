import { assert, assertEquals } from "@std/assert";
import { faultsOf, layerOf } from "./architecture/rules.ts";
import { blankOut, functionsOf, importsOf } from "./architecture/source_code.ts";

const root = new URL("../", import.meta.url);

/** What may stand beside each other at the top; what is not tracked is not looked at. */
const topLevel = [
  ...["deno.json", "main.ts", "lib", "tracker", "peer", "tests", "data", "scripts", ".ci"],
  ...["README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", ".gitignore"],
];
const untracked = [".git", ".cache", "node_modules", "bench-results"];

/** Paths of all TypeScript files below a folder, relative to the repository, with `/`. */
function* sourcesBelow(folder: string): Generator<string> {
  for (const entry of Deno.readDirSync(new URL(folder, root))) {
    const path = `${folder}${entry.name}`;
    if (entry.isDirectory) yield* sourcesBelow(`${path}/`);
    else if (path.endsWith(".ts")) yield path;
  }
}

Deno.test("the source keeps the rules of imports, purity, names and sizes", () => {
  const paths = [
    "main.ts",
    ...["lib/", "tracker/", "peer/", "tests/", "scripts/"].flatMap((folder) => [...sourcesBelow(folder)]),
  ];
  assert(paths.length > 50, `only ${paths.length} files were found`);
  const faults = paths.flatMap((path) => faultsOf(path, Deno.readTextFileSync(new URL(path, root))));
  assertEquals(faults, []);
});

Deno.test("the top of the tree holds what the design names and nothing else", () => {
  const names = [...Deno.readDirSync(root)].map((entry) => entry.name);
  const strangers = names.filter((name) => ![...topLevel, ...untracked].includes(name) && !name.startsWith("localbt"));
  assertEquals(strangers, []);
});

Deno.test("each test that SECURITY.md names is there", () => {
  const text = Deno.readTextFileSync(new URL("SECURITY.md", root));
  const named = [...text.matchAll(/`(tests\/[^`]+)`/g)].map(([, path]) => path);
  assert(named.length > 10, `only ${named.length} are named`);
  for (const path of named) Deno.statSync(new URL(path, root));
});

Deno.test("layerOf() knows each part of the tree", () => {
  const layers = ["main.ts", "lib/bytes.ts", "lib/wire/frame.ts", "lib/cli/args.ts", "lib/io/network.ts"].map(layerOf);
  assertEquals(layers, ["main", "lib", "lib", "lib/cli", "lib/io"]);
  assertEquals(["peer/torrent.ts", "peer/io/engine.ts", "tracker/io/x.ts", "tests/x.ts"].map(layerOf), [
    "peer",
    "peer/io",
    "tracker/io",
    "other",
  ]);
});

/** Faults of a file with a proper header, without the path in front. */
function faults(path: string, body: string): string[] {
  return faultsOf(path, `/** Header. */\n${body}`).map((fault) => fault.slice(path.length + 2));
}

Deno.test("faultsOf() refuses imports against the direction", () => {
  const bad: [path: string, specifier: string][] = [
    ["lib/bytes.ts", "../peer/torrent.ts"],
    ["lib/bytes.ts", "./io/network.ts"],
    ["lib/bytes.ts", "./cli/text.ts"],
    ["lib/io/network.ts", "../../tracker/swarm.ts"],
    ["peer/torrent.ts", "./io/engine.ts"],
    ["peer/torrent.ts", "../lib/io/network.ts"],
    ["peer/torrent.ts", "../lib/cli/text.ts"],
    ["peer/io/engine.ts", "../../tracker/swarm.ts"],
    ["tracker/io/listener.ts", "../../peer/io/engine.ts"],
    ["peer/io/engine.ts", "../../main.ts"],
    ["main.ts", "./peer/torrent.ts"],
    ["peer/torrent.ts", "../tests/cli/test_context.ts"],
    ["peer/torrent.ts", "npm:left-pad"],
    ["peer/torrent.ts", "left-pad"],
    ["peer/torrent.ts", "node:fs"],
    ["peer/io/engine.ts", "node:child_process"],
    ["main.ts", "node:vm"],
  ];
  for (const [path, specifier] of bad) {
    assertEquals(faults(path, `import { x } from "${specifier}";\n`).length, 1, `${path} ${specifier}`);
    assertEquals(faults(path, `const { x } = await0(import("${specifier}"));\n`).length, 1, `${path} ${specifier}`);
    assertEquals(faults(path, `export * from "${specifier}";\n`).length, 1, `${path} ${specifier}`);
    assertEquals(faults(path, `import "${specifier}";\n`).length, 1, `${path} ${specifier}`);
  }
});

Deno.test("faultsOf() lets imports along the direction pass", () => {
  assertEquals(faults("peer/io/engine.ts", 'import { x } from "../torrent.ts";\nimport fs from "node:fs";\n'), []);
  assertEquals(faults("lib/cli/context.ts", 'import type { Network } from "../io/network.ts";\n'), []);
  assertEquals(faults("lib/cli/context.ts", 'import { open } from "../io/network.ts";\n').length, 1);
  assertEquals(faults("lib/metainfo.ts", 'import { createHash } from "node:crypto";\n'), []);
  assertEquals(faults("main.ts", 'import config from "./deno.json" with { type: "json" };\n'), []);
});

Deno.test("faultsOf() refuses each effect in a core", () => {
  const bad = [
    ...[
      "Deno.readFileSync(path)",
      "setTimeout(f, 1)",
      "Date.now()",
      "new Date()",
      "performance.now()",
      "Math.random()",
    ],
    ...[
      "crypto.subtle.digest(a, b)",
      "crypto.getRandomValues(a)",
      "fetch (url)",
      "new Worker(url)",
      "globalThis.x",
      "Date()",
    ],
    ...["queueMicrotask(f)", "console.log(1)", "`${Date.now()}`", "randomBytes(4)"],
  ];
  for (const expression of bad) {
    for (const path of ["lib/x.ts", "lib/cli/x.ts", "tracker/x.ts", "peer/x.ts"]) {
      assert(faults(path, `export const x = ${expression};\n`).length > 0, `${path} ${expression}`);
    }
  }
  assertEquals(faults("peer/x.ts", "export async function f() {}\n").length, 1);
  assertEquals(faults("lib/cli/x.ts", "export async function f() { await g(); }\n"), []);
});

Deno.test("faultsOf() is not taken in by comments, strings and lookalikes", () => {
  const body = [
    "// Deno.exit, Date.now(), await",
    'const a = "Math.random()";',
    "const b = `Deno ${a} setTimeout(`;",
    "const c = /fetch (x)/;",
    "const d = table.fetch(1), e = new Date(0), f = this.crypto.x;",
  ];
  assertEquals(faults("peer/x.ts", `${body.join("\n")}\n`), []);
});

Deno.test("faultsOf() keeps sockets, environment, argv, streams and exit in main.ts, and other programs out", () => {
  const ofMain = [
    "Deno.args",
    "Deno.exit(1)",
    "Deno.listen(o)",
    "Deno.connect(o)",
    "Deno.listenDatagram(o)",
    "Deno.env.get(a)",
    "Deno.stdout",
    "console.log()",
  ];
  for (const expression of ofMain) {
    assertEquals(faults("peer/io/x.ts", `export const x = ${expression};\n`).length, 1, expression);
    assertEquals(faults("main.ts", `export const x = ${expression};\n`), [], expression);
  }
  for (const path of ["main.ts", "peer/io/x.ts"]) {
    assertEquals(faults(path, "export const x = new Deno.Command(a);\n").length, 1);
    assertEquals(faults(path, "export const x = Deno.dlopen(a);\n").length, 1);
  }
});

Deno.test("faultsOf() measures files and functions", () => {
  const lines = (count: number) => "  f();\n".repeat(count);
  assertEquals(faults("peer/x.ts", "f();\n".repeat(399)), []);
  assertEquals(faults("peer/x.ts", "f();\n".repeat(400)).length, 1);
  const heads = [
    "function f(a: number): void {",
    "export function f(): { a: number } {",
    "function f(a: Map<string, { b: number }>): Promise<Map<string, { b: number }>> {",
    "function f(a: unknown): a is string | undefined {",
    "const f = (a: number) => {",
    "const f = a => {",
    "const o = { m(a: number): number {",
    "class A { constructor(readonly a: number) {",
  ];
  for (const head of heads) {
    assertEquals(faults("peer/x.ts", `${head}\n${lines(68)}}\n`), [], head);
    assertEquals(faults("peer/x.ts", `${head}\n${lines(69)}}\n`).length, 1, head);
  }
  for (
    const head of [
      "class A {",
      "function f(): A {}\nexport class A extends B<C> {",
      "const o = {",
      "const o: A = {",
      "if (a) {",
      "for (const a of b) {",
      "interface I {",
    ]
  ) {
    assertEquals(faults("peer/x.ts", `${head}\n${lines(100)}}\n`), [], head);
  }
});

Deno.test("faultsOf() wants a header and a name that says something", () => {
  assertEquals(faultsOf("peer/x.ts", "const a = 1;\n").length, 1);
  assertEquals(faults("peer/pieceTable.ts", "").length, 1);
  assertEquals(faults("lib/string_utils.ts", "").length, 1);
});

Deno.test("blankOut() keeps code, quotes and lines, also inside templates", () => {
  assertEquals(blankOut("a /* x\ny */ b // c"), "a     \n     b     ");
  assertEquals(blankOut("`t${ {k: `u${v}`} }w` / 2 / d;"), "`    {k: `   v `}   ` / 2 / d;");
  assertEquals(blankOut(`x = /["']/.test(y) ? "\\"" : z;`), `x =       .test(y) ? "  " : z;`);
});

Deno.test("importsOf() finds every form of import", () => {
  const source = [
    'import a, { b } from "./a.ts";',
    'import type { C } from "./c.ts";',
    'export { d } from "./d.ts";',
    'export type { E } from "./e.ts";',
    'import {\n  type F,\n  g,\n} from "./f.ts";',
    'const h = await import("./h.ts");',
    'import "./i.ts";',
    '// import "./no.ts";',
  ];
  const found = importsOf(source.join("\n"));
  assertEquals(
    found.map(({ specifier }) => specifier).sort(),
    ["a", "c", "d", "e", "f", "h", "i"].map((name) => `./${name}.ts`),
  );
  assertEquals(found.filter(({ isTypeOnly }) => isTypeOnly).map(({ specifier }) => specifier), ["./c.ts", "./e.ts"]);
});

Deno.test("functionsOf() counts from the parameters to the closing brace", () => {
  const source = "const x = 1;\nfunction f(\n  a: number,\n): void {\n  g((b) => {\n    h();\n  });\n}\n";
  assertEquals(functionsOf(source), [{ line: 2, lineCount: 7 }, { line: 5, lineCount: 3 }]);
});
