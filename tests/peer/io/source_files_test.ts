import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { dirname } from "node:path";
import { UserError } from "../../../lib/errors.ts";
import { PathPattern } from "../../../peer/path_pattern.ts";
import { compareUtf8, SourceFiles, type SourceOptions } from "../../../peer/io/source_files.ts";
import { TempFolder } from "./sample_torrent.ts";

const isWindows = Deno.build.os === "windows";

async function fill(temp: TempFolder, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const path = temp.at("root", ...name.split("/"));
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeTextFile(path, name);
  }
}

async function namesOf(temp: TempFolder, options: Partial<SourceOptions> = {}): Promise<string[]> {
  const { files } = await SourceFiles.list({ path: temp.at("root"), ...options });
  return files.map((file) => file.path.join("/"));
}

Deno.test("SourceFiles.list() orders names by their bytes, folder by folder, hidden ones included", async () => {
  await using temp = await TempFolder.make();
  await fill(temp, ["b", "a/z", "a.txt", "a/.hidden", "B", "ж", "\u{1F600}", "\uFF5E", ".dot", "a-b/x"]);
  assertEquals(await namesOf(temp), [
    ".dot",
    "B",
    "a/.hidden",
    "a/z",
    "a-b/x",
    "a.txt",
    "b",
    "ж",
    "\uFF5E",
    "\u{1F600}",
  ]);
});

Deno.test("SourceFiles.list() takes a single file by its own name", async () => {
  await using temp = await TempFolder.make();
  await fill(temp, ["one.bin"]);
  const source = await SourceFiles.list({ path: temp.at("root", "one.bin") });
  assertEquals([source.name, source.isMultiFile, source.totalLength], ["one.bin", false, 7]);
  assertEquals(source.files, [{ path: [], absolutePath: temp.at("root", "one.bin"), length: 7 }]);
});

Deno.test({
  name: "SourceFiles.list() leaves out links and fifos, and says so",
  ignore: isWindows,
  async fn() {
    await using temp = await TempFolder.make();
    await fill(temp, ["a"]);
    await Deno.symlink("/etc/passwd", temp.at("root", "link"));
    await Deno.symlink("/etc", temp.at("root", "linked-folder"));
    await new Deno.Command("mkfifo", { args: [temp.at("root", "pipe")] }).output();
    const skipped: string[] = [];
    assertEquals(await namesOf(temp, { onSkip: (path, why) => skipped.push(`${path}: ${why}`) }), ["a"]);
    assertEquals(skipped, [
      `${temp.at("root", "link")}: it is a link`,
      `${temp.at("root", "linked-folder")}: it is a link`,
      `${temp.at("root", "pipe")}: it is neither a file nor a folder`,
    ]);
  },
});

Deno.test("SourceFiles.list() leaves out what a pattern matches, whole folders too", async () => {
  await using temp = await TempFolder.make();
  await fill(temp, ["a.txt", "a.tmp", "cache/x", "sub/cache/y", "sub/b.tmp", "sub/c"]);
  const exclude = ["*.tmp", "/cache"].map((pattern) => new PathPattern(pattern));
  assertEquals(await namesOf(temp, { exclude }), ["a.txt", "sub/c", "sub/cache/y"]);
});

Deno.test("SourceFiles.list() leaves out the files that are to be ignored", async () => {
  await using temp = await TempFolder.make();
  await fill(temp, ["a", "root.torrent"]);
  assertEquals(await namesOf(temp, { ignore: new Set([temp.at("root", "root.torrent")]) }), ["a"]);
});

Deno.test("SourceFiles.list() refuses what is not there, by its path", async () => {
  await using temp = await TempFolder.make();
  await assertRejects(() => namesOf(temp), UserError, `cannot read ${temp.at("root")}: there is no such file`);
});

Deno.test({
  name: "SourceFiles.list() refuses names with control characters, unless they are excluded",
  ignore: isWindows,
  async fn() {
    await using temp = await TempFolder.make();
    await fill(temp, ["bad\nname"]);
    await assertRejects(() => namesOf(temp), UserError, "its name has characters");
    assertEquals(await namesOf(temp, { exclude: [new PathPattern("bad*")] }), []);
  },
});

Deno.test({
  name: "SourceFiles.list() refuses names that are not UTF-8",
  // Deno 2.7 does not list them
  ignore: Deno.build.os !== "linux" || Deno.version.deno.startsWith("2.7."),
  async fn() {
    await using temp = await TempFolder.make();
    await fill(temp, ["a"]);
    const script = 'printf x > "$(printf "$1/\\377.txt")"';
    await new Deno.Command("sh", { args: ["-c", script, "sh", temp.at("root")] }).output();
    await assertRejects(() => namesOf(temp), UserError, "its name is not valid UTF-8");
  },
});

Deno.test({
  name: "SourceFiles.list() names the folder that may not be read",
  // root may read everything
  ignore: isWindows || Deno.uid() === 0,
  async fn() {
    await using temp = await TempFolder.make();
    await fill(temp, ["sub/a"]);
    await Deno.chmod(temp.at("root", "sub"), 0);
    await assertRejects(() => namesOf(temp), UserError, `cannot read ${temp.at("root", "sub")}: permission denied`)
      .finally(() => Deno.chmod(temp.at("root", "sub"), 0o755));
  },
});

const changes: [string, (temp: TempFolder) => Promise<unknown>][] = [
  ["a file grows", (temp) => Deno.writeTextFile(temp.at("root", "sub", "b"), "more", { append: true })],
  ["a file is written anew with the same length", (temp) => Deno.utime(temp.at("root", "a"), 1, 1)],
  ["a file goes", (temp) => Deno.remove(temp.at("root", "a"))],
  ["a file comes", (temp) => Deno.writeTextFile(temp.at("root", "sub", "new"), "")],
  ["a file takes the place of another", async (temp) => {
    const { atime, mtime } = await Deno.stat(temp.at("root", "a"));
    await Deno.writeTextFile(temp.at("other"), "A");
    await Deno.utime(temp.at("other"), atime!, mtime!);
    await Deno.rename(temp.at("other"), temp.at("root", "a"));
  }],
];
for (const [what, change] of changes) {
  Deno.test(`SourceFiles.checkUnchanged() sees that ${what}`, async () => {
    await using temp = await TempFolder.make();
    await fill(temp, ["a", "sub/b"]);
    const source = await SourceFiles.list({ path: temp.at("root") });
    source.checkUnchanged();
    await change(temp);
    assertThrows(() => source.checkUnchanged(), UserError, "cannot read ");
  });
}

Deno.test("SourceFiles.newestChange is that of the newest file in whole seconds", async () => {
  await using temp = await TempFolder.make();
  await fill(temp, ["a", "sub/b"]);
  await Deno.utime(temp.at("root", "a"), 1, 1_700_000_000);
  await Deno.utime(temp.at("root", "sub", "b"), 1, 1_600_000_000);
  assertEquals((await SourceFiles.list({ path: temp.at("root") })).newestChange, 1_700_000_000);
});

Deno.test("compareUtf8() orders as the bytes of UTF-8 do", () => {
  const names = ["", "a", "ab", "b", "\u00e9", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{10ffff}"];
  for (let i = 0; i < names.length; i++) {
    for (let j = 0; j < names.length; j++) {
      assertEquals(Math.sign(compareUtf8(names[i], names[j])), Math.sign(i - j), `${i} and ${j}`);
    }
  }
});
