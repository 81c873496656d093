import { assert, assertEquals } from "@std/assert";
import { bytesFromLatin1 } from "../../lib/bytes.ts";
import { encodeCompact } from "../../lib/endpoint.ts";
import { parseInfoHash } from "../../lib/ids.ts";
import { Dice } from "../../tracker/dice.ts";
import { addressKey, peerFlag, PeerTable } from "../../tracker/peer_table.ts";
import type { Slot } from "../../tracker/peer_index.ts";
import { Swarm } from "../../tracker/swarm.ts";
import { seededRandom } from "../lib/mutations.ts";

const peerId = bytesFromLatin1("-XX0000-abcdefghijkl");

/** A swarm with so many seeds and downloaders, and the slots of each. */
function makeSwarm(seedCount: number, leecherCount: number) {
  const table = new PeerTable(seededRandom(1));
  const swarm = new Swarm(parseInfoHash("ab".repeat(20))!, 0, table);
  const add = (host: string, port: number, flags: number): Slot => {
    const slot = table.insert({ swarmNumber: 0, endpoint: encodeCompact({ host, port }), peerId, flags, now: 0 });
    swarm.add(slot);
    return slot;
  };
  const seeds = Array.from({ length: seedCount }, (_, i) => add(`10.1.${i >> 8}.${i & 255}`, 1, peerFlag.isSeed));
  const leechers = Array.from({ length: leecherCount }, (_, i) => add(`10.2.${i >> 8}.${i & 255}`, 1, 0));
  return { table, swarm, add, seeds, leechers };
}

function sample(swarm: Swarm, count: number, forSeed = false, dice = new Dice(count / 1000)): Slot[] {
  const picked = new Int32Array(count);
  const length = swarm.sample(count, { forSeed, dice, picked });
  return Array.from(
    picked.subarray(0, length),
    (place) => place < 0 ? swarm.seeds.slotAt(~place) : swarm.leechers.slotAt(place),
  );
}

const sorted = (slots: readonly Slot[]) => slots.toSorted((a, b) => a - b);

Deno.test("Swarm counts seeds and downloaders through changes", () => {
  const { swarm, seeds, leechers } = makeSwarm(2, 3);
  assertEquals([swarm.complete, swarm.incomplete], [2, 3]);
  swarm.setSeed(leechers[0], true);
  assertEquals([swarm.complete, swarm.incomplete], [3, 2]);
  swarm.setSeed(seeds[0], false);
  swarm.remove(seeds[1]);
  assertEquals([swarm.complete, swarm.incomplete, swarm.peerCount], [1, 3, 4]);
  assertEquals(sorted(sample(swarm, 10)), sorted([leechers[0], seeds[0], leechers[1], leechers[2]]));
});

Deno.test("Swarm.sample() gives everybody when there are few", () => {
  const { swarm, seeds, leechers } = makeSwarm(3, 4);
  assertEquals(sorted(sample(swarm, 7)), sorted([...seeds, ...leechers]));
});

Deno.test("Swarm.sample() gives a seed no seeds", () => {
  const { swarm, leechers } = makeSwarm(3, 4);
  assertEquals(sorted(sample(swarm, 7, true)), sorted(leechers));
});

Deno.test("Swarm.sample() never gives one peer twice", () => {
  const { swarm } = makeSwarm(30, 70);
  const dice = new Dice(0.5);
  for (let i = 0; i < 200; i++) assertEquals(new Set(sample(swarm, 1 + i % 99, false, dice)).size, 1 + i % 99);
});

Deno.test("Swarm.sample() gives every peer its turn, about equally", () => {
  const { swarm, leechers } = makeSwarm(0, 50);
  const dice = new Dice(0.7);
  const counts = new Map<Slot, number>();
  for (let i = 0; i < 2000; i++) {
    for (const slot of sample(swarm, 5, false, dice)) counts.set(slot, (counts.get(slot) ?? 0) + 1);
  }
  // 200 are expected of each; five standard deviations are 67.
  for (const slot of leechers) assert(Math.abs((counts.get(slot) ?? 0) - 200) < 67, String(counts.get(slot)));
});

Deno.test("Swarm.sample() gives every peer of a large swarm its turn, and none twice", () => {
  const { swarm } = makeSwarm(0, 10_000);
  const dice = new Dice(0.3);
  const counts = new Array<number>(10_000).fill(0);
  for (let i = 0; i < 10_000; i++) {
    const slots = sample(swarm, 50, false, dice);
    assertEquals(new Set(slots).size, 50);
    for (const slot of slots) counts[slot]++;
  }
  // 50 are expected of each; six standard deviations are 42.
  for (const count of counts) assert(Math.abs(count - 50) < 42, String(count));
});

Deno.test("Swarm.sample() gives some of each kind, in proportion", () => {
  const seedsAmong = (seeds: number, leechers: number, count: number) => {
    const { swarm, table } = makeSwarm(seeds, leechers);
    return sample(swarm, count).filter((slot) => (table.flagsOf(slot) & peerFlag.isSeed) !== 0).length;
  };
  assertEquals(seedsAmong(50, 50, 10), 5);
  assertEquals(seedsAmong(1, 1000, 10), 1);
  assertEquals(seedsAmong(1000, 1, 10), 9);
  assertEquals(seedsAmong(1000, 0, 10), 10);
  assertEquals(seedsAmong(10, 3, 12), 9);
});

Deno.test("Swarm.boundFor() bounds the peers of one address, but not those of loopback", () => {
  const { swarm, add } = makeSwarm(0, 0);
  const key = (host: string) => addressKey(encodeCompact({ host, port: 1 }));
  const slots = Array.from({ length: 32 }, (_, i) => add("10.9.9.9", 1 + i, 0));
  assertEquals(swarm.boundFor(key("10.9.9.9")), "addressInSwarm");
  assertEquals(swarm.boundFor(key("10.9.9.8")), undefined);
  swarm.remove(slots[0]);
  assertEquals(swarm.boundFor(key("10.9.9.9")), undefined);
  add("10.9.9.9", 1, 0);
  assertEquals(swarm.boundFor(key("10.9.9.9")), "addressInSwarm");
  for (let i = 0; i < 300; i++) add("127.0.0.1", 1 + i, peerFlag.isLoopback);
  assertEquals(swarm.boundFor(key("127.0.0.1")), undefined);
});

Deno.test("Swarm.boundFor() bounds the peers of one network of IPv6 together, whatever addresses they take in it", () => {
  const { swarm, add } = makeSwarm(0, 0);
  const key = (host: string) => addressKey(encodeCompact({ host, port: 1 }));
  for (let i = 0; i < 512; i++) add(`fd00::${(i + 1).toString(16)}`, 1, peerFlag.isIpv6);
  assertEquals(swarm.boundFor(key("fd00::ffff")), "addressInSwarm");
  assertEquals(swarm.boundFor(key("fd00:0:0:1::1")), undefined);
});
