import { assert, assertEquals, assertGreater } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import { Layout } from "../../lib/layout.ts";
import { pieceBufferBytesMax } from "../../lib/limits/transfer.ts";
import { KiB, MiB } from "../../lib/limits/units.ts";
import { webSeedBadPiecesMax, webSeedGraceMs } from "../../lib/limits/web_seeds.ts";
import { blockLength } from "../../lib/limits/wire.ts";
import { RateLimiter } from "../../lib/rate_limiter.ts";
import { MessageId } from "../../lib/wire/message.ts";
import { seededRandom } from "../lib/mutations.ts";
import type { ScriptedPeer } from "./scripted_peer.ts";
import { bitfieldOf, makeContent } from "./virtual_disk.ts";
import { pieceLength, piecesOf, stageOf, url } from "./web_stage.ts";

Deno.test("WebSeeds keep what came before a fault, and are asked for the rest after a pause that doubles", () => {
  const { stage, web, content } = stageOf();
  stage.pass(1);
  const asked: number[] = [];
  for (const pauseMs of [2_000, 4_000, 8_000]) {
    const [request] = web.open;
    asked.push(request.offset);
    web.send(request, { count: 2 * blockLength + 100 });
    web.end(request, { kind: "later", why: "it closed the connection" });
    stage.pass(pauseMs - 600);
    assertEquals(web.open.length, 0);
    stage.pass(1_200);
  }
  assertEquals(new Set(asked).size, 3, "what came is not asked for again");
  web.serve();
  assert(stage.torrent.isComplete);
  const { downloadedBytes } = stage.torrent.stats(stage.now);
  assertEquals(downloadedBytes, content.layout.totalLength + 300, "of each fault only the broken block came twice");
});

for (const [retryInMs, waitedMs] of [[30_000, 30_000], [0, 2_000], [1e12, 600_000]]) {
  Deno.test(`WebSeeds obey a Retry-After of ${retryInMs} ms for ${waitedMs} ms`, () => {
    const { stage, web } = stageOf();
    stage.pass(1);
    web.end(web.open[0], { kind: "later", why: "it answered 503", retryInMs });
    stage.pass(waitedMs - 600);
    assertEquals(web.open.length, 0);
    stage.pass(1_200);
    assertEquals(web.open.length, 1);
  });
}

Deno.test("WebSeeds are not asked for a file again that they lack, but for the others", () => {
  const content = makeContent({ totalLength: 10 * pieceLength, pieceLength });
  const fileLengths = [2 * pieceLength + 7, 3 * pieceLength, 5 * pieceLength - 7];
  const { stage, web } = stageOf({ ...content, layout: new Layout({ pieceLength, fileLengths }) });
  stage.pass(1);
  for (let open = web.open; open.length > 0; open = web.open) {
    const [request] = open;
    const lacking = piecesOf(request).findIndex((piece) => piece >= 2 && piece <= 5);
    const given = lacking === -1 ? request.length : Math.max(0, lacking * pieceLength - request.offset % pieceLength);
    web.send(request, { count: given });
    web.end(request, lacking === -1 ? undefined : { kind: "file", fileIndex: 1, why: "it answered 404" });
  }
  assertEquals(stage.torrent.stats(stage.now).havePieces, 6);
  assertEquals(stage.torrent.webSeedErrors, ["it answered 404"]);
  stage.pass(60_000);
  assertEquals(web.open.length, 0);
});

Deno.test("WebSeeds that refuse are asked nothing more", () => {
  const { stage, web } = stageOf();
  stage.pass(1);
  web.end(web.open[0], { kind: "refused", why: "it redirects to a private address" });
  stage.pass(600_000);
  assertEquals(web.open.length, 0);
  assertEquals(stage.torrent.webSeedErrors, ["it redirects to a private address"]);
});

Deno.test("WebSeeds that lie are banned after a few pieces, and nothing of it is stored", () => {
  const { stage, web } = stageOf(makeContent({ totalLength: 60 * pieceLength, pieceLength }));
  stage.pass(1);
  web.serve({ isSpoiled: () => true });
  assertEquals(stage.effectsOf("peerBanned").length, 1);
  assertEquals(stage.torrent.stats(stage.now).havePieces, 0);
  assertGreater(stage.effectsOf("storePiece").length, webSeedBadPiecesMax - 1);
  stage.pass(600_000);
  assertEquals(web.open.length, 0);
  const peer = stage.joinSeed();
  peer.serve();
  assert(stage.torrent.isComplete);
});

Deno.test("WebSeeds that tell the truth take over what a liar among them spoiled", () => {
  const { stage, web } = stageOf(makeContent({ totalLength: 60 * pieceLength, pieceLength }), {
    webSeeds: [url, "http://liar.test/d/"],
  });
  stage.pass(1);
  web.serve({ isSpoiled: ({ webSeed }) => webSeed === 1 });
  assert(stage.torrent.isComplete);
});

Deno.test("WebSeeds claim no more memory than pieces may take, and go on when there is some", () => {
  const content = makeContent({ totalLength: 48 * MiB, pieceLength: 4 * MiB });
  const { stage, web } = stageOf(content, { webSeeds: [url, "http://b.test/", "http://c.test/"] });
  stage.isDiskAutomatic = false;
  stage.pass(1);
  for (let rounds = 0; rounds < 100 && web.open.length > 0; rounds++) {
    web.send(web.open[0]);
    web.end(web.open[0]);
  }
  const [unstored] = [stage.effectsOf("storePiece")];
  assertEquals(unstored.length * 4 * MiB, pieceBufferBytesMax);
  stage.isDiskAutomatic = true;
  for (const effect of unstored) stage.store(effect);
  web.serve();
  assert(stage.torrent.isComplete);
});

Deno.test("WebSeeds take parts of a piece that is too large for one request", () => {
  const { stage, web } = stageOf(makeContent({ totalLength: 32 * MiB, pieceLength: 16 * MiB }));
  stage.pass(1);
  web.serve();
  assert(stage.torrent.isComplete);
  assert(web.all.every(({ length }) => length <= 4 * MiB));
});

Deno.test("WebSeeds keep to the download limit", () => {
  const content = makeContent({ totalLength: 2 * MiB, pieceLength });
  const { stage, web } = stageOf(content, { downloadLimiter: new RateLimiter(256 * KiB) });
  const start = stage.now;
  while (!stage.torrent.isComplete && stage.now < start + 60_000) {
    stage.pass(10);
    web.serve();
  }
  const seconds = (stage.now - start) / 1000;
  assert(seconds > 7 && seconds < 9, `2 MiB at 256 KiB/s took ${seconds} s`);
});

Deno.test("WebSeeds that know no ranges are read in one stream, past what is there already", () => {
  const have = bitfieldOf("**  * **** *");
  const { stage, web } = stageOf(undefined, { have });
  stage.pass(1);
  web.end(web.open[0], { kind: "wholeFilesOnly", why: "it gives whole files only" });
  assertEquals(web.open.map(({ offset, length, mayBeginEarly }) => [offset, length, mayBeginEarly]), [
    [2 * pieceLength, 9 * pieceLength, true],
  ]);
  web.serve();
  assert(stage.torrent.isComplete);
  assertEquals(stage.effectsOf("webSeedFailed"), []);
});

Deno.test("WebSeeds that know no ranges are read no further than there is memory", () => {
  const content = makeContent({ totalLength: 48 * MiB, pieceLength: 4 * MiB });
  const { stage, web } = stageOf(content);
  stage.pass(1);
  web.end(web.open[0], { kind: "wholeFilesOnly", why: "it gives whole files only" });
  const [stream] = web.open;
  stage.isDiskAutomatic = false;
  let at = 0;
  for (; stage.torrent.mayReadWeb(stream.request, stage.now); at += blockLength) {
    web.send(stream, { count: blockLength });
  }
  assertEquals(at, pieceBufferBytesMax);
  stage.isDiskAutomatic = true;
  for (const effect of stage.effectsOf("storePiece")) stage.store(effect);
  assert(stage.torrent.mayReadWeb(stream.request, stage.now));
  web.send(stream);
  web.end(stream);
  assert(stage.torrent.isComplete);
});

Deno.test("WebSeeds that know no ranges keep to the download limit", () => {
  const { stage, web } = stageOf(undefined, { downloadLimiter: new RateLimiter(64 * KiB) });
  stage.pass(1);
  web.end(web.open[0], { kind: "wholeFilesOnly", why: "it gives whole files only" });
  stage.pass(10_000);
  const [stream] = web.open;
  web.send(stream, { count: 64 * KiB });
  assertEquals(stage.torrent.mayReadWeb(stream.request, stage.now), false);
  stage.pass(1_000);
  assert(stage.torrent.mayReadWeb(stream.request, stage.now));
});

Deno.test("WebSeeds are left with the stop, and with the last piece", () => {
  const { stage, web } = stageOf();
  stage.pass(1);
  assertEquals(web.open.length, 1);
  stage.apply({ kind: "stop" });
  assertEquals(web.open.length, 0);
  web.send(web.all[0]);
  assertEquals(stage.torrent.stats(stage.now).downloadedBytes, 0, "what comes late is nobody's");
});

Deno.test("WebSeeds of a torrent that only seeds are not asked", () => {
  const { stage, web } = stageOf(undefined, { isSeedOnly: true });
  stage.pass(10_000);
  assertEquals(web.all.length, 0);
});

Deno.test("WebSeeds hand back to peers what they were asked for and do not deliver", () => {
  const { stage, web } = stageOf();
  stage.pass(1);
  web.send(web.open[0], { count: blockLength });
  const peer = stage.joinSeed();
  peer.serve();
  assert(stage.torrent.isComplete, "the endgame reaches what a silent web seed holds");
  assertEquals(web.open.length, 0);
});

Deno.test("WebSeeds and peers that deliver the same blocks store every piece once", () => {
  const { stage, web, content } = stageOf();
  stage.pass(1);
  const peer = stage.joinSeed();
  for (let i = 0; i < 30; i++) {
    peer.answerAll((range) => range.begin === 3 * blockLength ? peer.keep(range) : peer.sayBlock(range));
  }
  web.serve();
  peer.serve();
  assert(stage.torrent.isComplete);
  assertEquals(stage.effectsOf("storePiece").length, content.layout.pieceCount);
});

Deno.test("WebSeeds are told to end a request whose blocks all came from peers", () => {
  const { stage, web } = stageOf(undefined, { webSeeds: [url, "http://b.test/"], strategy: "sequential" });
  stage.pass(1);
  const [a, b] = web.open;
  assertEquals(a.length + b.length, stage.content.layout.totalLength);
  const has = Bitfield.empty(stage.content.layout.pieceCount);
  for (const piece of piecesOf(a)) has.set(piece);
  const peer = stage.join({ has });
  peer.say((out) => out.bare(MessageId.unchoke));
  peer.serve();
  stage.pass(1_000);
  assertEquals(web.open, [b]);
  stage.pass(webSeedGraceMs);
  assert(web.open.some(({ webSeed }) => webSeed === a.webSeed), "whoever is idle helps a slow one in the end");
});

Deno.test("WebSeeds that fail leave the rest of their piece to the next peer", () => {
  const { stage, web } = stageOf(makeContent({ totalLength: 32 * MiB, pieceLength: 4 * MiB }));
  stage.pass(1);
  const [request] = web.open;
  web.send(request);
  web.end(request);
  web.send(web.open[0], { count: blockLength });
  for (const open of web.open) web.end(open, { kind: "refused", why: "it redirects too often" });
  const peer = stage.joinSeed();
  assertEquals(peer.openRequests[0].piece, Math.floor(request.offset / (4 * MiB)));
});

Deno.test("WebSeeds that know no ranges have what is dropped counted against the download limit", () => {
  const { stage, web } = stageOf(undefined, { downloadLimiter: new RateLimiter(64 * KiB) });
  stage.pass(1);
  web.end(web.open[0], { kind: "wholeFilesOnly", why: "it gives whole files only" });
  stage.pass(10_000);
  const [{ request }] = web.open;
  stage.apply({ kind: "webSkipped", request, count: 128 * KiB });
  assertEquals(stage.torrent.mayReadWeb(request, stage.now), false);
});

Deno.test("WebSeeds and peers that fail at random end with everything", () => {
  const only = Number(Deno.env.get("SEED") ?? 0);
  for (let seed = only || 1; seed <= (only || 40); seed++) failAtRandom(seed);
});

/** Two web seeds and up to four peers that come, go, lie, choke and stall; at last a good peer, or a good web seed. */
function failAtRandom(seed: number): void {
  const random = seededRandom(seed);
  const dice = (sides: number) => Math.floor(random() * sides);
  const content = makeContent({ totalLength: 40 * pieceLength - dice(pieceLength), pieceLength, seed });
  const fileLengths = [9 * pieceLength + 5, 0, content.layout.totalLength - 9 * pieceLength - 5];
  const layout = new Layout({ pieceLength, fileLengths });
  const { stage, web } = stageOf({ ...content, layout }, { webSeeds: [url, "http://b.test/"], random });
  const peers: ScriptedPeer[] = [];
  for (let step = 0; step < 300 && !stage.torrent.isComplete; step++) {
    const request = web.open[dice(web.open.length)];
    const peer = peers[dice(peers.length)];
    const action = dice(12);
    if (action === 0 && peers.length < 4) peers.push(stage.joinSeed());
    if (peer !== undefined && !peer.isClosed) {
      if (action === 1) peer.leave();
      if (action === 2) peer.sayChoke();
      if (action === 3) peer.say((out) => out.bare(MessageId.unchoke));
      const [range] = peer.openRequests;
      if (action === 4 && range !== undefined) {
        peer.answerAll((each) =>
          each !== range ? peer.keep(each) : dice(8) === 0 ? peer.sayWrongBlock(each) : peer.sayBlock(each)
        );
      }
    }
    if (request !== undefined) {
      if (action >= 8) web.send(request, { count: dice(request.length), isSpoiled: dice(30) === 0 });
      if (action === 5) web.end(request, { kind: "later", why: "it closed the connection" });
      if (action === 6) web.send(request);
      if (action === 6 || action === 7) web.end(request);
      if (action === 11 && dice(20) === 0) {
        web.end(request, { kind: "file", fileIndex: 2 * dice(2), why: "it answered 404" });
      }
      if (action === 11 && dice(10) === 0) {
        web.end(request, { kind: "wholeFilesOnly", why: "it gives whole files only" });
      }
    }
    stage.pass(dice(2_000));
  }
  const last = stage.joinSeed();
  for (let round = 0; round < 1_000 && !stage.torrent.isComplete; round++) {
    last.serve();
    for (const request of web.open) web.end(request, { kind: "later", why: "it is too slow" }); // as every silence ends
    stage.pass(1_000);
  }
  assert(stage.torrent.isComplete, `with SEED=${seed}`);
  assertEquals(web.open, [], `with SEED=${seed}`);
}
