import { assert, assertEquals, assertGreater, assertThrows } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import { blockLength } from "../../lib/limits/wire.ts";
import { MessageId } from "../../lib/wire/message.ts";
import { Announcer } from "../../peer/announcer.ts";
import type { PickStrategy } from "../../peer/piece_picker.ts";
import { mutationsOf, seededRandom } from "../lib/mutations.ts";
import { testPeerId, TorrentStage } from "./scripted_peer.ts";
import { VirtualSwarm } from "./torrent_harness.ts";
import { bitfieldOf, makeContent, piecesOf } from "./virtual_disk.ts";

const content = makeContent({ totalLength: 1_000_001, pieceLength: 100_000 });

Deno.test("Torrent moves a file to another Torrent in one synchronous test", () => {
  const swarm = new VirtualSwarm(content);
  const seed = swarm.seed();
  const leecher = swarm.join();
  swarm.introduce(leecher, [seed]);
  swarm.runUntil(() => leecher.torrent.isComplete);
  assert(leecher.disk.stored.isFull);
  assertEquals(leecher.disk.writtenBytes, 1_000_001);
  assertEquals(seed.sentBytes, 1_000_001, "each byte went over the wire once");
  assertEquals(leecher.eventsOf("complete").length, 1);
  assertEquals(leecher.eventsOf("pieceDone").length, 11);
});

Deno.test("Torrent moves a file whoever dials, and whatever the reads are cut into", () => {
  for (const readBytesMax of [1, 7, 1_000, 20_000, 300_000]) {
    const swarm = new VirtualSwarm(content, { readBytesMax, seed: readBytesMax });
    const seed = swarm.seed();
    const leecher = swarm.join();
    swarm.introduce(seed, [leecher]);
    swarm.runUntil(() => leecher.torrent.isComplete);
    assertEquals(seed.sentBytes, 1_000_001);
  }
});

const shapes: [totalLength: number, pieceLength: number][] = [
  [1, 16_384],
  [blockLength, blockLength],
  [blockLength + 1, blockLength],
  [100_000, 1],
  [100_000, 999],
  [3 * 50_000, 50_000],
  [3_000_000, 4_000_000],
].filter(([totalLength, pieceLength]) => totalLength / pieceLength <= 1_000) as [number, number][];
for (const [totalLength, pieceLength] of shapes) {
  Deno.test(`Torrent moves ${totalLength} bytes in pieces of ${pieceLength}`, () => {
    const swarm = new VirtualSwarm(makeContent({ totalLength, pieceLength }));
    const seed = swarm.seed();
    const leecher = swarm.join();
    swarm.introduce(leecher, [seed]);
    swarm.runUntil(() => leecher.torrent.isComplete);
    assertEquals(seed.sentBytes, totalLength);
  });
}

Deno.test("Torrent goes on from what it has and fetches nothing of that again", () => {
  const swarm = new VirtualSwarm(content);
  const seed = swarm.seed();
  const leecher = swarm.join({ have: bitfieldOf("* ** *   * ") });
  swarm.introduce(leecher, [seed]);
  swarm.runUntil(() => leecher.torrent.isComplete);
  assertEquals(seed.sentBytes, 1_000_001 - 5 * 100_000);
  const done = leecher.eventsOf("pieceDone").map(({ piece }) => piece);
  assertEquals(done.toSorted((a, b) => a - b), [1, 4, 6, 7, 8, 10]);
});

Deno.test("Torrent that has everything from the start tells nobody that it is complete", () => {
  const swarm = new VirtualSwarm(content);
  const seed = swarm.seed();
  swarm.runFor(60_000);
  assertEquals([seed.torrent.isComplete, seed.eventsOf("complete")], [true, []]);
});

Deno.test("Torrent gives what it has while it lacks the rest, and fetches from who lacks other parts", () => {
  const swarm = new VirtualSwarm(content);
  const left = swarm.join({ have: bitfieldOf("******     ") });
  const right = swarm.join({ have: bitfieldOf("     ******") });
  swarm.introduceAll();
  swarm.runUntilAllHave();
  assertEquals([left.sentBytes, right.sentBytes], [500_000, 400_001]);
});

Deno.test("Torrent that only seeds gives its part and takes nothing", () => {
  const swarm = new VirtualSwarm(content);
  const partial = swarm.join({ have: bitfieldOf("*****      "), isSeedOnly: true });
  const seed = swarm.seed();
  const leecher = swarm.join();
  swarm.introduceAll();
  swarm.runUntil(() => leecher.torrent.isComplete);
  swarm.runFor(30_000);
  assertEquals(partial.disk.writtenBytes, 0);
  const twiceBytes = partial.sentBytes + seed.sentBytes - 1_000_001;
  assert(twiceBytes >= 0 && twiceBytes <= 16 * blockLength, `${twiceBytes} bytes were sent twice at the end`);
});

/** The pieces in the order in which they were stored. */
function storedOrder(strategy: PickStrategy, seed: number): number[] {
  const swarm = new VirtualSwarm(content, { seed });
  const source = swarm.seed();
  const leecher = swarm.join({ strategy });
  swarm.introduce(leecher, [source]);
  swarm.runUntil(() => leecher.torrent.isComplete);
  return leecher.eventsOf("pieceDone").map(({ piece }) => piece);
}

Deno.test("Torrent fetches in order under the strategy sequential, and by chance under the others", () => {
  const inOrder = piecesOf(content.layout).map(Number);
  for (const seed of [1, 2, 3]) {
    assertEquals(storedOrder("sequential", seed), inOrder);
    assert(storedOrder("random", seed).join() !== inOrder.join());
    assert(storedOrder("rarest-first", seed).join() !== inOrder.join());
  }
  assert(storedOrder("random", 1).join() !== storedOrder("random", 2).join());
});

Deno.test("Torrent fetches rare pieces first once it has begun its first ones", () => {
  const swarm = new VirtualSwarm(makeContent({ totalLength: 400 * 16_384, pieceLength: 16_384 }));
  const rare = [3, 99, 270];
  const common = bitfieldOf(Array.from({ length: 400 }, (_, piece) => rare.includes(piece) ? " " : "*").join(""));
  const others = [1, 2, 3].map(() => swarm.join({ have: common, isSeedOnly: true, uploadLimit: 1 }));
  const leecher = swarm.join();
  const seed = swarm.seed({ uploadLimit: 100_000 });
  const asked: number[] = [];
  swarm.tap = (_, to, message) => void (to === seed && message.kind === "request" && asked.push(message.piece));
  swarm.introduce(leecher, others);
  swarm.runFor(1_000);
  swarm.introduce(leecher, [seed]);
  swarm.runFor(100);
  assertEquals(asked.slice(0, 3).toSorted((a, b) => a - b), rare);
});

Deno.test("Torrent pauses with the disk's own words when a piece cannot be written, and goes on giving", () => {
  const swarm = new VirtualSwarm(content);
  const seed = swarm.seed();
  const full = swarm.join({ have: bitfieldOf("**         "), refusesToStore: (piece) => piece === 7 });
  swarm.introduce(full, [seed]);
  swarm.runUntil(() => full.eventsOf("diskFailed").length > 0);
  swarm.runFor(120_000);
  assertEquals(full.eventsOf("diskFailed").map(({ error }) => String(error)), ["Error: the disk is full"]);
  assertEquals(full.torrent.isComplete, false);
  swarm.leave(seed);
  const other = swarm.join();
  swarm.introduce(other, [full]);
  swarm.runUntil(() => other.disk.stored.has(0) && other.disk.stored.has(1));
});

Deno.test("Torrent counts bytes and rates for people", () => {
  const swarm = new VirtualSwarm(content);
  const seed = swarm.seed({ uplink: 200_000 });
  const leecher = swarm.join({ have: bitfieldOf("*          ") });
  swarm.introduce(leecher, [seed]);
  swarm.runFor(3_000);
  const stats = leecher.torrent.stats(swarm.now);
  assertEquals([stats.totalBytes, stats.pieceCount, stats.peerCount, stats.seedCount], [1_000_001, 11, 1, 1]);
  const stored = piecesOf(content.layout).filter((piece) => leecher.disk.stored.has(piece));
  assertEquals(stats.haveBytes, stored.reduce((sum, piece) => sum + content.layout.lengthOfPiece(piece), 0));
  assert(stats.downRate > 170_000 && stats.downRate < 230_000, `rate ${stats.downRate}`);
  swarm.runUntil(() => leecher.torrent.isComplete);
  assertEquals(leecher.torrent.stats(swarm.now).downloadedBytes, 900_001);
  assertEquals(seed.torrent.stats(swarm.now).uploadedBytes, 900_001);
});

Deno.test("Torrent announces itself, tells of its end once, and says farewell", () => {
  const have = Bitfield.empty(content.layout.pieceCount);
  const peerId = testPeerId(0);
  const announcer = new Announcer({
    ...{ tiers: [["http://10.0.0.1/announce"]], infoHash: content.infoHash, peerId, port: 6881 },
    ...{ random: seededRandom(1), isComplete: false },
  });
  const stage = new TorrentStage(content, { announcer, have, peerId });
  stage.pass(1_000);
  const [first] = stage.effectsOf("announce");
  assertEquals([first.call.request.event, first.call.request.left], ["started", 1_000_001]);
  const peers = [{ host: "10.3.0.1", port: 6881 }];
  const reply = { intervalMs: 1_800_000, minIntervalMs: undefined, complete: 1, incomplete: 0, peers };
  stage.apply({ kind: "announced", id: first.call.id, reply });
  assertEquals(stage.effectsOf("dial").map(({ endpoint }) => endpoint), peers);
  const seed = stage.joinSeed();
  seed.serve();
  const completed = stage.effectsOf("announce").filter(({ call }) => call.request.event === "completed");
  assertEquals(completed.map(({ call }) => call.request.left), [0]);
  stage.apply({ kind: "announced", id: completed[0].call.id, reply });
  stage.apply({ kind: "stop" });
  assertEquals(stage.effectsOf("announce").at(-1)!.call.request.event, "stopped");
  assertEquals(stage.effectsOf("announce").at(-1)!.call.request.downloaded, 1_000_001);
});

Deno.test("Torrent that is whole and has no visitor wakes less often, until one comes", () => {
  const stage = new TorrentStage(content, { have: Bitfield.full(content.layout.pieceCount) });
  const untilWake = () => stage.torrent.wakeAt(stage.now) - stage.now;
  stage.apply({ kind: "tick" });
  assertEquals(untilWake(), 2_000);
  stage.connect();
  assertEquals(untilWake(), 500);
  const leecher = new TorrentStage(content);
  leecher.apply({ kind: "tick" });
  assertEquals(leecher.torrent.wakeAt(leecher.now) - leecher.now, 500);
});

Deno.test("Torrent ignores inputs about connections that are gone", () => {
  const stage = new TorrentStage(content, { have: Bitfield.full(11) });
  stage.isDiskAutomatic = false;
  const peer = stage.join();
  peer.say((out) => (out.bare(MessageId.interested), out.range(MessageId.request, 0, 0, 16_384)));
  const [read] = stage.effectsOf("readBlocks");
  peer.leave();
  stage.read(read);
  const { connection } = peer;
  stage.apply({ kind: "readFailed", connection, ranges: read.ranges, lost: [], why: "" });
  stage.apply({ kind: "sent", connection, bytes: new Uint8Array(5) });
  stage.apply({ kind: "received", connection, bytes: new Uint8Array(5) });
  stage.apply({ kind: "closed", connection });
  assertEquals(stage.torrent.mayRead(connection), true);
});

Deno.test("Torrent closes a connection once, whatever else is wrong with what was read", () => {
  const stage = new TorrentStage(content, { have: Bitfield.full(11) });
  const peer = stage.join({ supportsFast: true });
  // A seed is of no use to a seed, and no message is that long.
  peer.say((out) => (out.bare(MessageId.haveAll), out.bytes(new Uint8Array(4).fill(0x7f))));
  assertEquals(stage.effectsOf("close").map(({ why }) => why), ["neither wants anything"]);
});

Deno.test("Torrent never throws whatever a peer sends: it closes that one connection", () => {
  const script = new TorrentStage(content);
  const recorder = script.joinSeed();
  const said: Uint8Array[] = [];
  const say = recorder.sayBytes.bind(recorder);
  recorder.sayBytes = (bytes) => (said.push(bytes.slice()), say(bytes));
  recorder.say((out) => {
    out.piece(MessageId.allowedFast, 3);
    out.piece(MessageId.suggest, 4);
    out.bare(MessageId.interested);
    out.range(MessageId.request, 0, 0, 16_384);
    out.range(MessageId.cancel, 0, 0, 16_384);
    out.extended(0, new TextEncoder().encode("d1:md6:ut_pexi1ee4:reqqi50ee"));
    out.range(MessageId.reject, 0, 0, 16_384);
    out.piece(MessageId.have, 5);
    out.bare(MessageId.choke);
    out.bare(MessageId.unchoke);
    out.keepAlive();
  });
  let closedCount = 0;
  for (const bytes of mutationsOf(said[0], { seed: 21, count: 2_000 })) {
    const stage = new TorrentStage(content);
    const peer = stage.join({ has: Bitfield.full(11) });
    peer.sayBytes(bytes);
    stage.pass(1_000);
    if (peer.isClosed) closedCount++;
  }
  assertGreater(closedCount, 100);
});

Deno.test("TorrentStage refuses a piece twice, so that the tests would notice", () => {
  const stage = new TorrentStage(content, { have: Bitfield.full(11) });
  assertThrows(() => stage.disk.store(piecesOf(content.layout)[0], new Uint8Array(100_000)), Error, "stored twice");
});
