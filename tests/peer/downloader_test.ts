import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import { requestersPerBlockMax } from "../../lib/limits/transfer.ts";
import { blockLength, requestsInFlightFirst } from "../../lib/limits/wire.ts";
import type { BlockRange } from "../../lib/wire/message.ts";
import { MessageId } from "../../lib/wire/message.ts";
import { type ScriptedPeer, TorrentStage } from "./scripted_peer.ts";
import { bitfieldOf, makeContent } from "./virtual_disk.ts";

/** 12 pieces of 4 blocks, the last one shorter. */
const content = makeContent({ totalLength: 11 * 4 * blockLength + blockLength + 77, pieceLength: 4 * blockLength });
/** 6 pieces of 32 blocks: one piece fills the first window four times. */
const coarse = makeContent({ totalLength: 6 * 32 * blockLength, pieceLength: 32 * blockLength });

const keyOf = ({ piece, begin, length }: BlockRange) => `${piece}/${begin}/${length}`;
const keysOf = (ranges: readonly BlockRange[]) => ranges.map(keyOf);
const piecesOf = (ranges: readonly BlockRange[]) => [...new Set(ranges.map(({ piece }) => piece))];

/** Requests that two peers have open at once. */
function sharedRequests(a: ScriptedPeer, b: ScriptedPeer): string[] {
  const ofB = new Set(keysOf(b.openRequests));
  return keysOf(a.openRequests).filter((key) => ofB.has(key));
}

Deno.test("Torrent asks nothing before it is unchoked, and says that it is interested", () => {
  const stage = new TorrentStage(content);
  const peer = stage.join({ has: Bitfield.full(12) });
  assertEquals(peer.heardOf("interested").length, 1);
  assertEquals(peer.openRequests, []);
  peer.say((out) => out.bare(MessageId.unchoke));
  assertEquals(peer.openRequests.length, requestsInFlightFirst);
});

Deno.test("Torrent asks for blocks of 16 KiB and for the shorter tail as it is", () => {
  const stage = new TorrentStage(content);
  const peer = stage.joinSeed();
  peer.serve();
  assert(stage.torrent.isComplete);
  const lengths = new Set(peer.heardOf("request").map(({ length }) => length));
  assertEquals([...lengths].toSorted((a, b) => a - b), [77, blockLength]);
  assertEquals(peer.heardOf("request").length, 11 * 4 + 2);
});

Deno.test("Torrent asks for no block twice, piece by piece, of a peer that answers", () => {
  const stage = new TorrentStage(content);
  const peer = stage.joinSeed();
  peer.serve();
  const requests = peer.heardOf("request");
  assertEquals(new Set(keysOf(requests)).size, requests.length);
  const order = requests.map(({ piece }) => piece);
  const runs = order.filter((piece, index) => piece !== order[index - 1]);
  assertEquals(runs.length, 12, "each piece is asked for in one go");
});

Deno.test("Torrent gives each piece to one peer until nothing else is left to ask", () => {
  const stage = new TorrentStage(content);
  const peers = [1, 2, 3].map(() => stage.join({ has: Bitfield.full(12) }));
  const owners = new Map<number, Set<number>>();
  const note = () => {
    if (stage.torrent.stats(stage.now).havePieces + 5 > 12) return; // the last ones are everybody's
    peers.forEach((peer, index) => {
      for (const piece of piecesOf(peer.openRequests)) owners.set(piece, (owners.get(piece) ?? new Set()).add(index));
    });
  };
  for (const peer of peers) {
    peer.say((out) => out.extended(0, new TextEncoder().encode("d4:reqqi2ee")));
    peer.say((out) => out.bare(MessageId.unchoke));
    note();
  }
  while (!stage.torrent.isComplete) {
    for (const peer of peers) {
      peer.answerAll();
      note();
    }
  }
  assertGreater(owners.size, 4);
  for (const [piece, ownersOfPiece] of owners) assertEquals(ownersOfPiece.size, 1, `piece ${piece}`);
});

Deno.test("Torrent asks a second peer for a block only at the end, and cancels where the block has come", () => {
  const stage = new TorrentStage(coarse);
  const peers = [1, 2, 3].map(() => stage.joinSeed());
  let sharedBeforeEnd = 0;
  let mostSharers = 0;
  while (!stage.torrent.isComplete) {
    for (const peer of peers) {
      const [next] = peer.openRequests;
      if (next === undefined) continue;
      let isFirst = true;
      peer.answerAll((range) => isFirst ? (isFirst = false, peer.sayBlock(range)) : peer.keep(range));
      const counts = new Map<string, number>();
      for (const key of peers.flatMap((each) => keysOf(each.openRequests))) counts.set(key, (counts.get(key) ?? 0) + 1);
      const most = Math.max(0, ...counts.values());
      mostSharers = Math.max(mostSharers, most);
      const begun = new Set(peers.flatMap((each) => piecesOf(each.heardOf("request"))));
      if (begun.size < 6 && most > 1) sharedBeforeEnd++;
    }
  }
  assertEquals(sharedBeforeEnd, 0);
  assertEquals(mostSharers, requestersPerBlockMax);
  const requestCount = peers.reduce((sum, peer) => sum + peer.heardOf("request").length, 0);
  const cancelCount = peers.reduce((sum, peer) => sum + peer.heardOf("cancel").length, 0);
  assertGreater(cancelCount, 0);
  assertEquals(requestCount - cancelCount, 6 * 32, "each block was left to one peer in the end");
  assertLess(requestCount, 6 * 32 * 1.35);
});

Deno.test("Torrent takes a request back when a peer without the fast extension chokes", () => {
  const stage = new TorrentStage(coarse);
  const peer = stage.joinSeed({ supportsFast: false });
  const asked = keysOf(peer.openRequests);
  peer.sayChoke();
  assertEquals(peer.session?.requests.count, 0);
  peer.say((out) => out.bare(MessageId.unchoke));
  const other = stage.joinSeed();
  assertEquals([peer.openRequests.length, other.openRequests.length], [asked.length, asked.length]);
  assertEquals(sharedRequests(peer, other), []);
});

Deno.test("Torrent keeps waiting for answers when a peer with the fast extension chokes", () => {
  const stage = new TorrentStage(content);
  const peer = stage.joinSeed();
  const asked = peer.openRequests;
  peer.sayChoke();
  assertEquals(peer.session?.requests.count, asked.length);
  peer.answerAll((range) => range === asked[0] ? peer.sayBlock(range) : peer.sayReject(range));
  assertEquals(peer.session?.requests.count, 0);
  assertEquals(stage.torrent.stats(stage.now).downloadedBytes, asked[0].length);
});

Deno.test("Torrent asks another peer for what was rejected, and leaves the first alone for a second", () => {
  const stage = new TorrentStage(content);
  const first = stage.joinSeed();
  const rejected = first.openRequests;
  first.answerAll((range) => first.sayReject(range));
  assertEquals(first.openRequests, []);
  const second = stage.joinSeed();
  assert(new Set(keysOf(rejected)).has(keyOf(second.openRequests[0])));
  stage.pass(1_500);
  assertGreater(first.openRequests.length, 0);
});

Deno.test("Torrent asks who keeps choking for allowed-fast pieces only, and gives it time to unchoke first", () => {
  const stage = new TorrentStage(content);
  const peer = stage.join({ has: bitfieldOf("************") });
  peer.say((out) => (out.piece(MessageId.allowedFast, 3), out.piece(MessageId.allowedFast, 5)));
  assertEquals(peer.openRequests, []);
  stage.pass(2_500);
  assertEquals(piecesOf(peer.openRequests).toSorted(), [3, 5]);
  peer.serve();
  assertEquals(stage.torrent.stats(stage.now).havePieces, 2);
  assertEquals(peer.isClosed, false);
});

Deno.test("Torrent asks for the rest at once when a peer unchokes that let it have some pieces before", () => {
  const stage = new TorrentStage(coarse);
  const peer = stage.join({ has: Bitfield.full(6) });
  peer.say((out) => out.extended(0, new TextEncoder().encode("d4:reqqi2000ee")));
  stage.pass(2_500);
  peer.say((out) => out.piece(MessageId.allowedFast, 4));
  peer.serve();
  assertEquals(stage.torrent.stats(stage.now).havePieces, 1);
  peer.say((out) => out.bare(MessageId.unchoke));
  assertGreater(peer.openRequests.length, 0);
});

Deno.test("Torrent asks others at once for what a peer owed that leaves", () => {
  const stage = new TorrentStage(makeContent({ totalLength: 64 * blockLength, pieceLength: 64 * blockLength }));
  const leaving = stage.joinSeed();
  const staying = stage.joinSeed();
  leaving.answerAll();
  staying.answerAll();
  assertEquals([leaving.openRequests.length, staying.openRequests.length], [48, 16], "some are shared at the end");
  leaving.leave();
  assertEquals(staying.openRequests.length, 48);
});

Deno.test("Torrent asks a choking peer for each allowed-fast piece that it names later", () => {
  const stage = new TorrentStage(content);
  const peer = stage.join({ has: Bitfield.full(12) });
  stage.pass(2_500);
  for (const piece of [4, 8]) {
    peer.say((out) => out.piece(MessageId.allowedFast, piece));
    assertEquals(piecesOf(peer.openRequests), [piece]);
    peer.serve();
  }
});

Deno.test("Torrent asks for a suggested piece first, but only for one that the peer has", () => {
  const stage = new TorrentStage(content);
  const peer = stage.join({ has: bitfieldOf("****** *****") });
  peer.say((out) => {
    out.piece(MessageId.suggest, 9);
    out.piece(MessageId.suggest, 6);
    out.bare(MessageId.unchoke);
  });
  assertEquals(peer.openRequests[0].piece, 9);
});

Deno.test("Torrent under the strategy sequential is not led astray by suggestions", () => {
  const stage = new TorrentStage(content, { strategy: "sequential" });
  const peer = stage.join({ has: bitfieldOf("****** *****") });
  peer.say((out) => {
    out.piece(MessageId.suggest, 9);
    out.bare(MessageId.unchoke);
  });
  assertEquals(peer.openRequests[0].piece, 0);
});

Deno.test("Torrent passes over a suggested piece while a rarer one is missing, and comes back to it", () => {
  const stage = new TorrentStage(content);
  const common = stage.join({ has: bitfieldOf("****** *****") });
  common.say((out) => out.extended(0, new TextEncoder().encode("d4:reqqi18ee")));
  common.say((out) => out.bare(MessageId.unchoke));
  common.answerAll();
  const begun = piecesOf(common.openRequests);
  const [suggested] = [0, 1, 2, 3, 4, 5, 7, 8].filter((piece) => !begun.includes(piece));
  const peer = stage.join({ has: Bitfield.full(12) });
  peer.say((out) => {
    out.piece(MessageId.suggest, suggested);
    out.bare(MessageId.unchoke);
  });
  assertEquals(piecesOf(peer.openRequests).slice(0, 2), [6, suggested]);
});

/** 100 pieces of 4 blocks. */
const long = makeContent({ totalLength: 100 * 4 * blockLength, pieceLength: 4 * blockLength });

/** A peer that delivers so fast that all the rest is asked of it. */
function busyPeer(stage: TorrentStage): ScriptedPeer {
  const busy = stage.joinSeed();
  while (piecesOf(busy.openRequests).length < 20) busy.answerAll();
  return busy;
}

Deno.test("Torrent has an idle peer take over the piece that a busy one would send last, instead of fetching it twice", () => {
  const stage = new TorrentStage(long);
  const busy = busyPeer(stage);
  const last = piecesOf(busy.openRequests).at(-2)!;
  const has = Bitfield.empty(100);
  has.set(last);
  const idle = stage.join({ has });
  idle.say((out) => out.bare(MessageId.unchoke));
  assertEquals(piecesOf(idle.openRequests), [last]);
  assertEquals(idle.openRequests.length, 4);
  assertEquals(busy.heardOf("cancel").map(({ piece }) => piece), [last, last, last, last]);
  assertEquals(sharedRequests(busy, idle), []);
  idle.serve();
  busy.serve();
  assert(stage.torrent.isComplete);
});

Deno.test("Torrent has nobody take over what a peer has begun to send, or will have sent soon", () => {
  const stage = new TorrentStage(long);
  const busy = busyPeer(stage);
  const [first] = busy.openRequests;
  busy.sayBlock(first);
  const has = Bitfield.empty(100);
  has.set(first.piece);
  const idle = stage.join({ has });
  idle.say((out) => out.bare(MessageId.unchoke));
  assertEquals(busy.heardOf("cancel"), []);

  const calm = new TorrentStage(long);
  const one = calm.joinSeed();
  assertEquals(one.openRequests.length, requestsInFlightFirst);
  const other = calm.join({ has: bitfieldFrom(long.layout.pieceCount, piecesOf(one.openRequests)) });
  other.say((out) => out.bare(MessageId.unchoke));
  assertEquals(one.heardOf("cancel"), []);
});

function bitfieldFrom(length: number, pieces: readonly number[]): Bitfield {
  const bitfield = Bitfield.empty(length);
  for (const piece of pieces) bitfield.set(piece);
  return bitfield;
}
