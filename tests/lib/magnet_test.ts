import { assert, assertEquals, assertGreater, assertThrows } from "@std/assert";
import { ProtocolError } from "../../lib/errors.ts";
import { parseInfoHash } from "../../lib/ids.ts";
import { magnetCharsMax } from "../../lib/limits/torrent_file.ts";
import { decodeMetainfo } from "../../lib/metainfo.ts";
import { formatMagnet, parseMagnet } from "../../lib/magnet.ts";
import { goldenTorrents, readGolden } from "./golden.ts";
import { isTaken, mutationsOf, truncationsOf } from "./mutations.ts";

const hex = "0123456789abcdef0123456789abcdef01234567";
// python3: base64.b32encode(bytes.fromhex(hex))
const base32 = "AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH";
const topic = `xt=urn:btih:${hex}`;
const parse = (parameters: string) => parseMagnet(`magnet:?${topic}&${parameters}`);

Deno.test("parseMagnet() reads an info hash as hex or base32, in either case", () => {
  for (const digits of [hex, hex.toUpperCase(), base32, base32.toLowerCase()]) {
    assertEquals(String(parseMagnet(`magnet:?xt=urn:btih:${digits}`).infoHash), hex, digits);
  }
  assertEquals(String(parseMagnet(` MAGNET:?XT=URN:BTIH:${hex}\n`).infoHash), hex);
  assertEquals(String(parseMagnet(`magnet:?xt=urn%3Abtih%3A${hex}`).infoHash), hex);
});

Deno.test("parseMagnet() gives a bare link no more than its info hash", () => {
  assertEquals(parseMagnet(`magnet:?${topic}`), {
    infoHash: parseInfoHash(hex)!,
    trackers: [],
    webSeeds: [],
    peers: [],
  });
});

Deno.test("parseMagnet() reads every parameter of BEP 9 and BEP 53", () => {
  const tr = "tr=http%3A%2F%2Fa.test%2Fannounce%3Fk%3D1&tr=udp://b.test:6969";
  const pe = "x.pe=10.0.0.2:6881&x.pe=%5B%3A%3A1%5D%3A6881&x.pe=seeder.lan:1&x.pe=bad";
  assertEquals(
    parse(`dn=My+caf%C3%A9%20%26%20more&xl=12345&${tr}&ws=http://c.test/f&${pe}&so=0,2,4-6&unknown=1&&=&x`),
    {
      infoHash: parseInfoHash(hex)!,
      name: "My café & more",
      length: 12345,
      trackers: ["http://a.test/announce?k=1", "udp://b.test:6969"],
      webSeeds: ["http://c.test/f"],
      peers: [{ host: "10.0.0.2", port: 6881 }, { host: "::1", port: 6881 }, { host: "seeder.lan", port: 1 }],
      selectOnly: [0, 2, 4, 5, 6],
    },
  );
});

Deno.test("parseMagnet() reads numbered keys and ampersands copied from a web page", () => {
  assertEquals(parse("tr.1=http://a.test/&tr.2=http://b.test/").trackers, ["http://a.test/", "http://b.test/"]);
  assertEquals(parse("amp;dn=x&amp;tr=http://a.test/").name, "x");
  assertEquals(String(parseMagnet(`magnet:?xt.1=urn:sha1:x&xt.2=urn:btih:${hex}`).infoHash), hex);
});

Deno.test("parseMagnet() takes the version 1 hash of a hybrid and refuses version 2 alone", () => {
  const btmh = `xt=urn:btmh:1220${"ab".repeat(32)}`;
  assertEquals(String(parseMagnet(`magnet:?${btmh}&${topic}`).infoHash), hex);
  assertThrows(() => parseMagnet(`magnet:?${btmh}`), ProtocolError, "version 2 torrent only");
});

for (
  const [what, text] of Object.entries({
    "nothing": "",
    "another scheme": `http://a.test/?${topic}`,
    "no question mark": `magnet:${topic}`,
    "no topic": "magnet:?dn=x",
    "another kind of topic": "magnet:?xt=urn:sha1:abc",
    "39 hex digits": `magnet:?xt=urn:btih:${hex.slice(1)}`,
    "41 hex digits": `magnet:?xt=urn:btih:${hex}0`,
    "hex digits that are none": `magnet:?xt=urn:btih:${"g".repeat(40)}`,
    "base32 digits that are none": `magnet:?xt=urn:btih:${"1".repeat(32)}`,
    "an empty hash": "magnet:?xt=urn:btih:",
    "a hash followed by a line end": `magnet:?xt=urn:btih:${hex}%0A`,
    "a link of a megabyte": `magnet:?${topic}&dn=${"x".repeat(1e6)}`,
    "a selection that runs backwards": `magnet:?${topic}&so=5-2`,
    "a selection of a billion": `magnet:?${topic}&so=0-999999999`,
    "a selection that is no number": `magnet:?${topic}&so=1,x`,
  })
) {
  Deno.test(`parseMagnet() rejects ${what}`, () => {
    assertThrows(() => parseMagnet(text), ProtocolError);
  });
}

Deno.test("parseMagnet() survives broken percent-encoding", () => {
  assertEquals(parse("dn=100%&xl=5").name, "100%");
  assertEquals(parse("dn=%E4%BD").name, "_");
  assertEquals(parse("dn=%zz%4").name, "%zz%4");
});

Deno.test("parseMagnet() makes the name safe and drops what cannot be used", () => {
  assertEquals(parse("dn=..%2F..%2Fetc%00").name, "....etc_");
  assertEquals(parse("dn=").name, undefined);
  for (const length of ["-1", "1e3", "x", "", "99999999999999999999"]) {
    assertEquals(parse(`xl=${length}`).length, undefined);
  }
  assertEquals(parse("tr=wss://a.test&tr=http://a.test/%0D%0AX&ws=file:///etc/passwd").trackers, []);
});

Deno.test("parseMagnet() bounds what it takes from one link", () => {
  const many = (make: (i: number) => string) => Array.from({ length: 1000 }, (_, i) => make(i)).join("&");
  const magnet = parse(`${many((i) => `tr=udp://a.test:${i + 1}`)}&${many((i) => `x.pe=a.test:${i + 1}`)}`);
  assertEquals([magnet.trackers.length, magnet.peers.length], [200, 100]);
});

Deno.test("formatMagnet() writes what parseMagnet() reads", () => {
  const magnet = {
    infoHash: parseInfoHash(hex)!,
    name: "My café & more = 100% + 🎉",
    length: 2 ** 40,
    trackers: ["http://a.test/announce?k=1&l=2", "udp://[::1]:6969/announce"],
    webSeeds: ["https://c.test/a%20b/"],
  };
  assertEquals(parseMagnet(formatMagnet(magnet)), { ...magnet, peers: [] });
  const selectOnly = [0, 2, 4, 5, 6, 9, 10];
  const link = formatMagnet({ infoHash: magnet.infoHash, selectOnly });
  assertEquals([link, parseMagnet(link).selectOnly], [`magnet:?${topic}&so=0,2,4-6,9-10`, selectOnly]);
  assertEquals(formatMagnet({ infoHash: magnet.infoHash }), `magnet:?${topic}`);
});

Deno.test("formatMagnet() does not throw for a lone surrogate", () => {
  assertEquals(formatMagnet({ infoHash: parseInfoHash(hex)!, name: "a\uD800" }), `magnet:?${topic}&dn=a%EF%BF%BD`);
});

for (const [file, golden] of Object.entries(goldenTorrents)) {
  Deno.test(`parseMagnet() reads the links that libtorrent and Transmission print for ${file}`, () => {
    for (const link of [golden.magnetByLibtorrent, golden.magnetByTransmission]) {
      if (link === "") continue; // Transmission 3 cannot read hybrids
      const magnet = parseMagnet(link);
      assertEquals([String(magnet.infoHash), magnet.name], [golden.infoHash, golden.name]);
      assertEquals([...magnet.trackers].sort(), golden.announce.flat().sort());
      assertEquals([...magnet.webSeeds].sort(), golden.webSeeds);
    }
  });

  Deno.test(`formatMagnet() prints for ${file} what Transmission prints`, () => {
    if (golden.magnetByTransmission === "") return;
    const { infoHash, name, announce, webSeeds } = decodeMetainfo(readGolden(file));
    assertEquals(formatMagnet({ infoHash, name, trackers: announce.flat(), webSeeds }), golden.magnetByTransmission);
  });
}

const full = `magnet:?${topic}&dn=caf%C3%A9&xl=12345&tr=http%3A%2F%2Fa.test%2F&ws=http://c.test/&x.pe=[::1]:1&so=0,2-4`;

Deno.test("parseMagnet() meets every truncation and 5,000 mutations with a link or a ProtocolError", () => {
  assert(full.length < magnetCharsMax);
  const bytes = new TextEncoder().encode(full);
  let takenCount = 0;
  for (const broken of [...truncationsOf(bytes), ...mutationsOf(bytes, { seed: 9, count: 5000 })]) {
    const text = new TextDecoder().decode(broken);
    if (isTaken(() => parseMagnet(text), text)) takenCount++;
  }
  assertGreater(takenCount, 100);
});
