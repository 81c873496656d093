/** All that is killed in one run of the task, in sizes that follow from the number of kills. */
import { wordsFrom } from "../../interop/payload.ts";
import { join } from "../../interop/path.ts";
import type { Scene } from "../../interop/scene.ts";
import { Child } from "../../interop/child.ts";
import { localbtCommand } from "../../interop/localbt.ts";
import { oddFolder } from "./odd_folder.ts";
import { killAtCalls, mayTrace } from "./call_kills.ts";
import { killCreate, killFinish, killGet, killMagnet, type SideOptions } from "./side_stories.ts";
import { Story, type StoryResult } from "./story.ts";

export interface CrashReport {
  /** One download of all files. */
  readonly story: StoryResult;
  /** One of some files, and then of all. */
  readonly part: StoryResult;
  readonly side: readonly (readonly [what: string, kills: number])[];
}

/** Bytes that a kill leaves to be fetched, about. */
const bytesPerKill = 96 * 1024;

/** @throws at the first thing that does not hold */
export async function crash(
  scene: Scene,
  { killCount, seed, onProgress = () => {} }: {
    killCount: number;
    seed: number;
    onProgress?: (what: string, killCount: number) => void;
  },
): Promise<CrashReport> {
  const next = wordsFrom(seed);
  const random = () => next() / 2 ** 32;
  const startMs = await startTime();
  const sideCount = Math.max(1, Math.round(killCount / 20));
  const pieceLength = 64 * 1024;
  const totalLength = Math.max(4 << 20, killCount * bytesPerKill);
  const play = async (what: string, { kills, length }: { kills: number; length: number }, args?: string[][]) => {
    const folder = oddFolder({ totalLength: length, pieceLength });
    const torrent = join(scene.newFolder("torrent"), "odd.torrent");
    Deno.writeFileSync(torrent, folder.torrent);
    const target = scene.newFolder("target");
    const results: StoryResult[] = [];
    for (const [i, more] of (args ?? [[]]).entries()) {
      const isLast = i === (args ?? [[]]).length - 1;
      const onKill = (count: number) => onProgress(what, count);
      const options = { folder, torrent, target, killCount: kills, seed: seed + i, startMs, onKill };
      results.push(await Story.play({ ...options, args: more, isPart: !isLast }));
    }
    Deno.removeSync(target, { recursive: true });
    return results.reduce(sumOf);
  };
  const story = await play("one download", { kills: killCount, length: totalLength });
  const part = await play("--select", { kills: Math.max(4, sideCount), length: 4 << 20 }, [
    ["--select", "1-20,37,41"],
    [],
  ]);
  const side: [what: string, kills: number][] = [["in a download of some files", part.killCount]];
  const stories: Record<string, (options: SideOptions) => Promise<number>> = {
    "at the end of a download": killFinish,
    "with a magnet link": killMagnet,
    "in get": killGet,
    "in create": killCreate,
    ...(mayTrace && { "in a call of the system": killAtCalls }),
  };
  for (const [what, play] of Object.entries(stories)) {
    const kills = await play({
      scene,
      killCount: what.endsWith("system") ? 2 * sideCount : sideCount,
      random,
      startMs,
    });
    onProgress(what, kills);
    side.push([what, kills]);
  }
  return { story, part, side };
}

function sumOf(a: StoryResult, b: StoryResult): StoryResult {
  return {
    kills: new Map([...a.kills, ...b.kills]),
    killCount: a.killCount + b.killCount,
    repeatedBytes: a.repeatedBytes + b.repeatedBytes,
    worstBytes: Math.max(a.worstBytes, b.worstBytes),
    unwrittenBytes: a.unwrittenBytes + b.unwrittenBytes,
  };
}

/** Milliseconds that the program takes to say its version, and half as many again for its first steps. */
async function startTime(): Promise<number> {
  const run = async () => {
    const startedAt = performance.now();
    await new Child({ name: "localbt", command: [...localbtCommand(), "--version"] }).exit(60_000);
    return performance.now() - startedAt;
  };
  await run();
  return 2 * await run() + 50;
}
