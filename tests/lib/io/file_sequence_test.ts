import { assertEquals, assertThrows } from "@std/assert";
import { FileSequence } from "../../../lib/io/file_sequence.ts";
import type { FileTable } from "../../../lib/io/piece_job.ts";
import { TempFolder } from "../../peer/io/sample_torrent.ts";

const contents = ["0123456789", "abcdef"];

async function makeTable(folder: TempFolder, id = 1): Promise<FileTable> {
  const paths = contents.map((_, i) => folder.at(`f${i}`));
  for (const [i, path] of paths.entries()) await Deno.writeTextFile(path, contents[i]);
  return {
    id,
    paths,
    lengths: contents.map((text) => text.length),
    pieceLength: 16,
    hashes: undefined,
    writable: false,
  };
}

/** The text of up to `length` bytes. */
function read(
  sequence: FileSequence,
  table: FileTable,
  { fileIndex, fileOffset, length }: { fileIndex: number; fileOffset: number; length: number },
): string {
  const target = new Uint8Array(length);
  const got = sequence.read(table, { fileIndex, fileOffset }, target);
  return new TextDecoder().decode(target.subarray(0, got));
}

Deno.test("FileSequence.read() reads on, jumps, and goes from file to file", async () => {
  await using folder = await TempFolder.make();
  const table = await makeTable(folder);
  const sequence = new FileSequence();
  const texts = [[0, 0, 3], [0, 3, 3], [0, 1, 2], [0, 6, 2], [0, 8, 9], [1, 2, 3], [0, 0, 1], [1, 0, 9], [1, 9, 1]]
    .map(([fileIndex, fileOffset, length]) => read(sequence, table, { fileIndex, fileOffset, length }));
  assertEquals(texts, ["012", "345", "12", "67", "89", "cde", "0", "abcdef", ""]);
  sequence.forget(table.id);
});

Deno.test("FileSequence.read() does not take a file of one table for that of another", async () => {
  await using folder = await TempFolder.make();
  const table = await makeTable(folder);
  const other = { ...table, id: 2, paths: [table.paths[1]] };
  const sequence = new FileSequence();
  const whole = { fileIndex: 0, fileOffset: 0, length: 10 };
  assertEquals([table, other, table].map((each) => read(sequence, each, whole)), [
    "0123456789",
    "abcdef",
    "0123456789",
  ]);
  sequence.forget(table.id);
});

Deno.test("FileSequence.read() throws for what is not there, and goes on with what is", async () => {
  await using folder = await TempFolder.make();
  const table = await makeTable(folder);
  await Deno.remove(folder.at("f1"));
  const sequence = new FileSequence();
  assertThrows(() => read(sequence, table, { fileIndex: 1, fileOffset: 0, length: 1 }), Error, "ENOENT");
  assertEquals(read(sequence, table, { fileIndex: 0, fileOffset: 2, length: 2 }), "23");
  sequence.forget(table.id);
});

Deno.test({
  name: "FileSequence.forget() closes the file of that table only",
  // a name in use is not free there
  ignore: Deno.build.os === "windows",
  async fn() {
    await using folder = await TempFolder.make();
    const table = await makeTable(folder);
    const sequence = new FileSequence();
    read(sequence, table, { fileIndex: 0, fileOffset: 0, length: 1 });
    await Deno.remove(folder.at("f0"));
    await Deno.writeTextFile(folder.at("f0"), "another");
    sequence.forget(table.id + 1);
    assertEquals(read(sequence, table, { fileIndex: 0, fileOffset: 0, length: 3 }), "012");
    sequence.forget(table.id);
    assertEquals(read(sequence, table, { fileIndex: 0, fileOffset: 0, length: 3 }), "ano");
    sequence.forget(table.id);
  },
});
