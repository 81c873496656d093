/** What partial seeds say to each other (BEP 21, 54). */
import { assert, assertEquals } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import { Layout } from "../../lib/layout.ts";
import { decodeExtensionHandshake } from "../../lib/wire/extended.ts";
import { MessageId } from "../../lib/wire/message.ts";
import { encodeDontHave } from "../../lib/wire/partial_seed.ts";
import { FileSelection } from "../../peer/file_selection.ts";
import { type ScriptedPeer, TorrentStage } from "./scripted_peer.ts";
import { bitfieldOf, makeContent } from "./virtual_disk.ts";

const blockLength = 16_384;
/** 4 pieces of a block; each is a file. */
const content = {
  ...makeContent({ totalLength: 4 * blockLength, pieceLength: blockLength }),
  layout: new Layout({ pieceLength: blockLength, fileLengths: Array(4).fill(blockLength) }),
};
const selection = FileSelection.of(content.layout, Uint8Array.of(0, 1, 1, 0));
const uploadOnly = { isUploadOnly: true };

function joinExtended(stage: TorrentStage, has?: Bitfield): ScriptedPeer {
  const peer = stage.join({ supportsExtensions: true, ...(has !== undefined && { has }) });
  peer.sayExtensions({ lt_donthave: 9 });
  return peer;
}

/** What the peer was told of `upload_only`, handshake by handshake. */
const toldUploadOnly = (peer: ScriptedPeer) =>
  peer.heardExtended(0).map((payload) => decodeExtensionHandshake(payload).isUploadOnly ?? false);

Deno.test("Torrent says upload_only as soon as it wants nothing more, and not before", () => {
  const stage = new TorrentStage(content, { selection });
  const watcher = joinExtended(stage);
  stage.joinSeed().serve();
  assert(stage.torrent.isComplete);
  assertEquals(toldUploadOnly(watcher), [false, true]);
  assertEquals(toldUploadOnly(joinExtended(stage)), [true]);
});

Deno.test("Torrent that only seeds a part says upload_only from the start", () => {
  const stage = new TorrentStage(content, { have: bitfieldOf(" *  "), isSeedOnly: true });
  assertEquals(toldUploadOnly(joinExtended(stage)), [true]);
});

Deno.test("Torrent that becomes whole says so by its pieces alone", () => {
  const stage = new TorrentStage(content, { have: bitfieldOf("*** ") });
  const watcher = joinExtended(stage);
  stage.joinSeed().serve();
  assertEquals([toldUploadOnly(watcher), watcher.heardOf("have").map(({ piece }) => piece)], [[false], [3]]);
});

for (const way of ["handshake", "message"] as const) {
  Deno.test(`Two partial seeds part, told by ${way}`, () => {
    const stage = new TorrentStage(content, { selection, have: bitfieldOf(" ** ") });
    const peer = joinExtended(stage, bitfieldOf("*   "));
    assert(!peer.isClosed);
    if (way === "handshake") peer.sayExtensions({}, uploadOnly);
    else peer.sayExtended("upload_only", Uint8Array.of(1));
    assertEquals(peer.closedBecause, "neither wants anything");
  });
}

Deno.test("Torrent parts from partial seeds when the last wanted piece is in, and keeps those that want something", () => {
  const stage = new TorrentStage(content, { selection });
  const partial = joinExtended(stage, bitfieldOf(" *  "));
  partial.sayExtensions({}, uploadOnly);
  const leecher = joinExtended(stage, bitfieldOf("*   "));
  stage.joinSeed().serve();
  assertEquals([partial.closedBecause, leecher.isClosed], ["neither wants anything", false]);
});

Deno.test("Torrent stays with a partial seed that has what it wants, and with one that has shown nothing yet", () => {
  const stage = new TorrentStage(content, { selection });
  const useful = joinExtended(stage, bitfieldOf(" *  "));
  useful.sayExtensions({}, uploadOnly);
  const silent = joinExtended(stage);
  silent.sayExtensions({}, uploadOnly);
  const useless = joinExtended(stage, bitfieldOf("*  *"));
  useless.sayExtensions({}, uploadOnly);
  assertEquals([useful.isClosed, silent.isClosed, useless.isClosed], [false, false, true]);
});

Deno.test("Torrent tells those who understand it that a piece is lost, and rejects requests for it", () => {
  const stage = new TorrentStage(content, { have: Bitfield.full(4) });
  const [speaker, other] = [joinExtended(stage), stage.join()];
  const lost = [content.layout.toPieceIndex(2)!];
  stage.apply({ kind: "readFailed", connection: speaker.connection, ranges: [], lost, why: "gone" });
  assertEquals(speaker.heardExtended(9), [encodeDontHave(2)]);
  assertEquals(other.heardOf("extended"), []);
  other.say((out) => (out.bare(MessageId.interested), out.range(MessageId.request, 2, 0, blockLength)));
  assertEquals([other.heardOf("reject").length, other.heardOf("piece").length], [1, 0]);
});

Deno.test("Torrent tells of a loss later to who connects before it and says only then what it understands", () => {
  const stage = new TorrentStage(content, { have: bitfieldOf(" ***"), selection });
  const peer = stage.join({ supportsExtensions: true });
  const lost = [1, 2].map((piece) => content.layout.toPieceIndex(piece)!);
  stage.apply({ kind: "readFailed", connection: peer.connection, ranges: [], lost, why: "gone" });
  peer.sayExtensions({ lt_donthave: 9 });
  assertEquals(peer.heardExtended(9), [encodeDontHave(1), encodeDontHave(2)]);
  peer.sayExtensions({ lt_donthave: 9 });
  assertEquals(peer.heardExtended(9).length, 2);
});

Deno.test("Torrent asks another for what a peer has lost, and this one no more", () => {
  const stage = new TorrentStage(content, { selection });
  const first = joinExtended(stage, Bitfield.full(4));
  first.say((out) => out.bare(MessageId.unchoke));
  assertEquals(first.openRequests.length, 2);
  for (const piece of [1, 2]) first.sayExtended("lt_donthave", encodeDontHave(piece));
  assertEquals(first.heardOf("notInterested").length, 1);
  assertEquals(first.session!.requests.count, 0, "an answer is still waited for");
  const second = joinExtended(stage, Bitfield.full(4));
  second.say((out) => out.bare(MessageId.unchoke));
  assertEquals(second.openRequests.map(({ piece }) => piece).sort(), [1, 2]);
  second.serve();
  assert(stage.torrent.isComplete);
});

Deno.test("Torrent bears lies about lost pieces: of none, twice, and taken back", () => {
  const stage = new TorrentStage(content, { selection });
  const peer = joinExtended(stage, bitfieldOf(" *  "));
  for (const piece of [2, 1, 1]) peer.sayExtended("lt_donthave", encodeDontHave(piece));
  peer.say((out) => out.piece(MessageId.have, 1));
  peer.say((out) => out.bare(MessageId.unchoke));
  assertEquals(peer.openRequests.map(({ piece }) => piece), [1]);
  const wrong = joinExtended(stage);
  wrong.sayExtended("lt_donthave", encodeDontHave(4));
  assertEquals(wrong.closedBecause, "piece 4 of 4");
});
