/** Announces and scrapes, both ways, over HTTP and UDP. */
import { announceUrl, decodeAnnounceQuery, decodeScrapeQuery, scrapeUrl } from "../../../lib/announce/http_query.ts";
import * as http from "../../../lib/announce/http_reply.ts";
import {
  type AnnounceReply,
  type AnnounceRequest,
  type ScrapeCounts,
  TrackerFailure,
} from "../../../lib/announce/request.ts";
import * as udpReply from "../../../lib/announce/udp_reply.ts";
import * as udp from "../../../lib/announce/udp_request.ts";
import { type InfoHash } from "../../../lib/ids.ts";
import { bent, dictionary, integer, list, spell, text, type Tree } from "../bencode_draft.ts";
import { bytesOf, type Draw, latin1Of, uint16, uint32 } from "../draw.ts";
import { holds, isEndpoint, isId, same, within } from "../holds.ts";
import { type FuzzTarget, readOrRefuse } from "../target.ts";

const ascii = (value: string) => new TextEncoder().encode(value);
const queryOf = (url: string) => ascii(url.slice(url.indexOf("?") + 1));

/** Raw bytes as clients write them in a query: some of them escaped, or all. */
function escaped(draw: Draw, bytes: string): string {
  const every = draw.oneIn(3);
  return bytes.replace(/[^]/g, (character) => {
    const code = character.charCodeAt(0);
    if (!every && /[\w.~-]/.test(character)) return character;
    if (draw.oneIn(60)) return draw.pick(["%", "%4", "%zz", "+", character]);
    return `%${code.toString(16).padStart(2, "0")}`;
  });
}

export const announceQuery: FuzzTarget = {
  name: "announce-query",
  corpus: [
    "info_hash=%12%34Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A&peer_id=-TR4060-z3kx1j2m8c0q&port=51413&uploaded=0&downloaded=0" +
    "&left=16384&numwant=80&key=3F1C2A9B&compact=1&supportcrypto=1&event=started&ipv6=%2A01",
    "info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=A2-1-36-0-abcdefghij&uploaded=0&downloaded=0&left=9&compact=1&key=%00%01%02%03%04%05%06%07" +
    "&numwant=50&no_peer_id=1&port=6881&event=completed",
  ].map(ascii),
  generate(draw) {
    const pairs = [
      `info_hash=${escaped(draw, draw.bytes(draw.oneIn(15) ? draw.below(30) : 20))}`,
      `peer_id=${escaped(draw, draw.bytes(draw.oneIn(15) ? draw.below(30) : 20))}`,
      `port=${draw.port()}`,
      `uploaded=${draw.digits()}`,
      `downloaded=${draw.digits()}`,
      `left=${draw.digits()}`,
      `event=${draw.pick(["started", "stopped", "completed", "", "paused", "Started"])}`,
      `numwant=${draw.digits()}`,
      `key=${draw.oneIn(2) ? draw.hex(draw.below(10)) : escaped(draw, draw.bytes(8))}`,
      `compact=${draw.pick(["0", "1", "", "2"])}`,
      `ip=${draw.host()}`,
      ...(draw.oneIn(4) ? [`trackerid=${escaped(draw, draw.bytes(draw.oneIn(4) ? 300 : 9))}`] : []),
      ...draw.several(() => draw.word(), 2),
    ];
    return bytesOf(latin1Of(draw.mangled(pairs).join(draw.oneIn(40) ? "&&" : "&")));
  },
  run(input) {
    const request = readOrRefuse(() => decodeAnnounceQuery(input));
    if (request === undefined) return "refused";
    checkRequest(request);
    same(decodeAnnounceQuery(queryOf(announceUrl("http://t.test/announce", request))), request, "an announce sent on");
    return "taken";
  },
};

function checkRequest(
  { infoHash, peerId, port, uploaded, downloaded, left, numWant, key, trackerId = "" }: AnnounceRequest,
): void {
  isId(infoHash, "the info hash");
  isId(peerId, "the peer id");
  within(port, 1, 65_535, "the port");
  for (const count of [uploaded, downloaded, left]) within(count, 0, Number.MAX_SAFE_INTEGER, "a counter");
  within(numWant, 0, 200, "the number of peers wanted");
  within(key, 0, 2 ** 32 - 1, "the key");
  holds(trackerId.length <= 256 && !/[^\0-\xff]/.test(trackerId), "the tracker id is too long, or no bytes");
}

export const scrapeQuery: FuzzTarget = {
  name: "scrape-query",
  generate(draw) {
    const hash = () => `info_hash=${escaped(draw, draw.bytes(draw.oneIn(30) ? draw.below(30) : 20))}`;
    return bytesOf(draw.several(hash, 5).join(draw.oneIn(20) ? "&x&" : "&"));
  },
  run(input) {
    const infoHashes = readOrRefuse(() => decodeScrapeQuery(input));
    if (infoHashes === undefined) return "refused";
    holds(infoHashes.length <= 74, "a scrape has too many info hashes");
    for (const infoHash of infoHashes) isId(infoHash, "an info hash");
    same(decodeScrapeQuery(queryOf(scrapeUrl("http://t.test/announce", infoHashes)!)), infoHashes, "a scrape sent on");
    return "taken";
  },
};

function replyTree(draw: Draw): Tree {
  const peer = () =>
    dictionary({
      ip: text(latin1Of(draw.host())),
      "peer id": draw.oneIn(2) ? text(draw.bytes(20)) : undefined,
      port: integer(draw.port()),
    });
  const compact = (stride: number) => text(draw.several(() => draw.compact(stride), 8).join(""));
  return dictionary({
    "failure reason": draw.oneIn(8) ? text(draw.oneIn(4) ? draw.utf8().repeat(100) : draw.utf8()) : undefined,
    "retry in": draw.oneIn(8)
      ? draw.oneIn(2) ? text(draw.pick(["never", "5", "-5", draw.digits()])) : integer(draw.digits())
      : undefined,
    "warning message": draw.oneIn(8) ? text(draw.utf8()) : undefined,
    interval: integer(draw.digits()),
    "min interval": draw.oneIn(3) ? integer(draw.digits()) : undefined,
    complete: integer(draw.digits()),
    incomplete: integer(draw.digits()),
    "tracker id": draw.oneIn(6) ? text(draw.bytes(draw.oneIn(3) ? 300 : 8)) : undefined,
    peers: draw.oneIn(3) ? list(...draw.several(peer, 8)) : compact(6),
    peers6: draw.oneIn(3) ? compact(18) : undefined,
    "external ip": draw.oneIn(5) ? text(draw.bytes(4)) : undefined,
  });
}

export const httpAnnounceReply: FuzzTarget = {
  name: "http-announce-reply",
  corpus: [
    bytesOf(
      "d8:completei1e10:downloadedi0e10:incompletei0e8:intervali1738e12:min intervali869e5:peers6:\x7f\0\0\x01\x1a\xe1e",
    ),
  ],
  generate: (draw) => bytesOf(spell(bent(draw, replyTree(draw)), draw)),
  run(input) {
    const reply = readReply(() => http.decodeAnnounceReply(input));
    if (reply === undefined) return "refused";
    checkReply(reply);
    return "taken";
  },
};

/** A failure in the tracker's own words is within bounds too. */
function readReply<T>(read: () => T): T | undefined {
  return readOrRefuse(() => {
    try {
      return read();
    } catch (error) {
      if (error instanceof TrackerFailure && error.retryInMs !== undefined) {
        holds(error.retryInMs > 0, "a time to wait");
      }
      throw error;
    }
  });
}

function checkReply(
  { intervalMs, minIntervalMs, complete = 0, incomplete = 0, peers, trackerId = "", warning = "" }: AnnounceReply,
): void {
  within(intervalMs, 10_000, 7_200_000, "the interval");
  if (minIntervalMs !== undefined) within(minIntervalMs, 10_000, intervalMs, "the least interval");
  for (const count of [complete, incomplete]) within(count, 0, Number.MAX_SAFE_INTEGER, "a counter");
  holds(peers.length <= 2000, "a reply has too many peers");
  for (const peer of peers) isEndpoint(peer, "a peer");
  holds(trackerId.length <= 256 && warning.length <= 201, "a reply has too many words");
}

export const httpScrapeReply: FuzzTarget = {
  name: "http-scrape-reply",
  generate(draw) {
    const counts = () =>
      dictionary({
        complete: integer(draw.digits()),
        downloaded: integer(draw.digits()),
        incomplete: integer(draw.digits()),
      });
    const files: Tree = { entries: draw.several(() => [draw.bytes(draw.oneIn(20) ? 19 : 20), counts()], 5) };
    const flags = draw.oneIn(3) ? dictionary({ min_request_interval: integer(draw.digits()) }) : undefined;
    return bytesOf(spell(bent(draw, dictionary({ files, flags })), draw));
  },
  run(input) {
    const counts = readReply(() => http.decodeScrapeReply(input));
    if (counts === undefined) return "refused";
    counts.forEach(checkCounts);
    const again = http.decodeScrapeReply(http.encodeScrape(counts)).map(sortable).sort();
    same(again, counts.map(sortable).sort(), "counters sent on");
    return "taken";
  },
};

function checkCounts({ infoHash, complete, incomplete, downloaded }: ScrapeCounts): void {
  isId(infoHash, "an info hash");
  for (const count of [complete, incomplete, downloaded]) within(count, 0, Number.MAX_SAFE_INTEGER, "a counter");
}

const sortable = ({ infoHash, complete, incomplete, downloaded }: ScrapeCounts) =>
  [infoHash, complete, incomplete, downloaded].join();

const uint64 = (draw: Draw) => uint32(draw.count() % 2 ** 32) + uint32(draw.count() % 2 ** 32);

export const udpRequest: FuzzTarget = {
  name: "udp-request",
  generate(draw) {
    const head = uint64(draw) + uint32(draw.oneIn(8) ? draw.count() : draw.below(3)) + draw.bytes(4);
    if (draw.oneIn(4)) return bytesOf(`\0\0\x04\x17\x27\x10\x19\x80\0\0\0\0${draw.bytes(4)}`);
    if (draw.oneIn(3)) return bytesOf(head + draw.several(() => draw.bytes(20), 8).join(""));
    const body = draw.bytes(40) + uint64(draw) + uint64(draw) + uint64(draw) + uint32(draw.count() % 5) +
      draw.bytes(8) +
      uint32(draw.oneIn(3) ? draw.count() : draw.below(300)) + uint16(draw.oneIn(20) ? 0 : draw.below(65_536));
    const option = () =>
      draw.pick([
        "\0",
        "\x01",
        `\x02${String.fromCharCode(9)}/announce`,
        `\x02${draw.bytes(1)}${draw.someBytes()}`,
        draw.bytes(3),
      ]);
    return bytesOf(head + body + draw.several(option, 3).join(""));
  },
  run(input) {
    if (input.length >= udp.udpHeadLength) {
      within(udp.requestAction(input), 0, 2 ** 32 - 1, "the action");
      within(udp.requestTransactionId(input), 0, 2 ** 32 - 1, "the transaction id");
    }
    const request = readReply(() => udp.decodeAnnounceRequest(input));
    if (request !== undefined) checkRequest(request);
    const path = request && readOrRefuse(() => udp.decodeUrlData(input));
    if (path !== undefined) holds(path.length <= input.length && !/[^\0-\xff]/.test(path), "the path is of bytes");
    const infoHashes = readReply(() => udp.decodeScrapeRequest(input));
    const call = { connectionId: new Uint8Array(8), transactionId: 7 };
    if (request !== undefined) {
      same(udp.decodeAnnounceRequest(udp.encodeAnnounceRequest(request, "/", call)), request, "an announce sent on");
    }
    if (infoHashes !== undefined) {
      within(infoHashes.length, 1, 74, "the info hashes of a scrape");
      same(udp.decodeScrapeRequest(udp.encodeScrapeRequest(infoHashes, call)), infoHashes, "a scrape sent on");
    }
    if (udp.isConnectRequest(input)) holds(input.length >= 16, "a question for an id has 16 bytes");
    return request !== undefined || infoHashes !== undefined ? "taken" : "refused";
  },
};

export const udpReplies: FuzzTarget = {
  name: "udp-reply",
  generate(draw) {
    const head = uint32(draw.oneIn(8) ? draw.count() : draw.below(4)) + draw.bytes(4);
    if (draw.oneIn(4)) return bytesOf(head + draw.utf8().repeat(1 + draw.below(60)) + "\0".repeat(draw.below(3)));
    const numbers = uint32(draw.count()) + uint32(draw.count()) + uint32(draw.count());
    const stride = draw.pick([6, 18, 12]);
    return bytesOf(head + numbers + draw.several(() => draw.bytes(stride), draw.oneIn(90) ? 3000 : 10).join(""));
  },
  run(input) {
    const id = udpReply.replyTransactionId(input);
    holds((id === undefined) === (input.length < 8), "a packet of 8 bytes answers something");
    const connection = readReply(() => udpReply.decodeConnectReply(input));
    if (connection !== undefined) holds(connection.length === 8, "a connection id has 8 bytes");
    const replies = ([4, 6] as const).map((family) => readReply(() => udpReply.decodeAnnounceReply(input, family)));
    for (const reply of replies) if (reply !== undefined) checkReply(reply);
    const asked = Array.from({ length: 3 }, (_, i) => String(i).repeat(40) as InfoHash);
    const counts = readReply(() => udpReply.decodeScrapeReply(input, asked));
    counts?.forEach(checkCounts);
    if (counts !== undefined) same(counts.map(({ infoHash }) => infoHash), asked, "the counters are of what was asked");
    return [connection, counts, ...replies].some((each) => each !== undefined) ? "taken" : "refused";
  },
};
