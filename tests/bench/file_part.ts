/** Programs that read files and end: create, verify, and the bare start. */
import { runs } from "../interop/installed.ts";
import { libtorrent } from "../interop/libtorrent.ts";
import { localbtCommand } from "../interop/localbt.ts";
import { join } from "../interop/path.ts";
import type { Scene } from "../interop/scene.ts";
import { transmission } from "../interop/transmission.ts";
import { type Contender, contest } from "./contest.ts";
import { endedChildrenCpuSeconds } from "./machine.ts";
import { Meter } from "./meter.ts";
import { npmFile } from "./npm_rivals.ts";
import { fastest, type Row, type Sample, withGoal, withRivalGoal } from "./report.ts";
import {
  type BenchData,
  type BenchShare,
  MiB,
  openBenchScene,
  torrentOf,
  writeBigFile,
  writeSmallFiles,
} from "./stage.ts";

const deadlineMs = 120_000;
const nowhere = "http://127.0.0.1:6969/announce";
const memoryMaxMB = 200;
const beside = (name: string) => join(import.meta.dirname ?? ".", name);

/** A program that does its work and ends. */
interface Program {
  readonly name: string;
  readonly command: readonly string[];
  readonly isInstalled: boolean;
  /** Runs before each start, outside of the measurement. */
  readonly before?: () => void;
}

/** Hashes one big file, and 2,000 small ones, into a torrent. */
export async function benchCreate({ rounds, length }: { rounds: number; length: number }): Promise<Row[]> {
  await using scene = await openBenchScene();
  const big = writeBigFile(scene.newFolder("data"), length);
  const small = writeSmallFiles(scene.newFolder("small"));
  const output = join(scene.newFolder("out"), "out.torrent");
  const contestOf = async (data: BenchData, pieceLength: number, label: string): Promise<Row[]> =>
    judge(
      await contest(
        { part: "create", rounds },
        creators(data, pieceLength, output).map((program) =>
          contenderOf(scene, { ...program, before: () => removeIfThere(output) }, data.length, label)
        ),
      ),
    );
  return [...await contestOf(big, MiB, ", big file"), ...await contestOf(small, 256 * 1024, ", 2,000 small files")];
}

function creators({ path }: BenchData, pieceLength: number, output: string): Program[] {
  const node = npmFile("create-torrent", "index.js") ?? "";
  const python = ["/usr/bin/python3", beside("libtorrent_file.py"), "create"];
  const kibibytes = String(pieceLength / 1024);
  const exponent = String(Math.log2(pieceLength));
  return [
    {
      name: "localbt",
      command: [...localbtCommand(), "create", path, "-l", String(pieceLength), "-a", nowhere, "-o", output],
      isInstalled: true,
    },
    {
      name: "mktorrent -t 2",
      command: ["mktorrent", "-t", "2", "-l", exponent, "-a", nowhere, "-o", output, path],
      isInstalled: runs(["mktorrent", "-h"]),
    },
    {
      name: "transmission-create",
      command: ["transmission-create", "-s", kibibytes, "-t", nowhere, "-o", output, path],
      isInstalled: runs(["transmission-create", "--version"]),
    },
    {
      name: "libtorrent",
      command: [...python, path, String(pieceLength), output, nowhere],
      isInstalled: libtorrent.isInstalled(),
    },
    {
      name: "create-torrent (npm)",
      command: ["node", beside("npm_create.mjs"), node, path, String(pieceLength), output, nowhere],
      isInstalled: node !== "",
    },
  ];
}

/** Compares one big file, and 2,000 small ones, with their torrents. */
export async function benchVerify({ rounds, length }: { rounds: number; length: number }): Promise<Row[]> {
  await using scene = await openBenchScene();
  const big = await torrentOf(scene, writeBigFile(scene.newFolder("data"), length), { pieceLength: MiB });
  const smallFiles = writeSmallFiles(scene.newFolder("small"));
  const small = await torrentOf(scene, smallFiles, { pieceLength: 256 * 1024 });
  const contestOf = async (share: BenchShare, label: string): Promise<Row[]> =>
    judge(
      await contest({ part: "verify", rounds }, [
        ...verifiers(share).map((program) => contenderOf(scene, program, share.length, label)),
        {
          name: `Transmission${label}`,
          isOurs: false,
          absence: transmission.isInstalled() ? undefined : "not installed",
          run: () => verifyByTransmission(share),
        },
      ]),
    );
  return [...await contestOf(big, ", big file"), ...await contestOf(small, ", 2,000 small files")];
}

function verifiers({ torrent, directory }: BenchShare): Program[] {
  const check = ["--check-integrity=true", "--bt-hash-check-seed=false", "--seed-time=0", "--enable-dht=false"];
  const quiet = ["--summary-interval=0", "--console-log-level=error", "--show-console-readout=false"];
  const place = [`--dir=${directory}`, "--interface=127.0.0.1", "--disable-ipv6=true"];
  return [
    { name: "localbt", command: [...localbtCommand(), "verify", torrent, "-d", directory], isInstalled: true },
    {
      name: "libtorrent",
      command: ["/usr/bin/python3", beside("libtorrent_file.py"), "verify", torrent, directory],
      isInstalled: libtorrent.isInstalled(),
    },
    {
      name: "aria2c -V",
      command: ["aria2c", "--no-conf", ...check, ...quiet, ...place, torrent],
      isInstalled: runs(["aria2c", "--version"]),
    },
  ];
}

/** From the start of the daemon until it says that all is there; adding a torrent runs the same check as --verify. */
async function verifyByTransmission({ torrent, directory, length }: BenchShare): Promise<Sample> {
  await using scene = await openBenchScene();
  const startedAt = performance.now();
  const daemon = await transmission.start(scene, { mode: "seed", torrent, directory });
  const meter = new Meter(daemon.pid);
  try {
    await daemon.finished(deadlineMs);
    const seconds = (performance.now() - startedAt) / 1000;
    const { cpuSeconds, peakMegabytes } = meter.stop();
    return { seconds, rate: length / 1e6 / seconds, cpuSeconds, peakMB: peakMegabytes };
  } finally {
    meter.stop();
    await daemon.stop();
  }
}

/** The time until a program has said its version. */
export async function benchStart({ rounds }: { rounds: number }): Promise<Row[]> {
  await using scene = await openBenchScene();
  const programs = [
    { name: "localbt", command: [...localbtCommand(), "--version"] },
    { name: "aria2c", command: ["aria2c", "--version"] },
    { name: "transmission-daemon", command: ["transmission-daemon", "--version"] },
    { name: "mktorrent", command: ["mktorrent", "-h"] },
    { name: "rtorrent", command: ["rtorrent", "-h"] },
    { name: "python3 libtorrent", command: ["/usr/bin/python3", "-c", "import libtorrent"] },
    { name: "node", command: ["node", "-e", "0"] },
  ];
  const rows = await contest(
    { part: "start", rounds },
    programs.map((program) => contenderOf(scene, { ...program, isInstalled: runs(program.command) }, 0, "")),
  );
  return rows.map((row) => row.isOurs ? withGoal(row, "under 0.15 s", ({ seconds = NaN }) => seconds < 0.15) : row);
}

function contenderOf(scene: Scene, program: Program, length: number, label: string): Contender {
  return {
    name: `${program.name}${label}`,
    isOurs: program.name === "localbt",
    absence: program.isInstalled ? undefined : "not installed",
    run: () => runOnce(scene, program, length),
  };
}

async function runOnce(scene: Scene, { name, command, before }: Program, length: number): Promise<Sample> {
  before?.();
  const cpuBefore = endedChildrenCpuSeconds();
  const startedAt = performance.now();
  const child = scene.start({ name, command });
  const meter = new Meter(child.pid);
  try {
    const { code } = await child.exit(deadlineMs);
    const seconds = (performance.now() - startedAt) / 1000;
    const { peakMegabytes } = meter.stop();
    if (code !== 0) throw child.failure("failed");
    const cpuSeconds = endedChildrenCpuSeconds() - cpuBefore;
    return { seconds, ...(length > 0 && { rate: length / 1e6 / seconds }), cpuSeconds, peakMB: peakMegabytes };
  } finally {
    meter.stop();
  }
}

/** Puts the goals on our row. */
function judge(rows: readonly Row[]): Row[] {
  const rival = fastest(rows.filter((row) => !row.isOurs));
  return rows.map((row) =>
    row.isOurs
      ? withGoal(
        withRivalGoal(row, rival, { times: 1 }),
        `under ${memoryMaxMB} MB`,
        ({ peakMB = NaN }) => peakMB < memoryMaxMB,
        { isOfSpeed: false },
      )
      : row
  );
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
