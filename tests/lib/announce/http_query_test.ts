import { assertEquals, assertGreater, assertThrows } from "@std/assert";
import { announceUrl, decodeAnnounceQuery, decodeScrapeQuery, scrapeUrl } from "../../../lib/announce/http_query.ts";
import type { AnnounceRequest } from "../../../lib/announce/request.ts";
import { bytesFromLatin1 } from "../../../lib/bytes.ts";
import { ProtocolError } from "../../../lib/errors.ts";
import { infoHashFromBytes, parseInfoHash, peerIdFromBytes } from "../../../lib/ids.ts";
import { isTaken, mutationsOf, truncationsOf } from "../mutations.ts";

/** What these clients sent for one torrent of 300,000 bytes, as it was on the wire. */
const aria2 =
  "info_hash=%98%B5%C3%17%D8%02pz8%3E%00WaV%FE%24%FD%19%9D%E1&peer_id=A2-1-36-0-~%A6q%A5H%DD-7%AB%40&uploaded=0&" +
  "downloaded=0&left=300000&compact=1&key=q%A5H%DD-7%AB%40&numwant=50&no_peer_id=1&port=17101&event=started&supportcrypto=1";
const libtorrent =
  "info_hash=%98%b5%c3%17%d8%02pz8%3e%00WaV%fe%24%fd%19%9d%e1&peer_id=-LT2080-rwNPv1el0Oqs&port=17102&uploaded=0&" +
  "downloaded=0&left=0&corrupt=0&key=AD99B967&event=stopped&numwant=0&compact=1&no_peer_id=1&supportcrypto=1&redundant=0";
const transmission =
  "info_hash=%98%b5%c3%17%d8%02pz8%3e%00WaV%fe%24%fd%19%9d%e1&peer_id=-TR3000-0y7nv13kd8mi&port=17104&uploaded=0&" +
  "downloaded=0&left=300000&numwant=80&key=5ff64d05&compact=1&supportcrypto=1&event=started";
const infoHash = parseInfoHash("98b5c317d802707a383e00576156fe24fd199de1")!;

const peerId = (text: string) => peerIdFromBytes(bytesFromLatin1(text));
const decode = (query: string) => decodeAnnounceQuery(bytesFromLatin1(query));
/** An announce with the fields that must be there and these. */
const decodeWith = (rest: string) => decode(`info_hash=${"%aa".repeat(20)}&peer_id=-XX0000-abcdefghijkl&${rest}`);

Deno.test("decodeAnnounceQuery() reads what aria2 sends", () => {
  const { key, ...rest } = decode(aria2);
  assertGreater(key, 0);
  assertEquals(rest, {
    infoHash,
    peerId: peerId("A2-1-36-0-~\xa6q\xa5H\xdd-7\xab@"),
    port: 17101,
    uploaded: 0,
    downloaded: 0,
    left: 300_000,
    event: "started",
    numWant: 50,
    compact: true,
  });
});

Deno.test("decodeAnnounceQuery() reads what libtorrent sends when it leaves", () => {
  assertEquals(decode(libtorrent), {
    infoHash,
    peerId: peerId("-LT2080-rwNPv1el0Oqs"),
    port: 17102,
    uploaded: 0,
    downloaded: 0,
    left: 0,
    event: "stopped",
    numWant: 0,
    key: 0xad99b967,
    compact: true,
  });
});

Deno.test("decodeAnnounceQuery() reads what Transmission sends", () => {
  assertEquals(decode(transmission), {
    infoHash,
    peerId: peerId("-TR3000-0y7nv13kd8mi"),
    port: 17104,
    uploaded: 0,
    downloaded: 0,
    left: 300_000,
    event: "started",
    numWant: 80,
    key: 0x5ff64d05,
    compact: true,
  });
});

Deno.test("decodeAnnounceQuery() fills in what a terse client leaves out", () => {
  const { port, uploaded, downloaded, left, event, numWant, key, compact } = decodeWith("port=1");
  assertEquals(
    { port, uploaded, downloaded, left, event, numWant, key, compact },
    {
      port: 1,
      uploaded: 0,
      downloaded: 0,
      left: Number.MAX_SAFE_INTEGER,
      event: undefined,
      numWant: 50,
      key: 0,
      compact: true,
    },
  );
});

Deno.test("decodeAnnounceQuery() reads odd but harmless values", () => {
  assertEquals(decodeWith("port=9&numwant=-1").numWant, 50);
  assertEquals(decodeWith("port=9&numwant=100000").numWant, 200);
  assertEquals(decodeWith("port=9&left=18446744073709551615").left, Number.MAX_SAFE_INTEGER);
  assertEquals(decodeWith("port=9&event=paused").event, undefined);
  assertEquals(decodeWith("port=9&event=").event, undefined);
  assertEquals(decodeWith("port=9&event=completed").event, "completed");
  assertEquals(decodeWith("port=9&compact=0").compact, false);
  assertEquals(decodeWith("port=9&port=10").port, 9);
  assertEquals(decodeWith("&&=&port=9&").port, 9);
  assertEquals(decodeWith("port=9&trackerid=a%00%ff").trackerId, "a\0\xff");
});

Deno.test("decodeAnnounceQuery() takes a plus for a space, as Python's urlencode writes it", () => {
  assertEquals(
    decode(`info_hash=+${"a".repeat(19)}&peer_id=${"b".repeat(20)}&port=1`).infoHash,
    `20${"61".repeat(19)}`,
  );
});

Deno.test("decodeAnnounceQuery() ignores the address that a client claims", () => {
  assertEquals(decodeWith("port=9"), decodeWith("ip=10.9.9.9&ipv4=10.9.9.9&port=9&ipv6=::9"));
});

Deno.test("decodeAnnounceQuery() says what is wrong", () => {
  const table: [string, string][] = [
    ["", "missing info_hash"],
    ["peer_id=aaaaaaaaaaaaaaaaaaaa&port=1", "missing info_hash"],
    [`info_hash=${"a".repeat(19)}&peer_id=${"b".repeat(20)}&port=1`, "info_hash has 19 bytes, not 20"],
    [`info_hash=${"a".repeat(21)}&peer_id=${"b".repeat(20)}&port=1`, "info_hash has 21 bytes, not 20"],
    [`info_hash=${"a".repeat(20)}&port=1`, "missing peer_id"],
    [`info_hash=${"a".repeat(20)}&peer_id=&port=1`, "peer_id has 0 bytes"],
    [`info_hash=${"a".repeat(19)}%a&peer_id=${"b".repeat(20)}&port=1`, "broken percent-encoding"],
    [`info_hash=${"a".repeat(19)}%ag&peer_id=${"b".repeat(20)}&port=1`, "broken percent-encoding"],
    [`info_hash=${"a".repeat(20)}&peer_id=${"b".repeat(20)}`, "missing port"],
    [`info_hash=${"a".repeat(20)}&peer_id=${"b".repeat(20)}&port=0`, "port 0 cannot be reached"],
    [`info_hash=${"a".repeat(20)}&peer_id=${"b".repeat(20)}&port=65536`, "port 65536 cannot be reached"],
    [`info_hash=${"a".repeat(20)}&peer_id=${"b".repeat(20)}&port=-1`, "port is not a number"],
    [`info_hash=${"a".repeat(20)}&peer_id=${"b".repeat(20)}&port=1&left=1e3`, "left is not a number"],
    [`info_hash=${"a".repeat(20)}&peer_id=${"b".repeat(20)}&port=1&left=${"1".repeat(21)}`, "left has too many digits"],
  ];
  for (const [query, why] of table) assertThrows(() => decode(query), ProtocolError, why, query);
});

Deno.test("decodeAnnounceQuery() throws nothing but ProtocolError for broken announces", () => {
  for (const query of [aria2, libtorrent, transmission].map(bytesFromLatin1)) {
    for (const broken of truncationsOf(query)) isTaken(() => decodeAnnounceQuery(broken), "truncation");
    for (const broken of mutationsOf(query, { seed: 14, count: 3000 })) {
      isTaken(() => decodeAnnounceQuery(broken), new TextDecoder().decode(broken));
    }
  }
});

Deno.test("decodeScrapeQuery() reads one, several and no info hashes", () => {
  const [a, b] = ["%00%01".repeat(10), "abcdefghijklmnopqrst"];
  assertEquals(decodeScrapeQuery(bytesFromLatin1(`info_hash=${a}`)), [parseInfoHash("0001".repeat(10))!]);
  assertEquals(decodeScrapeQuery(bytesFromLatin1(`info_hash=${b}&x=1&info_hash=${a}`)), [
    parseInfoHash("6162636465666768696a6b6c6d6e6f7071727374")!,
    parseInfoHash("0001".repeat(10))!,
  ]);
  assertEquals(decodeScrapeQuery(bytesFromLatin1("")), []);
});

Deno.test("decodeScrapeQuery() takes 74 info hashes and no more", () => {
  const query = (count: number) => bytesFromLatin1(Array(count).fill(`info_hash=${"a".repeat(20)}`).join("&"));
  assertEquals(decodeScrapeQuery(query(74)).length, 74);
  assertThrows(() => decodeScrapeQuery(query(75)), ProtocolError, "more than 74");
});

const request: AnnounceRequest = {
  infoHash: infoHashFromBytes(bytesFromLatin1("\x00 +&%=#?\xff\x80azAZ09-_.~")),
  peerId: peerId("-LB0100-\x0a\x0d<>\"'()*@/!"),
  port: 6881,
  uploaded: 1,
  downloaded: 2,
  left: 3,
  event: "started",
  numWant: 200,
  key: 0xbeef,
  compact: true,
  trackerId: "\xe9 x",
};
const query =
  "info_hash=%00%20%2B%26%25%3D%23%3F%FF%80azAZ09-_.~&peer_id=-LB0100-%0A%0D%3C%3E%22%27%28%29%2A%40%2F%21&port=6881&" +
  "uploaded=1&downloaded=2&left=3&compact=1&no_peer_id=1&numwant=200&key=0000BEEF&event=started&trackerid=%E9%20x";

Deno.test("announceUrl() percent-encodes every byte that a URL might change", () => {
  assertEquals(announceUrl("http://10.0.0.2:6969/announce", request), `http://10.0.0.2:6969/announce?${query}`);
  assertEquals(new URL(announceUrl("http://10.0.0.2/a", request)).search, `?${query}`);
});

Deno.test("announceUrl() keeps the query that the tracker's URL has", () => {
  assertEquals(announceUrl("http://t/a?passkey=1", request), `http://t/a?passkey=1&${query}`);
  assertEquals(announceUrl("http://t/a?", request), `http://t/a?${query}`);
  assertEquals(announceUrl("http://t/a?x=1&", request), `http://t/a?x=1&${query}`);
  assertEquals(announceUrl("http://t/a#top", request), `http://t/a?${query}`);
});

Deno.test("announceUrl() and decodeAnnounceQuery() agree", () => {
  const url = announceUrl("http://t/a", request);
  assertEquals(decode(url.slice(url.indexOf("?") + 1)), request);
});

Deno.test("scrapeUrl() replaces announce in the last part of the path alone", () => {
  const hash = parseInfoHash("61".repeat(20))!;
  const tail = `info_hash=${"a".repeat(20)}`;
  assertEquals(scrapeUrl("http://t/announce", [hash]), `http://t/scrape?${tail}`);
  assertEquals(scrapeUrl("http://t/x/announce.php?key=1", [hash]), `http://t/x/scrape.php?key=1&${tail}`);
  assertEquals(scrapeUrl("http://t/announce/announce", [hash, hash]), `http://t/announce/scrape?${tail}&${tail}`);
  assertEquals(scrapeUrl("http://t/announce/x", [hash]), undefined);
  assertEquals(scrapeUrl("http://t/a?x=/announce", [hash]), undefined);
});
