/**
 * `deno task soak [--minutes 30] [--visitors 5] [--samples FILE]`: the compiled program in a crowd that comes and goes.
 *
 * A tracker, a seeder of four torrents, a downloader that seeds on and a share live through all of it. Visitors fetch,
 * are killed, leave, come back, seed for a while and are removed; a second tracker is restarted again and again. When
 * the minutes are over everybody finishes and has the right bytes. Memory and descriptors of the long-lived are looked
 * at every second: it fails when they grow (trend.ts has the rule), when anybody does not finish, or has wrong bytes.
 *
 * Exit code 1 when something is wrong; SEED=n repeats the choices of the visitors (their timing is the machine's).
 */
import { parseArgs } from "@std/cli/parse-args";
import { join, repositoryFolder } from "../interop/path.ts";
import { assertHoldsPayload } from "../interop/payload.ts";
import { Scene } from "../interop/scene.ts";
import { seededRandom } from "../lib/mutations.ts";
import { ProcessWatch } from "./process_watch.ts";
import { report, type Watched } from "./report.ts";
import { type Stage, type Tally, visitAgainAndAgain, visitOnce } from "./visitor.ts";
import { World } from "./world.ts";

const options = parseArgs(Deno.args, {
  string: ["minutes", "visitors", "samples"],
  unknown: (argument) => refuse(`there is no argument ${argument}`),
});
const minutes = positive("minutes", options.minutes ?? "30");
const visitorCount = Math.round(positive("visitors", options.visitors ?? "5"));
const seed = Number(Deno.env.get("SEED") ?? Math.floor(Math.random() * 1e6));
/** Time that caches and the compiler of JavaScript take to fill: a third of the soak, ten minutes at most. */
const warmUpSeconds = Math.min(600, minutes * 20);
/** Milliseconds between two restarts of the fickle tracker, and for which it is away. */
const restartEveryMs = Math.min(60_000, minutes * 20_000);
const downMsMax = 8_000;
const lookEveryMs = 1_000;
/** Looks, a tenth of a second apart, of which the lowest number of descriptors counts. */
const quietLooks = 40;

findProgram();
Deno.exit(await soak() ? 0 : 1);

async function soak(): Promise<boolean> {
  await using scene = await Scene.open(isFolder("/dev/shm") ? "/dev/shm" : undefined);
  const startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1000;
  const world = await World.open(scene);
  const watches = [...world.longLived].map(([name, child]) => new ProcessWatch(name, child));
  const closing = Promise.withResolvers<void>();
  let isClosing = false;
  const tally: Tally = { joins: 0, kills: 0, leaves: 0, resumes: 0, finishes: 0, seedings: 0 };
  const stage: Stage = {
    ...{ scene, tally, offers: world.offers, random: seededRandom(seed) },
    ...{ closing: closing.promise, isClosing: () => isClosing },
  };
  const isEnded = Promise.race(
    [...world.longLived].map(([name, child]) =>
      child.status.then(() => Promise.reject(child.failure(`${name} has ended in the middle`)))
    ),
  );
  isEnded.catch(() => {});
  const untilDone = <T>(work: Promise<T>) => Promise.race([work, isEnded]);

  console.error(`soak of ${minutes} minutes, ${visitorCount} visitors at once, SEED=${seed}`);
  await untilDone(Promise.all(world.offers.map((offer) => visitOnce(stage, offer))));
  const quietBefore = await quietDescriptors(watches);
  const churnAt = seconds();
  const looking = setInterval(() => watches.forEach((watch) => watch.look(seconds() - churnAt)), lookEveryMs);
  const telling = setInterval(() => console.error(describe(seconds() - churnAt, tally, world)), 60_000);
  const ending = setTimeout(() => {
    isClosing = true;
    closing.resolve();
  }, minutes * 60_000);
  try {
    const visitors = Array.from({ length: visitorCount }, () => visitAgainAndAgain(stage));
    await untilDone(Promise.all([...visitors, restartTracker(world, stage)]));
  } finally {
    for (const timer of [looking, telling]) clearInterval(timer);
    clearTimeout(ending);
    if (options.samples !== undefined) writeSamples(String(options.samples), watches);
  }
  const quietAfter = await quietDescriptors(watches);
  assertHoldsPayload(world.kept.payload, world.kept.folder);
  console.error(describe(seconds() - churnAt, tally, world));
  const watched = watches.map((watch, i): Watched => ({
    ...{ watch, quietBefore: quietBefore[i], quietAfter: quietAfter[i] },
  }));
  const { table, leaks } = report(watched, warmUpSeconds);
  console.log(table);
  for (const leak of leaks) console.log(`LEAK ${leak}`);
  console.log(leaks.length === 0 ? "everybody finished with the right bytes, and nothing leaks" : "soak failed");
  return leaks.length === 0;
}

async function restartTracker(world: World, { closing, isClosing, random }: Stage): Promise<void> {
  while (!isClosing()) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await Promise.race([new Promise((resolve) => timer = setTimeout(resolve, restartEveryMs)), closing]);
    clearTimeout(timer);
    if (!isClosing()) await world.restartTracker(random() * downMsMax);
  }
}

/** The fewest descriptors of each over some seconds: a dial to somebody who has gone is open for a moment. */
async function quietDescriptors(watches: readonly ProcessWatch[]): Promise<number[]> {
  const fewest = watches.map(() => Infinity);
  for (let look = 0; look < quietLooks; look++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    watches.forEach((watch, i) => fewest[i] = Math.min(fewest[i], watch.descriptors));
  }
  return fewest;
}

function describe(seconds: number, tally: Tally, { trackerRestarts }: World): string {
  const { joins, resumes, kills, leaves, finishes, seedings } = tally;
  return `${seconds.toFixed(0)} s: ${joins} joined, ${kills} killed, ${leaves} left early, ${resumes} came back, ` +
    `${finishes} finished, ${seedings} seeded on, ${trackerRestarts} restarts of a tracker`;
}

function writeSamples(path: string, watches: readonly ProcessWatch[]): void {
  const lines = watches.flatMap(({ name, looks }) =>
    looks.map(({ at, resident, own, descriptors, threads }) =>
      [name, at.toFixed(1), resident, own, descriptors, threads].join(",")
    )
  );
  Deno.writeTextFileSync(path, ["process,seconds,resident,own,descriptors,threads", ...lines, ""].join("\n"));
}

/** The compiled program is what people run; from source each visitor would compile it anew. */
function findProgram(): void {
  if (Deno.build.os !== "linux") refuse("it reads /proc, which only Linux has");
  if (Deno.env.get("LOCALBT_BIN")) return;
  const built = join(repositoryFolder, "localbt");
  try {
    Deno.statSync(built);
  } catch {
    refuse("there is no program to soak: run `deno task build`, or name one with LOCALBT_BIN=FILE");
  }
  Deno.env.set("LOCALBT_BIN", built);
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

function positive(name: string, value: unknown): number {
  const number = Number(value);
  return number > 0 ? number : refuse(`--${name} takes a number above 0, not "${value}"`);
}

function refuse(why: string): never {
  console.error(`soak: ${why}\nusage: deno task soak [--minutes 30] [--visitors 5] [--samples FILE]`);
  Deno.exit(2);
}
