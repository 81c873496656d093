/** A LAN of network namespaces: `share` and `get` without an address, and what four hosts cost a cable of 100 Mbit/s. */
import { Lan } from "../interop/lan.ts";
import type { LanHost } from "../interop/lan_host.ts";
import { eventOf } from "../interop/localbt.ts";
import { linkRates, networkNamespaces } from "../interop/network_tools.ts";
import { join } from "../interop/path.ts";
import { singleFile, writePayload } from "../interop/payload.ts";
import type { Scene } from "../interop/scene.ts";
import { waitFor } from "../interop/wait.ts";
import { copiesSent, share, Taker } from "../lan/room.ts";
import { type Contender, contest } from "./contest.ts";
import { Meter, residentBytes } from "./meter.ts";
import { type Row, type Sample, withGoal } from "./report.ts";
import { MiB, openBenchScene } from "./stage.ts";

const deadlineMs = 180_000;
const cable = { upMbit: 100, downMbit: 1000 };
/** Bytes a second that the cable takes, headers included. */
const cableRate = 100e6 / 8;
const takerCount = 4;
/** Of the least time in which all can have it. */
const timesBoundMax = 1.3;
/** Seconds from the command to the first byte. */
const firstByteMax = 1.5;
/** What a share may cost that nobody takes from. */
const [idlePercentMax, residentMax] = [0.5, 100];
/** Seconds until a share has said all that it says at its start, and after its last taker has gone until it is idle. */
const settleSeconds = 4;

/** What a part has to be told. */
interface Size {
  readonly rounds: number;
  readonly length: number;
  /** How long an idle share is watched. */
  readonly idleSeconds: number;
}

/** The first byte, an idle `share`, the swarm and, beside it, plain HTTP by one and by four. */
export async function benchLan({ rounds, length, idleSeconds }: Size): Promise<Row[]> {
  const missing = [networkNamespaces, linkRates].find((need) => !need.isInstalled());
  const absence = missing && `needs ${missing.name}`;
  const rows = [
    ...await contest({ part: "lan", rounds: 3 * rounds }, [
      { name: "get NAME, first piece there", isOurs: true, absence, run: runFirstPiece },
    ]),
    ...await contest({ part: "lan", rounds: 1 }, [
      { name: "share, before anybody takes it", isOurs: true, absence, run: () => runIdle(idleSeconds, 0) },
      { name: "share, after one has taken it", isOurs: true, absence, run: () => runIdle(idleSeconds, 1) },
    ]),
    ...await benchSwarm(rounds, length, absence),
  ];
  return rows.map((row) => row.isOurs && row.runs > 0 ? withGoals(row) : row);
}

async function benchSwarm(rounds: number, length: number, absence: string | undefined): Promise<Row[]> {
  const contenders = [
    { name: `${takerCount} hosts take it from one`, isOurs: true, run: () => runSwarm(length) },
    { name: "1 host takes it from a web server", isOurs: false, run: () => runWeb(length, 1) },
    { name: `${takerCount} hosts take it from a web server`, isOurs: false, run: () => runWeb(length, takerCount) },
  ].map((contender): Contender => ({ ...contender, absence }));
  return await contest({ part: "lan", rounds }, contenders);
}

/** Each row has some of these figures, and the goals that go with them. */
function withGoals(row: Row): Row {
  const { timesBound, firstPieceSeconds, cpuPercent = NaN, residentMB = NaN } = row.figures;
  if (timesBound !== undefined) {
    const text = `all have it within ${timesBoundMax} times the bound: ${timesBound.toFixed(2)}`;
    return withGoal(row, text, () => timesBound <= timesBoundMax);
  }
  if (firstPieceSeconds !== undefined) {
    return withGoal(row, `the first byte within ${firstByteMax} s`, () => firstPieceSeconds < firstByteMax);
  }
  const text = `under ${idlePercentMax} % of a core and ${residentMax} MB: ${cpuPercent.toFixed(2)} %, ` +
    `${residentMB.toFixed(0)} MB`;
  return withGoal(row, text, () => cpuPercent < idlePercentMax && residentMB < residentMax, { isOfSpeed: false });
}

/** From the start of `get` until it has a piece of what another host shares; nobody told it an address. */
async function runFirstPiece(): Promise<Sample> {
  await using scene = await openBenchScene();
  const lan = await Lan.open(scene);
  const giver = await share(scene, await lan.addHost(cable), singleFile(8 * MiB, MiB / 4, 12));
  const host = await lan.addHost(cable);
  await pause(settleSeconds);
  const startedAt = performance.now();
  const { child } = new Taker(scene, host, giver, ["get", giver.payload.name]);
  await eventOf(child, "piece", deadlineMs);
  const seconds = secondsSince(startedAt);
  return { seconds, firstPieceSeconds: seconds };
}

/** A share that nobody wants, or nobody any more. */
async function runIdle(idleSeconds: number, goneCount: number): Promise<Sample> {
  await using scene = await openBenchScene();
  const lan = await Lan.open(scene);
  const giver = await share(scene, await lan.addHost(cable), singleFile(64 * MiB, MiB / 4, 13));
  for (const host of await addHosts(lan, goneCount)) {
    const taker = new Taker(scene, host, giver, ["get", giver.payload.name]);
    await taker.finished();
    await taker.child.stop();
  }
  const meter = new Meter(giver.child.pid);
  try {
    await pause(settleSeconds);
    meter.mark();
    await pause(idleSeconds);
    const residentMB = residentBytes(giver.child.pid) / 1e6;
    return { seconds: idleSeconds, cpuPercent: 100 * meter.stop().cpuSeconds / idleSeconds, residentMB };
  } finally {
    meter.stop();
  }
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

/** From the start of all four until the last one has it. */
async function runSwarm(length: number): Promise<Sample> {
  await using scene = await openBenchScene();
  const lan = await Lan.open(scene);
  const giver = await share(scene, await lan.addHost(cable), singleFile(length, MiB / 4, 11));
  const hosts = await addHosts(lan, takerCount);
  await pause(settleSeconds);
  const startedAt = performance.now();
  const takers = hosts.map((host) => new Taker(scene, host, giver, ["get", giver.payload.name]));
  await Promise.all(takers.map((taker) => taker.done()));
  const seconds = secondsSince(startedAt);
  return sampleOf(seconds, length, await copiesSent(giver, takers));
}

/** The same with curl, from Python's web server. */
async function runWeb(length: number, count: number): Promise<Sample> {
  await using scene = await openBenchScene();
  const lan = await Lan.open(scene);
  const payload = writePayload(singleFile(length, MiB / 4, 11), scene.newFolder("data"));
  const source = await lan.addHost(cable);
  const port = "8000";
  const command = [...source.prefix, "/usr/bin/python3", "-m", "http.server", port, "--directory", payload.directory];
  scene.start({ name: "web server", command });
  const hosts = await addHosts(lan, count);
  const url = `http://${source.address}:${port}/`;
  await waitFor("the web server", () => hosts[0]?.run("curl", "-sf", url).catch(() => undefined), deadlineMs);
  const startedAt = performance.now();
  await Promise.all(hosts.map((host) => fetchFile(scene, host, url + payload.name)));
  return sampleOf(secondsSince(startedAt), length, await source.sentBytes() / length);
}

async function fetchFile(scene: Scene, host: LanHost, url: string): Promise<void> {
  await host.run("curl", "-sf", "--output", join(scene.newFolder("target"), "file"), url);
}

function secondsSince(startedAt: number): number {
  return (performance.now() - startedAt) / 1000;
}

function sampleOf(seconds: number, length: number, copies: number): Sample {
  return { seconds, timesBound: seconds * cableRate / length, copiesSent: copies };
}

async function addHosts(lan: Lan, count: number): Promise<LanHost[]> {
  const hosts = [];
  for (let i = 0; i < count; i++) hosts.push(await lan.addHost(cable));
  return hosts;
}
