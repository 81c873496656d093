/** Our tracker beside opentracker and npm's bittorrent-tracker: announces a second, CPU, memory, latency, stalls. */
import process from "node:process";
import { TrackerServer } from "../../tracker/io/http_listener.ts";
import { AnnounceLoad } from "./announce_load.ts";
import { type Contender, contest } from "./contest.ts";

import { Meter, residentBytes } from "./meter.ts";
import { fastest, type Row, rowNamed, type Sample, withGoal, withRivalGoal } from "./report.ts";
import { openBenchScene } from "./stage.ts";
import { localbtTracker, numWant, type Server, servers, swarmCount } from "./trackers.ts";

const part = "tracker";
/** @param options.peerCount peers that our tracker is filled with to see what one takes */
export async function benchTracker(
  options: { rounds: number; seconds: number; peerCount: number },
): Promise<Row[]> {
  if (!AnnounceLoad.isPossible()) {
    const absence = "the load generator needs gcc on Linux";
    return await contest({ part, rounds: 1 }, [{ name: "localbt", isOurs: true, absence, run: notToRun }]);
  }
  await using scene = await openBenchScene();
  const load = await AnnounceLoad.compile(scene);
  const ways = ["keep-alive", "a connection each"] as const;
  const kinds = ways.flatMap((way) => [1, swarmCount].map((swarms) => ({ way, swarms })));
  const rates = judgeRates(
    await contest(
      { part, rounds: options.rounds },
      kinds.flatMap((kind) =>
        servers.filter((server) => server.keepsAlive || kind.way !== "keep-alive")
          .map((server) => rateContender(server, load, { ...kind, seconds: options.seconds }))
      ),
    ),
  );
  const udpRates = judgeUdpRates(
    await contest(
      { part, rounds: options.rounds },
      [1, swarmCount].flatMap((swarms) =>
        servers.map((server) => rateContender(server, load, { way: "UDP", swarms, seconds: options.seconds }))
      ),
    ),
  );
  const top = rowNamed(rates, nameOf("localbt", { way: "keep-alive", swarms: swarmCount }))?.figures.perSecond ?? 0;
  const others = await contest({ part, rounds: 1 }, [
    latencyContender(load, Math.floor(top / 2), options.seconds),
    memoryContender(localbtTracker, load, options.peerCount),
    ...servers.filter((server) => server.name === "opentracker")
      .map((server) => memoryContender(server, load, options.peerCount / 10)),
    stallContender(load, options.peerCount),
  ]);
  return [...rates, ...udpRates, ...others.map((row) => judgeOther(row, options.peerCount))];
}

/** How announces reach a tracker. */
type Way = "keep-alive" | "a connection each" | "UDP";

function nameOf(server: string, { way, swarms }: { way: Way; swarms: number }): string {
  return `${server}, ${way}, ${swarms === 1 ? "one swarm" : `${swarms} swarms`}`;
}

/** Announces as fast as they are answered, a fresh server each time; `seconds` is the time of 100,000. */
function rateContender(
  server: Server,
  load: AnnounceLoad,
  kind: { way: Way; swarms: number; seconds: number },
): Contender {
  return {
    name: nameOf(server.name, kind),
    isOurs: server === localbtTracker,
    absence: server.isInstalled ? undefined : "not installed",
    async run(): Promise<Sample> {
      await using scene = await openBenchScene();
      const { port, pid } = await server.start(scene, load);
      const meter = new Meter(pid);
      try {
        meter.mark();
        const { way, swarms, seconds } = kind;
        const one = { port, swarmCount: swarms, numWant, seconds };
        const result = await (way === "UDP" ? load.runUdp(one) : load.run({ ...one, keepAlive: way === "keep-alive" }));
        const { cpuSeconds, peakMegabytes } = meter.stop();
        return {
          seconds: result.seconds / result.good * 1e5,
          perSecond: result.good / result.seconds,
          cpuSeconds: cpuSeconds / result.good * 1e5,
          p99Ms: result.p99Ms,
          peakMB: peakMegabytes,
        };
      } finally {
        meter.stop();
      }
    },
  };
}

/** Announces at an even pace of half of what the tracker can do. */
function latencyContender(load: AnnounceLoad, rate: number, seconds: number): Contender {
  return {
    name: `localbt, latency at ${rate} announces a second`,
    isOurs: true,
    async run(): Promise<Sample> {
      await using scene = await openBenchScene();
      const { port } = await localbtTracker.start(scene, load);
      const kind = { port, keepAlive: true, swarmCount, numWant };
      // what the first announces compile is not what the class of students waits for
      await load.run({ ...kind, seconds: 1, rate });
      const result = await load.run({ ...kind, seconds, rate });
      return {
        seconds: result.seconds / result.good * 1e5,
        perSecond: result.good / result.seconds,
        p50Ms: result.p50Ms,
        p99Ms: result.p99Ms,
        maxMs: result.maxMs,
      };
    },
  };
}

/** Fills a tracker with peers in many swarms and sees by how much it grew. */
function memoryContender(server: Server, load: AnnounceLoad, peerCount: number): Contender {
  return {
    name: `${server.name}, memory of ${peerCount} peers in ${swarmCount} swarms`,
    isOurs: server === localbtTracker,
    absence: server.isInstalled ? undefined : "not installed",
    async run(): Promise<Sample> {
      await using scene = await openBenchScene();
      const { port, pid } = await server.start(scene, load);
      const before = residentBytes(pid);
      const { keepsAlive: keepAlive } = server;
      const result = await load.run({ port, keepAlive, swarmCount, numWant: 0, count: peerCount });
      const growth = residentBytes(pid) - before;
      const seconds = result.seconds / result.good * 1e5;
      return { seconds, bytesPerPeer: growth / peerCount, peakMB: residentBytes(pid) / 1e6 };
    },
  };
}

/** How long the loop of a tracker in this process stands still while all of its peers expire. */
function stallContender(load: AnnounceLoad, peerCount: number): Contender {
  return {
    name: `localbt, ${peerCount} peers expire`,
    isOurs: true,
    async run(): Promise<Sample> {
      let ahead = 0;
      const server = TrackerServer.start({
        network: {
          listen: (options) => Deno.listen(options),
          connect: () => Promise.reject(new Error("not here")),
          listenDatagram: (options) => Deno.listenDatagram({ ...options, transport: "udp" }),
          interfaces: () => [],
        },
        host: "127.0.0.1",
        port: 0,
        intervalMs: 60_000,
        now: () => performance.now() + ahead,
        random: Math.random,
      });
      try {
        const { port } = server;
        const filled = await load.run({ port, keepAlive: true, swarmCount, numWant: 0, count: peerCount });
        const idleStallMs = await longestStall(2_000);
        ahead = 24 * 3_600_000;
        const stallMs = await longestStall(10_000);
        const { peersExpired } = server.stats;
        return { seconds: filled.seconds / filled.good * 1e5, stallMs, idleStallMs, peersExpired };
      } finally {
        await server.close();
      }
    },
  };
}

/**
 * The longest time beyond its millisecond that a timer of this process is late, within `forMs`.
 *
 * Only what the process has worked meanwhile counts: on a busy machine the others are at work for some milliseconds too.
 */
async function longestStall(forMs: number): Promise<number> {
  const end = performance.now() + forMs;
  let longest = 0;
  let worked = workedMs();
  for (let at = performance.now(); at < end;) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    const next = performance.now();
    const nextWorked = workedMs();
    longest = Math.max(longest, Math.min(next - at - 1, nextWorked - worked));
    at = next;
    worked = nextWorked;
  }
  return longest;
}

/** CPU time of this process. */
function workedMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function judgeRates(rows: readonly Row[]): Row[] {
  const ofOpentracker = fastest(rows.filter((row) => row.contender.startsWith("opentracker")));
  return rows.map((row) => {
    if (!row.isOurs) return row;
    const times = row.contender.includes("keep-alive") ? 2.5 : 0.7;
    const npm = rowNamed(rows, row.contender.replace("localbt", "bittorrent-tracker (npm)"));
    const besideOpentracker = withRivalGoal(withTimes(row, ofOpentracker, npm), ofOpentracker, { times });
    return npm === undefined ? besideOpentracker : withRivalGoal(besideOpentracker, npm, { times: 5 });
  });
}

function judgeUdpRates(rows: readonly Row[]): Row[] {
  return rows.map((row) => {
    if (!row.isOurs) return row;
    const [rival, npm] = ["opentracker", "bittorrent-tracker (npm)"].map((name) =>
      rowNamed(rows, row.contender.replace("localbt", name))
    );
    return withRivalGoal(withRivalGoal(withTimes(row, rival, npm), rival, { times: 0.5 }), npm, { times: 2 });
  });
}

/** How many times the rivals' rates ours is, and opentracker's CPU time. */
function withTimes(row: Row, opentracker: Row | undefined, npm: Row | undefined): Row {
  const { seconds = NaN, cpuSeconds = NaN } = row.figures;
  return {
    ...row,
    figures: {
      ...row.figures,
      ...(opentracker && {
        timesOpentracker: (opentracker.figures.seconds ?? NaN) / seconds,
        cpuTimesOpentracker: cpuSeconds / (opentracker.figures.cpuSeconds ?? NaN),
      }),
      ...(npm && { timesNpm: (npm.figures.seconds ?? NaN) / seconds }),
    },
  };
}

function judgeOther(row: Row, peerCount: number): Row {
  if (!row.isOurs) return row;
  if (row.contender.includes("latency")) return withGoal(row, "p99 under 20 ms", ({ p99Ms = NaN }) => p99Ms < 20);
  if (row.contender.includes("memory")) {
    // with fewer peers the program itself, grown by its first requests, counts for more than they do
    if (peerCount < 1_000_000) return row;
    const isLight = ({ bytesPerPeer = NaN }: Row["figures"]) => bytesPerPeer < 250;
    return withGoal(row, "under 250 bytes a peer", isLight, { isOfSpeed: false });
  }
  return withGoal(
    row,
    "no stall of more than 10 ms, and some did expire",
    ({ stallMs = NaN, peersExpired = 0 }) => stallMs <= 10 && peersExpired > 0,
  );
}

function notToRun(): Promise<Sample> {
  return Promise.reject(new Error("absent contenders do not run"));
}
