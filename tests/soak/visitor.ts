/**
 * One place of the crowd: somebody who comes, fetches something and goes, again and again, and not always in good order.
 *
 * Who is killed or leaves in the middle comes back to the same folder, and must find there what was told as done.
 */
import type { Child } from "../interop/child.ts";
import { eventOf, eventsOf, startLocalbt } from "../interop/localbt.ts";
import { assertHoldsPayload } from "../interop/payload.ts";
import type { Scene } from "../interop/scene.ts";
import { downloadLimit, type Offer } from "./world.ts";

/** What happened to all visitors together. */
export interface Tally {
  joins: number;
  kills: number;
  leaves: number;
  resumes: number;
  finishes: number;
  seedings: number;
}

/** What a visitor needs of the soak. */
export interface Stage {
  readonly scene: Scene;
  readonly offers: readonly Offer[];
  readonly tally: Tally;
  readonly random: () => number;
  /** Resolves when no new visit begins, and nobody is disturbed any more. */
  readonly closing: Promise<void>;
  readonly isClosing: () => boolean;
}

type Fate = "finish" | "kill" | "leave" | "seed";

/** Milliseconds that a visit may take in all: the crowd shares a few megabytes a second. */
const visitMs = 180_000;
/** Milliseconds until somebody is killed or leaves at most; a download takes longer as a rule. */
const disturbMs = 5_000;
/** Milliseconds that somebody seeds who has everything, at most. */
const seedMs = 12_000;
/** Milliseconds between two visits at most. */
const restMs = 3_000;

/** Visits until the soak is closing; the last one is always finished. */
export async function visitAgainAndAgain(stage: Stage): Promise<void> {
  while (!stage.isClosing()) {
    const offer = stage.offers[Math.floor(stage.random() * stage.offers.length)];
    await visit(stage, offer, () => fateBy(stage.random(), offer));
    await pause(stage, stage.random() * restMs);
  }
}

/** A visit that nothing disturbs. */
export function visitOnce(stage: Stage, offer: Offer): Promise<void> {
  return visit(stage, offer, () => "finish");
}

async function visit(stage: Stage, offer: Offer, drawFate: () => Fate): Promise<void> {
  const folder = stage.scene.newFolder("visit");
  stage.tally.joins++;
  let toldPieces = 0;
  for (let isDone = false, tries = 0; !isDone; tries++) {
    const fate = stage.isClosing() ? "finish" : drawFate();
    const seed = fate === "seed" ? ["--seed"] : [];
    const child = startLocalbt(stage.scene, [
      ...offer.command,
      ...["--output", folder, "--download-limit", downloadLimit, "--json", ...seed],
    ]);
    if (tries > 0) stage.tally.resumes++;
    isDone = await live(stage, child, fate);
    toldPieces = checkResumed(child, toldPieces);
  }
  assertHoldsPayload(offer.payload, folder);
  stage.tally.finishes++;
  await Deno.remove(folder, { recursive: true });
}

/** @param luck in [0, 1) */
function fateBy(luck: number, { canSeed }: Offer): Fate {
  if (luck < 0.35) return "kill";
  if (luck < 0.5) return "leave";
  return luck < 0.7 && canSeed ? "seed" : "finish";
}

/** True once it has everything and has ended well. */
async function live(stage: Stage, child: Child, fate: Fate): Promise<boolean> {
  if (fate === "kill" || fate === "leave") {
    await Promise.race([pause(stage, stage.random() * disturbMs), child.status]);
    if (!stage.isClosing() && child.isRunning) return await disturb(stage, child, fate);
  }
  if (fate === "seed") {
    await eventOf(child, "done", visitMs);
    stage.tally.seedings++;
    await pause(stage, stage.random() * seedMs);
    const { code } = await child.stop("SIGINT");
    if (code !== 130) throw child.failure("did not stop by Ctrl-C");
    return true;
  }
  const { code } = await child.exit(visitMs);
  if (code !== 0) throw child.failure("did not finish");
  return true;
}

/** It may have finished in the last moment. */
async function disturb(stage: Stage, child: Child, fate: "kill" | "leave"): Promise<boolean> {
  const { code } = await child.stop(fate === "kill" ? "SIGKILL" : "SIGINT");
  if (code === 0) return true;
  if (fate === "leave" && code !== 130) throw child.failure("did not leave by Ctrl-C");
  if (fate === "kill") stage.tally.kills++;
  else stage.tally.leaves++;
  return false;
}

/** What was told as done before must be there. Returns what has been told up to now. */
function checkResumed(child: Child, toldPieces: number): number {
  const start = eventsOf(child, "start")[0];
  if (start === undefined) return toldPieces;
  const have = Number(start.havePieces);
  if (have < toldPieces) throw child.failure(`has ${have} pieces where ${toldPieces} were told as done`);
  return have + eventsOf(child, "piece").length;
}

/** Waits, but not beyond the end of the soak. */
async function pause(stage: Stage, ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const time = new Promise<void>((resolve) => timer = setTimeout(resolve, ms));
  await Promise.race([time, stage.closing]);
  clearTimeout(timer);
}
