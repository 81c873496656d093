import { assert, assertEquals, assertFalse, assertGreater, assertThrows } from "@std/assert";
import { type BencodeInput, encodeBencode } from "../../lib/bencode.ts";
import { formatHex } from "../../lib/bytes.ts";
import { ProtocolError } from "../../lib/errors.ts";
import { pieceCountMax, pieceLengthMax, torrentBytesMax } from "../../lib/limits/torrent_file.ts";
import { decodeInfo, decodeMetainfo, hashOfPiece, type Metainfo } from "../../lib/metainfo.ts";
import { type GoldenTorrent, goldenTorrents, readGolden } from "./golden.ts";
import { isTaken, mutationsOf, truncationsOf } from "./mutations.ts";

type Members = { readonly [key: string]: BencodeInput | undefined };

/** A good single-file torrent with some members changed; `undefined` takes a member out. */
function torrent({ info = {}, ...outer }: { info?: Members } & Members): Uint8Array {
  const good = { length: 40_000, name: "n", "piece length": 16384, pieces: new Uint8Array(60) };
  return encodeBencode({ info: { ...good, ...info }, ...outer });
}

function filesTorrent(files: BencodeInput, info: Members = {}): Uint8Array {
  return torrent({ info: { length: undefined, files, ...info } });
}

const pathsOf = (metainfo: Metainfo) => metainfo.files.map((file) => file.path.join("/"));

/** What libtorrent's reader says, in its terms. */
function asGolden(metainfo: Metainfo): Omit<GoldenTorrent, "magnetByLibtorrent" | "magnetByTransmission"> {
  const { infoHash, name, isMultiFile, totalLength, pieceLength, pieceCount, isPrivate } = metainfo;
  const pieces = Array.from({ length: pieceCount }, (_, i) => {
    const piece = metainfo.layout.toPieceIndex(i);
    assert(piece !== undefined);
    return formatHex(hashOfPiece(metainfo, piece));
  });
  return {
    infoHash,
    name,
    isMultiFile,
    totalLength,
    pieceLength,
    pieceCount,
    pieces,
    files: metainfo.files.map((file) => ({ ...file, path: [...file.path] })),
    announce: metainfo.announce.map((tier) => [...tier].sort()),
    webSeeds: [...metainfo.webSeeds].sort(),
    isPrivate,
    comment: metainfo.comment ?? "",
    createdBy: metainfo.createdBy ?? "",
    creationDate: metainfo.creationDate ?? 0,
  };
}

for (const [file, golden] of Object.entries(goldenTorrents)) {
  Deno.test(`decodeMetainfo() reads in ${file} what libtorrent reads`, () => {
    const { magnetByLibtorrent: _, magnetByTransmission: __, ...expected } = golden;
    assertEquals(asGolden(decodeMetainfo(readGolden(file))), expected);
  });
}

Deno.test("decodeMetainfo() reads the source key that mktorrent writes", () => {
  assertEquals(decodeMetainfo(readGolden("mktorrent_single.torrent")).source, "SRC");
});

Deno.test("decodeMetainfo() refuses a version 2 torrent with a clear word", () => {
  assertThrows(() => decodeMetainfo(readGolden("libtorrent_v2_only.torrent")), ProtocolError, "version 2 torrent only");
});

Deno.test("decodeMetainfo() takes the info hash over raw bytes: order and unknown keys count", () => {
  const pieces = `6:pieces20:${"x".repeat(20)}`;
  const odd = `d4:infod4:name1:n6:lengthi5e7:unknownd1:ai-5ee12:piece lengthi16384e${pieces}ee`;
  const metainfo = decodeMetainfo(new TextEncoder().encode(odd));
  // echo -n 'd4:name1:n…e' | sha1sum
  assertEquals(metainfo.infoHash, "a4bcbacdb6e61f9249bc7a0590722f348ffed0d4");
  assertEquals(new TextDecoder().decode(metainfo.infoBytes), odd.slice("d4:info".length, -1));
});

Deno.test("decodeInfo() gives the same torrent as decodeMetainfo(), with what the magnet link knew", () => {
  const whole = decodeMetainfo(readGolden("libtorrent_folder.torrent"));
  const { comment: _, creationDate: __, ...fromInfo } = whole;
  const extra = { announce: [["http://a.test/announce"]], webSeeds: ["http://b.test/"] };
  assertEquals(decodeInfo(whole.infoBytes, extra), { ...fromInfo, ...extra });
  assertEquals(decodeInfo(whole.infoBytes).announce, []);
});

for (
  const [what, bytes, why] of [
    ["an empty file", new Uint8Array(), "it is empty"],
    ["a text file", new TextEncoder().encode("Hello, world.\n"), "not a torrent"],
    ["a list", encodeBencode([1]), "not a torrent"],
    ["a torrent without info", encodeBencode({ announce: "http://a.test/" }), "no info"],
    ["info that is no dictionary", encodeBencode({ info: "x" }), "not a dictionary"],
    ["more bytes than a torrent has", new Uint8Array(torrentBytesMax + 1), "over"],
    ["no pieces", torrent({ info: { pieces: undefined } }), "no piece hashes"],
    ["pieces that are a number", torrent({ info: { pieces: 5 } }), "no piece hashes"],
    ["a hash too few", torrent({ info: { pieces: new Uint8Array(40) } }), "wanted 60"],
    ["a hash too many", torrent({ info: { pieces: new Uint8Array(80) } }), "wanted 60"],
    ["a broken hash", torrent({ info: { pieces: new Uint8Array(59) } }), "wanted 60"],
    ["no piece length", torrent({ info: { "piece length": undefined } }), "piece length"],
    ["a piece length of zero", torrent({ info: { "piece length": 0 } }), "piece length"],
    ["a negative piece length", torrent({ info: { "piece length": -16384 } }), "piece length"],
    ["a huge piece length", torrent({ info: { "piece length": pieceLengthMax + 1 } }), "pieces of"],
    ["no name", torrent({ info: { name: undefined } }), "no name"],
    ["no length", torrent({ info: { length: undefined } }), "no valid length"],
    ["a negative length", torrent({ info: { length: -1 } }), "no valid length"],
    ["no data", torrent({ info: { length: 0, pieces: "" } }), "no data"],
    ["more pieces than the limit", torrent({ info: { length: pieceCountMax + 1, "piece length": 1 } }), "pieces"],
    ["files that hold nothing", filesTorrent([{ length: 0, path: ["a"] }], { pieces: "" }), "no data"],
    ["no files", filesTorrent([], { pieces: "" }), "no data"],
    ["a file that is no dictionary", filesTorrent(["a"]), "not a dictionary"],
    ["a file without a path", filesTorrent([{ length: 40_000 }]), "no path"],
    ["a file with an empty path", filesTorrent([{ length: 40_000, path: [] }]), "no path"],
    ["a path with a number in it", filesTorrent([{ length: 40_000, path: ["a", 1] }]), "not text"],
    ["a file without a length", filesTorrent([{ path: ["a"] }]), "no valid length"],
    [
      "a file of negative length",
      filesTorrent([{ length: 50_000, path: ["a"] }, { length: -10_000, path: ["b"] }]),
      "length",
    ],
    [
      "lengths that add up beyond 2^53",
      filesTorrent([1, 2].map((i) => ({ length: Number.MAX_SAFE_INTEGER, path: [`${i}`] }))),
      "larger than",
    ],
    ["a path that is too deep", filesTorrent([{ length: 40_000, path: new Array(101).fill("d") }]), "deep"],
  ] as const
) {
  Deno.test(`decodeMetainfo() rejects ${what}`, () => {
    assertThrows(() => decodeMetainfo(bytes), ProtocolError, why);
  });
}

Deno.test("decodeMetainfo() takes a piece length that is no power of two, and one below a block", () => {
  assertEquals(decodeMetainfo(torrent({ info: { "piece length": 20_000, pieces: new Uint8Array(40) } })).pieceCount, 2);
  assertEquals(
    decodeMetainfo(torrent({ info: { length: 7, "piece length": 1, pieces: new Uint8Array(140) } })).pieceCount,
    7,
  );
});

Deno.test("decodeMetainfo() prefers the UTF-8 keys and ignores md5sum and unknown ones", () => {
  const file = { length: 40_000, path: ["bad"], "path.utf-8": ["日本"], md5sum: "x".repeat(32), unknown: [{}] };
  const metainfo = decodeMetainfo(filesTorrent([file], { "name.utf-8": "名", "x-unknown": { a: [1] } }));
  assertEquals([metainfo.name, pathsOf(metainfo)], ["名", ["名/日本"]]);
});

Deno.test("decodeMetainfo() maps every hostile path inside the torrent's folder", () => {
  const paths = [["..", "..", "etc", "passwd"], ["", "etc", "passwd"], ["/etc/passwd"], ["C:\\Windows\\x"], ["a\0b"]];
  const files = paths.map((path) => ({ length: 8000, path }));
  assertEquals(pathsOf(decodeMetainfo(filesTorrent(files, { name: "../.." }))), [
    "_/_/_/etc/passwd",
    "_/_ (2)/etc/passwd",
    "_/etcpasswd",
    "_/C_Windowsx",
    "_/a_b",
  ]);
});

Deno.test("decodeMetainfo() makes a hostile name of a single file safe", () => {
  for (const [name, safe] of [["../../x", "....x"], ["/x", "x"], ["..", "_"], ["", "_"], ["nul", "_nul"]]) {
    const metainfo = decodeMetainfo(torrent({ info: { name } }));
    assertEquals([metainfo.name, pathsOf(metainfo), metainfo.isMultiFile], [safe, [safe], false]);
  }
});

Deno.test("decodeMetainfo() keeps the folder of a torrent that has one file in a list", () => {
  const metainfo = decodeMetainfo(filesTorrent([{ length: 40_000, path: ["a"] }]));
  assertEquals([metainfo.isMultiFile, pathsOf(metainfo)], [true, ["n/a"]]);
});

Deno.test("decodeMetainfo() reads attributes, and lets padding and links take no name away", () => {
  const metainfo = decodeMetainfo(filesTorrent([
    { attr: "p", length: 10_000, path: ["a"] },
    { attr: "xl", path: ["b"], "symlink path": ["..", "..", "etc"] },
    { attr: "x", length: 20_000, path: ["a"] },
    { attr: "h", length: 10_000, path: ["b"] },
  ]));
  assertEquals(pathsOf(metainfo), ["n/a", "n/b", "n/a", "n/b"]);
  assertEquals(metainfo.files.map((file) => [file.isPadding, file.isSymlink, file.isExecutable, file.length]), [
    [true, false, false, 10_000],
    [false, true, true, 0],
    [false, false, true, 20_000],
    [false, false, false, 10_000],
  ]);
});

Deno.test("decodeMetainfo() is private only inside info, and only when not zero", () => {
  assert(decodeMetainfo(torrent({ info: { private: 1 } })).isPrivate);
  assertFalse(decodeMetainfo(torrent({ info: { private: 0 } })).isPrivate);
  assertFalse(decodeMetainfo(torrent({ private: 1 })).isPrivate);
});

Deno.test("decodeMetainfo() lets announce-list override announce", () => {
  const announceOf = (outer: Members) => decodeMetainfo(torrent(outer)).announce;
  const [a, b, c] = ["http://a.test/announce", "udp://b.test:1/announce", "https://c.test/announce"];
  assertEquals(announceOf({}), []);
  assertEquals(announceOf({ announce: a }), [[a]]);
  assertEquals(announceOf({ announce: a, "announce-list": [[b, c], [c, a]] }), [[b, c], [a]]);
  assertEquals(announceOf({ announce: a, "announce-list": [] }), [[a]]);
  assertEquals(announceOf({ announce: a, "announce-list": [[], ["wss://x.test"]] }), [[a]]);
  assertEquals(announceOf({ announce: a, "announce-list": [b, c] }), [[b], [c]]);
  assertEquals(announceOf({ announce: a, "announce-list": "x" }), [[a]]);
  assertEquals(announceOf({ announce: [a] }), []);
});

Deno.test("decodeMetainfo() keeps only URLs that can be asked", () => {
  const bad = ["", "x", "wss://a.test/", "file:///etc/passwd", "http://", "http://a.test/\r\nHost: x", "javascript:1"];
  const tiers = [[...bad, " http://good.test/announce\n", `http://long.test/${"x".repeat(3000)}`, "http://a\0.test/"]];
  assertEquals(decodeMetainfo(torrent({ "announce-list": tiers })).announce, [["http://good.test/announce"]]);
});

Deno.test("decodeMetainfo() bounds the number of trackers and web seeds", () => {
  const urls = Array.from({ length: 1000 }, (_, i) => `http://${i}.test/`);
  const metainfo = decodeMetainfo(torrent({ "announce-list": urls.map((url) => [url]), "url-list": urls }));
  assertEquals([metainfo.announce.length, metainfo.webSeeds.length], [200, 200]);
});

Deno.test("decodeMetainfo() reads url-list as a string or a list", () => {
  const [a, b] = ["http://a.test/x", "https://b.test/"];
  assertEquals(decodeMetainfo(torrent({ "url-list": a })).webSeeds, [a]);
  assertEquals(decodeMetainfo(torrent({ "url-list": [a, b, a, "udp://c.test/", 5] })).webSeeds, [a, b]);
  assertEquals(decodeMetainfo(torrent({ "url-list": "" })).webSeeds, []);
  assertEquals(decodeMetainfo(torrent({ "url-list": 5 })).webSeeds, []);
});

Deno.test("decodeMetainfo() lays the files out for pieces", () => {
  const metainfo = decodeMetainfo(filesTorrent([{ length: 30_000, path: ["a"] }, { length: 10_000, path: ["b"] }]));
  assertEquals(metainfo.layout.spansOf({ offset: 29_999, length: 2 }).map((span) => span.fileIndex), [0, 1]);
});

for (const file of ["libtorrent_hybrid.torrent", "mktorrent_single.torrent"]) {
  Deno.test(`decodeMetainfo() rejects every truncation of ${file}`, () => {
    for (const truncated of truncationsOf(readGolden(file))) {
      assertFalse(isTaken(() => decodeMetainfo(truncated), `the first ${truncated.length} bytes`));
    }
  });
}

Deno.test("decodeMetainfo() meets 5,000 mutations with a safe torrent or a ProtocolError", () => {
  let takenCount = 0;
  for (const name of ["libtorrent_folder.torrent", "mktorrent_folder.torrent"]) {
    for (const mutated of mutationsOf(readGolden(name), { seed: 8, count: 2500 })) {
      const isGood = isTaken(() => {
        for (const part of decodeMetainfo(mutated).files.flatMap(({ path }) => path)) {
          assert(/^[^/\\\p{Cc}]+$/u.test(part) && !/^\.*$/.test(part), part);
        }
      }, formatHex(mutated));
      if (isGood) takenCount++;
    }
  }
  assertGreater(takenCount, 100);
});
