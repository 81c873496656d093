import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { encodeBencode } from "../../../lib/bencode.ts";
import { ExitCode, UserError } from "../../../lib/errors.ts";
import { parseInfoHash } from "../../../lib/ids.ts";
import { parseMagnet } from "../../../lib/magnet.ts";
import { decodeMetainfo } from "../../../lib/metainfo.ts";
import { buildTorrent } from "../../../lib/torrent_builder.ts";
import { infoCommand } from "../../../peer/io/info_command.ts";
import { Session } from "../../../peer/io/session.ts";
import { TrackerServer } from "../../../tracker/io/http_listener.ts";
import { makeContext } from "../../cli/test_context.ts";

const golden = (name: string) => fileURLToPath(new URL(`../../../data/golden/${name}.torrent`, import.meta.url));

/** Writes bytes to a torrent file and runs info on it. */
async function infoOf(bytes: Uint8Array, args: string[] = [], overrides: Parameters<typeof makeContext>[0] = {}) {
  const file = await Deno.makeTempFile({ suffix: ".torrent" });
  try {
    await Deno.writeFile(file, bytes);
    const context = makeContext(overrides);
    const code = await infoCommand.run(context, [...args, file]);
    return { code, stdout: context.stdout(), stderr: context.stderr() };
  } finally {
    await Deno.remove(file);
  }
}

const description = {
  name: "holiday",
  files: [{ path: ["a.txt"], length: 3 }, { path: ["sub", "b.bin"], length: 40_000 }, { path: ["empty"], length: 0 }],
  isMultiFile: true,
  pieceLength: 16384,
  pieces: new Uint8Array(60),
};

Deno.test("info --json tells exactly the keys of the contract, in order", async () => {
  const { bytes, infoHash } = buildTorrent({
    ...description,
    announce: [["http://a.test/announce", "http://b.test/announce"], ["http://c.test/announce"]],
    webSeeds: ["http://seed.test/"],
    comment: "a comment",
    createdBy: "somebody",
    creationDate: 1_700_000_000,
    isPrivate: true,
  });
  const { code, stdout, stderr } = await infoOf(bytes, [], { json: true });
  assertEquals([code, stderr], [ExitCode.done, ""]);
  const info = JSON.parse(stdout);
  assertEquals(Object.keys(info), [
    ...["name", "infoHash", "totalLength", "pieceLength", "pieceCount", "private", "announce", "webSeeds", "comment"],
    ...["createdBy", "creationDate", "files", "magnet"],
  ]);
  const { magnet, ...rest } = info;
  assertEquals(rest, {
    name: "holiday",
    infoHash,
    totalLength: 40_003,
    pieceLength: 16384,
    pieceCount: 3,
    private: true,
    announce: [["http://a.test/announce", "http://b.test/announce"], ["http://c.test/announce"]],
    webSeeds: ["http://seed.test/"],
    comment: "a comment",
    createdBy: "somebody",
    creationDate: 1_700_000_000,
    files: [
      { number: 1, path: "holiday/a.txt", length: 3 },
      { number: 2, path: "holiday/sub/b.bin", length: 40_000 },
      { number: 3, path: "holiday/empty", length: 0 },
    ],
  });
  assertEquals(parseMagnet(magnet).infoHash, infoHash);
  assertEquals(parseMagnet(magnet).trackers.length, 3);
});

Deno.test("info leaves padding files out of the list", async () => {
  const context = makeContext({ json: true });
  await infoCommand.run(context, [golden("libtorrent_padded")]);
  const { files } = JSON.parse(context.stdout());
  assert(files.length > 0);
  assertEquals(files.filter(({ path }: { path: string }) => /\.pad|_____padding/.test(path)), []);
});

Deno.test("info shows a person name, hash, sizes, files, trackers and the magnet link", async () => {
  const context = makeContext();
  await infoCommand.run(context, [golden("mktorrent_single")]);
  const stdout = context.stdout();
  assertMatch(stdout, /^Name +single\.bin\nInfo hash +2db8ee9fd75009d78d8a4d8a9a654a7be4f00eb7\n/);
  assertStringIncludes(stdout, "Size        97.7 KiB (100000 bytes)\nPieces      4 of 32 KiB\n");
  assertMatch(stdout, /^Trackers +http:\/\/one\.test\/announce/m);
  assertMatch(stdout, /^Magnet +magnet:\?xt=urn:btih:2db8/m);
  assertMatch(stdout, /^ +1 {2}97\.7 KiB {2}single\.bin$/m);
});

Deno.test("info prints no control, escape or direction character of a torrent", async () => {
  const evil = "a\x1b[2J\x07\u202eb\u0085c\r\nd";
  const info = { length: 1, name: evil, "piece length": 16384, pieces: new Uint8Array(20) };
  const { stdout } = await infoOf(encodeBencode({
    announce: "http://t.test/announce",
    comment: evil,
    "created by": evil,
    info,
  }));
  // deno-lint-ignore no-control-regex -- these must not be there
  assertEquals(stdout.match(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/), null);
  assertMatch(stdout, /^Comment +a\[2Jbcd$/m);
});

Deno.test("info says what a magnet link says, and null for what it leaves open", async () => {
  const link =
    "magnet:?xt=urn:btih:2db8ee9fd75009d78d8a4d8a9a654a7be4f00eb7&dn=My+File&tr=http%3A%2F%2Ft.test%2Fannounce";
  const context = makeContext({ json: true });
  assertEquals(await infoCommand.run(context, ["--timeout", "0", link]), ExitCode.done);
  const info = JSON.parse(context.stdout());
  assertEquals([info.name, info.announce], ["My File", [["http://t.test/announce"]]]);
  assertEquals([info.totalLength, info.pieceCount, info.private, info.files], [null, null, null, null]);
  const text = makeContext();
  await infoCommand.run(text, ["--timeout", "0", link]);
  assertMatch(text.stdout(), /^Name +My File\n/);
});

Deno.test("info shows the link alone, with a warning and at once, where there is nobody to ask", async () => {
  const link = "magnet:?xt=urn:btih:2db8ee9fd75009d78d8a4d8a9a654a7be4f00eb7&dn=x";
  // nobody listens at port 1
  for (const rest of ["", "&x.pe=127.0.0.1:1", "&tr=http%3A%2F%2F127.0.0.1%3A1%2Fannounce"]) {
    const context = makeContext({ json: true, clock: () => performance.now() });
    const args = ["--no-discovery", "--timeout", "1h", link + rest];
    assertEquals(await infoCommand.run(context, args), ExitCode.done);
    assertEquals(JSON.parse(context.stdout()).files, null);
    assertStringIncludes(context.stderr(), "no peer gave the metadata");
  }
});

Deno.test("info asks peers for what a magnet link leaves open", async () => {
  const directory = await Deno.makeTempDir();
  const data = Uint8Array.from({ length: 20_000 }, (_, index) => index);
  await Deno.writeFile(`${directory}/share.bin`, data);
  const { bytes, infoHash } = buildTorrent({
    ...{ name: "share.bin", files: [{ path: [], length: data.length }], isMultiFile: false, pieceLength: 32_768 },
    pieces: new Uint8Array(createHash("sha1").update(data).digest()),
  });
  const clock = () => performance.now();
  const options = { host: "127.0.0.1", port: 0, uploadLimit: undefined, downloadLimit: undefined, maxPeers: undefined };
  const session = new Session({ ...options, context: makeContext({ clock, random: Math.random }), noDiscovery: true });
  try {
    const metainfo = decodeMetainfo(bytes);
    const opened = await session.open(metainfo, { directory, mode: "seed" });
    session.start({ ...opened, strategy: "rarest-first", isSeedOnly: true, onEvent: () => {} });
    const context = makeContext({ json: true, clock, random: Math.random });
    const link = `magnet:?xt=urn:btih:${infoHash}&x.pe=127.0.0.1:${session.engine.port}&ws=http%3A%2F%2Fw.test%2F`;
    assertEquals(await infoCommand.run(context, ["--no-discovery", "--timeout", "20s", link]), ExitCode.done);
    const { files, pieceCount, webSeeds } = JSON.parse(context.stdout());
    assertEquals(files, [{ number: 1, path: "share.bin", length: 20_000 }]);
    assertEquals([pieceCount, webSeeds, context.stderr()], [1, ["http://w.test/"], ""]);
  } finally {
    await session.close();
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("info refuses a broken magnet link with exit code 3", async () => {
  for (const link of ["magnet:?", "magnet:?xt=urn:btih:xyz", "MAGNET:?dn=x"]) {
    const error = await assertRejects(() => infoCommand.run(makeContext(), [link]), UserError);
    assertEquals(error.exitCode, ExitCode.notATorrent);
  }
});

Deno.test("info --peers asks the trackers, tells of those that fail, and takes itself off the list", async () => {
  const context = makeContext({ json: true, random: () => 0.25 });
  const { network } = context;
  const server = TrackerServer.start({
    network,
    host: "127.0.0.1",
    port: 0,
    intervalMs: 60_000,
    now: () => 0,
    random: () => 0.5,
  });
  try {
    const url = `http://127.0.0.1:${server.port}/announce`;
    const { bytes, infoHash } = buildTorrent({ ...description, announce: [[url], ["http://127.0.0.1:1/announce"]] });
    // the usual port, so that of a seeder on this machine
    const hash = parseInfoHash(infoHash)!.replace(/../g, "%$&");
    const seeder = `?info_hash=${hash}&peer_id=${"x".repeat(20)}&port=6881&uploaded=0&downloaded=0&left=0&compact=1`;
    await (await fetch(`${url}${seeder}`)).body?.cancel();
    const { code, stdout, stderr } = await infoOf(bytes, ["--peers"], { json: true, random: () => 0.25 });
    assertEquals(code, ExitCode.done);
    assertEquals(JSON.parse(stdout).peers, [{ host: "127.0.0.1", port: 6881 }]);
    assertMatch(stderr, /^http:\/\/127\.0\.0\.1:1\/announce: [^\n]+\n$/);
    assertEquals(server.stats.peers, 1);
  } finally {
    await server.close();
  }
});

Deno.test("info --peers asks trackers over UDP too", async () => {
  const { network } = makeContext();
  const options = { network, host: "127.0.0.1", port: 0, intervalMs: 60_000, now: () => 0, random: () => 0.5 };
  const server = TrackerServer.start(options);
  try {
    const { bytes, infoHash } = buildTorrent({ ...description, announce: [server.udpUrls] });
    const hash = parseInfoHash(infoHash)!.replace(/../g, "%$&");
    const seeder = `?info_hash=${hash}&peer_id=${"x".repeat(20)}&port=6881&uploaded=0&downloaded=0&left=0&compact=1`;
    await (await fetch(`${server.announceUrls[0]}${seeder}`)).body?.cancel();
    const { code, stdout } = await infoOf(bytes, ["--peers"], { json: true });
    assertEquals([code, JSON.parse(stdout).peers], [ExitCode.done, [{ host: "127.0.0.1", port: 6881 }]]);
    assertEquals(server.stats.peers, 1);
  } finally {
    await server.close();
  }
});

Deno.test("info --peers fails where no tracker answers, and says so where there is none", async () => {
  const dead = buildTorrent({ ...description, announce: [["http://127.0.0.1:1/announce"]] });
  assertEquals((await infoOf(dead.bytes, ["--peers"])).code, ExitCode.failed);
  const none = await infoOf(buildTorrent(description).bytes, ["--peers"]);
  assertEquals(none.code, ExitCode.failed);
  assertStringIncludes(none.stderr, "no tracker");
});
