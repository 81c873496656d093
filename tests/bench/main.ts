/**
 * `deno task bench [part…] [--json] [--rounds N] [--small] [--install]`: the program beside its rivals on this machine.
 *
 * Parts: start, create, verify, transfer, swarm, lan, tracker, codec, limits, peers, large; all of them without a name. Ours and the
 * rivals run in turn, round after round, on data in /dev/shm that is in memory already; at most 6 GiB of it at a time.
 * LOCALBT_BIN names the binary to measure; without it the source is, and its start then counts against us. A rival that
 * is not installed is a line of the table; `--install` fetches those that npm has. `--small` takes an eighth of the data.
 *
 * Exit code 1 when a goal was not reached; one that the machine was too noisy for, or that has no rival, does not count.
 */
import { parseArgs } from "@std/cli/parse-args";
import { localbtCommand } from "../interop/localbt.ts";
import { benchCodec } from "./codec_part.ts";
import { benchCreate, benchStart, benchVerify } from "./file_part.ts";
import { benchLan } from "./lan_part.ts";
import { benchLimits } from "./limits_part.ts";
import { describeMachine } from "./machine.ts";
import { installNpmRivals } from "./npm_rivals.ts";
import { benchPeers } from "./peers_part.ts";
import { formatRows, type Row } from "./report.ts";
import { closeBenchScenes, GiB, MiB } from "./stage.ts";
import { benchSwarm } from "./swarm_part.ts";
import { benchTracker } from "./tracker_part.ts";
import { benchLarge, benchTransfer } from "./transfer_part.ts";
import { rivalVersions } from "./versions.ts";

const usage = `usage: deno task bench [part…] [--json] [--rounds N] [--small] [--install]

parts: start, create, verify, transfer, swarm, lan, tracker, codec, limits, peers, large; all of them (half an hour) without a name
  --json      one JSON document instead of tables
  --rounds N  runs of each contender (default: by part)
  --small     an eighth of the data
  --install   fetch the rivals that npm has first
LOCALBT_BIN=FILE measures a compiled program instead of the source.
`;

const options = parseArgs(Deno.args, {
  boolean: ["json", "small", "install", "help"],
  string: ["rounds"],
  alias: { help: "h" },
  unknown: (argument) => !argument.startsWith("-") || refuse(`there is no option ${argument}`),
});
if (options.help) {
  console.log(usage);
  Deno.exit(0);
}
const scale = options.small ? 1 / 8 : 1;

function rounds(standard: number): number {
  const count = Number(options.rounds ?? standard);
  if (Number.isInteger(count) && count > 0) return count;
  return refuse(`--rounds takes a number from 1, not "${options.rounds}"`);
}

const parts: Readonly<Record<string, { title: string; run(): Promise<Row[]> }>> = {
  start: { title: "say the version", run: () => benchStart({ rounds: rounds(9) }) },
  create: {
    title: `create: ${2 * scale} GiB in pieces of 1 MiB, 2,000 small files in pieces of 256 KiB`,
    run: () => benchCreate({ rounds: rounds(5), length: 2 * GiB * scale }),
  },
  verify: {
    title: `verify: ${2 * scale} GiB in pieces of 1 MiB, 2,000 small files in pieces of 256 KiB`,
    run: () => benchVerify({ rounds: rounds(5), length: 2 * GiB * scale }),
  },
  transfer: {
    title: `transfer: seeder > downloader, ${2 * scale} GiB, pieces of 1 MiB`,
    run: () => benchTransfer({ rounds: rounds(3), length: 2 * GiB * scale }),
  },
  swarm: {
    title: `swarm: a seeder limited to 20 MB/s, pieces of 256 KiB`,
    run: () => benchSwarm({ rounds: rounds(2), length: 256 * MiB * scale }),
  },
  lan: {
    title: "lan: a source with a cable of 100 Mbit/s, in network namespaces",
    run: () => benchLan({ rounds: rounds(3), length: 96 * MiB * scale, idleSeconds: options.small ? 10 : 40 }),
  },
  tracker: {
    title: "tracker: announces for 50 peers, 64 at a time, over HTTP and UDP (s and CPU s of 100,000)",
    run: () =>
      benchTracker({
        rounds: rounds(3),
        seconds: options.small ? 1.5 : 5,
        peerCount: options.small ? 100_000 : 1_000_000,
      }),
  },
  codec: {
    title: "codec: without sockets or disk (s of a million, so microseconds of one)",
    run: () => benchCodec({ rounds: rounds(5) }),
  },
  limits: {
    title: "limits: the work that no transfer can do without, CPU seconds for a GiB",
    run: () => benchLimits({ rounds: rounds(5) }),
  },
  peers: {
    title: "peers: 500 on one seeder, 1 MiB each",
    run: () => benchPeers({ peerCount: 500 * (options.small ? 0.2 : 1), length: 64 * MiB }),
  },
  large: { title: "large: a torrent beyond 4 GiB", run: () => benchLarge({ length: 5 * GiB * scale }) },
};

const names = options._.length > 0 ? options._.map(String) : Object.keys(parts);
const unknown = names.find((name) => !Object.hasOwn(parts, name));
if (unknown !== undefined) {
  refuse(`there is no part "${unknown}"; there are ${Object.keys(parts).join(", ")}`);
}
let isStopping = false;
for (const [signal, exitCode] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  if (Deno.build.os === "windows" && signal === "SIGTERM") continue;
  Deno.addSignalListener(signal, async () => {
    isStopping = true;
    await closeBenchScenes();
    Deno.exit(exitCode);
  });
}
if (options.install) installNpmRivals();
const machine = describeMachine();
const versions = rivalVersions();
const measured = Deno.env.get("LOCALBT_BIN") ? localbtCommand()[0] : "the source, whose start counts against it";
if (!options.json) {
  console.log(`ours: ${measured}\nmachine: ${machine.cores} x ${machine.cpu}, load ${machine.load.toFixed(2)}`);
  console.log(`rivals: ${Object.entries(versions).map((pair) => pair.join(" ")).join(", ")}`);
}
const rows: Row[] = [];
for (const name of names) {
  const { title, run } = parts[name]!;
  const taken = await runUnlessStopped(run);
  rows.push(...taken);
  if (!options.json) console.log(`\n${title}\n${formatRows(taken)}`);
}
if (options.json) console.log(JSON.stringify({ measured, machine, versions, rows }, inShort, 2));
if (rows.some((row) => row.goals.some(({ verdict }) => verdict === "not reached"))) Deno.exit(1);

/** What fails because the bench is being stopped is no news: the signal's listener ends the process. */
async function runUnlessStopped(run: () => Promise<Row[]>): Promise<Row[]> {
  try {
    return await run();
  } catch (error) {
    if (!isStopping) throw error;
    return await new Promise<never>(() => {});
  }
}

/** Six digits of each number: what is behind them is noise. */
function inShort(_key: string, value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(6)) : value;
}

/** Ends a bench that was asked for wrongly. */
function refuse(why: string): never {
  console.error(`bench: ${why}\n${usage}`);
  Deno.exit(2);
}
