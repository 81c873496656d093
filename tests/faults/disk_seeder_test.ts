/** Data that changes under a seeder: it notices, gives none of it, says so, and gives it again when it is right again. */
import { assertEquals, assertFalse } from "@std/assert";
import { expectDone, makeShare, type Seeder, seedShare, type Share, startDownload } from "../e2e/swarm.ts";
import type { Child } from "../interop/child.ts";
import { eventOf, eventsOf, startLocalbt } from "../interop/localbt.ts";
import { join } from "../interop/path.ts";
import type { PayloadKind } from "../interop/payload.ts";
import { Scene } from "../interop/scene.ts";
import { waitFor } from "../interop/wait.ts";
import { Taker } from "./taker.ts";

const pieceLength = 32_768;
const names = ["removed", "cut", "changed", "replaced", "put back", "kept"];
/** Six files of two pieces each, so that a piece lies in one file. */
const kind: PayloadKind = {
  ...{ label: "six files", name: "six", pieceLength, seed: 11 },
  files: names.map((name) => ({ path: [name], length: 2 * pieceLength })),
};

/** The bytes of a piece as they should be. */
function contentOf(originals: ReadonlyMap<string, Uint8Array>, piece: number): Uint8Array {
  const original = originals.get(names[piece >> 1])!;
  return original.slice((piece & 1) * pieceLength, ((piece & 1) + 1) * pieceLength);
}

function pathOf(share: Share, name: string): string {
  return join(share.payload.directory, share.payload.name, name);
}

function readAll(share: Share): Map<string, Uint8Array> {
  return new Map(names.map((name) => [name, Deno.readFileSync(pathOf(share, name))]));
}

function joinAsTaker({ endpoint }: Seeder, share: Share, listenPort?: number): Promise<Taker> {
  const options = { infoHash: share.infoHash, pieceLength, pieceCount: 2 * names.length };
  return Taker.join(endpoint, listenPort === undefined ? options : { ...options, listenPort });
}

/** Overwrites a few bytes in the middle of a file, as a program would that edits it. */
function spoil(path: string, offset = pieceLength + 100): void {
  using file = Deno.openSync(path, { write: true });
  file.seekSync(offset, Deno.SeekMode.Start);
  file.writeSync(new Uint8Array([1, 2, 3, 4, 5]));
}

/** Waits until a change of the file now shows in the time that the system notes with it, which is kept in seconds. */
async function whenOld(path: string): Promise<void> {
  const { ctime } = Deno.statSync(path);
  await waitFor("the next second", () => Date.now() >= ctime!.getTime() + 1_100 ? true : undefined, 5_000);
}

function told(child: Child, state: string): string[] {
  return eventsOf(child, "file").filter((event) => event.state === state).map(({ path }) => String(path)).sort();
}

Deno.test("a seeder whose files are removed, cut, changed, replaced, or changed and dated back", async (t) => {
  await using scene = await Scene.open();
  const share = makeShare(scene, kind);
  const originals = readAll(share);
  const seeder = await seedShare(scene, share);
  const taker = await joinAsTaker(seeder, share);
  const lost = names.slice(0, 5);

  await t.step("gives every piece while all is well", async () => {
    for (let piece = 0; piece < 12; piece++) {
      assertEquals(await taker.take(piece), contentOf(originals, piece), `piece ${piece}`);
    }
  });

  await t.step("notices each by itself and says so in one line that names the file", async () => {
    await whenOld(pathOf(share, "put back"));
    Deno.removeSync(pathOf(share, "removed"));
    Deno.truncateSync(pathOf(share, "cut"), pieceLength + 5);
    spoil(pathOf(share, "changed"));
    Deno.writeFileSync(pathOf(share, "replaced.new"), new Uint8Array(2 * pieceLength).fill(7));
    Deno.renameSync(pathOf(share, "replaced.new"), pathOf(share, "replaced"));
    const { mtime, atime } = Deno.statSync(pathOf(share, "put back"));
    spoil(pathOf(share, "put back"));
    Deno.utimeSync(pathOf(share, "put back"), atime!, mtime!);
    assertEquals(Deno.statSync(pathOf(share, "put back")).mtime, mtime);
    for (const name of lost) {
      const path = pathOf(share, name);
      await seeder.child.until(path, () => seeder.child.text("stderr").includes(path) ? true : undefined, 20_000);
      const lines = seeder.child.text("stderr").split("\n").filter((line) => line.includes(path));
      assertEquals(lines.length, 1, lines.join("\n"));
    }
    const paths = lost.map((name) => pathOf(share, name)).sort();
    await seeder.child.until(
      "an event for each",
      () => told(seeder.child, "wrong").join() === paths.join() || undefined,
      10_000,
    );
  });

  await t.step("takes back what is wrong, and offers what of those files is still right", async () => {
    await taker.until("all is said", () => [...taker.offered].sort((a, b) => a - b).join() === "2,4,8,10,11");
    for (const piece of [0, 1, 3, 5, 6, 7, 9]) assertEquals(await taker.take(piece), undefined, `piece ${piece}`);
    for (const piece of [2, 4, 8, 10, 11]) {
      assertEquals(await taker.take(piece), contentOf(originals, piece), `piece ${piece}`);
    }
    const newcomer = await joinAsTaker(seeder, share, 2);
    await newcomer.until("a bitfield", () => newcomer.offered.size > 0);
    assertEquals([...newcomer.offered], [2, 4, 8, 10, 11]);
    newcomer.close();
  });

  await t.step("gives them again when they are right again", async () => {
    for (const name of lost) Deno.writeFileSync(pathOf(share, name), originals.get(name)!);
    await taker.until("all is offered", () => taker.offered.size === 12);
    for (let piece = 0; piece < 12; piece++) {
      assertEquals(await taker.take(piece), contentOf(originals, piece), `piece ${piece}`);
    }
    await waitFor("the last line", () => told(seeder.child, "right").length === 5 ? true : undefined, 10_000);
  });
  taker.close();
});

Deno.test("a seeder that was told not to verify sends no peer the same wrong bytes twice, and then verifies", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, kind);
  const originals = readAll(share);
  for (const name of ["changed", "replaced"]) spoil(pathOf(share, name), 100); // pieces 4 and 6
  const seeder = await seedShare(scene, share, ["--no-verify"]);
  const taker = await joinAsTaker(seeder, share, 7_001);
  const first = await taker.take(4);
  assertFalse(first === undefined || equal(first, contentOf(originals, 4)), "the test spoiled nothing");
  taker.close();
  // the same peer begins anew: what it was sent is remembered by its address
  const again = await joinAsTaker(seeder, share, 7_001);
  assertEquals(await again.take(4), undefined, "the wrong piece was sent twice");
  await again.until("the other wrong piece is taken back", () => !again.offered.has(6));
  assertEquals(await again.take(6), undefined);
  assertEquals(await again.take(5), contentOf(originals, 5));
  assertEquals(
    await again.take(5),
    contentOf(originals, 5),
    "a right piece is given as often as it is asked for",
  );
  const paths = ["changed", "replaced"].map((name) => pathOf(share, name)).join();
  await seeder.child.until(
    "an event for each",
    () => told(seeder.child, "wrong").join() === paths || undefined,
    10_000,
  );
  again.close();
});

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

Deno.test("a download that goes on seeding takes back what somebody changes, and keeps the rest", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, kind);
  const seeder = await seedShare(scene, share);
  const target = scene.newFolder("target");
  const second = startDownload(scene, share.torrent, target, ["--peer", seeder.endpoint, "--seed"]);
  await eventOf(second, "done", 20_000);
  const path = join(target, kind.name, "changed");
  spoil(path, 100);
  const { why } = await eventOf(second, "file", 20_000, (event) => event.path === path);
  assertEquals(why, "it has changed");
  assertEquals(told(second, "wrong"), [path]);
});

Deno.test("a share whose file changes tells its owner to share it again", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, kind);
  const folder = join(share.payload.directory, kind.name);
  const child = startLocalbt(scene, [
    "share",
    folder,
    "--host",
    "127.0.0.1",
    "--port",
    "0",
    "--no-discovery",
    "--json",
  ]);
  await eventOf(child, "ready", 20_000);
  spoil(pathOf(share, "changed"));
  await eventOf(child, "changed", 20_000);
  await eventOf(child, "file", 20_000, (event) => event.path === pathOf(share, "changed"));
  await child.line(/has changed: end this with Ctrl-C and share it again/, 10_000);
});

Deno.test("a download ends with exit 1 and a line when its folder is taken away, and the same command fetches it all", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, kind);
  const seeder = await seedShare(scene, share, ["--upload-limit", "300K"]);
  const target = scene.newFolder("target");
  const download = startDownload(scene, share.torrent, target, ["--peer", seeder.endpoint]);
  await eventOf(download, "piece", 20_000);
  Deno.renameSync(join(target, kind.name), join(target, "moved"));
  assertEquals((await download.exit(20_000)).code, 1, download.text());
  const said = download.text("stderr").split("\n").filter((line) => line.startsWith("localbt: cannot"));
  assertEquals(said.length, 1, download.text());
  const rich = await seedShare(scene, share);
  const again = startDownload(scene, share.torrent, target, ["--peer", rich.endpoint]);
  await expectDone(again, share.payload, target);
});
