import { assert, assertFalse } from "@std/assert";
import { PathPattern } from "../../peer/path_pattern.ts";

function matches(pattern: string, path: string): boolean {
  const isFolder = path.endsWith("/");
  return new PathPattern(pattern).matches(path.replace(/\/$/, "").split("/"), { isFolder });
}

const cases: [pattern: string, yes: string[], no: string[]][] = [
  ["*.tmp", ["a.tmp", "deep/er/b.tmp", ".tmp"], ["a.tmp2", "a.tmp/x"]],
  ["?.txt", ["a.txt", "d/ж.txt", "😀.txt"], ["ab.txt", ".txt"]],
  ["[ab]*.bin", ["a1.bin", "b.bin"], ["c.bin"]],
  ["[!ab].bin", ["c.bin"], ["a.bin"]],
  ["[a-c]x", ["bx"], ["dx", "-x"]],
  ["docs/*.md", ["docs/a.md"], ["a.md", "docs/x/a.md", "other/docs/a.md"]],
  ["docs/**/*.md", ["docs/a.md", "docs/x/y/a.md"], ["a.md"]],
  ["**/cache", ["cache", "x/y/cache"], ["x/cache2"]],
  ["build/", ["build/", "x/build/"], ["build", "x/build"]],
  ["/top", ["top"], ["x/top"]],
  ["a.b", ["a.b"], ["axb"]],
  ["a+(b)$", ["a+(b)$"], ["aab"]],
  ["[", ["["], ["a"]],
  ["[]]", ["]"], ["["]],
];

for (const [pattern, yes, no] of cases) {
  Deno.test(`PathPattern "${pattern}" matches what a shell's would`, () => {
    for (const path of yes) assert(matches(pattern, path), `${path} is not matched`);
    for (const path of no) assertFalse(matches(pattern, path), `${path} is matched`);
  });
}
