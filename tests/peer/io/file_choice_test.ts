import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ExitCode, UserError } from "../../../lib/errors.ts";
import { chooseFiles, describeSelection, parseFileWish } from "../../../peer/io/file_choice.ts";
import { makeSample, type SampleFile } from "./sample_torrent.ts";

const files: SampleFile[] = [
  { path: ["one.mkv"], length: 100 },
  { path: [".pad", "1"], length: 28, attr: "p" },
  { path: ["Season 1", "two.mkv"], length: 100 },
  { path: ["Season 1", "a, b.srt"], length: 50 },
  { path: ["notes.txt"], length: 0 },
  { path: ["link"], length: 0, attr: "l" },
];
const { metainfo } = makeSample(files);

/** The numbers of the files that the values choose. */
function chosen(...values: string[]): number[] {
  const selection = chooseFiles(metainfo, { wish: parseFileWish(values) });
  return files.flatMap((_, i) => selection.isWanted(i) ? [i + 1] : []);
}

const rules: [values: string[], numbers: number[]][] = [
  [["1"], [1]],
  [["1,4"], [1, 4]],
  [["1-3"], [1, 3]],
  [["3-"], [3, 4, 5]],
  [[" 1 , 3 - 4 "], [1, 3, 4]],
  [["4,1", "3"], [1, 3, 4]],
  [["1-3,2-4,1"], [1, 3, 4]],
  [["*.mkv"], [1, 3]],
  [["*.mkv", "5"], [1, 3, 5]],
  [["Season 1"], [3, 4]],
  [["Season 1/"], [3, 4]],
  [["Season 1/*.srt"], [4]],
  [["sample/Season 1/two.mkv"], [3]],
  [["a, b.srt"], [4]],
];
for (const [values, numbers] of rules) {
  Deno.test(`--select ${values.join(" --select ")} chooses the files ${numbers.join(", ")}`, () => {
    assertEquals(chosen(...values), numbers);
  });
}

const refusals: [value: string, why: string][] = [
  ["0", "cannot select 0: the first file is number 1"],
  ["7", "cannot select 7: the torrent has 6 files"],
  ["3-9", "cannot select 9: the torrent has 6 files"],
  ["2", "cannot select 2: that is padding, not a file"],
  ["5-3", "cannot select 5-3: 5 comes after 3"],
  ["1,,3", 'cannot select 1,,3: "" is no number of a file'],
  [" ", "cannot select no file: --select has to name one"],
  ["1-2-3", 'cannot select 1-2-3: "1-2-3" is no number of a file'],
  ["9999999999", 'cannot select 9999999999: "9999999999" is no number of a file'],
  ["*.avi", "no file has such a name; there are one.mkv, Season 1/two.mkv, Season 1/a, b.srt, notes.txt"],
  ["1,*.mkv", "no file has such a name"],
];
for (const [value, why] of refusals) {
  Deno.test(`--select "${value}" is refused as wrong usage, with what there is`, () => {
    const error = assertThrows(() => chosen(value), UserError);
    assertStringIncludes(error.message, why);
    assertEquals(error.exitCode, ExitCode.usage);
    assertStringIncludes(error.hint ?? "", "localbt info lists the files");
  });
}

Deno.test("chooseFiles() takes all without a wish, and when every file is named", () => {
  assert(chooseFiles(metainfo, { wish: parseFileWish([]) }).isAll);
  assert(chooseFiles(metainfo, { wish: parseFileWish(["1-"]) }).isAll);
  assert(chooseFiles(metainfo, { wish: parseFileWish(["*"]) }).isAll);
});

Deno.test("chooseFiles() follows a magnet link's selection unless the user has one", () => {
  const selectOnly = [3, 1, 99];
  const proposed = chooseFiles(metainfo, { selectOnly });
  assertEquals(files.map((_, i) => proposed.isWanted(i)), [false, false, false, true, false, false]);
  const own = chooseFiles(metainfo, { wish: parseFileWish(["1"]), selectOnly });
  assertEquals([own.isWanted(0), own.isWanted(3)], [true, false]);
  assertThrows(() => chooseFiles(metainfo, { selectOnly: [1, 99] }), UserError, "the torrent has no such files");
});

Deno.test("chooseFiles() takes a million ranges in its stride", () => {
  const wish = parseFileWish([Array(1_000_000).fill("1-6").join(",")]);
  assert(chooseFiles(metainfo, { wish }).isAll);
});

Deno.test("chooseFiles() names files of a single-file torrent, and strips what a terminal would obey", () => {
  const single = makeSample([{ path: [], length: 10 }]).metainfo;
  assert(chooseFiles(single, { wish: parseFileWish(["sample"]) }).isAll);
  const error = assertThrows(() => chooseFiles(single, { wish: parseFileWish(["\x1b[2Jx"]) }), UserError);
  assertEquals(error.message.includes("\x1b"), false);
  assertStringIncludes(error.message, "there is sample");
});

Deno.test("describeSelection() tells how many files, how much, and which if it is one", () => {
  const told = (value: string) => describeSelection(metainfo, chooseFiles(metainfo, { wish: parseFileWish([value]) }));
  assertEquals(told("*.mkv"), "takes 2 of 4 files, 200 B");
  assertEquals(told("4"), "takes 1 of 4 files (a, b.srt), 50 B");
});
