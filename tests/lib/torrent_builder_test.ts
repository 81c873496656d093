import { assert, assertEquals, assertLessOrEqual, assertThrows } from "@std/assert";
import { formatHex } from "../../lib/bytes.ts";
import { UserError } from "../../lib/errors.ts";
import { pieceCountMax } from "../../lib/limits/torrent_file.ts";
import { KiB, MiB } from "../../lib/limits/units.ts";
import { decodeMetainfo } from "../../lib/metainfo.ts";
import {
  buildTorrent,
  checkTorrentSize,
  choosePieceLength,
  type TorrentDescription,
} from "../../lib/torrent_builder.ts";
import { interopTest } from "../interop/installed.ts";
import { needs, readByAria2, readByLibtorrent, readByTransmission } from "./foreign_readers.ts";
import { goldenTorrents, readGolden } from "./golden.ts";

/** Hashes of nothing in particular. */
const hashes = (count: number) => Uint8Array.from({ length: 20 * count }, (_, i) => (i * 37 + 11) % 256);

const single: TorrentDescription = {
  name: "naïve 🎉.bin",
  files: [{ path: [], length: 100_000 }],
  isMultiFile: false,
  pieceLength: 48 * KiB,
  pieces: hashes(3),
};
const folder: TorrentDescription = {
  name: "日本 folder",
  files: [
    { path: ["a first.txt"], length: 5 },
    { path: ["empty.dat"], length: 0 },
    { path: ["naïve", "файл 🎉.bin"], length: 100_000 },
    { path: ["naïve", "zwei.bin"], length: 1 },
  ],
  isMultiFile: true,
  pieceLength: 48 * KiB,
  pieces: hashes(3),
  announce: [["http://one.test/announce", "udp://two.test:6969/announce"], ["https://three.test/announce"]],
  webSeeds: ["http://seed.test/a/", "https://seed.test/b/"],
  comment: "a comment, naïve",
  isPrivate: true,
  source: "SRC",
  creationDate: 1_700_000_000,
  createdBy: "localbt/0.1.0",
};

Deno.test("buildTorrent() writes these very bytes for a single file", () => {
  const { bytes } = buildTorrent({
    name: "n",
    files: [{ path: [], length: 3 }],
    isMultiFile: false,
    pieceLength: 16384,
    pieces: new TextEncoder().encode("x".repeat(20)),
    announce: [["http://a.test/announce"]],
  });
  assertEquals(
    new TextDecoder().decode(bytes),
    "d8:announce22:http://a.test/announce8:encoding5:UTF-84:infod6:lengthi3e4:name1:n12:piece lengthi16384e" +
      `6:pieces20:${"x".repeat(20)}ee`,
  );
});

Deno.test("buildTorrent() writes these very bytes for a folder with everything", () => {
  const { bytes } = buildTorrent({
    name: "n",
    files: [{ path: ["d", "é"], length: 3 }, { path: ["e"], length: 0 }],
    isMultiFile: true,
    pieceLength: 16384,
    pieces: new TextEncoder().encode("x".repeat(20)),
    announce: [["udp://a:1", "udp://b:1"], [], ["udp://c:1"]],
    webSeeds: ["http://w/"],
    comment: "c",
    isPrivate: true,
    source: "s",
    creationDate: 5,
    createdBy: "me",
  });
  assertEquals(
    new TextDecoder().decode(bytes),
    "d8:announce9:udp://a:113:announce-listll9:udp://a:19:udp://b:1el9:udp://c:1ee7:comment1:c10:created by2:me" +
      "13:creation datei5e8:encoding5:UTF-84:infod5:filesld6:lengthi3e4:pathl1:d2:éeed6:lengthi0e4:pathl1:eeee" +
      `4:name1:n12:piece lengthi16384e6:pieces20:${"x".repeat(20)}7:privatei1e6:source1:se8:url-listl9:http://w/ee`,
  );
});

for (const description of [single, folder]) {
  Deno.test(`buildTorrent() writes of "${description.name}" what decodeMetainfo() reads`, () => {
    const { bytes, infoHash } = buildTorrent(description);
    const read = decodeMetainfo(bytes);
    assertEquals(read.infoHash, infoHash);
    const { name, files, isMultiFile, pieceLength, pieces } = description;
    assertEquals(
      read.files.map(({ path, length }) => ({ path: [...path], length })),
      files.map(({ path, length }) => ({ path: [name, ...path], length })),
    );
    assertEquals([read.name, read.isMultiFile, read.pieceLength], [name, isMultiFile, pieceLength]);
    assertEquals(read.pieces, pieces);
    assertEquals(read.announce, description.announce ?? []);
    assertEquals(read.webSeeds, description.webSeeds ?? []);
    assertEquals([read.comment, read.source], [description.comment, description.source]);
    assertEquals([read.createdBy, read.creationDate], [description.createdBy, description.creationDate]);
    assertEquals(read.isPrivate, description.isPrivate ?? false);
  });
}

for (const file of ["mktorrent_single.torrent", "mktorrent_folder.torrent", "libtorrent_single.torrent"]) {
  Deno.test(`buildTorrent() gives the data of ${file} the same info hash`, () => {
    const { name, isMultiFile, pieceLength, pieces, isPrivate, source, files } = decodeMetainfo(readGolden(file));
    const rebuilt = buildTorrent({
      name,
      isMultiFile,
      pieceLength,
      pieces,
      isPrivate,
      files: files.map(({ path, length }) => ({ path: path.slice(1), length })),
      ...(source !== undefined && { source }),
    });
    assertEquals(String(rebuilt.infoHash), goldenTorrents[file].infoHash);
  });
}

Deno.test("buildTorrent() writes the same bytes again, and trackers do not change the info hash", () => {
  assertEquals(buildTorrent(folder), buildTorrent({ ...folder }));
  const { infoHash } = buildTorrent({ ...folder, announce: [], webSeeds: [], comment: "else", creationDate: 1 });
  assertEquals(infoHash, buildTorrent(folder).infoHash);
});

Deno.test("buildTorrent() asserts that hashes and files fit the rest", () => {
  assertThrows(() => buildTorrent({ ...single, pieces: hashes(2) }), RangeError);
  assertThrows(
    () => buildTorrent({ ...single, files: [...single.files, ...single.files], pieces: hashes(5) }),
    RangeError,
  );
});

Deno.test("buildTorrent() refuses more files than decodeMetainfo() would read", () => {
  const files = new Array(760_000).fill({ path: ["f"], length: 1 });
  const description = { ...folder, files, pieceLength: 1 * MiB, pieces: hashes(1) };
  assertThrows(() => buildTorrent(description), UserError, "too many for one torrent");
});

Deno.test("checkTorrentSize() refuses what nobody could read, and says what to change", () => {
  const fits = { totalLength: 1, pieceLength: 16 * KiB, fileCount: 1 };
  checkTorrentSize(fits);
  checkTorrentSize({ ...fits, totalLength: pieceCountMax * 16 * KiB });
  assertThrows(() => checkTorrentSize({ ...fits, totalLength: 0 }), UserError, "no data");
  assertThrows(() => checkTorrentSize({ ...fits, fileCount: 1_000_001 }), UserError, "files");
  assertThrows(() => checkTorrentSize({ ...fits, pieceLength: 512 * MiB }), UserError, "too large");
  assertThrows(() => checkTorrentSize({ ...fits, totalLength: pieceCountMax * 16 * KiB + 1 }), UserError, "pieces of");
});

Deno.test("choosePieceLength() is a power of two that makes 1024 to 2048 pieces where it can", () => {
  assertEquals(choosePieceLength(1), 16 * KiB);
  assertEquals(choosePieceLength(32 * MiB), 16 * KiB);
  assertEquals(choosePieceLength(32 * MiB + 1), 32 * KiB);
  assertEquals(choosePieceLength(2048 * MiB), 1 * MiB);
  assertEquals(choosePieceLength(6 * 1024 * MiB), 4 * MiB);
  assertEquals(choosePieceLength(1e15), 16 * MiB);
  for (let length = 17 * MiB; length < 32 * 1024 * MiB; length *= 1.7) {
    const pieceLength = choosePieceLength(length);
    assert(Number.isInteger(Math.log2(pieceLength)));
    assertLessOrEqual(Math.abs(Math.ceil(length / pieceLength) - 1536), 512);
  }
});

/** Runs with the path of the torrent in a folder that is gone afterwards. */
async function withTorrent(description: TorrentDescription, run: (path: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/built.torrent`;
    await Deno.writeFile(path, buildTorrent(description).bytes);
    await run(path);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const pathsOf = ({ name, files }: TorrentDescription) => files.map(({ path }) => [name, ...path].join("/"));
const lengthsOf = ({ files }: TorrentDescription) => files.map(({ length }) => length);
const many: TorrentDescription = {
  ...folder,
  name: "many",
  files: Array.from({ length: 3000 }, (_, i) => ({ path: [`d${i % 30}`, `file ${i}`], length: i % 7 })),
  pieceLength: 16 * KiB,
  pieces: hashes(1),
};
const large: TorrentDescription = {
  ...single,
  name: "large.img",
  files: [{ path: [], length: 5 * 1024 ** 3 + 1 }],
  pieceLength: 16 * MiB,
  pieces: hashes(321),
};

for (const description of [single, folder, many, large]) {
  const { name, pieces, announce = [], isPrivate = false } = description;
  const { infoHash } = buildTorrent(description);

  interopTest(
    `buildTorrent() makes "${name}" readable by transmission-show`,
    [needs.transmission],
    () =>
      withTorrent(description, async (path) => {
        const view = await readByTransmission(path);
        assertEquals([view.infoHash, view.name, view.pieceCount], [infoHash, name, pieces.length / 20]);
        assertEquals(view.files.map((file) => file.path).sort(), pathsOf(description).sort());
        assertEquals([view.trackers, view.isPrivate], [announce.flat(), isPrivate]);
        assertEquals(view.webSeeds, description.webSeeds ?? []);
      }),
  );

  interopTest(
    `buildTorrent() makes "${name}" readable by aria2c -S`,
    [needs.aria2],
    () =>
      withTorrent(description, async (path) => {
        const view = await readByAria2(path);
        assertEquals([view.infoHash, view.name, view.pieceCount], [infoHash, name, pieces.length / 20]);
        assertEquals(view.files.map((file) => file.path), pathsOf(description));
        assertEquals(view.files.map((file) => file.length), lengthsOf(description));
        assertEquals(view.trackers.sort(), announce.flat().sort());
      }),
  );

  interopTest(
    `buildTorrent() makes "${name}" readable by libtorrent`,
    [needs.libtorrent],
    () =>
      withTorrent(description, async (path) => {
        const view = await readByLibtorrent(path);
        assertEquals([view.infoHash, view.name, view.pieceCount], [infoHash, name, pieces.length / 20]);
        assertEquals([view.pieceLength, view.pieces], [description.pieceLength, formatHex(pieces)]);
        assertEquals(view.files.map((file) => file.path), pathsOf(description));
        assertEquals(view.files.map((file) => file.length), lengthsOf(description));
        assertEquals([view.trackers, view.isPrivate], [announce.map((tier) => [...tier].sort()).flat(), isPrivate]);
        assertEquals(view.webSeeds, description.webSeeds ?? []);
      }),
  );
}
