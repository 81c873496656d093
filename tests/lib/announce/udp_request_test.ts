import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { type AnnounceRequest, TrackerFailure } from "../../../lib/announce/request.ts";
import {
  decodeAnnounceRequest,
  decodeScrapeRequest,
  decodeUrlData,
  encodeAnnounceRequest,
  encodeConnectRequest,
  encodeScrapeRequest,
  isConnectRequest,
  requestAction,
  requestTransactionId,
  udpAction,
} from "../../../lib/announce/udp_request.ts";
import { type Bytes, bytesFromLatin1, concatBytes, parseHex } from "../../../lib/bytes.ts";
import { ProtocolError } from "../../../lib/errors.ts";
import { parseInfoHash, peerIdFromBytes } from "../../../lib/ids.ts";
import { isTaken, mutationsOf, truncationsOf } from "../mutations.ts";

const hex = (...parts: string[]): Bytes => parseHex(parts.join("").replaceAll(" ", ""))!;

/** What these clients sent for one torrent of 2,633,776 bytes at udp://127.0.0.1:16969/announce?key=x, as it was on the wire. */
const libtorrentConnect = hex("0000041727101980 00000000 7b8b9051");
const libtorrent = hex(
  "0123456789abcdef 00000001 861e5ac6 6b76e2015dfec665d0eed61fd492b9e10c25403c",
  "2d4c54323038302d79787e524a5464416c6e5779 0000000000000000 0000000000283030 0000000000000000",
  "00000002 00000000 74aacd6f 000000c8 41f1 020f2f616e6e6f756e63653f6b65793d78",
);
const libtorrentStop = hex(
  "0123456789abcdef 00000001 3fb628e5 6b76e2015dfec665d0eed61fd492b9e10c25403c",
  "2d4c54323038302d79787e524a5464416c6e5779 0000000000000000 0000000000283030 0000000000000000",
  "00000003 00000000 74aacd6f 00000000 41f1 020f2f616e6e6f756e63653f6b65793d78",
);
const libtorrentScrape = hex("0123456789abcdef 00000002 e0555684 6b76e2015dfec665d0eed61fd492b9e10c25403c");
const aria2 = hex(
  "0123456789abcdef 00000001 6124d33d 6b76e2015dfec665d0eed61fd492b9e10c25403c",
  "41322d312d33362d302df7399bd3da63b55b0993 0000000000000000 0000000000283030 0000000000000000",
  "00000002 00000000 7abb3727 00000032 41f2 0000",
);
const infoHash = parseInfoHash("6b76e2015dfec665d0eed61fd492b9e10c25403c")!;
const fromLibtorrent: AnnounceRequest = {
  infoHash,
  peerId: peerIdFromBytes(bytesFromLatin1("-LT2080-yx~RJTdAlnWy")),
  port: 0x41f1,
  uploaded: 0,
  downloaded: 0,
  left: 2_633_776,
  event: "started",
  numWant: 200,
  key: 0x74aacd6f,
  compact: true,
};
const connectionId = hex("0123456789abcdef");

/** The announce of libtorrent with these bytes at an offset. */
function changed(offset: number, digits: string): Bytes {
  const packet = libtorrent.slice();
  packet.set(hex(digits), offset);
  return packet;
}

Deno.test("isConnectRequest() knows the magic number of BEP 15, and takes longer packets", () => {
  assert(isConnectRequest(libtorrentConnect));
  assert(isConnectRequest(concatBytes([libtorrentConnect, hex("00")])));
  for (const packet of truncationsOf(libtorrentConnect)) assertFalse(isConnectRequest(packet));
  for (let i = 0; i < 12; i++) {
    assertFalse(isConnectRequest(libtorrentConnect.with(i, libtorrentConnect[i] ^ 1)), `byte ${i}`);
  }
});

Deno.test("encodeConnectRequest() writes what libtorrent does", () => {
  assertEquals(encodeConnectRequest(0x7b8b9051), libtorrentConnect);
});

Deno.test("decodeAnnounceRequest() reads what libtorrent and aria2 send", () => {
  assertEquals(decodeAnnounceRequest(libtorrent), fromLibtorrent);
  assertEquals(decodeAnnounceRequest(libtorrentStop), { ...fromLibtorrent, event: "stopped", numWant: 0 });
  assertEquals(decodeAnnounceRequest(aria2), {
    ...fromLibtorrent,
    peerId: peerIdFromBytes(bytesFromLatin1("A2-1-36-0-\xf79\x9b\xd3\xdac\xb5[\x09\x93")),
    port: 0x41f2,
    numWant: 50,
    key: 0x7abb3727,
  });
  assertEquals([requestAction(aria2), requestTransactionId(aria2)], [udpAction.announce, 0x6124d33d]);
});

Deno.test("encodeAnnounceRequest() writes what libtorrent does, the URL's path too", () => {
  const call = { connectionId, transactionId: 0x861e5ac6 };
  assertEquals(encodeAnnounceRequest(fromLibtorrent, "/announce?key=x", call), libtorrent);
  const stop = encodeAnnounceRequest({ ...fromLibtorrent, event: "stopped", numWant: 0 }, "/announce?key=x", {
    connectionId,
    transactionId: 0x3fb628e5,
  });
  assertEquals(stop, libtorrentStop);
});

Deno.test("encodeAnnounceRequest() puts each count into its own place", () => {
  const call = { connectionId, transactionId: 1 };
  const request = { ...fromLibtorrent, downloaded: 2 ** 40 + 1, left: 2 ** 41 + 2, uploaded: 2 ** 42 + 3 };
  const packet = encodeAnnounceRequest(request, "", call);
  assertEquals(packet.subarray(56, 80), hex("0000010000000001 0000020000000002 0000040000000003"));
  assertEquals(decodeAnnounceRequest(packet), request);
});

Deno.test("encodeAnnounceRequest() sends no path that says nothing, and a long one in parts", () => {
  const call = { connectionId, transactionId: 1 };
  assertEquals(encodeAnnounceRequest(fromLibtorrent, "/", call).length, 98);
  assertEquals(encodeAnnounceRequest(fromLibtorrent, "", call).length, 98);
  const path = `/announce?passkey=${"x".repeat(600)}`;
  const packet = encodeAnnounceRequest(fromLibtorrent, path, call);
  assertEquals([packet[98], packet[99], packet[98 + 257], packet[99 + 257]], [2, 255, 2, 255]);
  assertEquals(decodeUrlData(packet), path);
});

Deno.test("decodeUrlData() reads the options of BEP 41 and passes over unknown ones", () => {
  const plain = libtorrent.subarray(0, 98);
  const withOptions = (digits: string) => decodeUrlData(concatBytes([plain, hex(digits)]));
  assertEquals(decodeUrlData(libtorrent), "/announce?key=x");
  assertEquals(decodeUrlData(aria2), "");
  assertEquals(withOptions(""), "");
  // NOP, an unknown option of 2 bytes, the path in two parts, the end, and what is behind it
  assertEquals(withOptions("01 07 02 ffff 02 02 2f61 02 01 62 00 02 01 63"), "/ab");
  assertEquals(withOptions("02 00"), "");
});

Deno.test("decodeUrlData() refuses an option that ends outside the packet", () => {
  for (const digits of ["02", "02 01", "02 ff 2f61", "07", "01 01 02 02 61"]) {
    const packet = concatBytes([libtorrent.subarray(0, 98), hex(digits)]);
    assertThrows(() => decodeUrlData(packet), ProtocolError, "cut off", digits);
  }
});

Deno.test("decodeAnnounceRequest() knows all events, and takes unknown ones for none", () => {
  const events = ["00000000", "00000001", "00000002", "00000003", "00000004", "ffffffff"];
  assertEquals(
    events.map((digits) => decodeAnnounceRequest(changed(80, digits)).event),
    [undefined, "completed", "started", "stopped", undefined, undefined],
  );
});

Deno.test("decodeAnnounceRequest() takes a negative number of peers for any, and bounds the others", () => {
  const numbers = ["ffffffff", "80000000", "7fffffff", "00000000", "00000007"];
  assertEquals(numbers.map((digits) => decodeAnnounceRequest(changed(92, digits)).numWant), [50, 50, 200, 0, 7]);
});

Deno.test("decodeAnnounceRequest() ignores the IP address that it is told", () => {
  assertEquals(decodeAnnounceRequest(changed(84, "0a000001")), decodeAnnounceRequest(libtorrent));
});

Deno.test("decodeAnnounceRequest() keeps counts beyond 2^53 within", () => {
  assertEquals(decodeAnnounceRequest(changed(64, "ffffffffffffffff")).left, Number.MAX_SAFE_INTEGER);
});

Deno.test("decodeAnnounceRequest() refuses port 0 in words", () => {
  assertThrows(() => decodeAnnounceRequest(changed(96, "0000")), TrackerFailure, "port 0 cannot be reached");
});

Deno.test("decodeAnnounceRequest() refuses every truncation, and throws nothing but ProtocolError", () => {
  const plain = libtorrent.subarray(0, 98);
  for (const packet of truncationsOf(plain)) assertFalse(isTaken(() => decodeAnnounceRequest(packet), "truncated"));
  for (const packet of mutationsOf(libtorrent, { seed: 1, count: 3000 })) {
    isTaken(() => decodeAnnounceRequest(packet), "mutated");
    isTaken(() => decodeUrlData(packet), "mutated");
  }
});

Deno.test("decodeScrapeRequest() reads what libtorrent sends", () => {
  assertEquals(decodeScrapeRequest(libtorrentScrape), [infoHash]);
  assertEquals(encodeScrapeRequest([infoHash], { connectionId, transactionId: 0xe0555684 }), libtorrentScrape);
});

Deno.test("decodeScrapeRequest() takes 1 to 74 whole info hashes", () => {
  const scrape = (count: number) =>
    encodeScrapeRequest(new Array(count).fill(infoHash), { connectionId, transactionId: 1 });
  assertEquals(decodeScrapeRequest(scrape(74)).length, 74);
  assertThrows(() => decodeScrapeRequest(scrape(75)), TrackerFailure, "more than 74 info hashes");
  assertThrows(() => decodeScrapeRequest(scrape(0)), ProtocolError, "a scrape of 16 bytes");
  for (const packet of truncationsOf(libtorrentScrape)) {
    assertFalse(isTaken(() => decodeScrapeRequest(packet), "truncated"));
  }
  for (const packet of mutationsOf(scrape(3), { seed: 2, count: 1000 })) {
    isTaken(() => decodeScrapeRequest(packet), "mutated");
  }
});
