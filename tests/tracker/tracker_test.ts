import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { TrackerFailure } from "../../lib/announce/request.ts";
import { latin1FromBytes } from "../../lib/bytes.ts";
import { type InfoHash, parseInfoHash } from "../../lib/ids.ts";
import { seededRandom } from "../lib/mutations.ts";
import { endpointsOf, infoHash, otherHash, Room } from "./tracker_room.ts";

Deno.test("Tracker.announce() tells peers of each other, never of themselves", () => {
  const room = new Room();
  assertEquals(room.told("10.0.0.2", 6881), []);
  assertEquals(room.told("10.0.0.3", 6881), ["10.0.0.2:6881"]);
  assertEquals(room.told("10.0.0.2", 6881), ["10.0.0.3:6881"]);
});

Deno.test("Tracker.announce() keeps swarms apart", () => {
  const room = new Room();
  room.announce("10.0.0.2", 6881);
  assertEquals(room.told("10.0.0.3", 6881, { infoHash: otherHash }), []);
});

Deno.test("Tracker.announce() does not tell a client of its own entry under another address", () => {
  const room = new Room();
  room.announce("10.0.0.2", 6881, { id: "both families" });
  assertEquals(room.told("fd00::2", 6881, { id: "both families" }), []);
  assertEquals(room.told("fd00::3", 6881), ["10.0.0.2:6881", "[fd00::2]:6881"]);
});

Deno.test("Tracker.announce() counts seeds and downloaders, the asker among them", () => {
  const room = new Room();
  room.announce("10.0.0.2", 6881, { left: 0 });
  const { complete, incomplete } = room.announce("10.0.0.3", 6881);
  assertEquals([complete, incomplete], [1, 1]);
});

Deno.test("Tracker.announce() tells a seed of downloaders only", () => {
  const room = new Room();
  room.announce("10.0.0.2", 6881, { left: 0 });
  room.announce("10.0.0.3", 6881);
  assertEquals(room.told("10.0.0.4", 6881, { left: 0 }), ["10.0.0.3:6881"]);
});

Deno.test("Tracker.announce() tells of no more peers than are wanted", () => {
  const room = new Room();
  for (let i = 2; i < 250; i++) room.announce(`10.0.0.${i}`, 6881);
  assertEquals(room.told("10.0.1.1", 6881, { numWant: 7 }).length, 7);
  assertEquals(room.told("10.0.1.1", 6881, { numWant: 0 }).length, 0);
  assertEquals(new Set(room.told("10.0.1.1", 6881, { numWant: 200 })).size, 200);
  assertEquals(room.told("10.0.1.1", 6881, { numWant: 9999 }).length, 200);
});

Deno.test("Tracker.announce() takes a peer off the list that stops", () => {
  const room = new Room();
  room.announce("10.0.0.2", 6881);
  const { complete, incomplete, peers } = room.announce("10.0.0.2", 6881, { event: "stopped" });
  assertEquals([complete, incomplete, peers.length], [0, 0, 0]);
  assertEquals(room.told("10.0.0.3", 6881), []);
  assertEquals(room.tracker.stats.peers, 1);
});

Deno.test("Tracker.announce() makes no swarm for a peer that stops where it never was", () => {
  const room = new Room();
  room.announce("10.0.0.2", 6881, { event: "stopped" });
  assertEquals(room.tracker.stats.swarms, 0);
});

Deno.test("Tracker.announce() lets nobody stop a peer at another address", () => {
  const room = new Room();
  room.announce("10.0.0.2", 6881, { id: "victim" });
  room.announce("10.0.0.3", 6881, { id: "victim", event: "stopped" });
  assertEquals(room.told("10.0.0.4", 6881), ["10.0.0.2:6881"]);
});

Deno.test("Tracker.announce() makes a downloader a seed and counts its download once", () => {
  const room = new Room();
  room.announce("10.0.0.2", 6881, { event: "started" });
  for (let i = 0; i < 3; i++) room.announce("10.0.0.2", 6881, { event: "completed", left: 0 });
  assertEquals(room.tracker.scrape([infoHash]), [{ infoHash, complete: 1, incomplete: 0, downloaded: 1 }]);
  room.announce("10.0.0.3", 6881, { event: "started", left: 0 });
  assertEquals(room.tracker.scrape([infoHash])[0].downloaded, 1);
});

Deno.test("Tracker.announce() takes the address from the socket and unwraps IPv4 in IPv6", () => {
  const room = new Room();
  room.announce("::ffff:10.0.0.2", 6881);
  assertEquals(room.told("10.0.0.3", 6881), ["10.0.0.2:6881"]);
  const { externalIp } = room.announce("::ffff:10.0.0.2", 6881);
  assertEquals(externalIp, Uint8Array.of(10, 0, 0, 2));
});

Deno.test("Tracker.announce() hands out peer ids beside the addresses for compact=0", () => {
  const room = new Room();
  room.announce("fd00::2", 6881, { id: "B" });
  room.announce("10.0.0.2", 6881, { id: "A" });
  const { peers, peers6, peerIds } = room.announce("10.0.0.3", 6881, { compact: false });
  assertEquals([peers.length, peers6.length], [6, 18]);
  assertEquals(latin1FromBytes(peerIds), `${"A".padEnd(20, "-")}${"B".padEnd(20, "-")}`);
});

Deno.test("Tracker.announce() asks to be asked again within an interval and a tenth", () => {
  const room = new Room();
  for (let i = 2; i < 100; i++) {
    const { intervalMs, minIntervalMs } = room.announce(`10.0.0.${i}`, 6881);
    assert(intervalMs >= 60_000 && intervalMs <= 66_000, String(intervalMs));
    assertEquals(minIntervalMs, 10_000);
  }
});

Deno.test("Tracker.announce() tracks only the torrents that are allowed", () => {
  const room = new Room({ allow: new Set<InfoHash>([infoHash]) });
  room.announce("10.0.0.2", 6881);
  const error = assertThrows(() => room.announce("10.0.0.2", 6881, { infoHash: otherHash }), TrackerFailure);
  assertEquals((error as TrackerFailure).retryInMs, Infinity);
  assertEquals([room.tracker.stats.swarms, room.tracker.refused.notTracked], [1, 1]);
});

Deno.test("Tracker.announce() answers a flood of made-up ports without listing it", () => {
  const room = new Room();
  for (let port = 1; port <= 1000; port++) room.announce("10.0.0.66", port, { numWant: 0 });
  const { peers } = room.announce("10.0.0.66", 5000, { numWant: 50 });
  assertEquals(peers.length, 32 * 6);
  assertEquals(room.tracker.stats.peers, 32);
  room.announce("10.0.0.2", 6881);
  assertEquals(room.tracker.stats.peers, 33);
});

function hashOf(number: number): InfoHash {
  return parseInfoHash(number.toString(16).padStart(40, "0"))!;
}

Deno.test("Tracker.announce() lets one address fill neither its table nor its list of swarms", () => {
  const room = new Room();
  for (let i = 0; i < 5_100; i++) {
    room.announce("10.0.0.66", 1, { infoHash: hashOf(i), numWant: 0 });
  }
  assertEquals([room.tracker.stats.peers, room.tracker.stats.swarms], [4_000, 4_000]);
  assertEquals(room.tracker.refused.addressInTracker, 1_100);
});

Deno.test("Tracker.announce() lets one network of IPv6 fill it with no more addresses than are bounded together", () => {
  const room = new Room();
  for (let i = 0; i < 33_000; i++) {
    room.announce(`fd00::${(1 + i).toString(16)}`, 1, { infoHash: hashOf(i % 80), numWant: 0 });
  }
  assertEquals(room.tracker.stats.peers, 32_000);
  assertEquals(room.told("fd00:0:0:1::1", 1, { infoHash: hashOf(0), numWant: 1 }).length, 1);
  assertEquals(room.tracker.stats.peers, 32_001);
});

Deno.test("Tracker.announce() that is full takes the place of a newcomer from an address that has many", () => {
  const room = new Room({ peersMax: 2_000 });
  for (let i = 0; i < 2_100; i++) room.announce(`10.0.1.${i % 20}`, 1, { infoHash: hashOf(i), numWant: 0 });
  for (let host = 2; host < 32; host++) room.announce(`10.0.0.${host}`, 6881);
  assertEquals(room.tracker.stats.peers, 2_000);
  assertEquals(room.tracker.scrape([infoHash])[0].incomplete, 30, "every honest one is listed");
  assertEquals(room.told("10.0.0.99", 6881).length, 30);
  const { trackerFull, madeRoom } = room.tracker.refused;
  assert(madeRoom >= 30 && trackerFull > 0, `${madeRoom} ${trackerFull}`);
});

Deno.test("Tracker.announce() with all its swarms taken has one for a newcomer, but none for who took them", () => {
  const room = new Room();
  for (let i = 0; i < 65_536; i++) room.announce(`10.0.${i % 40}.66`, 1, { infoHash: hashOf(i), numWant: 0 });
  assertThrows(() => room.announce("10.0.39.66", 1, { infoHash: hashOf(99_999) }), TrackerFailure, "full");
  assertEquals(room.tracker.refused.tooManySwarms, 1);
  room.announce("10.1.0.2", 6881);
  assertEquals(room.told("10.1.0.3", 6881), ["10.1.0.2:6881"]);
  assertEquals(room.tracker.stats.swarms, 65_536);
  const { peers, seeds, leechers } = room.tracker.stats;
  assertEquals([peers, seeds, leechers], [65_537, 0, 65_537]);
});

Deno.test("Tracker.sweep() forgets peers that are silent for two and a half intervals, and their swarm", () => {
  const room = new Room({ intervalMs: 400_000 });
  room.announce("10.0.0.2", 6881, { left: 0 });
  room.now = 600_000;
  room.announce("10.0.0.3", 6881);
  room.now = 999_999;
  room.sweep();
  assertEquals(room.tracker.stats.peers, 2);
  room.now = 1_000_000;
  room.sweep();
  assertEquals(room.told("10.0.0.4", 6881), ["10.0.0.3:6881"]);
  const { seeds, leechers, peersExpired } = room.tracker.stats;
  assertEquals([seeds, leechers, peersExpired], [0, 2, 1]);
  room.now = 9_000_000;
  room.sweep();
  assertEquals([room.tracker.stats.peers, room.tracker.stats.swarms], [0, 0]);
});

Deno.test("Tracker.sweep() gives libtorrent, which announces every 300 s at most, the time it takes", () => {
  const room = new Room({ intervalMs: 60_000 });
  room.announce("10.0.0.2", 6881);
  room.now = 390_000;
  room.sweep();
  assertEquals(room.tracker.stats.peers, 1);
});

Deno.test("Tracker.sweep() keeps a peer that announces", () => {
  const room = new Room({ lifetimeMs: 1000 });
  for (; room.now < 5000; room.now += 900) {
    room.announce("10.0.0.2", 6881);
    room.sweep();
  }
  assertEquals(room.tracker.stats.peersExpired, 0);
});

Deno.test("Tracker.sweep() looks at no more slots than it may, and at all of them in turn", () => {
  const room = new Room({ lifetimeMs: 1000 });
  for (let i = 0; i < 100; i++) room.announce(`10.0.0.${i}`, 6881);
  room.now = 1000;
  const counts = Array.from({ length: 5 }, () => {
    const isAround = room.tracker.sweep(room.now, 30);
    return [room.tracker.stats.peers, isAround];
  });
  assertEquals(counts, [[70, false], [40, false], [10, false], [0, true], [0, false]]);
});

Deno.test("Tracker.scrape() counts the swarms that are known and leaves out others", () => {
  const room = new Room();
  room.announce("10.0.0.2", 6881);
  assertEquals(room.tracker.scrape([otherHash, infoHash]), [{ infoHash, complete: 0, incomplete: 1, downloaded: 0 }]);
});

Deno.test("Tracker holds its counts through a long random life", () => {
  const random = seededRandom(12);
  const room = new Room({ lifetimeMs: 500, random });
  const below = (limit: number) => Math.floor(random() * limit);
  for (let i = 0; i < 20_000; i++) {
    room.now += below(3);
    const host = below(4) === 0 ? "127.0.0.1" : below(2) === 0 ? `10.0.0.${below(30)}` : `fd00::${below(30)}`;
    const event = ([undefined, "started", "completed", "stopped"] as const)[below(4)];
    const hash = parseInfoHash(below(5).toString().repeat(40))!;
    const answer = room.announce(host, 1 + below(20), { infoHash: hash, event, left: below(2), numWant: below(60) });
    assertEquals(new Set(endpointsOf(answer)).size, endpointsOf(answer).length);
    if (i % 10 === 0) room.tracker.sweep(room.now, 50);
  }
  const { seeds, leechers, peers } = room.tracker.stats;
  const counts = room.tracker.scrape([0, 1, 2, 3, 4].map((digit) => parseInfoHash(String(digit).repeat(40))!));
  assertEquals(counts.reduce((sum, { complete }) => sum + complete, 0), seeds);
  assertEquals(counts.reduce((sum, { incomplete }) => sum + incomplete, 0), leechers);
  assertEquals(seeds + leechers, peers);
  assertFalse(peers === 0);
});
