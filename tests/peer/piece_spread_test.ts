import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import { blockLength } from "../../lib/limits/wire.ts";
import { RateLimiter } from "../../lib/rate_limiter.ts";
import { MessageId } from "../../lib/wire/message.ts";
import { type ScriptedPeer, type ScriptedPeerOptions, TorrentStage } from "./scripted_peer.ts";
import { bitfieldOf, makeContent } from "./virtual_disk.ts";

/** 12 pieces of 4 blocks. */
const content = makeContent({ totalLength: 12 * 4 * blockLength, pieceLength: 4 * blockLength });

function seedStage(options: ConstructorParameters<typeof TorrentStage>[1] = {}): TorrentStage {
  return new TorrentStage(content, { have: Bitfield.full(12), ...options });
}

function joinLeecher(stage: TorrentStage, options: ScriptedPeerOptions & { has?: Bitfield } = {}): ScriptedPeer {
  const peer = stage.join(options);
  peer.say((out) => out.bare(MessageId.interested));
  return peer;
}

const proposalsTo = (peer: ScriptedPeer) => peer.heardOf("suggest").map(({ piece }) => piece);

Deno.test("PieceSpread proposes other pieces to each peer, before it is unchoked", () => {
  const stage = seedStage();
  const peers = [joinLeecher(stage), joinLeecher(stage), joinLeecher(stage)];
  const proposals = peers.flatMap(proposalsTo);
  assertGreater(proposals.length, 6);
  assertEquals(new Set(proposals).size, proposals.length);
  for (const peer of peers) {
    const kinds = peer.heard.map(({ kind }) => kind);
    assertLess(kinds.lastIndexOf("suggest"), kinds.indexOf("unchoke"));
  }
});

for (const [pieceCount, proposalCount] of [[12, 4], [1024, 16], [4096, 32]] as const) {
  Deno.test(`PieceSpread proposes ${proposalCount} pieces at a time of a torrent of ${pieceCount}`, () => {
    const many = makeContent({ totalLength: pieceCount * blockLength, pieceLength: blockLength });
    const stage = new TorrentStage(many, { have: Bitfield.full(pieceCount) });
    assertEquals(proposalsTo(joinLeecher(stage)).length, proposalCount);
  });
}

Deno.test("PieceSpread proposes another piece for each that is taken up, until all were given", () => {
  const stage = seedStage();
  const peer = joinLeecher(stage);
  for (let taken = 0; taken < 12; taken++) {
    assertGreater(proposalsTo(peer).length, taken);
    peer.sayRequest({ piece: proposalsTo(peer)[taken] });
  }
  assertEquals(proposalsTo(peer).toSorted((a, b) => a - b), Array.from({ length: 12 }, (_, piece) => piece));
});

Deno.test("PieceSpread proposes nothing that somebody has or asked for", () => {
  const stage = seedStage();
  joinLeecher(stage, { has: bitfieldOf("****        "), supportsFast: false });
  const asking = joinLeecher(stage, { supportsFast: false });
  for (const piece of [5, 7, 9, 11]) asking.sayRequest({ piece });
  const follower = joinLeecher(stage);
  assertEquals(proposalsTo(follower).toSorted((a, b) => a - b), [4, 6, 8, 10]);
});

Deno.test("PieceSpread replaces a proposal that the peer got from another", () => {
  const stage = seedStage();
  const peer = joinLeecher(stage);
  const before = proposalsTo(peer);
  peer.say((out) => out.piece(MessageId.have, before[0]));
  assertEquals(proposalsTo(peer).length, before.length + 1);
});

Deno.test("PieceSpread is silent without the fast extension and while pieces are missing", () => {
  assertEquals(proposalsTo(joinLeecher(seedStage(), { supportsFast: false })), []);
  assertEquals(proposalsTo(joinLeecher(seedStage({ have: bitfieldOf("*********** ") }))), []);
});

for (const end of ["leaves", "wants nothing more"] as const) {
  Deno.test(`PieceSpread begins anew for the next peers when the last one ${end}`, () => {
    const stage = seedStage();
    const first = joinLeecher(stage);
    for (let piece = 0; piece < 12; piece++) first.sayRequest({ piece });
    const second = joinLeecher(stage);
    assertEquals(proposalsTo(second), []);
    second.leave();
    if (end === "leaves") first.leave();
    else first.say((out) => out.bare(MessageId.notInterested));
    assertGreater(proposalsTo(joinLeecher(stage)).length, 0);
  });
}

Deno.test("Uploader under a limit sends first what nobody got yet, but lets no repetition wait forever", () => {
  const stage = seedStage({ uploadLimiter: new RateLimiter(1e6) });
  const first = joinLeecher(stage);
  const second = joinLeecher(stage);
  stage.pass(1_000);
  const [piece, ...own] = proposalsTo(first);
  for (const each of own) {
    for (let block = 0; block < 4; block++) first.sayRequest({ piece: each, begin: block * blockLength });
  }
  second.sayRequest({ piece });
  stage.pass(100);
  assertEquals(second.heardOf("piece"), []);
  assertGreater(first.heardOf("piece").length, 3);
  stage.pass(1_000);
  assertEquals(second.heardOf("piece").length, 1);
});

Deno.test("Uploader under a limit lets a repetition wait for no peer that is gone", () => {
  const stage = seedStage({ uploadLimiter: new RateLimiter(1e6) });
  const gone = joinLeecher(stage);
  const busy = joinLeecher(stage);
  const heir = joinLeecher(stage);
  const [piece] = proposalsTo(gone);
  gone.leave();
  stage.pass(1_000);
  for (const own of proposalsTo(busy)) {
    for (let block = 0; block < 4; block++) busy.sayRequest({ piece: own, begin: block * blockLength });
  }
  for (let block = 0; block < 4; block++) heir.sayRequest({ piece, begin: block * blockLength });
  stage.pass(150);
  assertEquals(heir.heardOf("piece").length, 4);
  assert(busy.heardOf("piece").length >= 4);
});
