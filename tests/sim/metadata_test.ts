import { assert, assertEquals } from "@std/assert";
import { metadataPartLength } from "../../lib/limits/wire.ts";
import { encodeMetadataData } from "../../lib/wire/ut_metadata.ts";
import { seededRandom } from "../lib/mutations.ts";
import { FetchStage, makeInfo, spoil } from "../peer/fetch_stage.ts";
import type { ScriptedPeer } from "../peer/scripted_peer.ts";

/** How a peer answers a request for a part; what it does not answer it lets lie. */
type Manner = "honest" | "spoils one" | "spoils all" | "stalls" | "rejects" | "other size" | "leaves";
const hostileManners: readonly Manner[] = ["spoils one", "spoils all", "stalls", "rejects", "other size", "leaves"];

interface Actor {
  readonly peer: ScriptedPeer;
  readonly manner: Manner;
  /** What it gives out. */
  readonly metadata: Uint8Array;
}

function answer(stage: FetchStage, { peer, manner, metadata }: Actor, random: () => number): void {
  for (const part of stage.takeRequests(peer)) {
    if (peer.isClosed || manner === "stalls" || random() < 0.1) continue;
    if (manner === "leaves" && random() < 0.5) return peer.leave();
    if (manner === "rejects") stage.reject(peer, part);
    else peer.sayExtended("ut_metadata", encodeMetadataData(metadata, part));
  }
}

function cast(stage: FetchStage, manner: Manner, { number, random }: { number: number; random: () => number }): Actor {
  const { infoBytes } = stage;
  let metadata = infoBytes;
  if (manner === "spoils one") {
    metadata = spoil(infoBytes, Math.floor((random() * infoBytes.length) / metadataPartLength));
  }
  if (manner === "spoils all") metadata = makeInfo(infoBytes.length + 1).subarray(1);
  if (manner === "other size") metadata = makeInfo(1 + Math.floor(random() * 100_000));
  return { peer: stage.join({ number, metadataSize: metadata.length }), manner, metadata };
}

function run(seed: number): void {
  const random = seededRandom(seed);
  const stage = new FetchStage({ size: 1 + Math.floor(random() * 12 * metadataPartLength) });
  const manners: Manner[] = ["honest", ...(random() < 0.5 ? ["honest" as const] : [])];
  for (let count = Math.floor(random() * 10); count > 0; count--) {
    manners.push(hostileManners[Math.floor(random() * hostileManners.length)]);
  }
  manners.sort(() => random() - 0.5);
  const actors: Actor[] = [];
  for (let ms = 0; ms < 300_000 && stage.metadata === undefined; ms += 500) {
    if (actors.length < manners.length && random() < 0.5) {
      actors.push(cast(stage, manners[actors.length], { number: actors.length + 1, random }));
    }
    for (const actor of actors) if (!actor.peer.isClosed) answer(stage, actor, random);
    stage.pass(500);
  }
  assertEquals(stage.metadata, stage.infoBytes, `seed ${seed}: ${manners.join(", ")}`);
  for (const { endpoint } of stage.effectsOf("peerBanned")) {
    const { manner } = actors.find(({ peer }) => peer.endpoint.host === endpoint.host)!;
    assert(manner !== "honest" && manner !== "rejects" && manner !== "stalls", `seed ${seed}: ${manner} was banned`);
  }
  for (const { peer, manner } of actors) {
    assert(manner !== "honest" || !peer.isClosed, `seed ${seed}: honest was dropped`);
  }
}

Deno.test("metadata comes through any mixture of liars, stallers and leavers, and no honest peer pays for it", () => {
  for (let seed = 1; seed <= 200; seed++) run(seed);
});
