/** Programs that read a file and end: create, verify, and the bare start. */
import type { Scene } from "../interop/scene.ts";
import type { Child } from "../interop/child.ts";
import { runs } from "../interop/installed.ts";
import { localbtCommand } from "../interop/localbt.ts";
import { join } from "../interop/path.ts";
import { Meter } from "./meter.ts";
import { type Row, rowOf, type Sample, withGoal } from "./report.ts";
import { makeBenchShare, MiB, openBenchScene, writeBenchFile } from "./stage.ts";

const deadlineMs = 120_000;
const nowhere = "http://127.0.0.1:6969/announce";

/** A command line and whose it is. */
interface Contender {
  readonly name: string;
  readonly command: readonly string[];
}

/** Hashes a file into a torrent. */
export async function benchCreate({ rounds, length }: { rounds: number; length: number }): Promise<Row[]> {
  await using scene = await openBenchScene();
  const input = writeBenchFile(scene.newFolder("data"), length);
  const output = join(scene.newFolder("out"), "out.torrent");
  const contenders: Contender[] = [{
    name: "localbt",
    command: [...localbtCommand(), "create", input, "-l", "1M", "-a", nowhere, "-o", output],
  }];
  if (runs(["mktorrent", "-h"])) {
    contenders.push({
      name: "mktorrent -t 2",
      command: ["mktorrent", "-t", "2", "-l", "20", "-a", nowhere, "-o", output, input],
    });
  }
  if (runs(["transmission-create", "--version"])) {
    contenders.push({
      name: "transmission-create",
      command: ["transmission-create", "-s", "1024", "-t", nowhere, "-o", output, input],
    });
  }
  const samples = await runAll(scene, contenders, { rounds, length, before: () => removeIfThere(output) });
  return rowsOf("create", samples, { text: "at least 1074 MB/s (1 GiB/s)", bytesPerSecond: 2 ** 30 });
}

/** Compares a file with its torrent. */
export async function benchVerify({ rounds, length }: { rounds: number; length: number }): Promise<Row[]> {
  await using scene = await openBenchScene();
  const share = await makeBenchShare(scene, { length, pieceLength: MiB });
  const contenders: Contender[] = [{
    name: "localbt",
    command: [...localbtCommand(), "verify", share.torrent, "-d", share.directory],
  }];
  if (runs(["aria2c", "--version"])) {
    const options = ["--check-integrity=true", "--bt-hash-check-seed=false", "--seed-time=0", "--enable-dht=false"];
    const quiet = ["--summary-interval=0", "--console-log-level=error", "--show-console-readout=false"];
    const place = [`--dir=${share.directory}`, "--interface=127.0.0.1", "--disable-ipv6=true"];
    contenders.push({
      name: "aria2c -V",
      command: ["aria2c", "--no-conf", ...options, ...quiet, ...place, share.torrent],
    });
  }
  const samples = await runAll(scene, contenders, { rounds, length });
  return rowsOf("verify", samples, { text: "at least 1074 MB/s (1 GiB/s)", bytesPerSecond: 2 ** 30 });
}

/** The time until a program has said its version. */
export async function benchStart({ rounds }: { rounds: number }): Promise<Row[]> {
  await using scene = await openBenchScene();
  const contenders: Contender[] = [
    { name: "localbt", command: [...localbtCommand(), "--version"] },
    { name: "aria2c", command: ["aria2c", "--version"] },
    { name: "transmission-daemon", command: ["transmission-daemon", "--version"] },
    { name: "python3 libtorrent", command: ["/usr/bin/python3", "-c", "import libtorrent"] },
  ].filter(({ command }) => runs(command));
  const samples = await runAll(scene, contenders, { rounds, length: 0 });
  return [...samples].map(([{ name }, taken]) => {
    const row = rowOf("start", name, taken.map(({ seconds }) => ({ seconds })));
    return name === "localbt" ? withGoal(row, "under 0.15 s", ({ seconds = NaN }) => seconds < 0.15) : row;
  });
}

function rowsOf(
  part: string,
  samples: ReadonlyMap<Contender, readonly Sample[]>,
  goal: { text: string; bytesPerSecond: number },
): Row[] {
  return [...samples].map(([{ name }, taken]) => {
    const row = rowOf(part, name, taken);
    return name === "localbt" ? withGoal(row, goal.text, ({ rate = 0 }) => rate * 1e6 >= goal.bytesPerSecond) : row;
  });
}

/** Runs each contender once a round, one after the other. */
async function runAll(
  scene: Scene,
  contenders: readonly Contender[],
  { rounds, length, before = () => {} }: { rounds: number; length: number; before?: () => void },
): Promise<Map<Contender, Sample[]>> {
  const samples = new Map<Contender, Sample[]>(contenders.map((contender) => [contender, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [contender, taken] of samples) {
      before();
      taken.push(await runOnce(scene, contender, length));
    }
  }
  return samples;
}

async function runOnce(scene: Scene, { name, command }: Contender, length: number): Promise<Sample> {
  const startedAt = performance.now();
  const child: Child = scene.start({ name, command });
  const meter = new Meter(child.pid);
  const { code } = await child.exit(deadlineMs);
  const seconds = (performance.now() - startedAt) / 1000;
  const { cpuSeconds, peakMegabytes } = meter.stop();
  if (code !== 0) throw child.failure("failed");
  return { seconds, rate: length / 1e6 / seconds, cpuSeconds, peakMB: peakMegabytes };
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
