/**
 * Many receivers and one source on the virtual network, who know of each other by a real Tracker core alone.
 *
 * What comes out is when they had everything, beside the bound (scale_bound.ts), and what it took: so picker and choker
 * can be judged.
 */
import { decodeCompact } from "../../lib/endpoint.ts";
import type { PickStrategy } from "../../peer/piece_picker.ts";
import { Asker } from "../../tracker/asker.ts";
import { Tracker } from "../../tracker/tracker.ts";
import { seededRandom } from "../lib/mutations.ts";
import { VirtualSwarm } from "../peer/torrent_harness.ts";
import type { Content } from "../peer/virtual_disk.ts";
import type { VirtualPeer, VirtualTracker } from "../peer/virtual_peer.ts";
import { boundOf } from "./scale_bound.ts";

/** What kind of crowd it is; rates are bytes a second. */
export interface Scenario {
  readonly name: string;
  /** The source's link, or what it was told to give at most. */
  readonly source: { readonly uplink?: number; readonly uploadLimit?: number };
  /** By the number of the receiver, from 0, of `count`. */
  receiver(index: number, count: number): Receiver;
  /** Who has everything goes at once, and gives nothing more. */
  readonly leavesWhenWhole?: boolean;
}

export interface Receiver {
  readonly up: number;
  readonly down: number;
  /** Milliseconds after the source. */
  readonly joinsAt: number;
}

export interface CrowdOptions {
  readonly content: Content;
  readonly count: number;
  readonly strategy: PickStrategy;
  /** Connections that a receiver has at most. */
  readonly maxPeers: number;
  readonly seed: number;
}

/** How a crowd fared; milliseconds of virtual time since the source was there. */
export interface Outcome {
  readonly boundMs: number;
  readonly firstMs: number;
  readonly medianMs: number;
  readonly lastMs: number;
  /** Copies of the file that the source sent. */
  readonly sourceCopies: number;
  /** Copies that all sent, for each receiver: above 1 is what came twice. */
  readonly copiesEach: number;
}

/** No scenario takes longer than so many times its bound, or something hangs. */
const patience = 20;

/** Lets a crowd fetch the content. @throws when somebody never has it */
export function runCrowd(scenario: Scenario, options: CrowdOptions): Outcome {
  const { content, count, strategy, maxPeers, seed } = options;
  const { totalLength: length } = content.layout;
  const random = seededRandom(seed);
  const tracker = new CrowdTracker(random);
  const swarm = new VirtualSwarm(content, { seed, latencyMs: 0.3, tracker });
  tracker.swarm = swarm;
  const source = swarm.seed({ name: "source", ...scenario.source });
  const startedAt = swarm.now;
  const receivers = Array.from({ length: count }, (_, index) => scenario.receiver(index, count));
  const boundMs = boundOf({
    length,
    sourceRate: Math.min(scenario.source.uplink ?? Infinity, scenario.source.uploadLimit ?? Infinity),
    receivers,
  });
  const peers: VirtualPeer[] = [];
  for (const { up, down, joinsAt } of receivers.toSorted((a, b) => a.joinsAt - b.joinsAt)) {
    swarm.runFor(startedAt + joinsAt - swarm.now);
    peers.push(swarm.join({ strategy, maxPeers, uplink: up, downlink: down }));
  }
  const waiting = new Set(peers);
  swarm.onStep = (peer) => {
    if (peer.completedAt === undefined || !waiting.delete(peer)) return;
    if (scenario.leavesWhenWhole) swarm.leave(peer);
  };
  for (const peer of peers) swarm.onStep(peer);
  swarm.runUntil(() => waiting.size === 0, { maxMs: patience * boundMs + 60_000 });
  const times = peers.map(({ completedAt }) => completedAt! - startedAt).toSorted((a, b) => a - b);
  return {
    boundMs,
    firstMs: times[0],
    medianMs: times[times.length >> 1],
    lastMs: times.at(-1)!,
    sourceCopies: source.sentBytes / length,
    copiesEach: swarm.peers.reduce((sum, { sentBytes }) => sum + sentBytes, 0) / length / count,
  };
}

/** A Tracker core that all peers ask; who they are it sees by their address. */
class CrowdTracker implements VirtualTracker {
  readonly #tracker: Tracker;
  swarm!: VirtualSwarm;

  constructor(random: () => number) {
    this.#tracker = new Tracker({ intervalMs: 60_000, random });
  }

  answer(peer: VirtualPeer, { request }: Parameters<VirtualTracker["answer"]>[1]) {
    const asker = new Asker({ remote: peer.endpoint.host, local: "10.0.255.254" });
    const { intervalMs, minIntervalMs, complete, incomplete, peers } = this.#tracker.announce(
      request,
      asker,
      this.swarm.now,
    );
    return { intervalMs, minIntervalMs, complete, incomplete, peers: decodeCompact(peers, 4) };
  }
}
