import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import {
  decodeAnnounceReply,
  decodeScrapeReply,
  encodeFailure,
  encodeScrape,
  ReplyEncoder,
} from "../../../lib/announce/http_reply.ts";
import { type AnnounceAnswer, TrackerFailure } from "../../../lib/announce/request.ts";
import { encodeBencode } from "../../../lib/bencode.ts";
import { type Bytes, bytesFromLatin1, concatBytes, latin1FromBytes } from "../../../lib/bytes.ts";
import { encodeCompact } from "../../../lib/endpoint.ts";
import { ProtocolError } from "../../../lib/errors.ts";
import { parseInfoHash } from "../../../lib/ids.ts";
import { isTaken, mutationsOf, truncationsOf } from "../mutations.ts";

const peers = concatBytes([{ host: "10.0.0.2", port: 6881 }, { host: "10.0.0.3", port: 80 }].map(encodeCompact));
const peers6 = encodeCompact({ host: "fd00::2", port: 6881 });
const noBytes: Bytes = new Uint8Array(0);
const answer: AnnounceAnswer = {
  intervalMs: 60_000,
  minIntervalMs: 10_000,
  complete: 1,
  incomplete: 2,
  peers,
  peers6: noBytes,
  peerIds: noBytes,
  externalIp: undefined,
};
const encode = (change: Partial<AnnounceAnswer>, compact = true) =>
  latin1FromBytes(new ReplyEncoder().encodeAnnounce({ ...answer, ...change }, { compact }));
const decode = (reply: string) => decodeAnnounceReply(bytesFromLatin1(reply));

Deno.test("ReplyEncoder writes compact peers of IPv4", () => {
  assertEquals(
    encode({}),
    "d8:completei1e10:incompletei2e8:intervali60e12:min intervali10e" +
      "5:peers12:\x0a\x00\x00\x02\x1a\xe1\x0a\x00\x00\x03\x00\x50e",
  );
});

Deno.test("ReplyEncoder writes peers even where there are none", () => {
  assertEquals(
    encode({ peers: noBytes }),
    "d8:completei1e10:incompletei2e8:intervali60e12:min intervali10e5:peers0:e",
  );
});

Deno.test("ReplyEncoder writes peers6 and the external address where there are any", () => {
  assertEquals(
    encode({ peers: noBytes, peers6, externalIp: Uint8Array.of(10, 0, 0, 9) }),
    "d8:completei1e11:external ip4:\x0a\x00\x00\x0910:incompletei2e8:intervali60e12:min intervali10e" +
      `5:peers0:6:peers618:\xfd${"\0".repeat(14)}\x02\x1a\xe1e`,
  );
});

Deno.test("ReplyEncoder writes dictionaries of both families for compact=0", () => {
  const peerIds = bytesFromLatin1(`${"a".repeat(20)}${"b".repeat(20)}${"c".repeat(20)}`);
  assertEquals(
    encode({ peers6, peerIds }, false),
    "d8:completei1e10:incompletei2e8:intervali60e12:min intervali10e5:peersl" +
      `d2:ip8:10.0.0.27:peer id20:${"a".repeat(20)}4:porti6881ee` +
      `d2:ip8:10.0.0.37:peer id20:${"b".repeat(20)}4:porti80ee` +
      `d2:ip7:fd00::27:peer id20:${"c".repeat(20)}4:porti6881eeee`,
  );
});

Deno.test("ReplyEncoder has room for 200 peers with the longest addresses", () => {
  const endpoint = encodeCompact({ host: "fd11:1111:1111:1111:1111:1111:1111:1111", port: 65535 });
  const many = { peers: noBytes, peers6: concatBytes(Array(200).fill(endpoint)), peerIds: new Uint8Array(4000) };
  assertEquals(decode(encode(many, false)).peers.length, 200);
  assertEquals(decode(encode(many, true)).peers.length, 200);
});

Deno.test("encodeFailure() tells the reason and when to come back", () => {
  assertEquals(latin1FromBytes(encodeFailure("no")), "d14:failure reason2:noe");
  assertEquals(latin1FromBytes(encodeFailure("no", 90_000)), "d14:failure reason2:no8:retry ini2ee");
  assertEquals(latin1FromBytes(encodeFailure("no", Infinity)), "d14:failure reason2:no8:retry in5:nevere");
});

Deno.test("encodeScrape() tells each swarm once, in the order of the raw hashes", () => {
  const [a, b] = [parseInfoHash("ff".repeat(20))!, parseInfoHash("01".repeat(20))!];
  const counts = [a, b, a].map((infoHash) => ({ infoHash, complete: 1, incomplete: 2, downloaded: 3 }));
  const values = "d8:completei1e10:downloadedi3e10:incompletei2ee";
  assertEquals(
    latin1FromBytes(encodeScrape(counts)),
    `d5:filesd20:${"\x01".repeat(20)}${values}20:${"\xff".repeat(20)}${values}ee`,
  );
  assertEquals(latin1FromBytes(encodeScrape([])), "d5:filesdee");
});

/** What opentracker answered on the wire. */
const opentracker = "d8:completei2e10:downloadedi0e10:incompletei1e8:intervali1688e12:min intervali844e5:peers18:" +
  "\x7f\x00\x00\x01\x1bY\x7f\x00\x00\x01\x1bZ\x7f\x00\x00\x01\x1bXe";
const opentrackerScrape =
  "d5:filesd20:\x98\xb5\xc3\x17\xd8\x02pz8>\x00WaV\xfe$\xfd\x19\x9d\xe1d8:completei3e10:downloadedi0e10:incompletei3eeee";

Deno.test("decodeAnnounceReply() reads what opentracker answers", () => {
  assertEquals(decode(opentracker), {
    intervalMs: 1_688_000,
    minIntervalMs: 844_000,
    complete: 2,
    incomplete: 1,
    peers: [7001, 7002, 7000].map((port) => ({ host: "127.0.0.1", port })),
  });
});

Deno.test("decodeAnnounceReply() reads opentracker's refusal", () => {
  const refusal = "d14:failure reason63:Requested download is not authorized for use with this tracker.e";
  const error = assertThrows(() => decode(refusal), TrackerFailure, "Requested download is not authorized");
  assertInstanceOf(error, ProtocolError);
  assertEquals((error as TrackerFailure).retryInMs, undefined);
});

Deno.test("decodeAnnounceReply() reads peers as dictionaries, leaving out those it cannot dial", () => {
  const peer = (ip: string, port: number) => `d2:ip${ip.length}:${ip}7:peer id20:${"a".repeat(20)}4:porti${port}ee`;
  const list = [
    peer("10.0.0.2", 1),
    peer("fd00::2", 65535),
    peer("::ffff:10.0.0.3", 2),
    peer("evil.example", 3),
    peer("10.0.0.4", 0),
    peer("10.0.0.4", 65536),
    "d4:porti4ee",
    "i5e",
  ].join("");
  assertEquals(decode(`d8:intervali60e5:peersl${list}ee`).peers, [
    { host: "10.0.0.2", port: 1 },
    { host: "fd00::2", port: 65535 },
    { host: "10.0.0.3", port: 2 },
  ]);
});

Deno.test("decodeAnnounceReply() reads both families, tracker id, warning and minimum interval", () => {
  const reply = encodeBencode({
    "interval": 120,
    "min interval": 30,
    "peers": peers,
    "peers6": peers6,
    "tracker id": Uint8Array.of(1, 255),
    "warning message": "soon full",
  });
  assertEquals(decodeAnnounceReply(reply), {
    intervalMs: 120_000,
    minIntervalMs: 30_000,
    complete: undefined,
    incomplete: undefined,
    peers: [{ host: "10.0.0.2", port: 6881 }, { host: "10.0.0.3", port: 80 }, { host: "fd00::2", port: 6881 }],
    trackerId: "\x01\xff",
    warning: "soon full",
  });
});

Deno.test("decodeAnnounceReply() clamps intervals to 10 s and 2 h", () => {
  const intervals = (text: string) => {
    const { intervalMs, minIntervalMs } = decode(`d${text}5:peers0:e`);
    return [intervalMs, minIntervalMs];
  };
  assertEquals(intervals("8:intervali0e"), [10_000, undefined]);
  assertEquals(intervals("8:intervali-60e"), [10_000, undefined]);
  assertEquals(intervals("8:intervali999999999e"), [7_200_000, undefined]);
  assertEquals(intervals("8:intervali60e12:min intervali90e"), [90_000, 90_000]);
  assertEquals(intervals("8:intervali60e12:min intervali1e"), [60_000, 10_000]);
  assertEquals(intervals("12:min intervali-5e"), [300_000, undefined]);
});

Deno.test("decodeAnnounceReply() takes 2000 peers and drops the rest", () => {
  const bytes = (count: number) => concatBytes(Array(count).fill(encodeCompact({ host: "10.0.0.2", port: 1 })));
  assertEquals(decodeAnnounceReply(encodeBencode({ interval: 60, peers: bytes(5000) })).peers.length, 2000);
  assertEquals(decodeAnnounceReply(encodeBencode({ interval: 60, peers: bytes(1990), peers6 })).peers.length, 1991);
  const list = Array(3000).fill({ ip: "10.0.0.2", port: 1 });
  assertEquals(decodeAnnounceReply(encodeBencode({ interval: 60, peers: list })).peers.length, 2000);
});

Deno.test("decodeAnnounceReply() reads when a tracker wants to be asked again", () => {
  const retry = (text: string) =>
    (assertThrows(() => decode(`d14:failure reason4:full8:retry in${text}e`), TrackerFailure) as TrackerFailure)
      .retryInMs;
  assertEquals(retry("i5e"), 300_000);
  assertEquals(retry("2:15"), 900_000);
  assertEquals(retry("5:never"), Infinity);
  assertEquals(retry("i-1e"), undefined);
  assertEquals(retry("4:soon"), undefined);
});

Deno.test("decodeAnnounceReply() shortens what a tracker says", () => {
  const error = assertThrows(() => decode(`d14:failure reason5000:${"x".repeat(5000)}e`), TrackerFailure);
  assert((error as Error).message.length <= 201);
});

Deno.test("decodeAnnounceReply() says what is no tracker's answer", () => {
  const table: [string, string][] = [
    ["", "the answer is empty"],
    ["<!DOCTYPE html><title>It works</title>", "the answer is not a tracker's"],
    ["i5e", "the answer is not a tracker's"],
    ["d8:interval", "bencoded data"],
    ["d8:intervali60e5:peers5:\x7f\x00\x00\x01\x1be", "list of peers is cut off"],
    ["d5:peers0:6:peers66:abcdefe", "list of peers is cut off"],
  ];
  for (const [reply, why] of table) assertThrows(() => decode(reply), ProtocolError, why, reply);
});

Deno.test("decodeAnnounceReply() takes a reply with bytes behind it, as some trackers send", () => {
  assertEquals(decode(`${opentracker}\r\n`).peers.length, 3);
});

Deno.test("decodeAnnounceReply() throws nothing but ProtocolError for broken replies", () => {
  const golden = bytesFromLatin1(opentracker);
  for (const broken of truncationsOf(golden)) assert(!isTaken(() => decodeAnnounceReply(broken), "truncation"));
  for (const broken of mutationsOf(golden, { seed: 15, count: 5000 })) {
    isTaken(() => decodeAnnounceReply(broken), latin1FromBytes(broken));
  }
});

Deno.test("decodeScrapeReply() reads what opentracker answers", () => {
  const infoHash = parseInfoHash("98b5c317d802707a383e00576156fe24fd199de1")!;
  assertEquals(decodeScrapeReply(bytesFromLatin1(opentrackerScrape)), [
    { infoHash, complete: 3, incomplete: 3, downloaded: 0 },
  ]);
});

Deno.test("decodeScrapeReply() throws nothing but ProtocolError for broken replies", () => {
  const golden = bytesFromLatin1(opentrackerScrape);
  for (const broken of truncationsOf(golden)) assert(!isTaken(() => decodeScrapeReply(broken), "truncation"));
  for (const broken of mutationsOf(golden, { seed: 16, count: 3000 })) {
    isTaken(() => decodeScrapeReply(broken), latin1FromBytes(broken));
  }
});
