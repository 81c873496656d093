import { assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../lib/errors.ts";
import { parseInfoHash } from "../../lib/ids.ts";
import { formatShareListing, parseShareListing, type ShareListing } from "../../lib/share_listing.ts";

const infoHash = parseInfoHash("ab".repeat(20))!;
const listing: ShareListing = {
  host: "laptop",
  peerPort: 6881,
  shares: [
    { index: 0, name: "größe", totalLength: 7, fileCount: 1, infoHash },
    { index: 1, name: "secret", totalLength: 9, fileCount: 2, infoHash: undefined },
  ],
};

Deno.test("parseShareListing() reads what formatShareListing() wrote", () => {
  assertEquals(parseShareListing(formatShareListing(listing)), listing);
});

Deno.test("formatShareListing() names no info hash where a PIN is on", () => {
  const [open, pinned] = JSON.parse(formatShareListing(listing)).shares;
  assertEquals([open.infoHash, open.pin], [infoHash, undefined]);
  assertEquals([pinned.infoHash, pinned.pin], [undefined, true]);
});

Deno.test("parseShareListing() refuses what is no listing, and bounds what is one", () => {
  const good = JSON.parse(formatShareListing(listing));
  const bad = [
    ...'[] null 1 {} {"localbt":2} x'.split(" "),
    ...[{ peerPort: 0 }, { peerPort: "1" }, { shares: {} }, { shares: [{}] }, { shares: [null] }, { shares: [["a"]] }]
      .map((change) => JSON.stringify({ ...good, ...change })),
    ...[{ name: "" }, { name: 5 }, { totalLength: -1 }, { totalLength: 1.5 }, { fileCount: "1" }, { infoHash: "12" }]
      .map((change) => JSON.stringify({ ...good, shares: [{ ...good.shares[0], ...change }] })),
  ];
  for (const text of bad) assertThrows(() => parseShareListing(text), ProtocolError, "", text);
  const many = {
    ...good,
    host: "h".repeat(999),
    shares: Array(1000).fill({ ...good.shares[0], name: "n".repeat(999) }),
  };
  const read = parseShareListing(JSON.stringify(many));
  assertEquals([read.shares.length, read.shares[63].index, read.host.length, read.shares[0].name.length], [
    64,
    63,
    240,
    240,
  ]);
});
