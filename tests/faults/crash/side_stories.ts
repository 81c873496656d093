/** Shorter commands, killed in each of their phases: the end of a download, magnet links, `get`, `create`. */
import { assertEquals } from "@std/assert";
import { eventOf, localbtCommand, startLocalbt } from "../../interop/localbt.ts";
import { join } from "../../interop/path.ts";
import type { Scene } from "../../interop/scene.ts";
import { CountingSeeder } from "./counting_seeder.ts";
import { killAgain, pause } from "./killed_command.ts";
import { faultsOf, oddFolder, writeOddFolder } from "./odd_folder.ts";

export interface SideOptions {
  readonly scene: Scene;
  readonly killCount: number;
  readonly random: () => number;
  /** Milliseconds from the start of the program to its first request, about. */
  readonly startMs: number;
}

export const small = oddFolder({ totalLength: 1 << 20, pieceLength: 16_384 });
export const quiet = ["--host", "127.0.0.1", "--port", "0"];

/** The folder has to be whole and without leftovers; goes for the next time. */
export function expectWhole(target: string, { modes = true } = {}): void {
  assertEquals(faultsOf(small, target, { modes }), []);
  Deno.removeSync(target, { recursive: true });
  Deno.mkdirSync(target);
}

/**
 * Kills from the last block on: the last write, the flush, the modes, the removal of the resume file; and of the run after
 * that, which finds that little or nothing is left to do.
 */
export async function killFinish({ scene, killCount, random, startMs }: SideOptions): Promise<number> {
  const torrent = join(scene.newFolder("torrent"), "t.torrent");
  Deno.writeFileSync(torrent, small.torrent);
  const target = scene.newFolder("target");
  await using seeder = new CountingSeeder(small);
  const lastBlock = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const blockCount = Math.ceil(small.content.length / 16_384);
    seeder.begin({ blocks: Infinity, onGiven: (count) => count >= blockCount && resolve() });
    return promise;
  };
  return await killAgain({
    args: ["download", torrent, "--output", target, "--peer", seeder.endpoint, "--no-discovery", ...quiet],
    killCount,
    due: async () => {
      if ([...Deno.readDirSync(target)].length > 0) return await pause(1.3 * startMs * random());
      await lastBlock();
      await pause(25 * random());
    },
    afterEnd: () => expectWhole(target),
  });
}

/** Kills while metadata is fetched and kept, and while it goes on from there. */
export async function killMagnet({ scene, killCount, random, startMs }: SideOptions): Promise<number> {
  const data = scene.newFolder("data");
  writeOddFolder(small, data);
  const torrent = join(scene.newFolder("torrent"), "t.torrent");
  Deno.writeFileSync(torrent, small.torrent);
  const seeder = startLocalbt(scene, ["seed", torrent, "--data", data, "--json", ...quiet]);
  const { port } = await eventOf(seeder, "ready", 20_000);
  const target = scene.newFolder("target");
  const link = `magnet:?xt=urn:btih:${small.infoHash}&x.pe=127.0.0.1:${port}`;
  return await killAgain({
    args: ["download", link, "--output", target, "--no-discovery", ...quiet],
    killCount,
    due: () => pause((0.5 + random()) * startMs),
    afterEnd: () => expectWhole(target),
  });
}

/** Kills of `get` from a share. */
export async function killGet({ scene, killCount, random, startMs }: SideOptions): Promise<number> {
  const data = scene.newFolder("data");
  writeOddFolder(small, data);
  const sharing = startLocalbt(scene, ["share", "--json", ...quiet, join(data, small.name)]);
  const { port } = await eventOf(sharing, "ready", 20_000);
  const target = scene.newFolder("target");
  return await killAgain({
    args: ["get", `127.0.0.1:${port}`, "--output", target, ...quiet],
    killCount,
    due: () => pause((0.5 + 1.2 * random()) * startMs),
    afterEnd: () => expectWhole(target, { modes: false }),
  });
}

/** Kills of `create -o`: under the torrent's name there is nothing, the old file or the new one, whole. */
export async function killCreate({ scene, killCount, random, startMs }: SideOptions): Promise<number> {
  const data = scene.newFolder("data");
  writeOddFolder(small, data);
  const folder = scene.newFolder("made");
  const path = join(folder, "made.torrent");
  const args = ["create", "--no-date", "--piece-length", "16K", "--force", "--output", path, join(data, small.name)];
  const [program, ...first] = localbtCommand();
  const { success } = await new Deno.Command(program, { args: [...first, ...args], stderr: "null", stdout: "null" })
    .output();
  assertEquals(success, true);
  const wanted = Deno.readFileSync(path);
  const old = new TextEncoder().encode("an old torrent");
  let before: Uint8Array | undefined;
  const arrange = () => {
    before = random() < 0.5 ? old : undefined;
    if (before === undefined) Deno.removeSync(path);
    else Deno.writeFileSync(path, before);
  };
  arrange();
  const expectWholeOrNothing = () => {
    const found = [...Deno.readDirSync(folder)].some(({ name }) => name === "made.torrent")
      ? Deno.readFileSync(path)
      : undefined;
    if (found?.length === wanted.length) assertEquals(found, wanted);
    else assertEquals(found, before);
  };
  const kills = await killAgain({
    args,
    killCount,
    due: () => pause((0.3 + 0.9 * random()) * startMs),
    afterKill: expectWholeOrNothing,
    afterEnd: () => {
      assertEquals(Deno.readFileSync(path), wanted);
      assertEquals(Array.from(Deno.readDirSync(folder), ({ name }) => name), ["made.torrent"]);
      arrange();
    },
  });
  return kills;
}
