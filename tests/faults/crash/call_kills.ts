/** Kills at calls of the system that change files, one by one: strace lets the program die in the middle of each. */
import { Child } from "../../interop/child.ts";
import { localbtCommand } from "../../interop/localbt.ts";
import { runs } from "../../interop/installed.ts";
import { join } from "../../interop/path.ts";
import { CountingSeeder } from "./counting_seeder.ts";
import { killAgain } from "./killed_command.ts";
import { expectWhole, quiet, type SideOptions, small } from "./side_stories.ts";

const calls = ["openat", "mkdir", "pwrite64", "ftruncate", "rename", "unlink", "fsync", "fdatasync", "chmod", "flock"];

/** Whether calls can be traced here. */
export const mayTrace = Deno.build.os === "linux" && runs(["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "true"]);

/** Kills downloads in calls on the files of the download folder, as they came in a download that nobody disturbed. */
export async function killAtCalls({ scene, killCount, random }: SideOptions): Promise<number> {
  const torrent = join(scene.newFolder("torrent"), "t.torrent");
  Deno.writeFileSync(torrent, small.torrent);
  const target = scene.newFolder("target");
  await using seeder = new CountingSeeder(small);
  seeder.begin({ blocks: Infinity });
  const args = ["download", torrent, "--output", target, "--peer", seeder.endpoint, "--no-discovery", ...quiet];
  const seen = await traceOf(args, join(scene.newFolder("trace"), "log"));
  expectWhole(target);
  return await killAgain({
    args,
    killCount,
    prefix: () => {
      // each kind of call as often as any other: those that happen once are the ones that matter
      const call = calls[Math.floor(random() * calls.length)];
      const numbers = seen.get(call) ?? [1];
      const number = numbers[Math.floor(random() * numbers.length)];
      const kill = ["-e", `trace=${call}`, "-e", `inject=${call}:signal=KILL:when=${number}`];
      return ["strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", ...kill];
    },
    afterEnd: () => expectWhole(target),
  });
}

/** For each call its numbers, as each thread counts its own, of those that came after the first of the folder's. */
async function traceOf(args: readonly string[], log: string): Promise<Map<string, number[]>> {
  const command = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", log, "-e", `trace=${calls.join(",")}`];
  const child = new Child({ name: "traced", command: [...command, ...localbtCommand(), ...args] });
  if ((await child.exit(60_000)).code !== 0) throw child.failure("failed");
  const counts = new Map<string, number>();
  const numbers = new Map<string, number[]>();
  let isAtWork = false;
  for (const line of Deno.readTextFileSync(log).split("\n")) {
    const match = line.match(/^(\d+) +(\w+)\(/);
    if (match === null) continue;
    const [, thread, call] = match;
    const number = (counts.get(`${thread} ${call}`) ?? 0) + 1;
    counts.set(`${thread} ${call}`, number);
    isAtWork ||= line.includes(".localbt-");
    if (isAtWork) numbers.set(call, [...numbers.get(call) ?? [], number]);
  }
  return numbers;
}
