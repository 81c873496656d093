import { assert, assertEquals, assertFalse } from "@std/assert";
import type { AnnounceReply, AnnounceRequest } from "../../lib/announce/request.ts";
import {
  decodeAnnounceReply,
  decodeConnectReply,
  decodeScrapeReply,
  udpReplyLengthMax,
} from "../../lib/announce/udp_reply.ts";
import {
  encodeAnnounceRequest,
  encodeConnectRequest,
  encodeScrapeRequest,
  udpAction,
} from "../../lib/announce/udp_request.ts";
import { type Bytes, bytesFromLatin1, concatBytes, readUint32 } from "../../lib/bytes.ts";
import { formatEndpoint } from "../../lib/endpoint.ts";
import { type InfoHash, parseInfoHash, peerIdFromBytes } from "../../lib/ids.ts";
import { hostFacing } from "../../lib/local_addresses.ts";
import { Tracker, type TrackerOptions } from "../../tracker/tracker.ts";
import { UdpTracker } from "../../tracker/udp_tracker.ts";
import { mutationsOf, seededRandom, truncationsOf } from "../lib/mutations.ts";

const infoHash = parseInfoHash("ab".repeat(20))!;
const otherHash = parseInfoHash("cd".repeat(20))!;
const transactionId = 0x01020304;
const interfaces = [
  { name: "lo", address: "127.0.0.1", netmask: "255.0.0.0" },
  { name: "eth0", address: "10.0.0.1", netmask: "255.255.255.0" },
  { name: "eth1", address: "10.1.0.1", netmask: "255.255.255.0" },
  { name: "eth0", address: "fd00::1", netmask: "ffff:ffff:ffff:ffff::" },
];

function requestOf(remote: string, port: number, change: Partial<AnnounceRequest> = {}): AnnounceRequest {
  return {
    infoHash,
    peerId: peerIdFromBytes(bytesFromLatin1(`${remote}:${port}`.padStart(20, "-").slice(-20))),
    port,
    uploaded: 0,
    downloaded: 0,
    left: 1,
    event: "started",
    numWant: 50,
    key: 0,
    compact: true,
    ...change,
  };
}

/** A UDP tracker, the moment, and packets in and out. */
class Desk {
  readonly tracker: Tracker;
  readonly udp: UdpTracker;
  now = 1_000_000;

  constructor(options: Partial<TrackerOptions> = {}) {
    this.tracker = new Tracker({ intervalMs: 60_000, random: seededRandom(1), ...options });
    this.udp = new UdpTracker({
      tracker: this.tracker,
      secret: new Uint8Array(16).fill(7),
      hostFacing: (remote) => hostFacing(remote.replace("::ffff:", ""), interfaces),
    });
  }

  /** The answer to a packet; undefined is silence. */
  ask(packet: Uint8Array, remote: string): Bytes | undefined {
    const reply = new Uint8Array(udpReplyLengthMax);
    const length = this.udp.answer(packet, remote, this.now, reply);
    return length === 0 ? undefined : reply.subarray(0, length);
  }

  connect(remote: string): Bytes {
    return decodeConnectReply(this.ask(encodeConnectRequest(transactionId), remote)!);
  }

  packet(remote: string, port: number, change: Partial<AnnounceRequest> = {}, path = "/announce"): Bytes {
    return encodeAnnounceRequest(requestOf(remote, port, change), path, {
      connectionId: this.connect(remote),
      transactionId,
    });
  }

  announce(remote: string, port: number, change: Partial<AnnounceRequest> = {}): AnnounceReply {
    const reply = this.ask(this.packet(remote, port, change), remote)!;
    return decodeAnnounceReply(reply, remote.includes(":") && !remote.includes("ffff") ? 6 : 4);
  }

  told(...args: Parameters<Desk["announce"]>): string[] {
    return this.announce(...args).peers.map(formatEndpoint).sort();
  }
}

const wordsOf = (reply: Bytes | undefined) => new TextDecoder().decode(reply?.subarray(8));
const actionOf = (reply: Bytes | undefined) => reply && readUint32(reply, 0);

Deno.test("UdpTracker.answer() introduces peers to each other", () => {
  const desk = new Desk();
  assertEquals(desk.told("10.0.0.2", 6881), []);
  const { peers, complete, incomplete } = desk.announce("10.0.0.3", 6881, { left: 0 });
  assertEquals([peers.map(formatEndpoint), complete, incomplete], [["10.0.0.2:6881"], 1, 1]);
});

Deno.test("UdpTracker.answer() answers a connect of 16 bytes with 16, however long it is", () => {
  const desk = new Desk();
  assertEquals(desk.ask(encodeConnectRequest(transactionId), "10.0.0.2")?.length, 16);
  const long = concatBytes([encodeConnectRequest(transactionId), new Uint8Array(1000)]);
  assertEquals(desk.ask(long, "10.0.0.2")?.length, 16);
  assertEquals(desk.udp.connectCount, 2);
});

Deno.test("UdpTracker.answer() is silent to who has no good id", () => {
  const desk = new Desk();
  const packet = desk.packet("10.0.0.2", 6881);
  const scrape = encodeScrapeRequest([infoHash], { connectionId: new Uint8Array(8), transactionId });
  assertEquals(desk.ask(packet, "10.0.0.3"), undefined);
  assertEquals(desk.ask(packet.with(7, packet[7] ^ 1), "10.0.0.2"), undefined);
  assertEquals(desk.ask(scrape, "10.0.0.2"), undefined);
  desk.now += 121_000;
  assertEquals(desk.ask(packet, "10.0.0.2"), undefined);
  assertEquals([desk.tracker.stats.peers, desk.tracker.stats.announces, desk.udp.refused.unproven], [0, 0, 4]);
});

Deno.test("UdpTracker.refused counts what met with silence by reason", () => {
  const desk = new Desk();
  const packet = desk.packet("10.0.0.2", 6881);
  desk.ask(packet.subarray(0, 15), "10.0.0.2");
  desk.ask(packet.subarray(0, 97), "10.0.0.2");
  desk.ask(packet, "10.0.0.9");
  assertEquals(desk.udp.refused, { short: 1, unproven: 1, malformed: 1 });
});

Deno.test("UdpTracker.answer() takes an id for two minutes, also of one it knows", () => {
  const desk = new Desk();
  const packet = desk.packet("10.0.0.2", 6881);
  for (const laterMs of [0, 30_000, 60_000, 30_000]) {
    desk.now += laterMs;
    assertEquals(actionOf(desk.ask(packet, "10.0.0.2")), udpAction.announce);
  }
  desk.now += 1000;
  assertEquals(desk.ask(packet, "10.0.0.2"), undefined);
});

Deno.test("UdpTracker.answer() is silent to what is malformed", () => {
  const desk = new Desk();
  const packet = desk.packet("10.0.0.2", 6881);
  const action = (number: number) => packet.with(11, number);
  const ids = packet.subarray(0, 8);
  const emptyScrape = encodeScrapeRequest([], { connectionId: ids, transactionId });
  const cutOption = concatBytes([packet.subarray(0, 98), Uint8Array.of(2, 200, 47)]);
  for (const [i, bad] of [action(0), action(3), action(4), action(255), emptyScrape, cutOption].entries()) {
    assertEquals(desk.ask(bad, "10.0.0.2"), undefined, `packet ${i}`);
  }
  for (const cut of truncationsOf(packet.subarray(0, 98))) assertEquals(desk.ask(cut, "10.0.0.2"), undefined);
  assertEquals(desk.tracker.stats.announces, 0);
});

Deno.test("UdpTracker.answer() never answers at length who has not shown an id", () => {
  const desk = new Desk();
  for (let port = 1; port < 100; port++) desk.announce("10.0.0.9", port);
  const seeds = [desk.packet("10.0.0.2", 6881), encodeConnectRequest(transactionId)];
  for (const [i, seed] of seeds.entries()) {
    for (const packet of mutationsOf(seed, { seed: i, count: 5000 })) {
      // the id is another address's
      const length = desk.ask(packet, "10.0.0.3")?.length ?? 0;
      assert(length <= Math.min(16, packet.length), `${length} bytes for ${packet.length}`);
    }
  }
});

Deno.test("UdpTracker.answer() says why it refuses", () => {
  const desk = new Desk({ allow: new Set([infoHash]) });
  const table: [packet: Bytes, words: string][] = [
    [desk.packet("10.0.0.2", 6881, { infoHash: otherHash }), "this tracker does not track that torrent"],
    [desk.packet("10.0.0.2", 0), "port 0 cannot be reached"],
    [desk.packet("10.0.0.2", 6881, {}, "/tracker/announce.php"), "this tracker is at /announce"],
  ];
  for (const [packet, words] of table) {
    const reply = desk.ask(packet, "10.0.0.2")!;
    assertEquals([actionOf(reply), readUint32(reply, 4), wordsOf(reply)], [udpAction.error, transactionId, words]);
    assert(reply.length <= packet.length);
  }
  assertEquals(desk.tracker.stats.peers, 0);
});

Deno.test("UdpTracker.answer() takes every path that means this tracker", () => {
  const desk = new Desk();
  for (const path of ["", "/", "/announce", "/announce?passkey=1", "/?x"]) {
    assertEquals(actionOf(desk.ask(desk.packet("10.0.0.2", 6881, {}, path), "10.0.0.2")), udpAction.announce, path);
  }
});

Deno.test("UdpTracker.answer() tells IPv4 of IPv4 and IPv6 of IPv6", () => {
  const desk = new Desk();
  desk.announce("10.0.0.2", 6881);
  desk.announce("fd00::2", 6882);
  desk.announce("::ffff:10.0.0.4", 6884);
  assertEquals(desk.told("10.0.0.3", 6889), ["10.0.0.2:6881", "10.0.0.4:6884"]);
  assertEquals(desk.told("fd00::3", 6889), ["[fd00::2]:6882"]);
});

Deno.test("UdpTracker.answer() finds peers of the asker's family among many of the other", () => {
  const desk = new Desk();
  for (let port = 1; port <= 90; port++) desk.announce("fd00::2", port);
  for (let port = 1; port <= 10; port++) desk.announce("10.0.0.2", port);
  assertEquals(desk.told("10.0.0.3", 6881, { numWant: 10 }).length, 10);
});

Deno.test("UdpTracker.answer() keeps its answers within a packet", () => {
  const desk = new Desk();
  const swarms = [{ hosts: ["10.0.0.", "10.1.0."], infoHash }, { hosts: ["fd00::"], infoHash: otherHash }];
  const sizes = swarms.map(({ hosts, infoHash }) => {
    for (let i = 0; i < 200; i++) desk.announce(hosts[i % hosts.length] + (i + 2), 6881, { infoHash, numWant: 0 });
    const asker = `${hosts[0]}250`;
    return desk.ask(desk.packet(asker, 6881, { infoHash, numWant: 9999 }), asker)!.length;
  });
  assertEquals(sizes, [20 + 6 * 200, 20 + 18 * 67]);
});

Deno.test("UdpTracker.answer() tells others of a peer beside it under the address of their own network", () => {
  const desk = new Desk();
  desk.announce("127.0.0.1", 6881);
  assertEquals(desk.told("10.0.0.2", 6889), ["10.0.0.1:6881"]);
  assertEquals(desk.told("10.1.0.2", 6889, { infoHash: otherHash }), []);
  assertEquals(desk.told("10.1.0.2", 6889), ["10.0.0.2:6889", "10.1.0.1:6881"]);
  assertEquals(desk.told("fd00::2", 6889), ["[fd00::1]:6881"]);
  assertEquals(desk.told("127.0.0.1", 6889), ["10.0.0.2:6889", "10.1.0.2:6889", "127.0.0.1:6881"]);
});

Deno.test("UdpTracker.answer() tells nobody of a peer beside it where no address of this machine is known", () => {
  const desk = new Desk();
  desk.announce("127.0.0.1", 6881);
  const udp = new UdpTracker({
    tracker: desk.tracker,
    secret: new Uint8Array(16).fill(7),
    hostFacing: () => undefined,
  });
  const reply = new Uint8Array(udpReplyLengthMax);
  const length = udp.answer(desk.packet("10.0.0.2", 6889), "10.0.0.2", desk.now, reply);
  assertEquals(decodeAnnounceReply(reply.subarray(0, length), 4).peers, []);
});

Deno.test("UdpTracker.answer() scrapes in the order that was asked, unknown swarms too", () => {
  const desk = new Desk();
  desk.announce("10.0.0.2", 6881);
  const scrape = (hashes: InfoHash[]) =>
    desk.ask(encodeScrapeRequest(hashes, { connectionId: desk.connect("10.0.0.2"), transactionId }), "10.0.0.2")!;
  const asked = [otherHash, infoHash];
  assertEquals(decodeScrapeReply(scrape(asked), asked), [
    { infoHash: otherHash, complete: 0, incomplete: 0, downloaded: 0 },
    { infoHash, complete: 0, incomplete: 1, downloaded: 0 },
  ]);
  assertEquals(scrape(new Array(74).fill(infoHash)).length, 8 + 74 * 12);
  assertEquals(wordsOf(scrape(new Array(75).fill(infoHash))), "more than 74 info hashes");
  assertEquals(desk.tracker.stats.scrapes, 2);
});

Deno.test("UdpTracker.answer() forgets who asked when there are too many, and goes on", () => {
  const desk = new Desk();
  for (let i = 0; i < 5000; i++) desk.announce(`10.2.${i >> 8}.${i & 255}`, 6881, { numWant: 0 });
  assertEquals(desk.tracker.stats.peers, 5000);
  assertFalse(desk.told("10.0.0.3", 6881).length === 0);
});
