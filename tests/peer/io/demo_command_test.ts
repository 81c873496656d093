import { assert, assertEquals, assertGreater } from "@std/assert";
import { Bitfield } from "../../../lib/bitfield.ts";
import { ExitCode } from "../../../lib/errors.ts";
import { makeDemoCommand } from "../../../peer/io/demo_command.ts";
import { mapPlaces, pieceMap } from "../../../peer/io/demo_screen.ts";
import { dealPieces } from "../../../peer/io/demo_swarm.ts";
import { TrackerServer } from "../../../tracker/io/http_listener.ts";
import { waitFor } from "../../interop/wait.ts";
import { makeContext } from "../../cli/test_context.ts";

const clock = () => performance.now();
const demoCommand = makeDemoCommand((options) => TrackerServer.start(options));

/** A generator of numbers in [0, 1) that gives the same ones each time. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

/** Names of the demo's folders in the folder for temporary files. */
async function demoFolders(): Promise<string[]> {
  const probe = await Deno.makeTempDir();
  await Deno.remove(probe);
  const names: string[] = [];
  for await (const { name } of Deno.readDir(probe.replace(/[^/\\]+$/, ""))) {
    if (name.startsWith("localbt-demo-")) names.push(name);
  }
  return names;
}

Deno.test("dealPieces() gives each piece to one to three seeders, and each seeder only some", () => {
  const hands = dealPieces(161, 5, seeded(1));
  for (let piece = 0; piece < 161; piece++) {
    const holders = hands.filter((hand) => hand.has(piece)).length;
    assert(holders >= 1 && holders <= 3, `piece ${piece} has ${holders} holders`);
  }
  for (const hand of hands) assert(hand.count > 20 && hand.count < 120, `${hand.count} pieces`);
});

Deno.test("pieceMap() shows four pieces in a character, and groups of a larger torrent", () => {
  const have = Bitfield.empty(9);
  for (const piece of [0, 3, 5, 8]) have.set(piece);
  assertEquals(pieceMap(have), "▚▝█");
  assertEquals(pieceMap(Bitfield.empty(4)), "·");
  const large = Bitfield.full(10 * mapPlaces);
  large.clear(0);
  assertEquals(pieceMap(large), `▟${"█".repeat(mapPlaces / 4 - 1)}`);
});

Deno.test("demo moves the sample from five partial seeders, takes the rare pieces first, verifies and cleans up", async () => {
  const before = await demoFolders();
  const context = makeContext({ json: true, clock, random: seeded(7) });
  assertEquals(await demoCommand.run(context, ["--upload-limit", "1M"]), ExitCode.done);
  const steps = context.events.map(({ event }) => event).filter((event) => event !== "piece" && event !== "seeder");
  assertEquals(steps, ["create", "tracker", "seed", "download", "verify", "done"]);
  const seeders = context.events.filter(({ event }) => event === "seeder");
  assertEquals(seeders.length, 5);
  for (const { havePieces, pieceCount } of seeders) assertGreater(Number(pieceCount), Number(havePieces));
  const pieces = context.events.filter(({ event }) => event === "piece");
  assertEquals(new Set(pieces.map(({ piece }) => piece)).size, Number(seeders[0].pieceCount));
  assertEquals((await demoFolders()).filter((name) => !before.includes(name)), []);
});

Deno.test("demo stops when it is asked to, and cleans up", async () => {
  const before = await demoFolders();
  const context = makeContext({ json: true, clock, random: seeded(11) });
  const run = demoCommand.run(context, ["--upload-limit", "64K"]).then(() => "ended", (error) => error);
  const firstPiece = waitFor(
    "a piece",
    () => context.events.some(({ event }) => event === "piece") ? true : undefined,
    20_000,
  );
  await Promise.race([firstPiece, run]);
  context.interrupt();
  await firstPiece;
  assertEquals(await run, "SIGINT");
  assertEquals((await demoFolders()).filter((name) => !before.includes(name)), []);
});
