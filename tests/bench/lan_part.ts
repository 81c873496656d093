/** A LAN of network namespaces: what four hosts cost a source with a cable of 100 Mbit/s, and a web server beside it. */
import { Lan } from "../interop/lan.ts";
import type { LanHost } from "../interop/lan_host.ts";
import { linkRates, networkNamespaces } from "../interop/network_tools.ts";
import { join } from "../interop/path.ts";
import { singleFile, writePayload } from "../interop/payload.ts";
import type { Scene } from "../interop/scene.ts";
import { waitFor } from "../interop/wait.ts";
import { copiesSent, share, Taker } from "../lan/room.ts";
import { type Contender, contest } from "./contest.ts";
import { type Row, type Sample, withGoal } from "./report.ts";
import { MiB, openBenchScene } from "./stage.ts";

const deadlineMs = 180_000;
const cable = { upMbit: 100, downMbit: 1000 };
/** Bytes a second that the cable takes, headers included. */
const cableRate = 100e6 / 8;
const takerCount = 4;
/** Of the least time in which all can have it. */
const timesBoundMax = 1.3;

/** What a part has to be told. */
interface Size {
  readonly rounds: number;
  readonly length: number;
}

/** The swarm and, beside it, plain HTTP by one and by four. */
export async function benchLan({ rounds, length }: Size): Promise<Row[]> {
  const missing = [networkNamespaces, linkRates].find((need) => !need.isInstalled());
  const contenders = [
    { name: `${takerCount} hosts take it from one`, isOurs: true, run: () => runSwarm(length) },
    { name: "1 host takes it from a web server", isOurs: false, run: () => runWeb(length, 1) },
    { name: `${takerCount} hosts take it from a web server`, isOurs: false, run: () => runWeb(length, takerCount) },
  ].map((contender): Contender => ({ ...contender, absence: missing && `needs ${missing.name}` }));
  const rows = await contest({ part: "lan", rounds }, contenders);
  return rows.map((row) => row.isOurs && row.runs > 0 ? withBoundGoal(row) : row);
}

function withBoundGoal(row: Row): Row {
  const text = `all have it within ${timesBoundMax} times the bound: ${row.figures.timesBound?.toFixed(2)}`;
  return withGoal(row, text, ({ timesBound = NaN }) => timesBound <= timesBoundMax);
}

/** From the start of all four until the last one has it. */
async function runSwarm(length: number): Promise<Sample> {
  await using scene = await openBenchScene();
  const lan = await Lan.open(scene);
  const giver = await share(scene, await lan.addHost(cable), singleFile(length, MiB / 4, 11));
  const hosts = await addHosts(lan, takerCount);
  const startedAt = performance.now();
  const copies = await copiesSent(
    giver,
    hosts.map((host) => new Taker(scene, host, giver, ["get", giver.payload.name])),
  );
  return sampleOf(startedAt, length, copies);
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
  return sampleOf(startedAt, length, await source.sentBytes() / length);
}

async function fetchFile(scene: Scene, host: LanHost, url: string): Promise<void> {
  await host.run("curl", "-sf", "--output", join(scene.newFolder("target"), "file"), url);
}

function sampleOf(startedAt: number, length: number, copies: number): Sample {
  const seconds = (performance.now() - startedAt) / 1000;
  return { seconds, timesBound: seconds * cableRate / length, copiesSent: copies };
}

async function addHosts(lan: Lan, count: number): Promise<LanHost[]> {
  const hosts = [];
  for (let i = 0; i < count; i++) hosts.push(await lan.addHost(cable));
  return hosts;
}
