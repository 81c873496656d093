import { assert, assertEquals, assertGreater, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import { pieceBufferBytesMax, snubDropMs, snubMs, unwantedBytesMax } from "../../lib/limits/transfer.ts";
import { MiB } from "../../lib/limits/units.ts";
import { blockLength } from "../../lib/limits/wire.ts";
import type { BlockRange } from "../../lib/wire/message.ts";
import { MessageId } from "../../lib/wire/message.ts";
import { TorrentStage } from "./scripted_peer.ts";
import { bitfieldOf, makeContent } from "./virtual_disk.ts";

const blocksPerPiece = 4;
/** 12 pieces of 4 blocks, the last one shorter. */
const content = makeContent({ totalLength: 11 * 4 * blockLength + blockLength + 77, pieceLength: 4 * blockLength });

const keyOf = ({ piece, begin, length }: BlockRange) => `${piece}/${begin}/${length}`;
const keysOf = (ranges: readonly BlockRange[]) => ranges.map(keyOf);
const piecesOf = (ranges: readonly BlockRange[]) => [...new Set(ranges.map(({ piece }) => piece))];

Deno.test("Torrent throws away blocks that nobody asked for, and the peer that sends too many", () => {
  const stage = new TorrentStage(content);
  const peer = stage.join({ has: Bitfield.full(12) });
  const block = { piece: 0, begin: 0, length: blockLength };
  for (let sent = 0; sent <= unwantedBytesMax - blockLength; sent += blockLength) peer.sayBlock(block);
  assertEquals(peer.isClosed, false);
  assertEquals(stage.torrent.stats(stage.now).downloadedBytes, 0);
  peer.sayBlock(block);
  assertEquals(peer.closedBecause, "too many blocks that nobody asked for");
});

Deno.test("Torrent forgives a peer its unwanted blocks while as many wanted ones come", () => {
  const pieceLength = 100 * blockLength;
  const stage = new TorrentStage(makeContent({ totalLength: 12 * pieceLength, pieceLength }));
  const peer = stage.joinSeed();
  for (let sent = 0; sent < 1.5 * unwantedBytesMax; sent += blockLength) {
    const [wanted] = peer.openRequests;
    let isFirst = true;
    peer.answerAll((range) => isFirst ? (isFirst = false, peer.sayBlock(range)) : peer.keep(range));
    peer.sayBlock(wanted);
  }
  assertEquals(peer.isClosed, false);
});

const impossible: [what: string, piece: number, begin: number, length: number][] = [
  ["of no piece", 12, 0, blockLength],
  ["of a piece above 2^31", 0xffffffff, 0, blockLength],
  ["behind the end of its piece", 0, 4 * blockLength, blockLength],
  ["that is no multiple of 16 KiB in", 0, 1, blockLength],
  ["that is too short", 0, 0, blockLength - 1],
  ["that is too long", 0, 0, blockLength + 1],
  ["that is longer than the tail", 11, blockLength, 78],
];
for (const [what, piece, begin, length] of impossible) {
  Deno.test(`Torrent drops a peer that sends a block ${what}`, () => {
    const stage = new TorrentStage(content);
    const peer = stage.joinSeed();
    peer.say((out) => out.block(piece, begin, new Uint8Array(length)));
    assert(peer.closedBecause?.includes("which cannot be"), peer.closedBecause);
  });
}

Deno.test("Torrent takes the pieces of a stalled peer to others, and the peer back when it delivers", () => {
  const stage = new TorrentStage(content);
  const slow = stage.joinSeed();
  const asked = slow.openRequests;
  const other = stage.join({ has: Bitfield.full(12) });
  stage.pass(snubMs + 1_000);
  assertEquals(slow.openRequests.length, 1, "one request is left, to see whether it comes back");
  assertEquals(slow.heardOf("cancel").length, asked.length - 1);
  other.say((out) => out.bare(MessageId.unchoke));
  assertGreaterOrEqual(new Set(keysOf(asked)).intersection(new Set(keysOf(other.openRequests))).size, 1);
  assertEquals(slow.answerAll(), 1);
  stage.pass(1);
  assertGreater(slow.openRequests.length, 1);
});

Deno.test("Torrent leaves a peer that stalls for a minute, and finishes without it", () => {
  const stage = new TorrentStage(content);
  const slow = stage.joinSeed();
  const other = stage.joinSeed();
  other.serve();
  for (let ms = 0; ms < snubMs + 2_000; ms += 500) {
    stage.pass(500);
    other.serve();
  }
  assert(stage.torrent.isComplete);
  assertEquals(slow.isClosed, true);
});

Deno.test("Torrent closes a peer that owes blocks for longer than it is patient", () => {
  const stage = new TorrentStage(content);
  const slow = stage.joinSeed();
  stage.pass(snubDropMs - 1_000);
  assertEquals(slow.isClosed, false);
  stage.pass(3_000);
  assertEquals(slow.closedBecause, "it stalls");
});

Deno.test("Torrent bans at once who delivered all of a bad piece", () => {
  const stage = new TorrentStage(content);
  const liar = stage.joinSeed();
  const asked = liar.openRequests.slice(0, blocksPerPiece);
  for (const range of asked) liar.sayWrongBlock(range);
  assertEquals(liar.closedBecause, "it sent a piece that fails its hash");
  assertEquals(stage.effectsOf("peerBanned").map(({ endpoint }) => endpoint), [liar.endpoint]);
  const again = stage.connect({ peerId: liar.peerId, endpoint: { ...liar.endpoint, port: 50_077 } });
  again.sayHandshake();
  assertEquals(again.closedBecause, "the peer is banned");
  const honest = stage.connect({ number: 77, peerId: liar.peerId });
  honest.sayHandshake();
  assertEquals(honest.isClosed, false, "whoever takes another's peer id to lie has it banned");
});

Deno.test("Torrent finds the liar of a shared piece and keeps the honest peer", () => {
  const stage = new TorrentStage(makeContent({ totalLength: 4 * blockLength, pieceLength: 4 * blockLength }));
  const liar = stage.join({ has: bitfieldOf("*") });
  const honest = stage.join({ has: bitfieldOf("*") });
  liar.say((out) => out.bare(MessageId.unchoke));
  assertEquals(liar.openRequests.length, 4);
  const [first, ...others] = liar.openRequests;
  liar.sayWrongBlock(first);
  for (const range of others) liar.sayReject(range);
  honest.say((out) => out.bare(MessageId.unchoke));
  assertEquals(honest.openRequests.length, 3);
  liar.sayChoke();
  honest.answerAll();
  assertEquals([liar.isClosed, honest.isClosed], [false, false], "nobody is to blame yet");
  assertEquals(honest.openRequests.length, 4, "one peer alone is to deliver it now");
  honest.answerAll();
  assert(stage.torrent.isComplete);
  assertEquals(liar.closedBecause, "it sent blocks that spoiled a piece");
  assertEquals(stage.effectsOf("peerBanned").length, 1);
});

/** A torrent of one piece that a liar and an honest peer have spoiled together; the honest one is asked for all of it. */
function stageOfSpoiledPiece() {
  const stage = new TorrentStage(makeContent({ totalLength: 4 * blockLength, pieceLength: 4 * blockLength }));
  const liar = stage.joinSeed();
  const [first, ...others] = liar.openRequests;
  liar.sayWrongBlock(first);
  for (const range of others) liar.sayReject(range);
  liar.sayChoke();
  const honest = stage.joinSeed();
  honest.answerAll();
  return { stage, liar, honest };
}

Deno.test("Torrent begins a piece anew whose only deliverer leaves before its end", () => {
  for (const doWhat of ["leaves", "rejects", "stalls"]) {
    const { stage, honest } = stageOfSpoiledPiece();
    const third = stage.joinSeed();
    assertEquals([honest.openRequests.length, third.openRequests.length], [4, 0], "nobody else may help");
    honest.sayBlock(honest.openRequests[0]);
    if (doWhat === "leaves") honest.leave();
    else if (doWhat === "rejects") honest.sayReject(honest.openRequests[1]);
    else stage.pass(snubMs + 1_000);
    stage.pass(600);
    assertEquals(third.openRequests.length, 4, `when it ${doWhat}`);
    third.answerAll();
    assert(stage.torrent.isComplete);
    assertEquals(stage.effectsOf("peerBanned").length, 1);
  }
});

Deno.test("Torrent gives up the memory of a piece that was begun and of which nothing came", () => {
  const pieceLength = pieceBufferBytesMax / 2;
  const stage = new TorrentStage(makeContent({ totalLength: 3 * pieceLength, pieceLength }));
  const [first, second] = ["*  ", " * "].map((drawing) => stage.join({ has: bitfieldOf(drawing) }));
  for (const peer of [first, second]) peer.say((out) => out.bare(MessageId.unchoke));
  first.leave();
  const third = stage.join({ has: bitfieldOf("  *") });
  third.say((out) => out.bare(MessageId.unchoke));
  assertGreater(third.openRequests.length, 0);
});

Deno.test("Torrent lets an idle peer help as soon as the last piece is begun", () => {
  const stage = new TorrentStage(makeContent({ totalLength: 4 * blockLength, pieceLength: 2 * blockLength }), {
    strategy: "sequential",
  });
  const seed = stage.join({ has: bitfieldOf("**") });
  seed.say((out) => out.extended(0, new TextEncoder().encode("d4:reqqi4ee")));
  seed.say((out) => out.bare(MessageId.unchoke));
  assertEquals(piecesOf(seed.openRequests), [0]);
  const idle = stage.join({ has: bitfieldOf("* ") });
  idle.say((out) => out.bare(MessageId.unchoke));
  stage.pass(2_000);
  assertEquals(idle.openRequests, []);
  const [first, second] = seed.openRequests;
  seed.answerAll((range) => range === first ? seed.sayBlock(range) : seed.keep(range));
  assertEquals(piecesOf(seed.openRequests).toSorted(), [0, 1]);
  stage.pass(600);
  assertEquals(idle.openRequests, [second]);
});

Deno.test("Torrent begins no more pieces than its memory allows, and goes on as pieces are stored", () => {
  const pieceLength = pieceBufferBytesMax / 2;
  const big = makeContent({ totalLength: 3 * pieceLength, pieceLength });
  const stage = new TorrentStage(big);
  const peers = ["*  ", " * ", "  *"].map((drawing) => stage.join({ has: bitfieldOf(drawing) }));
  for (const peer of peers) {
    peer.say((out) => out.extended(0, new TextEncoder().encode("d4:reqqi2000ee")));
    peer.say((out) => out.bare(MessageId.unchoke));
  }
  assertEquals(peers.map((peer) => peer.openRequests.length > 0), [true, true, false]);
  peers[0].serve();
  assertGreater(peers[2].openRequests.length, 0);
});

Deno.test("Torrent holds no more received bytes than its bound while the disk is slow", () => {
  const pieceLength = 4 * MiB;
  const big = makeContent({ totalLength: 24 * pieceLength, pieceLength });
  const stage = new TorrentStage(big);
  stage.isDiskAutomatic = false;
  const peer = stage.joinSeed();
  peer.serve();
  const stores = stage.effectsOf("storePiece");
  assertEquals(stores.length, pieceBufferBytesMax / pieceLength);
  assertEquals(peer.openRequests, []);
  stage.store(stores[0]);
  assertGreater(peer.openRequests.length, 0);
  assertLessOrEqual(piecesOf(peer.openRequests).length, 1);
});

Deno.test("Torrent writes nothing more after the disk refused a piece, and asks for nothing more", () => {
  const stage = new TorrentStage(content);
  stage.isDiskAutomatic = false;
  const peer = stage.joinSeed();
  for (const range of peer.openRequests.slice(0, blocksPerPiece)) peer.sayBlock(range);
  const [store] = stage.effectsOf("storePiece");
  const error = new Error("the disk is full");
  stage.apply({ kind: "storeFailed", piece: store.piece, error });
  assertEquals(stage.effectsOf("diskFailed").map((effect) => effect.error), [error]);
  const askedBefore = peer.heardOf("request").length;
  for (const range of peer.openRequests.slice(blocksPerPiece)) peer.sayBlock(range);
  stage.pass(2_000);
  assertEquals(stage.effectsOf("storePiece").length, 1);
  assertEquals(peer.heardOf("request").length, askedBefore);
  assertEquals(peer.isClosed, false);
});

Deno.test("Torrent that takes nothing more counts off what still comes of what it had asked for", () => {
  const stage = new TorrentStage(content);
  stage.isDiskAutomatic = false;
  const peer = stage.joinSeed();
  const [{ piece: first }] = peer.openRequests;
  for (const range of peer.openRequests) if (range.piece === first) peer.sayBlock(range);
  const [{ piece }] = stage.effectsOf("storePiece");
  stage.apply({ kind: "storeFailed", piece, error: new Error("the disk is full") });
  for (const range of peer.openRequests) if (range.piece !== first) peer.sayBlock(range);
  assertEquals(peer.session!.requests.count, 0);
  assertEquals([...stage.torrent.view.table.activePieces()].length, 0, "pieces that nobody is asked for are missing");
});

Deno.test("Torrent gets the last blocks from who gives, though two that give nothing were asked for all of them", () => {
  const stage = new TorrentStage(content);
  const honest = stage.joinSeed();
  const silent = [stage.joinSeed(), stage.joinSeed(), stage.joinSeed()];
  for (let round = 0; round < 100 && !stage.torrent.isComplete; round++) {
    honest.answerAll();
    stage.pass(10);
  }
  assert(stage.torrent.isComplete, "within a second, long before anybody counts as stalling");
  assert(
    silent.every(({ openRequests }) => openRequests.length === 0),
    "they are told that nothing is wanted any more",
  );
});
