import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import { requestersPerBlockMax } from "../../lib/limits/transfer.ts";
import { blockLength } from "../../lib/limits/wire.ts";
import { seededRandom } from "../lib/mutations.ts";
import { type VirtualPeer, VirtualSwarm } from "../peer/torrent_harness.ts";
import { makeContent } from "../peer/virtual_disk.ts";

const content = makeContent({ totalLength: 30 * 8 * blockLength + 5_000, pieceLength: 8 * blockLength });
const pieceCount = content.layout.pieceCount;
const seeds = Array.from({ length: 8 }, (_, index) => index + 1);

/**
 * Watches what is asked: no block of two before everything is begun, and a piece only of one peer, unless a further one
 * has nothing else to give.
 */
class Watcher {
  /** asker -> piece -> those who were asked for any block of it. */
  readonly #asked = new Map<VirtualPeer, Map<number, Set<VirtualPeer>>>();
  readonly #swarm: VirtualSwarm;
  requestCount = 0;
  /** Pieces that somebody was asked for before everything was begun. */
  beforeEndCount = 0;

  constructor(swarm: VirtualSwarm) {
    this.#swarm = swarm;
    swarm.tap = (_from, _to, message) => void (this.requestCount += message.kind === "request" ? 1 : 0);
    swarm.onStep = (asker) => {
      const news = this.#noteNews(asker);
      const pieces = this.#askedOf(asker);
      const untouched = pieceIndexes.filter((piece) => !asker.options.have?.has(piece) && !pieces.has(piece));
      this.#checkBlocks(asker, { most: untouched.length > 0 ? 1 : requestersPerBlockMax });
      if (untouched.length === 0) return;
      this.beforeEndCount += news.length;
      for (const piece of new Set(news.map(({ piece }) => piece))) this.#checkSharing(piece, asker, news, untouched);
    };
  }

  /** Who is asked for a piece since the last step, and was not before. */
  #noteNews(asker: VirtualPeer): { piece: number; asked: VirtualPeer }[] {
    const news: { piece: number; asked: VirtualPeer }[] = [];
    for (const session of asker.torrent.peers) {
      const asked = this.#swarm.peers.find(({ peerId }) => peerId === session.peerId)!;
      for (const piece of pieceIndexes) {
        if (!blocksOf(piece).some((key) => session.requests.has(key))) continue;
        const askedBefore = of(this.#askedOf(asker), piece, () => new Set<VirtualPeer>());
        if (!askedBefore.has(asked)) news.push({ piece, asked });
        askedBefore.add(asked);
      }
    }
    return news;
  }

  #checkBlocks(asker: VirtualPeer, { most }: { most: number }): void {
    for (const key of pieceIndexes.flatMap(blocksOf)) {
      const count = asker.torrent.peers.filter(({ requests }) => requests.has(key)).length;
      assert(count <= most, `${asker.name} asks ${count} for block ${key}`);
    }
  }

  /** Of several that are asked for a piece one may have others to give: who began it. */
  #checkSharing(
    piece: number,
    asker: VirtualPeer,
    news: readonly { piece: number; asked: VirtualPeer }[],
    untouched: readonly number[],
  ): void {
    const fresh = news.filter((one) => one.piece === piece);
    const withOthers = fresh.filter(({ asked }) => {
      const session = asker.torrent.peers.find(({ peerId }) => peerId === asked.peerId);
      return untouched.some((index) => session?.has.has(index));
    });
    const isBegun = this.#askedOf(asker).get(piece)!.size > fresh.length;
    const names = withOthers.map(({ asked }) => asked.name);
    assert(names.length <= (isBegun ? 0 : 1), `piece ${piece} is shared though ${names} have others`);
  }

  #askedOf(asker: VirtualPeer): Map<number, Set<VirtualPeer>> {
    return of(this.#asked, asker, () => new Map<number, Set<VirtualPeer>>());
  }
}

const pieceIndexes = Array.from({ length: pieceCount }, (_, index) => index);
const blocksOf = (piece: number) =>
  Array.from({ length: content.layout.blocksPerPiece }, (_, block) => piece * content.layout.blocksPerPiece + block);

function of<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) map.set(key, value = make());
  return value;
}

for (const seed of seeds) {
  Deno.test(`swarm ${seed}: no block is outstanding twice before the end, and a piece is one peer's`, () => {
    const swarm = new VirtualSwarm(content, { seed, latencyMs: seed % 2 === 0 ? 0.1 : 5, readBytesMax: 50_000 });
    const watcher = new Watcher(swarm);
    for (let count = 0; count < 2; count++) swarm.seed({ uplink: 2e6 });
    for (let count = 0; count < 4; count++) swarm.join({ uplink: 3e6 });
    swarm.introduceAll();
    swarm.runUntilAllHave({ maxMs: 60_000 });
    const blockCount = Math.ceil(content.layout.totalLength / blockLength);
    assertGreater(watcher.beforeEndCount, 4 * pieceCount * 0.5);
    // Most of this small torrent is in flight when its end begins; that much may be asked for twice.
    assertLess(watcher.requestCount, 4 * blockCount * 1.7);
  });
}

for (const seed of seeds) {
  Deno.test(`swarm ${seed}: a liar is banned by all, no honest peer is, and everybody finishes`, () => {
    const swarm = new VirtualSwarm(content, { seed });
    const random = seededRandom(seed);
    const liar = swarm.seed({ uplink: 4e6, spoils: () => random() < 0.05 });
    const honest = [swarm.seed({ uplink: 2e6 }), ...[1, 2, 3].map(() => swarm.join({ uplink: 2e6 }))];
    swarm.introduceAll();
    swarm.runUntil(() => honest.every(({ torrent }) => torrent.isComplete), { maxMs: 120_000 });
    const banned = honest.flatMap((peer) => peer.eventsOf("peerBanned").map(({ endpoint }) => endpoint.host));
    assertEquals([...new Set(banned)], [liar.endpoint.host]);
    assertEquals(liar.eventsOf("peerBanned"), []);
  });
}

for (const seed of seeds) {
  Deno.test(`swarm ${seed}: everybody finishes though peers hang, leave and break off`, () => {
    const swarm = new VirtualSwarm(content, { seed, readBytesMax: 30_000 });
    const random = seededRandom(100 + seed);
    const keeper = swarm.seed({ uplink: 1e6 });
    const hanging = swarm.seed({ uplink: 1e6 });
    const leaving = swarm.seed({ uplink: 1e6 });
    const leechers = [1, 2, 3].map(() => swarm.join({ uplink: 1e6 }));
    swarm.introduceAll();
    swarm.runFor(500);
    hanging.isFrozen = true;
    swarm.runFor(500);
    swarm.leave(leaving);
    for (let breaks = 0; breaks < 10; breaks++) {
      const peer = leechers[Math.floor(random() * 3)];
      const [connection] = peer.pipes.keys();
      if (connection !== undefined) swarm.cut(peer, connection);
      swarm.runFor(200 + random() * 1_000);
    }
    swarm.runUntil(() => leechers.every(({ torrent }) => torrent.isComplete), { maxMs: 300_000 });
    assertEquals(keeper.eventsOf("peerBanned"), []);
    assert(leechers.every((peer) => peer.eventsOf("peerBanned").length === 0));
  });
}

for (
  const { leecherCount, copies, apartMs = 0 } of [
    { leecherCount: 3, copies: 1.01 },
    { leecherCount: 4, copies: 1.01 },
    { leecherCount: 8, copies: 1.02 },
    { leecherCount: 8, copies: 1.05, apartMs: 300 },
    { leecherCount: 20, copies: 1.05 },
  ]
) {
  const what = `${leecherCount} leechers, ${apartMs} ms apart,`;
  Deno.test(`swarm: ${what} get a file while their limited seed sends ${copies} copies of it at most`, () => {
    const totalLength = 32e6;
    const swarm = new VirtualSwarm(makeContent({ totalLength, pieceLength: 2 ** 17 }), { seed: leecherCount });
    const seed = swarm.seed({ uploadLimit: 4e6 });
    const startedAt = swarm.now;
    for (let count = 0; count < leecherCount; count++) {
      const others = [...swarm.peers];
      swarm.introduce(swarm.join({ uplink: 40e6 }), others);
      swarm.runFor(apartMs);
    }
    swarm.runUntilAllHave({ maxMs: 120_000 });
    assertLess(seed.sentBytes / totalLength, copies);
    const boundMs = (totalLength / 4e6) * 1_000;
    assertLess((swarm.now - startedAt) / boundMs, copies, "times the lower bound");
    const sentBytes = swarm.peers.reduce((sum, peer) => sum + peer.sentBytes, 0);
    assertLess(sentBytes / totalLength / leecherCount, 1.05, "too much was sent twice to the same peer");
  });
}

Deno.test("swarm: where every link is as slow as the seed's, eight leechers take less than 1.45 times as long as one", () => {
  const totalLength = 32e6;
  const swarm = new VirtualSwarm(makeContent({ totalLength, pieceLength: 2 ** 17 }), { seed: 4 });
  swarm.seed({ uplink: 4e6 });
  for (let count = 0; count < 8; count++) swarm.join({ uplink: 4e6 });
  swarm.introduceAll();
  const startedAt = swarm.now;
  swarm.runUntilAllHave({ maxMs: 120_000 });
  assertLess((swarm.now - startedAt) / 1_000, (totalLength / 4e6) * 1.45);
});

Deno.test("swarm: who joins late does not stall, though the limited seed has given everything once", () => {
  const totalLength = 16e6;
  const swarm = new VirtualSwarm(makeContent({ totalLength, pieceLength: 2 ** 17 }), { seed: 6 });
  const seed = swarm.seed({ uploadLimit: 2e6 });
  const [first, second] = [swarm.join({ uplink: 20e6 }), swarm.join({ uplink: 20e6 })];
  swarm.introduceAll();
  swarm.runFor(7_000);
  const late = swarm.join();
  swarm.introduce(late, [seed, first, second]);
  swarm.runUntil(() => late.torrent.isComplete, { maxMs: 2_000 });
});

Deno.test("swarm: who cannot reach the others gets everything of a limited seed that they keep busy", () => {
  const totalLength = 16e6;
  const swarm = new VirtualSwarm(makeContent({ totalLength, pieceLength: 2 ** 17 }), { seed: 7 });
  const seed = swarm.seed({ uploadLimit: 2e6 });
  const together = [swarm.join(), swarm.join()];
  const alone = swarm.join();
  swarm.introduce(seed, [...together, alone]);
  swarm.introduce(together[0], [together[1]]);
  swarm.runUntilAllHave({ maxMs: (totalLength / 2e6) * 1_000 * 2.1 });
});

Deno.test("swarm: five seeders that each hold some pieces make a downloader whole, as in the class project", () => {
  const swarm = new VirtualSwarm(content, { seed: 5 });
  const random = seededRandom(5);
  const parts = Array.from({ length: 5 }, () => Bitfield.empty(pieceCount));
  for (let piece = 0; piece < pieceCount; piece++) {
    parts[piece % 5].set(piece);
    parts[Math.floor(random() * 5)].set(piece);
  }
  const seeders = parts.map((have) => swarm.join({ have, isSeedOnly: true, uplink: 1e6 }));
  const leecher = swarm.join();
  swarm.introduce(leecher, seeders);
  swarm.runUntil(() => leecher.torrent.isComplete);
  for (const seeder of seeders) assertGreater(seeder.sentBytes, content.layout.totalLength / 20);
});

Deno.test("swarm: a slow source does not hold up the end", () => {
  const swarm = new VirtualSwarm(content, { seed: 8 });
  const fast = swarm.seed({ uplink: 4e6 });
  const slow = swarm.seed({ uplink: 20_000 });
  const leecher = swarm.join();
  swarm.introduce(leecher, [fast, slow]);
  const startedAt = swarm.now;
  swarm.runUntil(() => leecher.torrent.isComplete);
  const idealMs = (content.layout.totalLength / 4e6) * 1_000;
  assertLess(swarm.now - startedAt, 2 * idealMs + 1_000);
});

Deno.test("swarm: the same seed gives the same run", () => {
  const run = () => {
    const swarm = new VirtualSwarm(content, { seed: 77, readBytesMax: 9_999 });
    swarm.seed({ uplink: 1e6 });
    for (let count = 0; count < 3; count++) swarm.join({ uplink: 1e6 });
    swarm.introduceAll();
    swarm.runUntilAllHave();
    return [swarm.now, ...swarm.peers.map(({ sentBytes }) => sentBytes)];
  };
  assertEquals(run(), run());
});
