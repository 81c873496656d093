import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { createHash } from "node:crypto";
import { concatBytes, formatHex } from "../../../lib/bytes.ts";
import { UserError } from "../../../lib/errors.ts";
import { parseMagnet } from "../../../lib/magnet.ts";
import { decodeMetainfo } from "../../../lib/metainfo.ts";
import { createCommand } from "../../../peer/io/create_command.ts";
import { makeContext, type TestContext } from "../../cli/test_context.ts";
import { sampleBytes, TempFolder } from "./sample_torrent.ts";

const isWindows = Deno.build.os === "windows";

/** A folder `data` with some files, and `out.torrent` beside it. */
async function makeData(temp: TempFolder): Promise<void> {
  await Deno.mkdir(temp.at("data", "sub"), { recursive: true });
  await Deno.writeFile(temp.at("data", "b.bin"), sampleBytes(100_000));
  await Deno.writeFile(temp.at("data", "empty"), new Uint8Array(0));
  await Deno.writeFile(temp.at("data", "sub", "größe.bin"), sampleBytes(30_000, 2));
  for (const name of ["b.bin", "empty"]) await Deno.utime(temp.at("data", name), 1, 1_600_000_000);
  await Deno.utime(temp.at("data", "sub", "größe.bin"), 1, 1_650_000_000);
}

async function run(context: TestContext, args: readonly string[]): Promise<number> {
  return await createCommand.run(context, args);
}

async function create(temp: TempFolder, args: readonly string[], context = makeContext()): Promise<Uint8Array> {
  assertEquals(await run(context, [...args, "-o", temp.at("out.torrent"), "--force"]), 0);
  return await Deno.readFile(temp.at("out.torrent"));
}

Deno.test("create makes a torrent of a folder that has its files, hashes and options", async () => {
  await using temp = await TempFolder.make();
  await makeData(temp);
  const args = ["-a", "http://a.example/announce", "-a", "udp://b.example:6969,http://c.example/", "-l", "32K"];
  const more = ["-c", "for all", "-p", "-w", "http://w.example/", "--source", "LB", "--name", "renamed"];
  const metainfo = decodeMetainfo(await create(temp, [...args, ...more, temp.at("data")]));
  assertEquals(metainfo.files.map((file) => [file.path.join("/"), file.length]), [
    ["renamed/b.bin", 100_000],
    ["renamed/empty", 0],
    ["renamed/sub/größe.bin", 30_000],
  ]);
  assertEquals(metainfo.announce, [["http://a.example/announce"], ["udp://b.example:6969", "http://c.example/"]]);
  assertEquals([metainfo.pieceLength, metainfo.comment, metainfo.isPrivate], [32_768, "for all", true]);
  assertEquals([metainfo.webSeeds, metainfo.source], [["http://w.example/"], "LB"]);
  assertEquals(metainfo.createdBy, "localbt/0.0.0-test");
  const whole = concatBytes([sampleBytes(100_000), sampleBytes(30_000, 2)]);
  assertEquals(
    formatHex(metainfo.pieces.subarray(0, 20)),
    createHash("sha1").update(whole.subarray(0, 32_768)).digest("hex"),
  );
  assertEquals(
    formatHex(metainfo.pieces.subarray(-20)),
    createHash("sha1").update(whole.subarray(3 * 32_768)).digest("hex"),
  );
});

Deno.test("create makes the same bytes of the same input", async () => {
  await using temp = await TempFolder.make();
  await makeData(temp);
  assertEquals(await create(temp, [temp.at("data")]), await create(temp, ["--workers", "1", temp.at("data")]));
});

Deno.test("create dates a torrent by its newest file, by SOURCE_DATE_EPOCH, or not at all", async () => {
  await using temp = await TempFolder.make();
  await makeData(temp);
  const dateOf = (bytes: Uint8Array) => decodeMetainfo(bytes).creationDate;
  assertEquals(dateOf(await create(temp, [temp.at("data")])), 1_650_000_000);
  const epoch = () => makeContext({ env: (name) => name === "SOURCE_DATE_EPOCH" ? "12345" : undefined });
  assertEquals(dateOf(await create(temp, [temp.at("data")], epoch())), 12345);
  assertEquals(dateOf(await create(temp, ["--no-date", temp.at("data")], epoch())), undefined);
});

Deno.test("create prints path, info hash, magnet link and sizes on stdout", async () => {
  await using temp = await TempFolder.make();
  await makeData(temp);
  const context = makeContext();
  const bytes = await create(temp, ["-a", "http://a.example/", temp.at("data")], context);
  const { infoHash } = decodeMetainfo(bytes);
  const lines = context.stdout().trimEnd().split("\n");
  assertEquals(lines[0], `torrent    ${temp.at("out.torrent")}`);
  assertEquals(lines[1], `info hash  ${infoHash}`);
  assertMatch(lines[2], /^magnet {5}magnet:\?xt=urn:btih:/);
  assertEquals(parseMagnet(lines[2].slice(11)).trackers, ["http://a.example/"]);
  assertEquals(lines[3], "data       3 files, 127 KiB, 8 pieces of 16 KiB");
});

Deno.test("create --json prints one document", async () => {
  await using temp = await TempFolder.make();
  await makeData(temp);
  const context = makeContext({ json: true });
  const { infoHash } = decodeMetainfo(await create(temp, [temp.at("data")], context));
  const { magnet, ...facts } = JSON.parse(context.stdout());
  assertEquals(facts, {
    path: temp.at("out.torrent"),
    infoHash,
    totalLength: 130_000,
    pieceLength: 16_384,
    pieceCount: 8,
    fileCount: 3,
    name: "data",
  });
  assertEquals(parseMagnet(magnet).infoHash, infoHash);
});

Deno.test("create -o - writes the torrent to stdout and nothing else", async () => {
  await using temp = await TempFolder.make();
  await makeData(temp);
  const parts: (string | Uint8Array)[] = [];
  const context = makeContext({ out: (text) => void parts.push(text) });
  assertEquals(await run(context, ["-o", "-", temp.at("data")]), 0);
  assertEquals(parts.length, 1);
  assertEquals(decodeMetainfo(parts[0] as Uint8Array).name, "data");
  assertStringIncludes(context.stderr(), "info hash");
});

Deno.test("create refuses to overwrite before it hashes, and puts <name>.torrent into a folder", async () => {
  await using temp = await TempFolder.make();
  await makeData(temp);
  await Deno.mkdir(temp.at("out"));
  assertEquals(await run(makeContext(), ["-o", temp.at("out"), temp.at("data")]), 0);
  const path = temp.at("out", "data.torrent");
  const before = await Deno.readFile(path);
  await Deno.writeTextFile(temp.at("data", "new"), "new");
  await assertRejects(
    () => run(makeContext(), ["-o", temp.at("out"), temp.at("data")]),
    UserError,
    `${path}: it exists`,
  );
  assertEquals(await Deno.readFile(path), before);
  assertEquals(await run(makeContext(), ["-o", temp.at("out"), "--force", temp.at("data")]), 0);
  assert(formatHex(await Deno.readFile(path)) !== formatHex(before));
  assertEquals(Array.from(Deno.readDirSync(temp.at("out")), (entry) => entry.name), ["data.torrent"]);
});

Deno.test("create --dry-run tells all and writes nothing", async () => {
  await using temp = await TempFolder.make();
  await makeData(temp);
  const context = makeContext();
  assertEquals(await run(context, ["--dry-run", "-o", temp.at("x.torrent"), temp.at("data")]), 0);
  assertStringIncludes(context.stdout(), "info hash  ");
  assertEquals(Array.from(Deno.readDirSync(temp.path), (entry) => entry.name), ["data"]);
});

Deno.test("create does not put its own output into the torrent", async () => {
  await using temp = await TempFolder.make();
  await makeData(temp);
  const args = ["-o", temp.at("data", "data.torrent"), "--force", temp.at("data")];
  assertEquals(await run(makeContext(), args), 0);
  assertEquals(await run(makeContext(), args), 0);
  assertEquals(decodeMetainfo(await Deno.readFile(temp.at("data", "data.torrent"))).files.length, 3);
});

Deno.test("create leaves out what --exclude names, and warns of links", async () => {
  await using temp = await TempFolder.make();
  await makeData(temp);
  if (!isWindows) await Deno.symlink("/etc/passwd", temp.at("data", "link"));
  const context = makeContext();
  const metainfo = decodeMetainfo(
    await create(temp, ["--exclude", "sub/", "--exclude", "*.tmp", temp.at("data")], context),
  );
  assertEquals(metainfo.files.map((file) => file.path.join("/")), ["data/b.bin", "data/empty"]);
  if (!isWindows) assertStringIncludes(context.stderr(), `left out ${temp.at("data", "link")}: it is a link`);
});

const refusals: [what: string, args: (temp: TempFolder) => string[], exitCode: number, why: string][] = [
  ["what is not there", (temp) => [temp.at("nothing")], 1, "there is no such file"],
  ["an empty folder", (temp) => [temp.at("hollow")], 1, "it has no files"],
  ["a folder of empty files", (temp) => [temp.at("zero")], 1, "all files are empty"],
  ["a tracker that is no URL", (temp) => ["-a", "tracker", temp.at("data")], 2, "--announce needs a URL"],
  ["a UDP tracker without a port", (temp) => ["-a", "udp://a.test/announce", temp.at("data")], 2, "needs a port for"],
  ["a web seed that is no URL", (temp) => ["-w", "ftp://x/", temp.at("data")], 2, "--web-seed needs a URL"],
  ["a piece length below a block", (temp) => ["-l", "1K", temp.at("data")], 2, "--piece-length"],
  ["a name with a slash", (temp) => ["--name", "a/b", temp.at("data")], 2, "--name"],
  [
    "an output folder that is not there",
    (temp) => ["-o", temp.at("no", "x"), temp.at("data")],
    1,
    "no such file or folder",
  ],
];
for (const [what, args, exitCode, why] of refusals) {
  Deno.test(`create refuses ${what}`, async () => {
    await using temp = await TempFolder.make();
    await makeData(temp);
    await Deno.mkdir(temp.at("hollow"));
    await Deno.mkdir(temp.at("zero"));
    await Deno.writeTextFile(temp.at("zero", "a"), "");
    const error = await assertRejects(
      () => run(makeContext(), ["-o", temp.at("o.torrent"), ...args(temp)]),
      UserError,
      why,
    );
    assertEquals(error.exitCode, exitCode);
    assertEquals(await Deno.stat(temp.at("o.torrent")).then(() => "written", () => "none"), "none");
  });
}

Deno.test("create makes no torrent of data that changes while it is read", async () => {
  await using temp = await TempFolder.make();
  await makeData(temp);
  await Deno.truncate(temp.at("data", "empty"), 100_000_000);
  let paints = 0;
  const context = makeContext({
    terminal: { stderrIsTerminal: true },
    // The first sign of progress: nothing but the beginning was read yet.
    err: () => void (paints++ === 0 && Deno.writeTextFileSync(temp.at("data", "b.bin"), "changed")),
  });
  await assertRejects(
    () => run(context, ["-o", temp.at("o.torrent"), temp.at("data")]),
    UserError,
    "b.bin: it changed",
  );
  assertEquals(await Deno.stat(temp.at("o.torrent")).then(() => "written", () => "none"), "none");
});

Deno.test("create stops at Ctrl-C with 130 and leaves nothing behind", async () => {
  await using temp = await TempFolder.make();
  await makeData(temp);
  await Deno.truncate(temp.at("data", "empty"), 300_000_000);
  const context: TestContext = makeContext({
    terminal: { stderrIsTerminal: true },
    err: () => context.interrupt(),
  });
  assertEquals(await run(context, ["-o", temp.at("o.torrent"), temp.at("data")]), 130);
  assertEquals(Array.from(Deno.readDirSync(temp.path), (entry) => entry.name), ["data"]);
});
