/** What those who live in a simulated world can see of it. */
import type { Endpoint } from "../../../lib/endpoint.ts";
import type { Effect, Input } from "../../../peer/events.ts";
import type { WorldContent } from "./content.ts";
import type { Luck } from "./luck.ts";
import type { Network } from "./network.ts";
import type { Program } from "./program.ts";
import type { Trace } from "./trace.ts";
import type { TrackerHost } from "./tracker_host.ts";

export interface WorldStage {
  readonly content: WorldContent;
  readonly luck: Luck;
  readonly network: Network;
  readonly trace: Trace;
  readonly trackers: readonly TrackerHost[];
  /** Something may go wrong yet. */
  readonly isTroubled: boolean;
  /** Whether a crash falls on this very moment; the program is dead then. */
  isStruck(program: Program): boolean;
  /** A core took an input in, and its effects are performed. */
  afterStep(program: Program, input: Input): void;
  /** A connection was closed by an honest program. */
  onClosing(program: Program, remote: Endpoint, why: string): void;
  onBanned(program: Program, effect: Extract<Effect, { kind: "peerBanned" }>): void;
}
