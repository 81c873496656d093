import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { UserError } from "../../../lib/errors.ts";
import { verifyCommand } from "../../../peer/io/verify_command.ts";
import { makeContext, type TestContext } from "../../cli/test_context.ts";
import { makeSample, pieceLength, TempFolder } from "./sample_torrent.ts";

const sample = makeSample([
  { path: ["a.bin"], length: 3 * pieceLength },
  { path: ["empty"], length: 0 },
  { path: [".pad", "1"], length: 500, attr: "p" },
  { path: ["sub", "b.bin"], length: 2 * pieceLength - 500 },
]);

/** The torrent beside its whole data. */
async function makeData(): Promise<TempFolder> {
  const temp = await TempFolder.make();
  await Deno.writeFile(temp.at("sample.torrent"), sample.torrent);
  await sample.write(temp.path);
  return temp;
}

async function verify(temp: TempFolder, args: readonly string[] = [], context: TestContext = makeContext()) {
  const code = await verifyCommand.run(context, [...args, temp.at("sample.torrent")]);
  return { code, stdout: context.stdout() };
}

// deno-lint-ignore no-explicit-any -- JSON
async function verifyJson(temp: TempFolder, args: readonly string[] = []): Promise<any> {
  const { code, stdout } = await verify(temp, args, makeContext({ json: true }));
  return { code, ...JSON.parse(stdout) };
}

Deno.test("verify finds whole data beside the torrent, whole", async () => {
  await using temp = await makeData();
  const { code, stdout } = await verify(temp);
  assertEquals(code, 0);
  assertEquals(stdout.split("\n"), [
    "good     sample/a.bin",
    "good     sample/empty",
    "good     sample/sub/b.bin",
    "whole: 3 of 3 files good, 5 of 5 pieces good",
    "",
  ]);
});

Deno.test("verify names the file with a wrong byte and ends with 4", async () => {
  await using temp = await makeData();
  const bytes = sample.contents[0].slice();
  bytes[pieceLength + 1] ^= 1;
  await Deno.writeFile(temp.at("sample", "a.bin"), bytes);
  const { code, stdout } = await verify(temp);
  assertEquals(code, 4);
  assertStringIncludes(stdout, "bad      sample/a.bin (64 KiB of 192 KiB in bad pieces)");
  assertStringIncludes(stdout, "NOT WHOLE: 2 of 3 files good, 4 of 5 pieces good");
});

Deno.test("verify --json counts pieces and bytes, in all and for each file", async () => {
  await using temp = await makeData();
  await Deno.truncate(temp.at("sample", "a.bin"), 2 * pieceLength + 10);
  await Deno.remove(temp.at("sample", "sub"), { recursive: true });
  const { files, data, ...sum } = await verifyJson(temp, ["--workers", "1"]);
  assertEquals(sum, {
    code: 4,
    name: "sample",
    pieceCount: 5,
    goodPieces: 2,
    badPieces: 3,
    missingBytes: pieceLength - 10 + 2 * pieceLength - 500,
    isWhole: false,
  });
  assertEquals(data, temp.path);
  assertEquals(
    files.map(({ path, verdict, goodBytes, badBytes, missingBytes }: Record<string, unknown>) => [
      path,
      verdict,
      goodBytes,
      badBytes,
      missingBytes,
    ]),
    [
      ["sample/a.bin", "short", 2 * pieceLength, 10, pieceLength - 10],
      ["sample/empty", "good", 0, 0, 0],
      ["sample/sub/b.bin", "missing", 0, 0, 2 * pieceLength - 500],
    ],
  );
});

Deno.test("verify sees that an empty file is missing and that a file is too long", async () => {
  await using temp = await makeData();
  await Deno.remove(temp.at("sample", "empty"));
  await Deno.writeTextFile(temp.at("sample", "a.bin"), "tail", { append: true });
  const { code, files, goodPieces } = await verifyJson(temp);
  assertEquals([code, goodPieces], [4, 5]);
  assertEquals(files.map((file: { verdict: string }) => file.verdict), ["long", "missing", "good"]);
});

Deno.test("verify --data takes the folder that holds the data, or the data's folder itself", async () => {
  await using temp = await makeData();
  await Deno.mkdir(temp.at("elsewhere"));
  await Deno.rename(temp.at("sample"), temp.at("elsewhere", "sample"));
  assertEquals((await verify(temp)).code, 4);
  assertEquals((await verify(temp, ["-d", temp.at("elsewhere")])).code, 0);
  assertEquals((await verify(temp, ["-d", temp.at("elsewhere", "sample")])).code, 0);
});

Deno.test("verify refuses a data folder that is not there, and a file that is no torrent", async () => {
  await using temp = await makeData();
  await assertRejects(() => verify(temp, ["-d", temp.at("nowhere")]), UserError, "there is no such file or folder");
  await Deno.writeTextFile(temp.at("sample.torrent"), "text");
  const error = await assertRejects(() => verify(temp), UserError, "not a torrent");
  assertEquals(error.exitCode, 3);
});

Deno.test({
  name: "verify reads through links and writes nothing",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using temp = await makeData();
    await Deno.rename(temp.at("sample"), temp.at("real"));
    await Deno.symlink(temp.at("real"), temp.at("sample"));
    assertEquals((await verify(temp)).code, 0);
    assertEquals(Array.from(Deno.readDirSync(temp.path), (entry) => entry.name).sort(), [
      "real",
      "sample",
      "sample.torrent",
    ]);
  },
});

Deno.test("verify stops at SIGTERM with 143", async () => {
  await using temp = await makeData();
  const context: TestContext = makeContext();
  context.interrupt("SIGTERM");
  assertEquals((await verify(temp, [], context)).code, 143);
});
