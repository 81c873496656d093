/**
 * How others were broken, part 1 of 4: by names. Each break that the field knows is a test with its name, here and in the
 * parts by bytes, by pages and by trackers; floods that need the built program are in `deno task attack`.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createHash } from "node:crypto";
import { decodeMetainfo } from "../../lib/metainfo.ts";
import { serveAsSeeder, WirePeer } from "../e2e/wire_peer.ts";
import { startDownload } from "../e2e/swarm.ts";
import { runLocalbt } from "../interop/localbt.ts";
import { join } from "../interop/path.ts";
import { bencode } from "../interop/reference_torrent.ts";
import { Scene } from "../interop/scene.ts";

type Value = Parameters<typeof bencode>[0];
type Entries = [string, Value][];

/** Bytes of each file: all are in one piece of 16 KiB, full of `a`. */
const fileLength = 10;

/** A torrent of files with these paths, each a list of parts, or of one file where there are none. */
function torrentOf(
  name: Value,
  paths: readonly Value[],
  links: readonly (readonly [path: Value, target: Value])[] = [],
) {
  const content = new Uint8Array(fileLength * Math.max(1, paths.length)).fill(97);
  const files = [
    ...links.map(([path, target]) =>
      new Map<string, Value>([["attr", "l"], ["length", 0], ["path", path], ["symlink path", target]])
    ),
    ...paths.map((path) => new Map<string, Value>([["length", fileLength], ["path", path]])),
  ];
  const info = new Map<string, Value>([
    ...(paths.length > 0 ? [["files", files]] : [["length", content.length]]) as Entries,
    ["name", name],
    ["piece length", 16_384],
    ["pieces", createHash("sha1").update(content).digest()],
  ]);
  const infoHash = createHash("sha1").update(bencode(info)).digest("hex");
  return { bytes: bencode(new Map([["info", info]])), data: { infoHash, content, pieceLength: 16_384 } };
}

/** Every way out of a folder that a path was seen to take, as the parts of a path. */
const traversals: Record<string, readonly Value[]> = {
  "CVE-2009-1760 (libtorrent: .. behind a separator of Windows)": [["..\\..\\a"], ["..\\", "b"], ["c\\..\\..\\..\\d"]],
  "CVE-2010-0012 (Transmission: .. as a part)": [["..", "a"], ["b", "..", "..", "..", "c"], ["..", "..", "..", "d"]],
  "CVE-2010-1512 (aria2: .. inside a name)": [["../../a"], ["b/../../../c"], ["./../d"]],
  "webtorrent #3012 (an absolute path, a path with a drive)": [["/tmp/a"], ["/", "tmp", "b"], ["C:\\c"], ["C:", "d"]],
  "rqbit PR #370 (empty parts, dots, a NUL, other dots)": [["", "..", "a"], [".", ".", "b"], ["..\0", "c"], [
    "．．",
    "d",
  ]],
};

for (const [name, paths] of Object.entries(traversals)) {
  Deno.test(`path traversal, ${name}: nothing of it leaves the torrent's folder`, () => {
    for (const torrentName of ["n", "..", "../up", "/etc", "..\\up", "", "."]) {
      const { files } = decodeMetainfo(torrentOf(torrentName, paths).bytes);
      for (const { path } of files) {
        assert(path.length >= 1);
        for (const part of path) {
          // deno-lint-ignore no-control-regex -- names must not hold them
          assert(part !== "" && part !== "." && part !== ".." && !/[/\\\x00:]/.test(part), JSON.stringify(path));
        }
      }
    }
    for (const path of paths) {
      const parts = path as readonly string[];
      const { name } = decodeMetainfo(torrentOf(parts.join("/"), []).bytes);
      assert(!/[/\\]/.test(name) && name !== ".." && name !== "", `as a name alone: ${JSON.stringify(name)}`);
    }
  });
}

/** Everything below a folder, links as they are. */
function treeOf(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap((entry) =>
    entry.isDirectory ? treeOf(join(folder, entry.name)).map((path) => `${entry.name}/${path}`) : [entry.name]
  ).toSorted();
}

Deno.test("path traversal, all of these in one download by the program: every file is inside, none outside", async () => {
  await using scene = await Scene.open();
  const paths = Object.values(traversals).flat();
  const { bytes, data } = torrentOf("../up", paths);
  const outer = scene.newFolder("outer");
  const target = join(outer, "one", "target");
  Deno.mkdirSync(target, { recursive: true });
  const torrent = join(scene.folder, "t.torrent");
  Deno.writeFileSync(torrent, bytes);
  await using peer = new WirePeer((wire) => serveAsSeeder(wire, data));
  const download = startDownload(scene, torrent, target, ["--peer", peer.endpoint]);
  assertEquals((await download.exit(20_000)).code, 0, download.text());
  assertEquals(treeOf(target).length, paths.length);
  assertEquals(treeOf(outer).filter((path) => !path.startsWith("one/target/")), []);
});

Deno.test("symlinks leading out, in a torrent (BEP 47): none is made, and its target is left alone", async () => {
  await using scene = await Scene.open();
  const outside = join(scene.newFolder("outside"), "secret");
  Deno.writeTextFileSync(outside, "mine");
  const { bytes, data } = torrentOf("n", [["link", "through"], ["plain"]], [
    [["link"], outside.split("/").slice(1)],
    [["up"], ["..", "..", "..", "etc"]],
  ]);
  const target = scene.newFolder("target");
  const torrent = join(scene.folder, "t.torrent");
  Deno.writeFileSync(torrent, bytes);
  await using peer = new WirePeer((wire) => serveAsSeeder(wire, data));
  const download = startDownload(scene, torrent, target, ["--peer", peer.endpoint, "--timeout", "3s"]);
  assertEquals((await download.exit(20_000)).code, 0, download.text());
  const links = [...Deno.readDirSync(join(target, "n"))].filter((entry) => entry.isSymlink);
  assertEquals(links, []);
  assertEquals(Deno.readTextFileSync(outside), "mine");
});

Deno.test("writing through a link that already exists in the destination: it is refused, and its target left alone", async () => {
  await using scene = await Scene.open();
  const outside = scene.newFolder("outside");
  Deno.writeTextFileSync(join(outside, "secret"), "mine and long enough");
  const { bytes, data } = torrentOf("n", [["file"], ["folder", "file"]]);
  const torrent = join(scene.folder, "t.torrent");
  Deno.writeFileSync(torrent, bytes);
  await using peer = new WirePeer((wire) => serveAsSeeder(wire, data));
  const attempts: ((target: string) => void)[] = [
    (target) => {
      Deno.mkdirSync(join(target, "n"));
      Deno.symlinkSync(join(outside, "secret"), join(target, "n", "file"));
    },
    (target) => {
      Deno.mkdirSync(join(target, "n"));
      Deno.symlinkSync(outside, join(target, "n", "folder"));
    },
    (target) => Deno.symlinkSync(outside, join(target, "n")),
  ];
  await Promise.all(attempts.map(async (prepare) => {
    const target = scene.newFolder("target");
    prepare(target);
    const download = startDownload(scene, torrent, target, ["--peer", peer.endpoint, "--timeout", "5s"]);
    const { code } = await download.exit(20_000);
    assert(code !== 0, download.text());
    assertMatch(download.text("stderr"), /link/);
  }));
  assertEquals(treeOf(outside), ["secret"]);
  assertEquals(Deno.readTextFileSync(join(outside, "secret")), "mine and long enough");
});

Deno.test("CVE-2019-13640 (qBittorrent: a name that reaches a shell) and a terminal: it is a name, and harmless on screen", async () => {
  await using scene = await Scene.open();
  const names = [
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned ;",
    "| touch pwned",
    "\x1b]0;pwned\x07\x1b[31mred",
    "a\u202egpj.exe",
  ];
  const { bytes, data } = torrentOf("$(touch pwned)", names.map((name) => [name]));
  const target = scene.newFolder("target");
  const torrent = join(scene.folder, "t.torrent");
  Deno.writeFileSync(torrent, bytes);
  await using peer = new WirePeer((wire) => serveAsSeeder(wire, data));
  const [info, download] = await Promise.all([
    runLocalbt(scene, ["info", torrent]),
    (async () => {
      const child = startDownload(scene, torrent, target, ["--peer", peer.endpoint, "--verbose"]);
      assertEquals((await child.exit(20_000)).code, 0, child.text());
      return child;
    })(),
  ]);
  assertStringIncludes(info.stdout, "$(touch pwned)");
  for (const said of [info.stdout, info.stderr, download.text()]) {
    // deno-lint-ignore no-control-regex -- what a name must not bring to the terminal
    assert(!/[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]/.test(said), JSON.stringify(said));
  }
  assertEquals(treeOf(target).length, names.length);
  assertEquals([...treeOf(target), ...treeOf(scene.folder)].filter((path) => /(^|\/)pwned$/.test(path)), []);
});
