import { assert, assertEquals } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import { admissionGraceMs, crowdedHostMin, idlePlaceMs, slotIdleMs, unchokeSlots } from "../../lib/limits/transfer.ts";
import { blockLength } from "../../lib/limits/wire.ts";
import { MessageId } from "../../lib/wire/message.ts";
import { type ScriptedPeer, TorrentStage } from "./scripted_peer.ts";
import { makeContent } from "./virtual_disk.ts";

const content = makeContent({ totalLength: 40 * 4 * blockLength, pieceLength: 4 * blockLength });
const maxPeers = 30;

function stageOf(options: ConstructorParameters<typeof TorrentStage>[1] = {}): TorrentStage {
  return new TorrentStage(content, { maxPeers, have: Bitfield.full(content.layout.pieceCount), ...options });
}

/** As many as are let in. */
function fill(stage: TorrentStage, join = () => stage.join()): ScriptedPeer[] {
  const peers: ScriptedPeer[] = [];
  for (;;) {
    const peer = join();
    if (peer.isClosed) return peers;
    peers.push(peer);
  }
}

const closed = (peers: readonly ScriptedPeer[]) => peers.filter(({ isClosed }) => isClosed).length;
const interested = (peer: ScriptedPeer) => peer.say((out) => out.bare(MessageId.interested));

Deno.test("Torrent keeps a part of its places for whom it dials", () => {
  const stage = stageOf();
  const incoming = fill(stage);
  assertEquals(incoming.length, maxPeers - maxPeers / 10);
  for (let i = 0; i < maxPeers / 10; i++) assertEquals(stage.join({ isOutgoing: true }).isClosed, false);
  assertEquals(stage.join({ isOutgoing: true }).closedBecause, "there are enough peers");
});

Deno.test("Torrent gives a place of those that only sit there to a newcomer", () => {
  const stage = stageOf();
  const idle = fill(stage);
  stage.pass(admissionGraceMs);
  const newcomer = stage.join();
  assertEquals([newcomer.isClosed, closed(idle)], [false, 1]);
  assertEquals(idle.find(({ isClosed }) => isClosed)?.closedBecause, "its place went to another");
});

Deno.test("Torrent gives nobody's place away who takes blocks", () => {
  const stage = stageOf();
  const peers = fill(stage);
  for (const peer of peers) interested(peer);
  for (const peer of peers) peer.sayRequest({ piece: 3 });
  stage.pass(idlePlaceMs - 1_000);
  assertEquals(stage.join().closedBecause, "there are enough peers");
  assertEquals(closed(peers), 0);
});

Deno.test("Torrent gives the place of an interested peer away once it had its turn and took nothing", () => {
  const stage = stageOf();
  const peers = fill(stage);
  for (const peer of peers) interested(peer);
  assert(peers.every((peer) => peer.session!.amChoking === false), "all have a slot");
  stage.pass(Math.max(admissionGraceMs, 2 * slotIdleMs) + 1);
  assertEquals([stage.join().isClosed, closed(peers)], [false, 1]);
});

Deno.test("Torrent lets the idle ones of a crowded address go first", () => {
  const stage = stageOf();
  const single = [stage.join(), stage.join()];
  let port = 50_000;
  const crowd = fill(stage, () => stage.join({ endpoint: { host: "10.7.7.7", port: port++ } }));
  assert(crowd.length >= crowdedHostMin);
  stage.pass(admissionGraceMs);
  for (let i = 0; i < 5; i++) assertEquals(stage.join().isClosed, false);
  assertEquals([closed(single), closed(crowd)], [0, 5]);
});

Deno.test("Torrent does not send one of a crowded address away that waits for its first turn", () => {
  const stage = stageOf({ maxPeers: 4 * unchokeSlots });
  let port = 50_000;
  const crowd = fill(stage, () => stage.join({ endpoint: { host: "10.7.7.7", port: port++ } }));
  for (const peer of crowd) interested(peer);
  stage.pass(admissionGraceMs);
  const waiting = crowd.filter(({ session }) => session!.amChoking);
  assert(waiting.length > 0, "there are more than slots");
  for (let i = 0; i < crowd.length - waiting.length + 10; i++) stage.join();
  assertEquals(closed(waiting), 0);
});

Deno.test("Torrent lets nobody wait for slots whose peers ask for nothing", () => {
  const stage = stageOf({ maxPeers: 20 * unchokeSlots });
  const crowd = Array.from({ length: 8 * unchokeSlots }, () => stage.join());
  for (const peer of crowd) interested(peer);
  stage.pass(10_000);
  const honest = stage.join();
  interested(honest);
  assertEquals(honest.heardOf("unchoke").length, 1);
});
