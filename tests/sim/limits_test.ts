import { assert, assertAlmostEquals, assertEquals, assertGreater, assertLess } from "@std/assert";
import { VirtualSwarm } from "../peer/torrent_harness.ts";
import { makeContent } from "../peer/virtual_disk.ts";

const content = makeContent({ totalLength: 24e6, pieceLength: 2 ** 18 });

/** Seconds until all leechers have everything. */
function secondsToFinish(swarm: VirtualSwarm): number {
  const startedAt = swarm.now;
  swarm.runUntilAllHave({ maxMs: 600_000 });
  return (swarm.now - startedAt) / 1_000;
}

for (const limit of [500_000, 2e6, 8e6]) {
  Deno.test(`an upload limit of ${limit} bytes a second holds within 5 %`, () => {
    const swarm = new VirtualSwarm(content);
    const seed = swarm.seed({ uploadLimit: limit });
    swarm.introduce(swarm.join(), [seed]);
    const seconds = secondsToFinish(swarm);
    assertAlmostEquals(seed.sentBytes / seconds, limit, limit * 0.05);
  });

  Deno.test(`a download limit of ${limit} bytes a second holds within 5 %`, () => {
    const swarm = new VirtualSwarm(content);
    const seeds = [swarm.seed(), swarm.seed()];
    const leecher = swarm.join({ downloadLimit: limit });
    swarm.introduce(leecher, seeds);
    const seconds = secondsToFinish(swarm);
    assertAlmostEquals(leecher.torrent.stats(swarm.now).downloadedBytes / seconds, limit, limit * 0.05);
  });
}

Deno.test("an upload limit is shared by the peers, evenly", () => {
  const swarm = new VirtualSwarm(content);
  const seed = swarm.seed({ uploadLimit: 4e6 });
  const leechers = [1, 2, 3, 4].map(() => swarm.join({ uploadLimit: 1 }));
  swarm.introduce(seed, leechers);
  swarm.runFor(10_000);
  const received = leechers.map((leecher) => leecher.torrent.stats(swarm.now).downloadedBytes);
  for (const bytes of received) assertAlmostEquals(bytes, 10e6, 1e6, `received ${received}`);
});

Deno.test("an upload limit that is high is shared evenly too, with who came first", () => {
  const swarm = new VirtualSwarm(makeContent({ totalLength: 64e6, pieceLength: 2 ** 18 }));
  const seed = swarm.seed({ uploadLimit: 20e6 });
  const leechers = Array.from({ length: 4 }, () => {
    const leecher = swarm.join({ uploadLimit: 1 });
    swarm.introduce(leecher, [seed]);
    swarm.runFor(20);
    return leecher;
  });
  const downloaded = () => leechers.map((leecher) => leecher.torrent.stats(swarm.now).downloadedBytes);
  const before = downloaded();
  swarm.runFor(2_000);
  const received = downloaded().map((bytes, index) => bytes - before[index]);
  for (const bytes of received) assertAlmostEquals(bytes, 10e6, 0.5e6, `received ${received}`);
});

Deno.test("a download limit is spent on all peers alike", () => {
  const swarm = new VirtualSwarm(content);
  const seeds = [swarm.seed(), swarm.seed(), swarm.seed()];
  swarm.introduce(swarm.join({ downloadLimit: 3e6 }), seeds);
  swarm.runFor(6_000);
  for (const seed of seeds) assertAlmostEquals(seed.sentBytes, 6e6, 1e6, `${seeds.map(({ sentBytes }) => sentBytes)}`);
});

Deno.test("an upload limit holds in every second, not only on average", () => {
  const swarm = new VirtualSwarm(content);
  const seed = swarm.seed({ uploadLimit: 2e6 });
  const leechers = [1, 2, 3].map(() => swarm.join());
  swarm.introduce(seed, leechers);
  swarm.runFor(1_000);
  for (let second = 0; second < 8; second++) {
    const before = seed.sentBytes;
    swarm.runFor(1_000);
    assertAlmostEquals(seed.sentBytes - before, 2e6, 2e6 * 0.05);
  }
});

Deno.test("a download limit is not wasted where a peer chokes what was asked for", () => {
  const swarm = new VirtualSwarm(content);
  const seed = swarm.seed();
  const leecher = swarm.join({ downloadLimit: 2e6 });
  swarm.introduce(leecher, [seed]);
  swarm.runFor(2_000);
  swarm.cut(leecher, [...leecher.pipes.keys()][0]);
  swarm.introduce(leecher, [swarm.seed()]);
  const before = leecher.torrent.stats(swarm.now).downloadedBytes;
  swarm.runFor(4_000);
  assertGreater(leecher.torrent.stats(swarm.now).downloadedBytes - before, 4 * 2e6 * 0.9);
});

Deno.test("a receiver that stops reading holds up its own bytes only, and memory stays bounded", () => {
  const swarm = new VirtualSwarm(content);
  const seed = swarm.seed({ uplink: 50e6 });
  const hanging = swarm.join();
  const healthy = swarm.join();
  swarm.introduce(seed, [hanging, healthy]);
  swarm.runFor(20);
  hanging.isFrozen = true;
  let waiting = 0;
  swarm.onStep = () => {
    waiting = Math.max(waiting, ...seed.torrent.peers.map(({ outboxBytes }) => outboxBytes));
  };
  swarm.runUntil(() => healthy.torrent.isComplete, { maxMs: 5_000 });
  assertLess(waiting, 2 * 2 ** 20);
  hanging.isFrozen = false;
  swarm.runUntil(() => hanging.torrent.isComplete, { maxMs: 30_000 });
});

Deno.test("500 leechers on one seed are all served, and what waits for them stays bounded", () => {
  const swarm = new VirtualSwarm(makeContent({ totalLength: 2 ** 21, pieceLength: 2 ** 18 }));
  const seed = swarm.seed({ uplink: 300e6 });
  const leechers = Array.from({ length: 500 }, () => swarm.join());
  for (const leecher of leechers) swarm.introduce(leecher, [seed]);
  let mostWaiting = 0;
  let steps = 0;
  swarm.onStep = (peer) => {
    if (peer !== seed || steps++ % 50 !== 0) return;
    mostWaiting = Math.max(mostWaiting, seed.torrent.peers.reduce((sum, { outboxBytes }) => sum + outboxBytes, 0));
  };
  const startedAt = swarm.now;
  swarm.runUntil(() => leechers.every(({ torrent }) => torrent.isComplete), { maxMs: 120_000 });
  const seconds = (swarm.now - startedAt) / 1_000;
  assertLess(seconds, ((500 * 2 ** 21) / 300e6) * 2 + 2);
  assertLess(mostWaiting, 128 * 2 ** 20);
  assertEquals(seed.eventsOf("peerBanned"), []);
  assert(seed.sentBytes < 500 * 2 ** 21 * 1.02, `${seed.sentBytes} bytes were sent`);
});
