import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { type AnnounceAnswer, TrackerFailure } from "../../../lib/announce/request.ts";
import {
  decodeAnnounceReply,
  decodeConnectReply,
  decodeScrapeReply,
  encodeAnnounceReply,
  encodeConnectReply,
  encodeErrorReply,
  encodeScrapeReply,
  replyTransactionId,
  udpPeersMax,
  udpReplyLengthMax,
} from "../../../lib/announce/udp_reply.ts";
import { type Bytes, concatBytes, parseHex } from "../../../lib/bytes.ts";
import { encodeCompact } from "../../../lib/endpoint.ts";
import { ProtocolError } from "../../../lib/errors.ts";
import { parseInfoHash } from "../../../lib/ids.ts";
import { isTaken, mutationsOf, truncationsOf } from "../mutations.ts";

const hex = (...parts: string[]): Bytes => parseHex(parts.join("").replaceAll(" ", ""))!;

/** What opentracker answered on the wire: to a connect, the third peer's announce, a scrape, and a wrong id. */
const opentracker = {
  connect: hex("00000000 11223344 fe45b7272c3bf523"),
  announce: hex("00000001 55667788 00000736 00000002 00000001 7f0000031ae2 7f0000041ae3 7f0000021ae1"),
  scrape: hex("00000002 99aabbcc 00000001 00000000 00000002 00000001 00000000 00000002"),
  error: hex("00000003 00000001 436f6e6e656374696f6e204944206d6973736d617463682e00"),
  /** For a torrent that is not on its list. */
  refusal: hex("00000001 55667788"),
};
const infoHash = parseInfoHash("ab".repeat(20))!;
const otherHash = parseInfoHash("cd".repeat(20))!;

/** The bytes that an encoder writes. */
function written(encode: (reply: Bytes) => number): Bytes {
  const reply = new Uint8Array(udpReplyLengthMax).fill(0xee);
  return reply.slice(0, encode(reply));
}

const answer: AnnounceAnswer = {
  intervalMs: 0x736 * 1000,
  minIntervalMs: 10_000,
  complete: 1,
  incomplete: 2,
  peers: opentracker.announce.subarray(20),
  peers6: encodeCompact({ host: "fd00::2", port: 6881 }),
  peerIds: new Uint8Array(0),
  externalIp: undefined,
};

Deno.test("the encoders of UDP replies write what opentracker does", () => {
  const id = { high: 0xfe45b727, low: 0x2c3bf523 };
  assertEquals(written((reply) => encodeConnectReply(reply, 0x11223344, id)), opentracker.connect);
  assertEquals(written((reply) => encodeAnnounceReply(reply, 0x55667788, answer, 4)), opentracker.announce);
  const counts = [{ infoHash, complete: 1, incomplete: 2, downloaded: 0 }];
  const hashes = [infoHash, infoHash];
  assertEquals(written((reply) => encodeScrapeReply(reply, 0x99aabbcc, hashes, counts)), opentracker.scrape);
  const words = "Connection ID missmatch.";
  assertEquals(written((reply) => encodeErrorReply(reply, 1, words)), opentracker.error.subarray(0, -1));
});

Deno.test("encodeAnnounceReply() writes peers of the asker's family only", () => {
  const reply6 = written((reply) => encodeAnnounceReply(reply, 1, answer, 6));
  assertEquals(reply6.subarray(20), encodeCompact({ host: "fd00::2", port: 6881 }));
});

Deno.test("encodeScrapeReply() keeps the place of each info hash, also of unknown ones", () => {
  const counts = [{ infoHash, complete: 1, incomplete: 2, downloaded: 3 }];
  const reply = written((reply) => encodeScrapeReply(reply, 7, [otherHash, infoHash], counts));
  assertEquals(reply, hex("00000002 00000007", "00".repeat(12), "00000001 00000003 00000002"));
});

Deno.test("the longest UDP replies fit into their buffer and into one packet of any link", () => {
  assertEquals(udpPeersMax, { 4: 202, 6: 67 });
  assert(udpReplyLengthMax <= 1280 - 48);
  const full = { ...answer, peers: new Uint8Array(6 * udpPeersMax[4]), peers6: new Uint8Array(18 * udpPeersMax[6]) };
  for (const family of [4, 6] as const) written((reply) => encodeAnnounceReply(reply, 1, full, family));
  written((reply) => encodeScrapeReply(reply, 1, new Array(74).fill(infoHash), []));
  const error = written((reply) => encodeErrorReply(reply, 1, "é".repeat(5000)));
  assert(error.length <= 8 + 201 * 3);
});

Deno.test("decodeConnectReply() reads what opentracker answers", () => {
  assertEquals(replyTransactionId(opentracker.connect), 0x11223344);
  assertEquals(decodeConnectReply(opentracker.connect), hex("fe45b7272c3bf523"));
});

Deno.test("decodeAnnounceReply() reads what opentracker answers over UDP", () => {
  assertEquals(decodeAnnounceReply(opentracker.announce, 4), {
    intervalMs: 0x736 * 1000,
    minIntervalMs: undefined,
    complete: 1,
    incomplete: 2,
    peers: [
      { host: "127.0.0.3", port: 6882 },
      { host: "127.0.0.4", port: 6883 },
      { host: "127.0.0.2", port: 6881 },
    ],
  });
});

Deno.test("decodeAnnounceReply() reads peers of IPv6 from a tracker of IPv6", () => {
  const reply = written((reply) => encodeAnnounceReply(reply, 1, answer, 6));
  assertEquals(decodeAnnounceReply(reply, 6).peers, [{ host: "fd00::2", port: 6881 }]);
});

Deno.test("decodeAnnounceReply() clamps intervals and counts peers", () => {
  const withInterval = (digits: string) => decodeAnnounceReply(hex("00000001 00000001", digits, "00".repeat(8)), 4);
  assertEquals(withInterval("00000000").intervalMs, 10_000);
  assertEquals(withInterval("ffffffff").intervalMs, 7_200_000);
  const many = concatBytes([opentracker.announce.subarray(0, 20), hex("0a0000021ae1".repeat(9000))]);
  assertEquals(decodeAnnounceReply(many, 4).peers.length, 2000);
});

Deno.test("decodeScrapeReply() reads what opentracker answers, in the order that was asked", () => {
  assertEquals(decodeScrapeReply(opentracker.scrape, [infoHash, otherHash]), [
    { infoHash, complete: 1, incomplete: 2, downloaded: 0 },
    { infoHash: otherHash, complete: 1, incomplete: 2, downloaded: 0 },
  ]);
  assertThrows(() => decodeScrapeReply(opentracker.scrape, [infoHash, infoHash, infoHash]), ProtocolError);
});

Deno.test("the decoders of UDP replies say a refusal in the tracker's words", () => {
  for (
    const decode of [
      () => decodeConnectReply(opentracker.error),
      () => decodeAnnounceReply(opentracker.error, 4),
      () => decodeScrapeReply(opentracker.error, [infoHash]),
    ]
  ) assertThrows(decode, TrackerFailure, "Connection ID missmatch.");
  assertThrows(() => decodeConnectReply(hex("00000003 00000001")), TrackerFailure, "refused without a word");
  const long = concatBytes([hex("00000003 00000001"), new Uint8Array(5000).fill(0x61)]);
  assertEquals(assertThrows(() => decodeConnectReply(long), TrackerFailure).message.length, 201);
  assertThrows(() => decodeAnnounceReply(opentracker.refusal, 4), TrackerFailure, "may not track this torrent");
});

Deno.test("the decoders of UDP replies refuse what answers another question", () => {
  assertThrows(() => decodeConnectReply(opentracker.announce), ProtocolError, "the answer is not a tracker's");
  assertThrows(() => decodeAnnounceReply(opentracker.scrape, 4), ProtocolError, "the answer is not a tracker's");
  assertThrows(() => decodeScrapeReply(opentracker.connect, []), ProtocolError, "the answer is not a tracker's");
});

Deno.test("the decoders of UDP replies refuse truncations, and throw nothing but ProtocolError", () => {
  assertEquals(replyTransactionId(opentracker.connect.subarray(0, 7)), undefined);
  for (const packet of truncationsOf(opentracker.connect)) {
    assertFalse(isTaken(() => decodeConnectReply(packet), "truncated"));
  }
  for (const packet of truncationsOf(opentracker.announce)) {
    const isWhole = packet.length >= 20 && (packet.length - 20) % 6 === 0;
    assertEquals(isTaken(() => decodeAnnounceReply(packet, 4), "truncated"), isWhole, `${packet.length} bytes`);
  }
  for (const packet of truncationsOf(opentracker.scrape)) {
    assertFalse(isTaken(() => decodeScrapeReply(packet, [infoHash, infoHash]), "truncated"));
  }
  for (const original of Object.values(opentracker)) {
    for (const packet of mutationsOf(original, { seed: 3, count: 1000 })) {
      isTaken(() => decodeConnectReply(packet), "mutated");
      isTaken(() => decodeAnnounceReply(packet, 4), "mutated");
      isTaken(() => decodeAnnounceReply(packet, 6), "mutated");
      isTaken(() => decodeScrapeReply(packet, [infoHash]), "mutated");
    }
  }
});
