/** What a seed makes of a world: who lives in it, what they have and want, how the network behaves, and what goes wrong. */
import type { Endpoint } from "../../../lib/endpoint.ts";
import type { PieceIndex } from "../../../lib/ids.ts";
import type { Layout } from "../../../lib/layout.ts";
import type { PickStrategy } from "../../../peer/piece_picker.ts";
import type { Luck } from "./luck.ts";
import type { MachinePlan } from "./machine.ts";
import type { NetworkManners } from "./network.ts";

export function drawNetwork(luck: Luck): NetworkManners {
  return {
    latencyMs: luck.pick(0.1, 2, 20, 150),
    jitterMs: luck.pick(0, 1, 50),
    segmentBytesMax: luck.pick(1_460, 9_000, 65_536),
    readBytesMax: luck.pick(2_000, 20_000, 100_000),
    lostDials: luck.pick(0, 0, 0.2),
  };
}

/** How often what goes wrong while it may. */
export interface Troubles {
  /** Virtual ms until which it may. */
  readonly untilMs: number;
  /** Milliseconds between two troubles, at most. */
  readonly pauseMs: number;
  /** Steps between two crashes, at most; Infinity for none. */
  readonly stepsToCrash: number;
}

export function drawTroubles(luck: Luck): Troubles {
  return {
    untilMs: luck.pick(5_000, 20_000, 60_000),
    pauseMs: luck.pick(500, 3_000, 20_000),
    stepsToCrash: luck.pick(100, 600, 3_000, Infinity),
  };
}

export function endpointOf(kind: "honest" | "hostile", number: number): Endpoint {
  return { host: `10.${kind === "honest" ? 0 : 6}.0.${number + 1}`, port: 6_881 };
}

/**
 * A whole seed or two, seeds of parts, and some who download.
 *
 * @param hasTracker without one all know the first seed
 * @param mayMagnet the metadata of a private torrent is told to nobody
 */
export function drawMachines(
  luck: Luck,
  { layout, hasTracker, mayMagnet }: { layout: Layout; hasTracker: boolean; mayMagnet: boolean },
): MachinePlan[] {
  const all = Array.from({ length: layout.pieceCount }, (_, piece) => piece as PieceIndex);
  const plans: MachinePlan[] = [];
  const strategy = luck.pick<PickStrategy>("rarest-first", "rarest-first", "sequential", "random");
  const add = (plan: Pick<MachinePlan, "kind" | "pieces"> & Partial<MachinePlan>) => {
    const number = plans.length;
    plans.push({
      name: `${plan.kind === "seed" ? "seed" : "leech"}${number}`,
      endpoint: endpointOf("honest", number),
      ...{ wanted: undefined, isMagnet: false, strategy },
      knows: number > 0 && (!hasTracker || luck.chance(0.2)) ? [endpointOf("honest", 0)] : [],
      uploadLimit: luck.chance(0.2) ? luck.pick(60_000, 500_000) : Infinity,
      downloadLimit: luck.chance(0.15) ? luck.pick(60_000, 500_000) : Infinity,
      isPlain: luck.chance(0.08),
      maxPeers: luck.chance(0.1) ? 3 + luck.below(3) : undefined,
      isDiskAtOnce: luck.chance(0.3),
      diskMs: luck.pick(0.1, 5, 100, 1_500),
      joinsAt: luck.chance(0.5) ? 0 : luck.between(0, 10_000),
      ...plan,
    });
  };
  for (let count = luck.pick(1, 1, 2); count > 0; count--) {
    // The first can tell the metadata.
    add({ kind: "seed", pieces: all, joinsAt: 0, isPlain: plans.length > 0 && luck.chance(0.1) });
  }
  if (luck.chance(0.3)) add({ kind: "seed", pieces: some(luck, all, 0.5) });
  for (let count = luck.pick(1, 2, 3, 4); count > 0; count--) {
    const isMagnet = mayMagnet && luck.chance(0.25);
    const isPlain = !isMagnet && luck.chance(0.08); // metadata comes by an extension
    add({
      kind: "download",
      pieces: isMagnet || luck.chance(0.6) ? [] : some(luck, all, luck.pick(0.2, 0.8, 1)),
      ...{ isMagnet, isPlain },
      wanted: luck.chance(0.25) ? drawWanted(luck, layout) : undefined,
    });
  }
  return plans;
}

function some(luck: Luck, pieces: readonly PieceIndex[], share: number): PieceIndex[] {
  return pieces.filter(() => luck.chance(share));
}

function drawWanted(luck: Luck, layout: Layout): Uint8Array | undefined {
  const offsets = [...new Set(layout.spansOf({ offset: 0, length: layout.totalLength }).map((span) => span.fileIndex))];
  const wanted = new Uint8Array(offsets.at(-1)! + 1);
  for (const fileIndex of offsets) if (luck.chance(0.5)) wanted[fileIndex] = 1;
  wanted[luck.of(offsets)!] = 1;
  return wanted;
}
