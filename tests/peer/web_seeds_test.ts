import { assert, assertEquals, assertGreater } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import { webSeedGraceMs } from "../../lib/limits/web_seeds.ts";
import { MessageId } from "../../lib/wire/message.ts";
import { seededRandom } from "../lib/mutations.ts";
import { bitfieldOf, makeContent } from "./virtual_disk.ts";
import { type FetchWeb, pieceLength, piecesOf, stageOf } from "./web_stage.ts";

/** How often each piece was asked for. */
function askedPieces(requests: readonly FetchWeb[]): number[] {
  return requests.flatMap(piecesOf).sort((a, b) => a - b);
}

Deno.test("WebSeeds without a peer fetch everything, every byte once", () => {
  const { stage, web, content } = stageOf();
  stage.pass(1);
  web.serve();
  assert(stage.torrent.isComplete);
  assertEquals(web.all.reduce((sum, { length }) => sum + length, 0), content.layout.totalLength);
  assertEquals(stage.torrent.stats(stage.now).downloadedBytes, content.layout.totalLength);
  assertEquals(stage.effectsOf("complete").length, 1);
});

Deno.test("WebSeeds are told of as peers, by host and port alone", () => {
  const { stage, web } = stageOf(undefined, { webSeeds: ["https://user:secret@[::1]:8443/d/?key=secret"] });
  stage.pass(1);
  web.send(web.open[0], { count: 10 });
  const endpoint = { host: "::1", port: 8443 };
  assertEquals(stage.effectsOf("peerJoined"), [{ kind: "peerJoined", endpoint, client: "web seed" }]);
  assertEquals(stage.torrent.stats(stage.now).peerCount, 1);
  web.end(web.open[0], { kind: "later", why: "it closed the connection" });
  assertEquals(stage.effectsOf("peerLeft"), [{ kind: "peerLeft", endpoint, why: "it closed the connection" }]);
  assertEquals(stage.torrent.stats(stage.now).peerCount, 0);
});

Deno.test("WebSeeds rest while a peer that has everything gives enough", () => {
  const { stage, web } = stageOf();
  const peer = stage.joinSeed();
  stage.pass(2_000);
  assertEquals(web.all.length, 0);
  peer.serve();
  assert(stage.torrent.isComplete);
  assertEquals(web.all.length, 0);
});

Deno.test("WebSeeds help a peer with the pieces that nobody connected has", () => {
  const { stage, web } = stageOf(makeContent({ totalLength: 40 * pieceLength, pieceLength }));
  const peer = stage.join({ has: bitfieldOf("***   ***  **************************** ") });
  peer.say((out) => out.bare(MessageId.unchoke));
  stage.pass(1_000);
  web.serve();
  assertEquals(askedPieces(web.all), [3, 4, 5, 9, 10, 39]);
  peer.serve();
  assert(stage.torrent.isComplete);
});

Deno.test("WebSeeds go on anywhere behind pieces that a peer has, lest two downloads run side by side", () => {
  let besideCount = 0;
  for (let seed = 1; seed <= 20; seed++) {
    const { stage, web } = stageOf(makeContent({ totalLength: 100 * pieceLength, pieceLength }), {
      random: seededRandom(seed),
    });
    const has = Bitfield.empty(100);
    for (let piece = 20; piece < 60; piece++) has.set(piece);
    stage.join({ has }).say((out) => out.bare(MessageId.unchoke));
    stage.pass(1_000);
    web.serve();
    const runs = web.all.map(piecesOf);
    const upTo = runs.findIndex((pieces) => pieces.at(-1) === 19);
    if (runs[0][0] === 60 || runs[upTo + 1]?.[0] === 60) besideCount++;
  }
  assert(besideCount < 8, `${besideCount} of 20`);
});

Deno.test("WebSeeds are asked for everything while every peer chokes us", () => {
  const { stage, web } = stageOf();
  const peer = stage.joinSeed();
  peer.sayChoke();
  stage.pass(1_000);
  web.serve();
  assert(stage.torrent.isComplete);
});

Deno.test("WebSeeds begin nothing more once a peer comes that has everything", () => {
  const { stage, web } = stageOf(makeContent({ totalLength: 200 * pieceLength, pieceLength }));
  stage.pass(1);
  const peer = stage.joinSeed();
  const before = web.all.length;
  web.serve();
  assertEquals(web.all.length, before);
  peer.serve();
  assert(stage.torrent.isComplete);
});

Deno.test("WebSeeds do what a much slower peer has no time for, and at last what it was asked for", () => {
  const { stage, web } = stageOf(makeContent({ totalLength: 100 * pieceLength, pieceLength }));
  const peer = stage.joinSeed();
  let servedMs = 0;
  for (; !stage.torrent.isComplete && servedMs < 10 * webSeedGraceMs; servedMs += 100) {
    const [first] = peer.openRequests;
    peer.answerAll((range) => range === first ? peer.sayBlock(range) : peer.keep(range));
    stage.pass(100);
    if (servedMs < webSeedGraceMs - 1_000) assertEquals(web.all.length, 0, "peers get a chance first");
    for (const request of web.open) { // a megabyte a second
      web.send(request, { count: 100_000 });
      if (web.isSent(request)) web.end(request);
    }
  }
  assert(stage.torrent.isComplete);
  assertGreater(peer.heardOf("cancel").length, 0, "the peer is told what it need not send");
});

Deno.test("WebSeeds leave a peer alone that gives a third of what they would", () => {
  const { stage, web } = stageOf(makeContent({ totalLength: 300 * pieceLength, pieceLength }));
  stage.pass(1);
  const [request] = web.open; // a megabyte a second
  for (; !web.isSent(request); stage.pass(100)) web.send(request, { count: 100_000 });
  const peer = stage.joinSeed();
  web.end(request);
  const before = web.all.length;
  for (let servedMs = 0; servedMs < 2 * webSeedGraceMs; servedMs += 50) { // as much
    let blocks = 0;
    peer.answerAll((range) => blocks++ < 3 ? peer.sayBlock(range) : peer.keep(range));
    stage.pass(50);
  }
  assertEquals(web.all.length, before);
});
