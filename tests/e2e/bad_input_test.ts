import { createHash } from "node:crypto";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { freePort } from "../interop/free_port.ts";
import { interopTest, type Need, runs } from "../interop/installed.ts";
import { runLocalbt } from "../interop/localbt.ts";
import { basename, join } from "../interop/path.ts";
import { bytesFrom, singleFile, smallFiles, wordsFrom } from "../interop/payload.ts";
import { bencode, referenceTorrent } from "../interop/reference_torrent.ts";
import { Scene } from "../interop/scene.ts";
import { makeShare, seedShare, startDownload } from "./swarm.ts";
import { serveAsSeeder, WirePeer } from "./wire_peer.ts";

/** One clear sentence, its exit code, no stack trace, and nothing on stdout. */
function assertClear(run: { code: number; stdout: string; stderr: string }, code: number): void {
  assertEquals(run.code, code, run.stderr);
  assert(/^localbt: cannot .+: .+$/m.test(run.stderr), run.stderr);
  assert(!/^ +at |Uncaught|Exception/m.test(run.stderr), run.stderr);
  assertEquals(run.stdout, "");
}

const encoder = new TextEncoder();

/** What is no torrent, by its bytes. */
function noTorrents(): Record<string, Uint8Array> {
  const whole = encoder.encode("d4:infod6:lengthi5e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee");
  return {
    "an empty file": new Uint8Array(),
    "a text file": encoder.encode("Dear diary,\n"),
    "a torrent without its end": whole.subarray(0, whole.length - 10),
    "a torrent with something behind it": encoder.encode(new TextDecoder().decode(whole) + "garbage"),
    "bencode 300,000 deep": encoder.encode("l".repeat(300_000)),
    "a dictionary without info": encoder.encode("d8:announce3:abce"),
    "a torrent of no bytes at all": encoder.encode("d4:infod6:lengthi0e4:name1:a12:piece lengthi16384e6:pieces0:ee"),
    "a torrent with too few hashes": encoder.encode(
      "d4:infod6:lengthi99999e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee",
    ),
    "a torrent with a negative length": encoder.encode(
      "d4:infod6:lengthi-5e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee",
    ),
    "a string that claims 4 GB": encoder.encode("d4:info4294967296:abce"),
    "random bytes": bytesFrom(5, 10_000),
  };
}

for (const command of ["download", "seed", "info", "verify"]) {
  Deno.test(`${command} of what is no torrent says so and ends with 3`, async () => {
    await using scene = await Scene.open();
    const target = scene.newFolder("target");
    await Promise.all(
      Object.entries(noTorrents()).map(async ([what, bytes]) => {
        const path = join(scene.newFolder("input"), `${what.replace(/\W+/g, "-")}.torrent`);
        Deno.writeFileSync(path, bytes);
        const place = command === "download" ? ["--output", target] : [];
        const run = await runLocalbt(scene, [command, path, ...place], { cwd: target });
        assertClear(run, 3);
        assert(run.stderr.includes(basename(path)), `it names the file: ${run.stderr}`);
      }),
    );
    assertEquals([...Deno.readDirSync(target)], []);
  });

  Deno.test(`${command} without its file, or of a folder, names the path and ends with 1`, async () => {
    await using scene = await Scene.open();
    for (const path of [join(scene.folder, "not-there.torrent"), scene.newFolder("folder")]) {
      const run = await runLocalbt(scene, [command, path], { cwd: scene.folder });
      assertClear(run, 1);
      assert(run.stderr.includes(path), run.stderr);
    }
  });
}

Deno.test("info of mutated torrents ends with 0 or 3, never otherwise", async () => {
  await using scene = await Scene.open();
  const { bytes } = makeShare(scene, smallFiles(20, 16 * 1024), ["http://127.0.0.1:1/announce"]);
  const next = wordsFrom(20261122);
  const mutants = Array.from({ length: 16 }, (_, i) => {
    const mutant = bytes.slice();
    for (let n = 0; n < 4; n++) mutant[next() % mutant.length] = next() & 0xff;
    const path = join(scene.folder, `mutant-${i}.torrent`);
    Deno.writeFileSync(path, i % 4 === 3 ? mutant.subarray(0, next() % mutant.length) : mutant);
    return path;
  });
  for (const path of mutants) {
    const run = await runLocalbt(scene, ["info", path]);
    assert(run.code === 0 || run.code === 3, `${run.code}: ${run.stderr}`);
    if (run.code === 3) assertClear(run, 3);
  }
});

Deno.test("names that point out of the folder stay inside it", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, singleFile(100, 16_384));
  const outer = scene.newFolder("outer");
  const target = join(outer, "target");
  Deno.mkdirSync(target);
  const { bytes, infoHash } = escapingTorrent(share.payload);
  const torrent = join(scene.folder, "escape.torrent");
  Deno.writeFileSync(torrent, bytes);
  const data = { infoHash, content: new Uint8Array(30).fill(97), pieceLength: 16_384 };
  await using peer = new WirePeer((wire) => serveAsSeeder(wire, data));
  const download = startDownload(scene, torrent, target, ["--peer", peer.endpoint]);
  assertEquals((await download.exit(10_000)).code, 0, download.text());
  assertEquals([...Deno.readDirSync(outer)].map((entry) => entry.name), ["target"]);
  assertEquals(filesBelow(target).length, 3, filesBelow(target).join("\n"));
});

/** A torrent whose name and paths try to leave the download folder. */
function escapingTorrent(payload: Parameters<typeof referenceTorrent>[0]): { bytes: Uint8Array; infoHash: string } {
  const names = [["..", "..", "climbed"], ["/tmp/absolute"], ["a", "..", "..", "..", "around"]];
  const content = join(payload.directory, "content");
  Deno.writeFileSync(content, new Uint8Array(30).fill(97));
  const plain = referenceTorrent({
    ...payload,
    name: "content",
    files: [{ path: [], length: 30 }],
    totalLength: 30,
  });
  // the same single piece hash, told of three files
  const text = new TextDecoder("latin1").decode(plain.bytes);
  const at = text.indexOf("6:pieces20:") + "6:pieces20:".length;
  const info = new Map<string, Parameters<typeof bencode>[0]>([
    ["files", names.map((path) => new Map<string, Parameters<typeof bencode>[0]>([["length", 10], ["path", path]]))],
    ["name", "../escaped"],
    ["piece length", 16_384],
    ["pieces", plain.bytes.slice(at, at + 20)],
  ]);
  return {
    bytes: bencode(new Map([["info", info]])),
    infoHash: createHash("sha1").update(bencode(info)).digest("hex"),
  };
}

function filesBelow(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap((entry) =>
    entry.isDirectory ? filesBelow(join(folder, entry.name)) : [join(folder, entry.name)]
  );
}

for (const command of ["seed", "download", "tracker"]) {
  Deno.test(`${command} --port of a port in use says so and ends with 1`, async () => {
    await using scene = await Scene.open();
    const share = makeShare(scene, singleFile(1_000, 16_384));
    const port = freePort();
    const listener = Deno.listen({ hostname: "0.0.0.0", port });
    try {
      const file = command === "tracker" ? [] : [share.torrent];
      const place = command === "seed" ? ["--data", share.payload.directory] : [];
      const run = await runLocalbt(scene, [command, ...file, ...place, "--port", String(port)], { cwd: scene.folder });
      assertClear(run, 1);
      assert(run.stderr.includes(String(port)), run.stderr);
    } finally {
      listener.close();
    }
  });
}

Deno.test("verify tells what is wrong with 4, and what is whole with 0", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, smallFiles(30, 16_384));
  const verify = ["verify", share.torrent, "--data", share.payload.directory];
  assertEquals((await runLocalbt(scene, verify)).code, 0);
  const victim = share.payload.files.find((file) => file.length > 10);
  const path = join(share.payload.directory, share.payload.name, ...victim?.path ?? []);
  const bytes = Deno.readFileSync(path);
  bytes[5] = (bytes[5] ?? 0) ^ 1;
  Deno.writeFileSync(path, bytes);
  const run = await runLocalbt(scene, [...verify, "--json"]);
  assertEquals(run.code, 4, run.stderr);
  assertEquals(JSON.parse(run.stdout).badPieces, 1);
});

/** A mount of our own, in a namespace that goes with its process. */
const privateMounts: Need = {
  name: "private mounts (root on Linux)",
  isInstalled: () =>
    Deno.build.os === "linux" && runs(["unshare", "--mount", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/mnt"]),
};

/** Puts a tmpfs with these options on a folder before the program runs. */
function onTmpfs(options: string, folder: string): string[] {
  return ["unshare", "--mount", "sh", "-c", `mount -t tmpfs -o ${options} tmpfs "$0" && exec "$@"`, folder];
}

interopTest("download onto a disk that is too small says so before it starts, with 1", [privateMounts], async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, singleFile(8 * 2 ** 20, 64 * 1024));
  const seeder = await seedShare(scene, share);
  const target = scene.newFolder("target");
  const args = ["download", share.torrent, "--output", target, "--port", "0", "--peer", seeder.endpoint];
  assertClear(await runLocalbt(scene, args, { prefix: onTmpfs("size=2m", target) }), 1);
});

interopTest("download to a read-only place says so with 1", [privateMounts], async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, singleFile(100_000, 64 * 1024));
  const seeder = await seedShare(scene, share);
  const target = scene.newFolder("target");
  const args = ["download", share.torrent, "--output", target, "--port", "0", "--peer", seeder.endpoint];
  assertClear(await runLocalbt(scene, args, { prefix: onTmpfs("ro", target) }), 1);
});

interopTest(
  "a disk that fills up during a download is named, and --timeout ends the waiting for room with 5",
  [privateMounts],
  async () => {
    await using scene = await Scene.open();
    const share = makeShare(scene, singleFile(8 * 2 ** 20, 64 * 1024));
    const seeder = await seedShare(scene, share, ["--upload-limit", "2M"]);
    const target = scene.newFolder("target");
    const fill = 'until ls -A "$0" | grep -q resume; do :; done; cat /dev/zero > "$0/filler"';
    const mount = `mount -t tmpfs -o size=9m tmpfs "$0" && { { ${fill}; } 2>/dev/null & } && exec "$@"`;
    const args = ["download", share.torrent, "-o", target, "--port", "0", "--peer", seeder.endpoint, "--timeout", "2s"];
    const run = await runLocalbt(scene, args, { prefix: ["unshare", "--mount", "sh", "-c", mount, target] });
    assertEquals(run.code, 5, run.stderr);
    assertStringIncludes(run.stderr, `${share.payload.name}: the disk is full`);
  },
);
