import { assert, assertEquals } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import { blockLength, patienceMax, patiencePerSecond, patienceStart } from "../../lib/limits/wire.ts";
import { encodeDontHave } from "../../lib/wire/partial_seed.ts";
import { type MessageWriter } from "../../lib/wire/message_writer.ts";
import { MessageId } from "../../lib/wire/message.ts";
import { type ScriptedPeer, TorrentStage } from "./scripted_peer.ts";
import { makeContent } from "./virtual_disk.ts";

const content = makeContent({ totalLength: 40 * blockLength, pieceLength: blockLength });
const why = "it says too much that is of no use";

const seedStage = () => new TorrentStage(content, { have: Bitfield.full(content.layout.pieceCount) });

/** What makes up a storm, and how often at most it may be said at once by a newcomer. */
const storms: readonly [what: string, write: (out: MessageWriter) => void, most: number][] = [
  ["keep-alives", (out) => out.keepAlive(), patienceStart],
  ["chokes and unchokes", (out) => (out.bare(MessageId.choke), out.bare(MessageId.unchoke)), patienceStart / 8],
  ["interest that comes and goes", (out) => {
    out.bare(MessageId.interested);
    out.bare(MessageId.notInterested);
  }, patienceStart / 8],
  ["the same have", (out) => out.piece(MessageId.have, 3), patienceStart + 1],
  ["bitfields", (out) => out.bitfield(Bitfield.empty(40).encode()), patienceStart],
  ["allowed-fast pieces", (out) => out.piece(MessageId.allowedFast, 3), patienceStart],
  ["proposals", (out) => out.piece(MessageId.suggest, 3), patienceStart],
  ["cancels of nothing", (out) => out.range(MessageId.cancel, 3, 0, blockLength), patienceStart],
  ["rejects of nothing", (out) => out.range(MessageId.reject, 3, 0, blockLength), patienceStart],
  ["extension handshakes", (out) => out.extended(0, new TextEncoder().encode("de")), patienceStart / 4],
  ["unknown extensions", (out) => out.extended(99, new Uint8Array(1)), patienceStart / 4],
  ["losses of the same piece", (out) => {
    out.piece(MessageId.have, 3);
    out.extended(3, encodeDontHave(3));
  }, patienceStart + 41],
];

/** How often the peer says it until it is closed. */
function sayUntilClosed(peer: ScriptedPeer, write: (out: MessageWriter) => void): number {
  let count = 0;
  for (; !peer.isClosed && count < 2 * patienceMax; count++) peer.say(write);
  return count;
}

for (const [what, write, most] of storms) {
  Deno.test(`Patience ends with a storm of ${what}`, () => {
    const peer = seedStage().join();
    const count = sayUntilClosed(peer, write);
    assertEquals(peer.closedBecause, why);
    assert(count <= most + 1, `${count} were taken`);
  });
}

Deno.test("Patience comes back with time, and has a bound", () => {
  const stage = seedStage();
  const peer = stage.join();
  for (let second = 0; second < 60; second++) {
    for (let count = 0; count < patiencePerSecond; count++) peer.say((out) => out.keepAlive());
    stage.pass(1_000);
  }
  assertEquals(peer.isClosed, false, "what is said at a bearable pace is borne for ever");
  for (let minute = 0; minute < 60; minute++) {
    stage.pass(60_000);
    peer.say((out) => out.keepAlive());
  }
  assertEquals(sayUntilClosed(peer, (out) => out.keepAlive()), patienceMax);
});

Deno.test("Patience has no end for who takes part: thousands of requests and cancels", () => {
  const pieceCount = 4_000;
  const many = makeContent({ totalLength: pieceCount * 2 * 1024, pieceLength: 2 * 1024 });
  const peer = new TorrentStage(many, { have: Bitfield.full(pieceCount) }).join();
  peer.say((out) => out.bare(MessageId.interested));
  for (let piece = 0; piece < pieceCount; piece++) peer.sayRequest({ piece, length: 2 * 1024 });
  assertEquals(peer.heardOf("piece").length, pieceCount);
  for (let piece = 0; piece < 1_200; piece++) peer.sayCancel({ piece, length: 2 * 1024 });
  assertEquals(peer.closedBecause, undefined, "blocks that it took give it room for cancels that come too late");
});

Deno.test("Patience is not spent by a peer that has ever more pieces, or loses all of them once", () => {
  const many = makeContent({ totalLength: 5_000 * 64, pieceLength: 64 });
  const peer = new TorrentStage(many).join();
  for (let piece = 0; piece < 5_000; piece++) peer.say((out) => out.piece(MessageId.have, piece));
  for (let piece = 0; piece < 5_000; piece++) peer.say((out) => out.extended(3, encodeDontHave(piece)));
  assertEquals(peer.isClosed, false);
});
