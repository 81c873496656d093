import { assertEquals, assertThrows } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import { ProtocolError } from "../../lib/errors.ts";
import type { PieceIndex } from "../../lib/ids.ts";
import { MessageId } from "../../lib/wire/message.ts";
import { Availability } from "../../peer/availability.ts";
import { PeerSession } from "../../peer/peer_session.ts";
import { PiecePicker } from "../../peer/piece_picker.ts";
import { PieceTable } from "../../peer/piece_table.ts";
import { TorrentStage } from "./scripted_peer.ts";
import { bitfieldOf, makeContent } from "./virtual_disk.ts";

/** 4 pieces of one block. */
const content = makeContent({ totalLength: 4 * 16_384, pieceLength: 16_384 });

/** What the torrent says about its interest, in order. */
const interestOf = (peer: ReturnType<TorrentStage["join"]>) =>
  peer.heard.filter(({ kind }) => kind === "interested" || kind === "notInterested").map(({ kind }) => kind);

Deno.test("Availability shows interest in who has what we lack, however it says so", () => {
  const stage = new TorrentStage(content, { have: bitfieldOf("**  ") });
  const byBitfield = stage.join({ has: bitfieldOf("  * ") });
  const byHave = stage.join();
  byHave.say((out) => out.piece(MessageId.have, 3));
  const byHaveAll = stage.join();
  byHaveAll.say((out) => out.bare(MessageId.haveAll));
  for (const peer of [byBitfield, byHave, byHaveAll]) assertEquals(interestOf(peer), ["interested"]);
});

Deno.test("Availability shows no interest in who has nothing that we lack", () => {
  const stage = new TorrentStage(content, { have: bitfieldOf("**  ") });
  const none = stage.join({ has: bitfieldOf("    ") });
  const same = stage.join({ has: bitfieldOf("**  ") });
  same.say((out) => out.piece(MessageId.have, 1));
  assertEquals([interestOf(none), interestOf(same)], [[], []]);
});

Deno.test("Availability ends the interest when the last wanted piece is stored", () => {
  const stage = new TorrentStage(content, { have: bitfieldOf("**  ") });
  const idle = stage.join({ has: bitfieldOf("  * ") });
  const giver = stage.join({ has: bitfieldOf("  * ") });
  giver.say((out) => out.bare(MessageId.unchoke));
  giver.serve();
  assertEquals(interestOf(giver), ["interested", "notInterested"]);
  assertEquals(interestOf(idle), ["interested", "notInterested"]);
  idle.say((out) => out.piece(MessageId.have, 3));
  assertEquals(interestOf(idle), ["interested", "notInterested", "interested"]);
});

Deno.test("Availability counts a piece that a peer names twice once", () => {
  const stage = new TorrentStage(content, { have: bitfieldOf("*** ") });
  const peer = stage.join();
  peer.say((out) => (out.piece(MessageId.have, 3), out.piece(MessageId.have, 3)));
  peer.say((out) => out.bare(MessageId.unchoke));
  peer.serve();
  assertEquals(stage.torrent.isComplete, true);
});

Deno.test("Availability wants nothing while the torrent only seeds", () => {
  const stage = new TorrentStage(content, { have: bitfieldOf("**  "), isSeedOnly: true });
  const peer = stage.joinSeed();
  stage.pass(5_000);
  assertEquals([interestOf(peer), peer.openRequests], [[], []]);
});

Deno.test("Torrent tells every peer of each stored piece, once", () => {
  const stage = new TorrentStage(content);
  const watcher = stage.join();
  const unnamed = stage.connect();
  const seed = stage.joinSeed();
  seed.serve();
  assertEquals(watcher.heardOf("have").map(({ piece }) => piece).toSorted(), [0, 1, 2, 3]);
  assertEquals(unnamed.heard, []);
});

for (const kind of ["have", "suggest", "allowedFast"] as const) {
  for (const piece of [4, 0xffffffff]) {
    Deno.test(`Availability drops who says ${kind} of piece ${piece} of 4`, () => {
      const stage = new TorrentStage(content);
      const peer = stage.join({ has: bitfieldOf("*   ") });
      peer.say((out) => out.piece(MessageId[kind], piece));
      assertEquals(peer.closedBecause, `piece ${piece} of 4`);
    });
  }
}

Deno.test("Availability forgets what a peer had when it leaves: rarity follows", () => {
  const many = makeContent({ totalLength: 12 * 16_384, pieceLength: 16_384 });
  const firstRequest = (holdersLeave: boolean) => {
    const stage = new TorrentStage(many, { have: bitfieldOf("**********  ") });
    const holders = [1, 2].map(() => stage.join({ has: bitfieldOf("          * ") }));
    const keeper = stage.join({ has: bitfieldOf("           *") });
    if (holdersLeave) { for (const holder of holders) holder.leave(); }
    const seed = stage.join({ has: Bitfield.full(12) });
    seed.say((out) => out.bare(MessageId.unchoke));
    assertEquals(keeper.isClosed, false);
    return seed.openRequests[0].piece;
  };
  assertEquals([firstRequest(false), firstRequest(true)], [11, 10]);
});

/** The parts by themselves: what the picker counts cannot be seen from outside. */
function makeParts(have = "    ") {
  const table = new PieceTable(content.layout, bitfieldOf(have));
  const picker = new PiecePicker({
    ...{ pieceCount: 4, strategy: "rarest-first", random: () => 0 },
    isMissing: (piece) => table.isToFetch(piece),
  });
  const availability = new Availability({ table, picker, wantsNothing: false });
  const counts = () => [0, 1, 2, 3].map((piece) => picker.availabilityOf(piece as PieceIndex));
  const join = (has: string) => {
    const session = new PeerSession({
      ...{ connection: 1, endpoint: { host: "10.0.0.1", port: 1 }, isOutgoing: false, pieceCount: 4, now: 0 },
      unflushed: new Set(),
    });
    session.has = bitfieldOf(has);
    availability.onAllPieces(session);
    return session;
  };
  return { availability, counts, join };
}

Deno.test("Availability.onDontHave() takes a piece back: rarity and interest follow", () => {
  const { availability, counts, join } = makeParts();
  const part = join("**  ");
  assertEquals([counts(), part.wantedCount], [[1, 1, 0, 0], 2]);
  assertEquals(availability.onDontHave(part, 1), 1);
  assertEquals([counts(), part.wantedCount, part.amInterested], [[1, 0, 0, 0], 1, true]);
  assertEquals(availability.onDontHave(part, 1), undefined);
  availability.onDontHave(part, 0);
  assertEquals([counts(), part.wantedCount, part.amInterested], [[0, 0, 0, 0], 0, false]);
  assertThrows(() => availability.onDontHave(part, 4), ProtocolError, "piece 4 of 4");
});

Deno.test("Availability.onDontHave() counts a seed that shrank like any other peer, also when it has all again", () => {
  const { availability, counts, join } = makeParts("*   ");
  const seed = join("****");
  assertEquals(counts(), [0, 0, 0, 0]);
  availability.onDontHave(seed, 2);
  assertEquals([counts(), seed.wantedCount], [[1, 1, 0, 1], 2]);
  availability.onHave(seed, 2);
  assertEquals([counts(), seed.wantedCount], [[1, 1, 1, 1], 3]);
  availability.onGone(seed);
  assertEquals(counts(), [0, 0, 0, 0]);
});
