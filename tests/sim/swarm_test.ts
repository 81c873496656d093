import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import { blockLength } from "../../lib/limits.ts";
import type { Message } from "../../lib/wire/message.ts";
import { seededRandom } from "../lib/mutations.ts";
import { type VirtualPeer, VirtualSwarm } from "../peer/torrent_harness.ts";
import { makeContent } from "../peer/virtual_disk.ts";

const content = makeContent({ totalLength: 30 * 8 * blockLength + 5_000, pieceLength: 8 * blockLength });
const pieceCount = content.layout.pieceCount;
const seeds = Array.from({ length: 8 }, (_, index) => index + 1);

/**
 * Watches the wire: no block is asked of two before everything is begun, and a piece only of one, unless a further one
 * has nothing else to give.
 */
class Watcher {
  /** asker -> block -> those who are asked. */
  readonly #open = new Map<VirtualPeer, Map<string, Set<VirtualPeer>>>();
  /** asker -> piece -> those who were asked for any block of it. */
  readonly #asked = new Map<VirtualPeer, Map<number, Set<VirtualPeer>>>();
  /** What was asked in this turn: looked at when the turn is over, since its messages leave peer by peer. */
  readonly #fresh: { asker: VirtualPeer; asked: VirtualPeer; piece: number; block: string; isSecond: boolean }[] = [];
  requestCount = 0;
  beforeEndCount = 0;

  constructor(swarm: VirtualSwarm) {
    swarm.tap = (from, to, message) => this.#note(from, to, message);
    swarm.onStep = () => this.#check();
  }

  #note(from: VirtualPeer, to: VirtualPeer, message: Message): void {
    if (message.kind === "request") {
      const block = `${message.piece}/${message.begin}`;
      const open = this.#openOf(from, block);
      assert(!open.has(to), `${from.name} asks ${to.name} twice for ${block}`);
      open.add(to);
      const asked = of(this.#askedOf(from), message.piece, () => new Set<VirtualPeer>());
      const isSecond = asked.size > 0 && !asked.has(to);
      asked.add(to);
      this.requestCount++;
      this.#fresh.push({ asker: from, asked: to, piece: message.piece, block, isSecond });
    } else if (message.kind === "cancel") {
      this.#openOf(from, `${message.piece}/${message.begin}`).delete(to);
    } else if (message.kind === "piece" || message.kind === "reject") {
      this.#openOf(to, `${message.piece}/${message.begin}`).delete(from);
    }
  }

  #check(): void {
    for (const { asker, asked, piece, block, isSecond } of this.#fresh) {
      const open = this.#openOf(asker, block).size;
      const untouched = Array.from({ length: pieceCount }, (_, index) => index).filter((index) =>
        !asker.options.have?.has(index) && !this.#askedOf(asker).has(index) && !isOnItsWay(asker, index)
      );
      assert(open <= 2, `${open} are asked for ${block}`);
      if (untouched.length === 0) continue;
      this.beforeEndCount++;
      assert(open <= 1, `${asker.name} has ${block} outstanding twice before the end`);
      const session = asker.torrent.peers.find(({ peerId }) => peerId === asked.peerId);
      const others = untouched.filter((index) => session?.has.has(index));
      assert(!isSecond || others.length === 0, `piece ${piece} is shared though ${asked.name} has ${others}`);
    }
    this.#fresh.length = 0;
  }

  #askedOf(asker: VirtualPeer): Map<number, Set<VirtualPeer>> {
    return of(this.#asked, asker, () => new Map<number, Set<VirtualPeer>>());
  }

  #openOf(asker: VirtualPeer, block: string): Set<VirtualPeer> {
    const blocks = of(this.#open, asker, () => new Map<string, Set<VirtualPeer>>());
    return of(blocks, block, () => new Set<VirtualPeer>());
  }
}

/** Whether a block of the piece is asked for, though the request may not be on the wire yet. */
function isOnItsWay(asker: VirtualPeer, piece: number): boolean {
  const { blocksPerPiece } = content.layout;
  return asker.torrent.peers.some(({ requests }) => {
    for (let block = 0; block < blocksPerPiece; block++) if (requests.has(piece * blocksPerPiece + block)) return true;
    return false;
  });
}

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
    assertGreater(watcher.beforeEndCount, 4 * blockCount * 0.5);
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

Deno.test("swarm: three leechers and a limited seed finish, each piece leaving the seed hardly more than once", () => {
  const swarm = new VirtualSwarm(makeContent({ totalLength: 16e6, pieceLength: 2 ** 17 }), { seed: 3 });
  const seed = swarm.seed({ uploadLimit: 2e6 });
  const leechers = [1, 2, 3].map(() => swarm.join());
  swarm.introduceAll();
  const startedAt = swarm.now;
  swarm.runUntil(() => leechers.every(({ torrent }) => torrent.isComplete), { maxMs: 60_000 });
  assertLess((swarm.now - startedAt) / 1_000, (16e6 / 2e6) * 1.3);
  assertLess(seed.sentBytes, 16e6 * 1.3);
});

for (const [leecherCount, copies] of [[4, 1.35], [20, 2]]) {
  Deno.test(`swarm: ${leecherCount} leechers get a file while their limited seed sends ${copies} copies of it at most`, () => {
    const totalLength = 32e6;
    const swarm = new VirtualSwarm(makeContent({ totalLength, pieceLength: 2 ** 17 }), { seed: leecherCount });
    const seed = swarm.seed({ uploadLimit: 4e6 });
    const leechers = Array.from({ length: leecherCount }, () => swarm.join({ uplink: 40e6 }));
    swarm.introduceAll();
    const startedAt = swarm.now;
    swarm.runUntil(() => leechers.every(({ torrent }) => torrent.isComplete), { maxMs: 120_000 });
    assertLess(seed.sentBytes / totalLength, copies);
    assertLess((swarm.now - startedAt) / 1_000, (copies * totalLength) / 4e6);
    const sentBytes = swarm.peers.reduce((sum, peer) => sum + peer.sentBytes, 0);
    assertLess(sentBytes / totalLength / leecherCount, 1.05, "too much was sent twice to the same peer");
  });
}

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
