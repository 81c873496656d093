import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import {
  allowedFastCount,
  chokeRoundMs,
  invalidRequestsMax,
  requestLengthMax,
  unchokeSlots,
} from "../../lib/limits/transfer.ts";
import { blockLength, patienceMax, patienceStart, uploadBatchBytesMax, uploadQueueMax } from "../../lib/limits/wire.ts";
import { RateLimiter } from "../../lib/rate_limiter.ts";
import { type BlockRange, type Message, MessageId } from "../../lib/wire/message.ts";
import { seededRandom } from "../lib/mutations.ts";
import { type ScriptedPeer, type ScriptedPeerOptions, TorrentStage } from "./scripted_peer.ts";
import { bitfieldOf, type Content, makeContent } from "./virtual_disk.ts";

/** 40 pieces of 4 blocks. */
const content = makeContent({ totalLength: 40 * 4 * blockLength, pieceLength: 4 * blockLength });
/** One piece of more blocks than a queue holds. */
const wide = makeContent({ totalLength: (uploadQueueMax + 100) * blockLength, pieceLength: 128 * blockLength });

function seedStage(of: Content = content, options: ConstructorParameters<typeof TorrentStage>[1] = {}): TorrentStage {
  return new TorrentStage(of, { have: Bitfield.full(of.layout.pieceCount), ...options });
}

/** A leecher that was unchoked. */
function joinLeecher(stage: TorrentStage, options: ScriptedPeerOptions = {}): ScriptedPeer {
  const peer = stage.join(options);
  peer.say((out) => out.bare(MessageId.interested));
  return peer;
}

/** Lets time pass among leechers that make use of their slots: the disk has yet to read what they ask for. */
function passAmong(takers: readonly ScriptedPeer[], stage: TorrentStage, ms: number): void {
  stage.isDiskAutomatic = false;
  const ask = () => {
    for (const peer of takers) {
      if (peer.session?.amChoking === false && !peer.session.isReading) peer.sayRequest({ piece: 1 });
    }
  };
  for (let at = 0; at < ms; at += 500) {
    ask();
    stage.pass(500);
  }
}

const blocksOf = (count: number): BlockRange[] =>
  Array.from({ length: count }, (_, index) => ({
    piece: Math.floor(index / 4),
    begin: (index % 4) * blockLength,
    length: blockLength,
  }));
const rangeOf = (message: Message): BlockRange => {
  if (message.kind === "piece") return { piece: message.piece, begin: message.begin, length: message.block.length };
  assert(message.kind === "reject");
  return { piece: message.piece, begin: message.begin, length: message.length };
};
const keyOf = ({ piece, begin, length }: BlockRange) => `${piece}/${begin}/${length}`;
/** How often each request was answered, by piece or reject. */
function answersTo(peer: ScriptedPeer): Map<string, number> {
  const counts = new Map<string, number>();
  for (const message of peer.heard) {
    if (message.kind !== "piece" && message.kind !== "reject") continue;
    const key = keyOf(rangeOf(message));
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

Deno.test("Torrent unchokes at once who is interested while there are slots, and answers with the right bytes", () => {
  const stage = seedStage();
  const peer = joinLeecher(stage);
  assertEquals(peer.heardOf("unchoke").length, 1);
  peer.sayRequest({ piece: 7, begin: blockLength, length: 100 });
  const [answer] = peer.heardOf("piece");
  const offset = 7 * 4 * blockLength + blockLength;
  assertEquals([answer.piece, answer.begin], [7, blockLength]);
  assertEquals(answer.block, content.bytes.slice(offset, offset + 100));
});

Deno.test("Torrent answers requests in the order they came and counts them", () => {
  const stage = seedStage();
  const peer = joinLeecher(stage);
  const ranges = blocksOf(100).toReversed();
  peer.say((out) => ranges.forEach(({ piece, begin, length }) => out.range(MessageId.request, piece, begin, length)));
  assertEquals(peer.heardOf("piece").map(rangeOf), ranges);
  assertEquals(stage.torrent.stats(stage.now).uploadedBytes, 100 * blockLength);
});

Deno.test("Torrent rejects requests of a choked peer, and is silent without the fast extension", () => {
  const stage = seedStage();
  const fast = stage.join();
  const plain = stage.join({ supportsFast: false });
  const piece = Array.from({ length: 40 }, (_, index) => index).find((index) =>
    !fast.heardOf("allowedFast").some((message) => message.piece === index)
  )!;
  fast.sayRequest({ piece });
  plain.sayRequest({ piece });
  assertEquals(fast.heardOf("reject").map(rangeOf), [{ piece, begin: 0, length: blockLength }]);
  assertEquals([plain.heardOf("reject"), plain.heardOf("piece")], [[], []]);
});

Deno.test("Torrent drops who goes on asking while it is choked, but not for requests that crossed our choke", () => {
  const storm = (peer: ScriptedPeer) =>
    peer.say((out) => {
      for (let begin = 0; begin <= invalidRequestsMax; begin++) out.range(MessageId.request, 39, begin, 1);
    });
  const stage = seedStage();
  const deaf = stage.join({ supportsFast: false });
  stage.pass(30_000);
  storm(deaf);
  assertEquals(deaf.closedBecause, "too many invalid requests");
  const crossing = joinLeecher(stage, { supportsFast: false });
  const others = Array.from({ length: 2 * unchokeSlots }, () => joinLeecher(stage));
  while (crossing.heardOf("choke").length === 0) passAmong([crossing, ...others], stage, 500);
  storm(crossing);
  assertEquals(crossing.isClosed, false);
});

Deno.test("Torrent gives allowed-fast pieces to a choked peer", () => {
  const stage = seedStage();
  const peer = stage.join();
  const granted = peer.heardOf("allowedFast").map(({ piece }) => piece);
  assertEquals(granted.length, allowedFastCount);
  for (const piece of granted) peer.sayRequest({ piece });
  assertEquals(peer.heardOf("piece").map(({ piece }) => piece), granted);
  assertEquals(peer.heardOf("unchoke"), []);
});

Deno.test("Torrent grants nothing without the fast extension and on IPv6", () => {
  const stage = seedStage();
  const plain = stage.join({ supportsFast: false });
  const six = stage.join({ endpoint: { host: "fe80::1", port: 5 } });
  assertEquals([plain.heardOf("allowedFast"), six.heardOf("allowedFast")], [[], []]);
});

Deno.test("Torrent answers each request exactly once when it chokes: those that are not read yet by reject", () => {
  const stage = seedStage();
  stage.isDiskAutomatic = false;
  const peer = joinLeecher(stage);
  const ranges = blocksOf(100);
  peer.say((out) => ranges.forEach(({ piece, begin, length }) => out.range(MessageId.request, piece, begin, length)));
  const [reading] = stage.effectsOf("readBlocks");
  assertLess(reading.ranges.length, 100);
  passAmong(Array.from({ length: 2 * unchokeSlots }, () => joinLeecher(stage)), stage, 5 * chokeRoundMs);
  assertEquals(peer.heardOf("choke").length, 1);
  stage.read(reading);
  assertEquals(peer.heardOf("piece").length, reading.ranges.length);
  assertEquals(peer.heardOf("reject").length, 100 - reading.ranges.length);
  assertEquals([...answersTo(peer).values()], new Array(100).fill(1));
});

Deno.test("Torrent leaves who wants nothing unchoked while nobody needs the slot", () => {
  const stage = seedStage();
  const peer = joinLeecher(stage);
  peer.say((out) => out.bare(MessageId.notInterested));
  stage.pass(5 * chokeRoundMs);
  assertEquals(peer.heardOf("choke").length, 0);
  passAmong(Array.from({ length: 2 * unchokeSlots }, () => joinLeecher(stage)), stage, chokeRoundMs);
  assertEquals(peer.heardOf("choke").length, 1);
});

Deno.test("Torrent answers a cancelled request exactly once: by reject if it was waiting, by piece if it was being read", () => {
  const stage = seedStage();
  stage.isDiskAutomatic = false;
  const peer = joinLeecher(stage);
  const ranges = blocksOf(100);
  peer.say((out) => ranges.forEach(({ piece, begin, length }) => out.range(MessageId.request, piece, begin, length)));
  const [reading] = stage.effectsOf("readBlocks");
  const early = reading.ranges[0];
  const late = ranges[99];
  peer.sayCancel(early);
  peer.sayCancel(late);
  peer.sayCancel(late);
  stage.read(reading);
  for (const next of stage.effectsOf("readBlocks").slice(1)) stage.read(next);
  assertEquals(peer.heardOf("reject").map(rangeOf), [late]);
  assertEquals(answersTo(peer).get(keyOf(early)), 1);
  assertEquals([...answersTo(peer).values()].every((count) => count === 1), true);
});

Deno.test("Torrent drops a cancelled request in silence without the fast extension", () => {
  const stage = seedStage();
  stage.isDiskAutomatic = false;
  const peer = joinLeecher(stage, { supportsFast: false });
  peer.say((out) =>
    blocksOf(99).forEach((range) => out.range(MessageId.request, range.piece, range.begin, blockLength))
  );
  peer.sayCancel(blocksOf(99)[98]);
  for (let read = 0; read < stage.effectsOf("readBlocks").length; read++) {
    stage.read(stage.effectsOf("readBlocks")[read]);
  }
  assertEquals(peer.heardOf("piece").length, 98);
});

const invalid: [what: string, piece: number, begin: number, length: number][] = [
  ["a piece that is none", 40, 0, blockLength],
  ["a piece above 2^31", 0xffffffff, 0, blockLength],
  ["a range behind its piece's end", 0, 4 * blockLength, 1],
  ["a range over its piece's end", 0, 3 * blockLength, blockLength + 1],
  ["a begin and length above 2^32 together", 0, 0xffffffff, 0xffffffff],
  ["nothing", 0, 0, 0],
  ["more than a request may", 0, 0, 0x7fffffff],
  ["a piece that we lack", 39, 0, blockLength],
];
for (const [what, piece, begin, length] of invalid) {
  Deno.test(`Torrent rejects a request for ${what}, and drops who makes too many`, () => {
    const stage = new TorrentStage(content, { have: bitfieldOf("*".repeat(39) + " ") });
    const peer = joinLeecher(stage);
    for (let count = 0; count < invalidRequestsMax; count++) peer.sayRequest({ piece, begin, length });
    assertEquals(peer.heardOf("reject").length, invalidRequestsMax);
    assertEquals(peer.heardOf("reject")[0], { kind: "reject", piece, begin, length });
    assertEquals([stage.effectsOf("readBlocks"), peer.isClosed], [[], false]);
    peer.sayRequest({ piece, begin, length });
    assertEquals(peer.closedBecause, "too many invalid requests");
  });
}

Deno.test("Torrent answers requests of up to 128 KiB, as old clients make them, and none above", () => {
  const stage = seedStage(wide);
  const peer = joinLeecher(stage);
  peer.sayRequest({ piece: 0, begin: 5, length: requestLengthMax });
  peer.sayRequest({ piece: 0, begin: 5, length: requestLengthMax + 1 });
  assertEquals(peer.heardOf("piece").map(({ block }) => block.length), [requestLengthMax]);
  assertEquals(peer.heardOf("reject").map(({ length }) => length), [requestLengthMax + 1]);
});

Deno.test("Torrent stores no more requests than its queue holds: the rest is rejected, and the peer may stay", () => {
  const stage = seedStage(wide);
  stage.isDiskAutomatic = false;
  const peer = joinLeecher(stage);
  const { layout } = wide;
  const ranges = Array.from({ length: uploadQueueMax + 100 }, (_, index) => ({
    piece: Math.floor(index / 128),
    begin: (index % 128) * blockLength,
    length: layout.lengthOfBlock(Math.floor(index / 128) as never, index % 128),
  }));
  peer.say((out) => ranges.forEach(({ piece, begin, length }) => out.range(MessageId.request, piece, begin, length)));
  assertEquals(peer.session?.uploads.count! + (stage.effectsOf("readBlocks")[0]?.ranges.length ?? 0), uploadQueueMax);
  assertEquals(peer.heardOf("reject").length, 100);
  assertEquals(peer.isClosed, false);
});

Deno.test("Torrent survives a storm of requests: it queues no more than its bound", () => {
  const stage = seedStage();
  stage.isDiskAutomatic = false;
  const peer = joinLeecher(stage);
  peer.say((out) => {
    for (let count = 0; count < uploadQueueMax + patienceStart / 2; count++) {
      out.range(MessageId.request, 1, 0, blockLength);
    }
  });
  const beingRead = stage.effectsOf("readBlocks").map(({ ranges }) => ranges.length);
  assertEquals(beingRead.length, 1);
  assertEquals(peer.session!.uploads.count + beingRead[0], uploadQueueMax);
});

Deno.test("Torrent reads no more from disk for a peer that takes nothing", () => {
  const stage = seedStage(wide);
  const peer = joinLeecher(stage);
  peer.isStuck = true;
  const { layout } = wide;
  let asked = 0;
  peer.say((out) => {
    for (; asked < uploadQueueMax; asked++) {
      const piece = Math.floor(asked / 128);
      out.range(
        MessageId.request,
        piece,
        (asked % 128) * blockLength,
        layout.lengthOfBlock(piece as never, asked % 128),
      );
    }
  });
  const readBytes = () => stage.effectsOf("readBlocks").flatMap(({ ranges }) => ranges).length * blockLength;
  assertLessOrEqual(readBytes(), 3 * uploadBatchBytesMax);
  assert(stage.torrent.mayRead(peer.connection), "what waits is within the bound");
  peer.unstick();
  assertGreater(readBytes(), uploadQueueMax * blockLength * 0.9);
});

Deno.test("Torrent closes who asks for more than is queued, again and again", () => {
  const stage = seedStage(wide);
  const peer = joinLeecher(stage);
  peer.isStuck = true;
  let asked = 0;
  while (!peer.isClosed) {
    peer.say((out) => out.range(MessageId.request, 0, asked++ % blockLength, 1));
    assertLess(asked, uploadQueueMax + 2 * patienceMax, "rejects pile up without end");
  }
  assertEquals(peer.closedBecause, "it says too much that is of no use");
});

Deno.test("Torrent rejects what the disk does not give, and goes on with the rest of the queue", () => {
  for (const supportsFast of [true, false]) {
    const stage = seedStage();
    stage.isDiskAutomatic = false;
    const peer = joinLeecher(stage, { supportsFast });
    peer.say((out) =>
      blocksOf(120).forEach((range) => out.range(MessageId.request, range.piece, range.begin, blockLength))
    );
    const [first] = stage.effectsOf("readBlocks");
    stage.apply({
      kind: "readFailed",
      connection: peer.connection,
      ranges: first.ranges,
      lost: [],
      why: "the file is gone",
    });
    assertEquals(peer.heardOf("reject").length, supportsFast ? first.ranges.length : 0);
    assertEquals(stage.effectsOf("readBlocks").length, 2);
  }
});

Deno.test("Torrent lets no peer wait for a slot that has become free", () => {
  const stage = seedStage();
  const holders = Array.from({ length: unchokeSlots }, () => joinLeecher(stage));
  const waiting = Array.from({ length: 3 }, () => joinLeecher(stage));
  passAmong(holders, stage, 3_000); // the next round is far away
  assertEquals(waiting.map((peer) => peer.heardOf("unchoke").length), [0, 0, 0]);
  holders[0].leave();
  holders[1].say((out) => out.bare(MessageId.notInterested));
  passAmong([...holders.slice(1), ...waiting], stage, 1_000);
  assertEquals(waiting.map((peer) => peer.heardOf("unchoke").length), [1, 1, 0]);
});

Deno.test("Torrent does not flip a peer's choke within 5 s: aria2 drops who does", () => {
  const stage = seedStage();
  const flips: number[] = [];
  const peer = stage.join();
  let isChoking = true;
  for (let ms = 0; ms < 60_000; ms += 500) {
    peer.say((out) => out.bare(ms % 1_500 === 0 ? MessageId.interested : MessageId.notInterested));
    stage.pass(500);
    if (peer.session!.amChoking !== isChoking) flips.push(ms);
    isChoking = peer.session!.amChoking;
  }
  const gaps = flips.slice(1).map((at, index) => at - flips[index]);
  assert(gaps.every((gap) => gap >= 5_000), `flipped at ${flips}`);
});

Deno.test("Torrent does not flip chokes within 5 s in a crowd that comes and goes", () => {
  const stage = seedStage(content, { have: bitfieldOf("*".repeat(39) + " ") });
  const peers = Array.from({ length: unchokeSlots + 30 }, () => stage.join());
  const random = seededRandom(5);
  const lastFlips = new Map<ScriptedPeer, number>();
  for (let ms = 0; ms < 120_000; ms += 500) {
    const before = peers.map(({ heard }) => heard.length);
    const peer = peers[Math.floor(random() * peers.length)];
    peer.say((out) => out.bare(random() < 0.8 ? MessageId.interested : MessageId.notInterested));
    stage.pass(500);
    peers.forEach((each, index) => {
      if (!each.heard.slice(before[index]).some(({ kind }) => kind === "choke" || kind === "unchoke")) return;
      const last = lastFlips.get(each);
      assert(last === undefined || stage.now - last >= 5_000, `two flips within ${stage.now - last!} ms`);
      lastFlips.set(each, stage.now);
    });
  }
});

Deno.test("Torrent does not take back in a round the slot that it gave a moment before", () => {
  const stage = seedStage(content, { have: bitfieldOf("*".repeat(20) + " ".repeat(20)) });
  const holders = Array.from({ length: unchokeSlots }, () => joinLeecher(stage));
  passAmong(holders, stage, 1);
  const lucky = Array.from({ length: 10 }, () => joinLeecher(stage));
  stage.pass(1);
  const givers = Array.from({ length: 10 }, () => stage.join({ has: Bitfield.full(40) }));
  stage.pass(chokeRoundMs - 500);
  for (const giver of givers) {
    giver.say((out) => out.extended(0, new TextEncoder().encode("d4:reqqi6ee")));
    giver.say((out) => (out.bare(MessageId.interested), out.bare(MessageId.unchoke)));
    giver.sayBlock(giver.openRequests[0]);
  }
  for (const holder of holders.slice(0, 10)) holder.leave();
  assertEquals(lucky.map((peer) => peer.heardOf("unchoke").length), lucky.map(() => 1));
  stage.pass(5_000);
  assertEquals(givers.map((peer) => peer.heardOf("unchoke").length), givers.map(() => 1), "who gives is favoured");
  assertEquals(lucky.map((peer) => peer.heardOf("choke").length), lucky.map(() => 0));
});

Deno.test("Torrent under an upload limit is not woken for a peer that takes nothing", () => {
  const stage = seedStage(content, { uploadLimiter: new RateLimiter(2_000_000) });
  const peer = joinLeecher(stage);
  peer.isStuck = true;
  peer.say((out) =>
    blocksOf(160).forEach((range) => out.range(MessageId.request, range.piece, range.begin, blockLength))
  );
  stage.pass(30_000);
  const other = joinLeecher(stage);
  other.say((out) =>
    blocksOf(120).forEach((range) => out.range(MessageId.request, range.piece, range.begin, blockLength))
  );
  let wakes = 0;
  for (const end = stage.now + 10_000; stage.now < end; wakes++) {
    stage.now = Math.max(stage.now + 0.01, stage.torrent.wakeAt(stage.now));
    stage.apply({ kind: "tick" });
    assertLess(wakes, 1_000, "it is woken again and again");
  }
});
