import { assertEquals } from "@std/assert";
import type { PieceIndex } from "../../lib/ids.ts";
import { Layout } from "../../lib/layout.ts";
import { FileSelection } from "../../peer/file_selection.ts";

/** Pieces of 100: a is in 0 and 1, nothing is empty, b is in 1, c in 1 to 4. */
const layout = new Layout({ pieceLength: 100, fileLengths: [150, 0, 20, 250] });

const drawing = ({ pieces }: FileSelection) =>
  Array.from({ length: pieces.length }, (_, piece) => pieces.has(piece) ? "*" : " ").join("");
const bytesOf = (selection: FileSelection) =>
  Array.from({ length: layout.pieceCount }, (_, piece) => selection.bytesIn(piece as PieceIndex));

Deno.test("FileSelection wants the pieces that a byte of a wanted file lies in, and counts that file's bytes alone", () => {
  const first = FileSelection.of(layout, Uint8Array.of(1, 0, 0, 0));
  assertEquals([drawing(first), bytesOf(first), first.totalBytes], ["**   ", [100, 50, 0, 0, 0], 150]);
  assertEquals(first.asideBytes, 50);
  const small = FileSelection.of(layout, Uint8Array.of(0, 0, 1, 0));
  assertEquals([drawing(small), bytesOf(small), small.totalBytes], [" *   ", [0, 20, 0, 0, 0], 20]);
  const ends = FileSelection.of(layout, Uint8Array.of(1, 0, 0, 1));
  assertEquals([drawing(ends), bytesOf(ends), ends.totalBytes], ["*****", [100, 80, 100, 100, 20], 400]);
  assertEquals([small.asideBytes, ends.asideBytes, FileSelection.all(layout).asideBytes], [80, 20, 0]);
  assertEquals([0, 1, 2, 3].map((i) => ends.isWanted(i)), [true, false, false, true]);
});

Deno.test("FileSelection of an empty file wants no piece", () => {
  const empty = FileSelection.of(layout, Uint8Array.of(0, 1, 0, 0));
  assertEquals([drawing(empty), empty.totalBytes, empty.asideBytes, empty.isAll], ["     ", 0, 0, false]);
});

Deno.test("FileSelection.all() wants every byte", () => {
  const all = FileSelection.all(layout);
  assertEquals([drawing(all), bytesOf(all), all.totalBytes], ["*****", [100, 100, 100, 100, 20], 420]);
  assertEquals([all.isAll, all.isWanted(1)], [true, true]);
});
