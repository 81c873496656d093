/** What is on the disk when the power goes: all that was called done, and nothing that is believed and is not there. */
import { assertEquals } from "@std/assert";
import { existsSync } from "node:fs";
import { atRest } from "../peer/io/sample_torrent.ts";
import { Child } from "../interop/child.ts";
import { eventOf, eventsOf, localbtCommand, runLocalbt } from "../interop/localbt.ts";
import { wordsFrom } from "../interop/payload.ts";
import { join } from "../interop/path.ts";
import { Scene } from "../interop/scene.ts";
import { CountingSeeder } from "./crash/counting_seeder.ts";
import { faultsOf, oddFolder, writeOddFolder } from "./crash/odd_folder.ts";
import { StoredPieces } from "./crash/stored_pieces.ts";
import { mayCutPower, PowerCutDisk } from "./power_cut.ts";

const folder = oddFolder({ totalLength: 4 << 20, pieceLength: 32_768 });
const allPieces = folder.hashes.map((_, piece) => piece);

/** A download of the folder to a disk whose power can be cut. */
class Stage implements AsyncDisposable {
  readonly seeder = new CountingSeeder(folder);
  private constructor(readonly disk: PowerCutDisk, readonly target: string, readonly torrent: string) {}

  static async open(scene: Scene): Promise<Stage> {
    const disk = await PowerCutDisk.make(scene, 64 << 20);
    const torrent = join(scene.newFolder("torrent"), "odd.torrent");
    await Deno.writeFile(torrent, folder.torrent);
    return new Stage(disk, join(disk.folder, "target"), torrent);
  }

  /** Starts the download; so many blocks are given, and the second promise resolves with the last of them. */
  start(blocks: number, ...more: string[]): { child: Child; given: Promise<void> } {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.seeder.begin({ blocks, onGiven: (count) => count >= blocks && resolve() });
    const args = ["download", this.torrent, "-o", this.target, "--peer", this.seeder.endpoint, "--json"];
    const command = [...localbtCommand(), ...args, "--host", "127.0.0.1", "--port", "0", "--no-discovery", ...more];
    return { child: new Child({ name: "download", command }), given: promise };
  }

  async kill(child: Child): Promise<void> {
    child.signal("SIGKILL");
    await child.exit(10_000);
  }

  /** Pieces that are right on the disk, read without the program. */
  get stored(): number[] {
    return new StoredPieces(folder, this.target).among(allPieces);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.seeder[Symbol.asyncDispose]();
  }
}

async function flushed(path: string): Promise<void> {
  using file = await Deno.open(path);
  await file.syncData();
}

function test(name: string, play: (scene: Scene) => Promise<void>): void {
  Deno.test({
    name,
    ignore: !mayCutPower,
    async fn() {
      await using scene = await Scene.open();
      await play(scene);
    },
  });
}

test("a download that said it is done is on the disk itself, and so is a torrent that was made", async (scene) => {
  await using stage = await Stage.open(scene);
  const { child } = stage.start(Infinity);
  await eventOf(child, "done", 30_000);
  await stage.kill(child);
  await stage.disk.cut();
  assertEquals(faultsOf(folder, stage.target), []);
  const data = scene.newFolder("data");
  writeOddFolder(folder, data);
  const made = join(stage.disk.folder, "made.torrent");
  assertEquals((await runLocalbt(scene, ["create", "-o", made, join(data, folder.name)])).code, 0);
  const bytes = await Deno.readFile(made);
  await stage.disk.cut();
  assertEquals(await Deno.readFile(made), bytes);
});

test("what a stopped download had is on the disk itself", async (scene) => {
  await using stage = await Stage.open(scene);
  const { child, given } = stage.start(150);
  await given;
  child.signal("SIGTERM");
  assertEquals((await child.exit(10_000)).code, 143);
  const had = eventsOf(child, "piece").map(({ piece }) => Number(piece));
  await stage.disk.cut();
  const stored = stage.stored;
  assertEquals(had.filter((piece) => !stored.includes(piece)), []);
});

test("what a killed download had written is not believed before it was flushed", async (scene) => {
  await using stage = await Stage.open(scene);
  const first = stage.start(200, "--strategy", "sequential");
  await first.given;
  await stage.kill(first.child);
  // By chance the system has flushed all but one small file, which none of the pieces in a sample lies in.
  const unflushed = folder.files.findIndex(({ path: [name] }) => name.startsWith("xxx"));
  for (const [i, { path }] of folder.files.entries()) {
    const place = join(stage.target, folder.name, ...path);
    if (i !== unflushed && existsSync(place)) await flushed(place);
  }
  await atRest(join(stage.target, folder.name, "xxx".padEnd(180, "x")));
  await atRest(join(stage.target, folder.name, "large.bin"));
  const second = stage.start(0);
  await eventOf(second.child, "start", 20_000);
  await stage.kill(second.child);
  await stage.disk.cut();
  const stored = stage.stored;
  const third = stage.start(Infinity);
  assertEquals((await third.child.exit(30_000)).code, 0);
  assertEquals(eventsOf(third.child, "start")[0]?.havePieces, stored.length);
  assertEquals(faultsOf(folder, stage.target), []);
});

test("a download whose power is cut again and again believes only what is there, and ends right", async (scene) => {
  await using stage = await Stage.open(scene);
  const next = wordsFrom(11);
  for (let cut = 0; cut < 8; cut++) {
    const { child, given } = stage.start(10 + next() % 80);
    await given;
    child.signal(next() % 2 === 0 ? "SIGTERM" : "SIGKILL"); // half of them with a save
    if (next() % 2 === 0) await child.exit(10_000);
    await stage.kill(child);
    await stage.disk.cut();
    const stored = stage.stored;
    const again = stage.start(0);
    assertEquals((await eventOf(again.child, "start", 20_000)).havePieces, stored.length, `cut ${cut}`);
    await stage.kill(again.child);
  }
  const { child } = stage.start(Infinity);
  assertEquals((await child.exit(30_000)).code, 0);
  await stage.disk.cut();
  assertEquals(faultsOf(folder, stage.target), []);
});
