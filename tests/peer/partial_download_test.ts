/** A torrent of which only some files are wanted, and what becomes of pieces that are lost. */
import { assert, assertEquals } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import { Layout } from "../../lib/layout.ts";
import { MessageId } from "../../lib/wire/message.ts";
import { Announcer } from "../../peer/announcer.ts";
import { FileSelection } from "../../peer/file_selection.ts";
import { seededRandom } from "../lib/mutations.ts";
import { testPeerId, TorrentStage } from "./scripted_peer.ts";
import { bitfieldOf, makeContent } from "./virtual_disk.ts";

const blockLength = 16_384;
const totalLength = 8 * blockLength;
/** 8 pieces of a block; files of 2.5, 3 and 2.5 pieces. */
const content = {
  ...makeContent({ totalLength, pieceLength: blockLength }),
  layout: new Layout({
    pieceLength: blockLength,
    fileLengths: [2.5 * blockLength, 3 * blockLength, 2.5 * blockLength],
  }),
};
const middle = FileSelection.of(content.layout, Uint8Array.of(0, 1, 0));
const middlePieces = "  ****  ";

for (const strategy of ["rarest-first", "sequential", "random"] as const) {
  Deno.test(`Torrent asks for the pieces of wanted files only, ${strategy}`, () => {
    const stage = new TorrentStage(content, { selection: middle, strategy });
    const seed = stage.joinSeed();
    const asked = new Set<number>();
    while (seed.openRequests.length > 0) {
      for (const { piece } of seed.openRequests) asked.add(piece);
      seed.serve();
    }
    assertEquals([...asked].sort(), [2, 3, 4, 5]);
    assertEquals([stage.torrent.isComplete, stage.torrent.isWhole], [true, false]);
    assertEquals(stage.effectsOf("complete").length, 1);
    const { haveBytes, totalBytes, havePieces, pieceCount } = stage.torrent.stats(stage.now);
    assertEquals([haveBytes, totalBytes, havePieces, pieceCount], [3 * blockLength, 3 * blockLength, 4, 4]);
  });
}

Deno.test("Torrent is not led to unwanted pieces by proposals and gifts", () => {
  const stage = new TorrentStage(content, { selection: middle });
  const peer = stage.join({ has: Bitfield.full(8) });
  peer.say((out) => (out.piece(MessageId.allowedFast, 0), out.piece(MessageId.suggest, 7)));
  stage.pass(5_000);
  assertEquals(peer.openRequests, []);
  peer.say((out) => out.bare(MessageId.unchoke));
  assert(peer.openRequests.every(({ piece }) => piece >= 2 && piece <= 5));
});

Deno.test("Torrent is interested only in who has something that is wanted", () => {
  const stage = new TorrentStage(content, { selection: middle });
  const useless = stage.join({ has: bitfieldOf("**    **") });
  useless.say((out) => out.piece(MessageId.have, 1));
  const useful = stage.join({ has: bitfieldOf("*    *  ") });
  assertEquals([useless.heardOf("interested").length, useful.heardOf("interested").length], [0, 1]);
});

Deno.test("Torrent that has all it wants parts from seeds and serves the others", () => {
  const stage = new TorrentStage(content, { selection: middle, have: bitfieldOf(middlePieces) });
  assertEquals(stage.torrent.isComplete, true);
  const seed = stage.join({ has: Bitfield.full(8) });
  assertEquals(seed.closedBecause, "neither wants anything");
  const leecher = stage.join({ has: bitfieldOf("*       ") });
  leecher.say((out) => (out.bare(MessageId.interested), out.range(MessageId.request, 3, 0, blockLength)));
  assertEquals([leecher.isClosed, leecher.heardOf("piece").length], [false, 1]);
});

Deno.test("Torrent tells no tracker that a part is the whole: left counts all pieces, completed is not said", () => {
  const { infoHash } = content;
  const peerId = testPeerId(0, "-LB0100-");
  const announcer = new Announcer({
    ...{ tiers: [["http://tracker.example/announce"]], infoHash, peerId, port: 6881 },
    ...{ random: seededRandom(1), isComplete: false },
  });
  const stage = new TorrentStage(content, { selection: middle, announcer });
  stage.pass(1);
  const [started] = stage.effectsOf("announce");
  assertEquals([started.call.request.event, started.call.request.left], ["started", totalLength]);
  const reply = { intervalMs: 60_000, minIntervalMs: undefined, complete: 0, incomplete: 0, peers: [] };
  stage.apply({ kind: "announced", id: started.call.id, reply });
  stage.joinSeed().serve();
  assert(stage.torrent.isComplete);
  stage.pass(200_000);
  stage.apply({ kind: "stop" });
  const later = stage.effectsOf("announce").slice(1).map(({ call }) => [call.request.event, call.request.left]);
  assertEquals(later, [[undefined, 4 * blockLength], ["stopped", 4 * blockLength]]);
});

Deno.test("Torrent fetches a piece again that its disk lost before the end", () => {
  const stage = new TorrentStage(content, { have: bitfieldOf("******* ") });
  const peer = stage.join({ has: bitfieldOf("*       ") });
  assertEquals(peer.heardOf("interested").length, 0);
  const { connection } = peer;
  stage.apply({ kind: "readFailed", connection, ranges: [], lost: [content.layout.toPieceIndex(0)!], why: "gone" });
  assertEquals(peer.heardOf("interested").length, 1);
  peer.say((out) => out.bare(MessageId.unchoke));
  assertEquals(peer.openRequests.map(({ piece }) => piece), [0]);
});

Deno.test("Torrent that was complete stops offering a lost piece, and does not fetch what somebody took away", () => {
  const stage = new TorrentStage(content, { have: Bitfield.full(8) });
  const peer = stage.join({ has: bitfieldOf("*       ") });
  peer.say((out) => out.bare(MessageId.interested));
  const lost = [3, 0].map((piece) => content.layout.toPieceIndex(piece)!);
  stage.apply({ kind: "readFailed", connection: peer.connection, ranges: [], lost, why: "gone" });
  peer.say((out) => out.range(MessageId.request, 3, 0, blockLength));
  assertEquals([peer.heardOf("reject").length, peer.heardOf("piece").length], [1, 0]);
  peer.say((out) => out.bare(MessageId.unchoke));
  assertEquals([peer.heardOf("interested").length, peer.openRequests], [0, []]);
  const late = stage.join({ has: bitfieldOf("*       ") });
  assertEquals(late.heardOf("haveAll").length, 0);
});

Deno.test("Torrent does not want back what it lost and never wanted", () => {
  const stage = new TorrentStage(content, { selection: middle, have: bitfieldOf("*       ") });
  const peer = stage.join({ has: bitfieldOf("*       ") });
  const lost = [content.layout.toPieceIndex(0)!];
  stage.apply({ kind: "readFailed", connection: peer.connection, ranges: [], lost, why: "gone" });
  peer.say((out) => out.bare(MessageId.unchoke));
  assertEquals([peer.heardOf("interested").length, peer.openRequests], [0, []]);
});
