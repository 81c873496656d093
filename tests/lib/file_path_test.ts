import { assert, assertEquals, assertFalse, assertLess, assertNotEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../lib/errors.ts";
import { isSafeToCreate, mapFilePaths, safePart } from "../../lib/file_path.ts";
import { seededRandom } from "./mutations.ts";

const utf8Length = (text: string) => new TextEncoder().encode(text).length;
const pathsOf = (...paths: string[]) =>
  mapFilePaths(paths.map((path) => path.split("/"))).map((to) => to.path.join("/"));

const hostileNames: [untrusted: string, safe: string][] = [
  ["", "_"],
  [".", "_"],
  ["..", "_"],
  ["...", "_"],
  [". .", "_"],
  [" ", "_"],
  ["/", "_"],
  ["\\", "_"],
  ["../../etc/passwd", "....etcpasswd"],
  ["..\\..\\windows", "....windows"],
  ["/etc/passwd", "etcpasswd"],
  ["C:\\boot.ini", "C_boot.ini"],
  ["C:", "C_"],
  ["file.txt:stream", "file.txt_stream"],
  ["\\\\server\\share", "servershare"],
  ["a\0b", "a_b"],
  ["\x1b]0;title\x07", "_]0;title_"],
  ["line\r\nend", "line__end"],
  ["\x7f\x85\x9b31m", "___31m"],
  ["\u2028x\u2029", "_x_"],
  ["gpj\u202Eexe.", "gpjexe"],
  ["\u200E\u200F\u061C\u2066a\u2069", "a"],
  ["a\u200Bb\u200Cc\u200Dd\u2060e\uFEFFf\u00ADg", "abcdefg"],
  ["\u200B", "_"],
  [".\u200B.", "_"],
  ["tag\u{E0041}", "tag"],
  ["bad\uFFFDutf8", "bad_utf8"],
  ["lone\uD800surrogate", "lone_surrogate"],
  ['<>:"|?*', "_______"],
  ["trailing. . .", "trailing"],
  ["trailing ", "trailing"],
  ["CON", "_CON"],
  ["con.txt", "_con.txt"],
  ["Aux.tar.gz", "_Aux.tar.gz"],
  ["nul .txt", "_nul .txt"],
  ["prn.", "_prn"],
  ["com1", "_com1"],
  ["LPT9.log", "_LPT9.log"],
  ["com¹", "_com¹"],
  ["CONIN$", "_CONIN$"],
  ["co\u200Bn", "_con"],
];

for (const [untrusted, safe] of hostileNames) {
  Deno.test(`safePart() makes ${JSON.stringify(untrusted)} harmless`, () => {
    assertEquals(safePart(untrusted), safe);
  });
}

Deno.test("safePart() leaves honest names alone", () => {
  const names = [
    "a",
    ".hidden",
    "..x",
    "a..b",
    "naïve café.txt",
    "日本語",
    "🎉 party.jpg",
    "-rf",
    "$HOME",
    "~",
    "com10",
  ];
  for (const name of [...names, "conman", "con-text.txt", "it's (2) [x] {y} & more; 100%.tar.gz", " leading"]) {
    assertEquals(safePart(name), name);
  }
});

Deno.test("safePart() is stable under itself", () => {
  for (const [untrusted] of hostileNames) assertEquals(safePart(safePart(untrusted)), safePart(untrusted), untrusted);
});

Deno.test("safePart() cuts a name to the same length however often it is asked", () => {
  // Deno 2.7's TextEncoder.encodeInto() counts Latin-1 wrongly from some 5,000th call on
  const name = "é".repeat(250);
  for (let i = 0; i < 30_000; i++) assertEquals(safePart(name).length, 120);
});

Deno.test("safePart() leaves names of plain characters alone, unless they are a device's or too long", () => {
  for (const name of ["a.b-c_D.9", "_", "-", "x".repeat(240), "console.log"]) assertEquals(safePart(name), name);
  for (const name of ["con.log", "AUX", "a.", ".a.", "x".repeat(241)]) assertNotEquals(safePart(name), name);
});

Deno.test("safePart() cuts to 240 bytes of whole characters and keeps the extension", () => {
  assertEquals(safePart("x".repeat(240)), "x".repeat(240));
  assertEquals(safePart("x".repeat(241)), "x".repeat(240));
  assertEquals(safePart(`${"x".repeat(300)}.mkv`), `${"x".repeat(236)}.mkv`);
  assertEquals(safePart(`${"é".repeat(300)}.mkv`), `${"é".repeat(118)}.mkv`);
  assertEquals(safePart(`${"🎉".repeat(100)}.x`), `${"🎉".repeat(59)}.x`);
  assertEquals(safePart(`name.${"x".repeat(300)}`), `name.${"x".repeat(235)}`);
  assertEquals(safePart(`${"x".repeat(239)} ${"y".repeat(100)}`), "x".repeat(239));
  assertEquals(safePart(`${"x".repeat(1e6)}.mkv`), `${"x".repeat(236)}.mkv`);
});

Deno.test("safePart() takes linear time for the worst names", () => {
  const start = performance.now();
  for (const filler of [".", " ", "\u200B", "/", "é", "\uD800"]) safePart(filler.repeat(1e6) + "x");
  for (let i = 0; i < 2000; i++) safePart(". ".repeat(900) + "x");
  assertLess(performance.now() - start, 5000);
});

Deno.test("isSafeToCreate() refuses control characters and what is no name", () => {
  for (const name of ["a\nb", "a\0", "\x1b[31m", "\x7f", "a\x85", "", ".", "..", "a/b", "bad\uFFFD", "\uD800"]) {
    assertFalse(isSafeToCreate(name), JSON.stringify(name));
  }
  for (const name of ["a", ".git", "Q: what?.txt", "naïve 🎉", "con", "trailing.", "back\\slash"]) {
    assert(isSafeToCreate(name), name);
  }
});

Deno.test("mapFilePaths() keeps honest paths and says nothing about them", () => {
  assertEquals(mapFilePaths([["r", "a"], ["r", "d", "a"], ["r", "d", "b.txt"]]), [
    { path: ["r", "a"] },
    { path: ["r", "d", "a"] },
    { path: ["r", "d", "b.txt"] },
  ]);
});

Deno.test("mapFilePaths() numbers names that collide, before the extension", () => {
  assertEquals(pathsOf("r/a.txt", "r/a.txt", "r/a.txt"), ["r/a.txt", "r/a (2).txt", "r/a (3).txt"]);
  assertEquals(pathsOf("r/.x", "r/.x", "r/y", "r/y"), ["r/.x", "r/.x (2)", "r/y", "r/y (2)"]);
});

Deno.test("mapFilePaths() tells names apart that differ only in case or composition", () => {
  assertEquals(pathsOf("r/README", "r/readme", "r/ReadMe"), ["r/README", "r/readme (2)", "r/ReadMe (3)"]);
  assertEquals(pathsOf("r/É", "r/é", "r/e\u0301"), ["r/É", "r/é (2)", "r/e\u0301 (3)"]);
  assertEquals(pathsOf("r/straße", "r/STRASSE"), ["r/straße", "r/STRASSE (2)"]);
});

Deno.test("mapFilePaths() tells folders apart that differ only in case, and keeps each together", () => {
  assertEquals(pathsOf("r/Dir/a", "r/dir/a", "r/Dir/b", "r/dir/b"), [
    "r/Dir/a",
    "r/dir (2)/a",
    "r/Dir/b",
    "r/dir (2)/b",
  ]);
});

Deno.test("mapFilePaths() never gives a file the path of a folder", () => {
  assertEquals(pathsOf("r/a", "r/a/b", "r/a/c"), ["r/a", "r/a (2)/b", "r/a (2)/c"]);
  assertEquals(pathsOf("r/a/b", "r/a", "r/A"), ["r/a/b", "r/a (2)", "r/A (3)"]);
});

Deno.test("mapFilePaths() lets honest names keep their names, wherever the odd ones come", () => {
  assertEquals(pathsOf("r/a?", "r/a_"), ["r/a_ (2)", "r/a_"]);
  assertEquals(pathsOf("r/A", "r/a", "r/a (2)"), ["r/A", "r/a (3)", "r/a (2)"]);
  assertEquals(pathsOf("r/../x", "r/_/x"), ["r/_ (2)/x", "r/_/x"]);
});

Deno.test("mapFilePaths() gives the exact path only where it differs and is harmless", () => {
  assertEquals(mapFilePaths([["r", "what?.txt"], ["r", "..", "x"], ["r", "a/b"], ["r", ""], ["r", "\n"]]), [
    { path: ["r", "what_.txt"], exactPath: ["r", "what?.txt"] },
    { path: ["r", "_", "x"] },
    { path: ["r", "ab"] },
    { path: ["r", "_ (2)"] },
    { path: ["r", "_ (3)"] },
  ]);
});

Deno.test("mapFilePaths() rejects a path without names and one that is too deep", () => {
  assertThrows(() => mapFilePaths([[]]), ProtocolError);
  assertEquals(mapFilePaths([new Array(101).fill("d")])[0].path.length, 101);
  assertThrows(() => mapFilePaths([new Array(102).fill("d")]), ProtocolError, "deep");
});

Deno.test("mapFilePaths() gives random hostile trees unique paths that stay inside", () => {
  const random = seededRandom(4);
  const words = ["a", "A", "a (2)", "", "..", ".", "con", "a?", "a_", "_", "é", "e\u0301", "x".repeat(300), "x/", "a."];
  const pick = () => words[Math.floor(random() * words.length)];
  for (let run = 0; run < 50; run++) {
    const names = Array.from(
      { length: 200 },
      () => ["r", ...Array.from({ length: 1 + Math.floor(random() * 3) }, pick)],
    );
    const paths = mapFilePaths(names).map(({ path }) => path);
    assertEquals(paths, mapFilePaths(names).map(({ path }) => path));
    const folded = paths.map((path) => path.join("/").normalize("NFC").toUpperCase());
    const files = new Set(folded);
    assertEquals(files.size, names.length);
    for (const path of folded) {
      for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) {
        assertFalse(files.has(path.slice(0, at)));
      }
    }
    for (const part of paths.flat()) {
      assert(/^[^/\\\p{Cc}]+$/u.test(part) && !/^\.*$/.test(part) && utf8Length(part) <= 240, part);
    }
  }
});

Deno.test("mapFilePaths() takes linear time for 200,000 files, honest or made to collide", () => {
  const trees: ((i: number) => string[])[] = [
    (i) => ["r", `d${i % 500}`, `f${i}`],
    () => ["r", "a"],
    (i) => ["r", "x".repeat(232) + String(i % 100_000).padStart(8, "0")],
    (i) => ["r", i % 2 === 0 ? "a" : `a (${i})`],
    (i) => [`r${i}`, "a?"],
  ];
  for (const tree of trees) {
    const start = performance.now();
    mapFilePaths(Array.from({ length: 200_000 }, (_, i) => tree(i)));
    assertLess(performance.now() - start, 15_000);
  }
});
