import { assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../lib/errors.ts";
import { parseInfoHash } from "../../lib/ids.ts";
import { decodeLocalAnnounce, encodeLocalAnnounce } from "../../lib/local_discovery.ts";
import { isTaken, mutationsOf, truncationsOf } from "./mutations.ts";

const infoHash = parseInfoHash("730087c20f344803d3fcb34c0eca6c9a1d4882b2")!;
const otherHash = parseInfoHash("a".repeat(40))!;

/** As they were caught on the wire. */
const golden = {
  libtorrent: "BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 7001\r\n" +
    "Infohash: 730087c20f344803d3fcb34c0eca6c9a1d4882b2\r\ncookie: 17ed66f\r\n\r\n\r\n",
  libtorrent6: "BT-SEARCH * HTTP/1.1\r\nHost: [ff15::efc0:988f]:6771\r\nPort: 7001\r\n" +
    "Infohash: 730087c20f344803d3fcb34c0eca6c9a1d4882b2\r\ncookie: 185399e6\r\n\r\n\r\n",
  transmission: "BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 7002\r\n" +
    "Infohash: 730087C20F344803D3FCB34C0ECA6C9A1D4882B2\r\n\r\n\r\n",
  aria2: "BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 7003\r\n" +
    "Infohash: 730087c20f344803d3fcb34c0eca6c9a1d4882b2\r\n\r\n\r\n",
};

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A packet with these headers. */
function packet(...headers: string[]): Uint8Array {
  return bytesOf(["BT-SEARCH * HTTP/1.1", ...headers, "", "", ""].join("\r\n"));
}

Deno.test("encodeLocalAnnounce() writes the bytes that libtorrent writes", () => {
  const decoder = new TextDecoder();
  const same = { port: 7001, infoHash };
  assertEquals(decoder.decode(encodeLocalAnnounce({ ...same, family: 4, cookie: "17ed66f" })), golden.libtorrent);
  assertEquals(decoder.decode(encodeLocalAnnounce({ ...same, family: 6, cookie: "185399e6" })), golden.libtorrent6);
});

Deno.test("decodeLocalAnnounce() reads the packets of libtorrent, Transmission and aria2", () => {
  const told = (port: number, cookie: string | undefined) => ({ port, infoHashes: [infoHash], cookie });
  assertEquals(decodeLocalAnnounce(bytesOf(golden.libtorrent)), told(7001, "17ed66f"));
  assertEquals(decodeLocalAnnounce(bytesOf(golden.libtorrent6)), told(7001, "185399e6"));
  assertEquals(decodeLocalAnnounce(bytesOf(golden.transmission)), told(7002, undefined));
  assertEquals(decodeLocalAnnounce(bytesOf(golden.aria2)), told(7003, undefined));
});

Deno.test("decodeLocalAnnounce() takes several torrents, each once, and headers in any case and order", () => {
  const bytes = packet(
    `infohash:${otherHash}`,
    "X-More: 1",
    `INFOHASH:  ${infoHash} `,
    `Infohash: ${otherHash}`,
    "port: 1",
  );
  assertEquals(decodeLocalAnnounce(bytes), { port: 1, infoHashes: [otherHash, infoHash], cookie: undefined });
});

Deno.test("decodeLocalAnnounce() rejects what is malformed", () => {
  const [port, hash] = ["Port: 6881", `Infohash: ${infoHash}`];
  const bad = [
    ...["Port: 0", "Port: 65535", "Port: 65536", "Port: -1", "Port: 1e3", "Port:", "Port: 6881x", "Port: 000080"]
      .map((header) => packet(header, hash)),
    packet(hash),
    packet(port),
    packet(port, port, hash),
    packet(port, "Infohash: "),
    packet(port, `Infohash: ${infoHash}0`),
    packet(port, hash, `Infohash: ${"g".repeat(40)}`),
    packet(port, hash, "no header"),
    packet(port, hash, ": no name"),
    packet(port, hash, `cookie: ${"c".repeat(257)}`),
    packet(port, hash, `X: ${"x".repeat(1400)}`),
    bytesOf(`BT-SEARCH * HTTP/1.1\r\n${port}\r\n${hash}\r\n`),
    bytesOf(`M-SEARCH * HTTP/1.1\r\n${port}\r\n${hash}\r\n\r\n`),
    bytesOf(`BT-SEARCH * HTTP/2\r\n${port}\r\n${hash}\r\n\r\n`),
    bytesOf(""),
  ];
  for (const bytes of bad) {
    assertThrows(() => decodeLocalAnnounce(bytes), ProtocolError, undefined, new TextDecoder().decode(bytes));
  }
});

Deno.test("decodeLocalAnnounce() rejects every truncation", () => {
  // the last line is empty twice: the packet is whole with one of them
  for (const bytes of truncationsOf(bytesOf(golden.libtorrent).slice(0, -2))) {
    assertThrows(() => decodeLocalAnnounce(bytes), ProtocolError);
  }
});

Deno.test("decodeLocalAnnounce() throws only ProtocolError, whatever comes", () => {
  for (const text of Object.values(golden)) {
    for (const bytes of mutationsOf(bytesOf(text), { seed: 14, count: 1000 })) {
      isTaken(() => {
        const { port, infoHashes } = decodeLocalAnnounce(bytes);
        assertEquals([port > 0 && port < 65535, infoHashes.length > 0], [true, true]);
      }, new TextDecoder().decode(bytes));
    }
  }
});
