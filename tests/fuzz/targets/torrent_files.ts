/** Torrent files and their info sections, paths in them, and where a web seed has a file. */
import { decodeBencode, dictionaryOf } from "../../../lib/bencode.ts";
import { createHash } from "node:crypto";
import { mapFilePaths, safePart } from "../../../lib/file_path.ts";
import { decodeInfo, decodeMetainfo, hashOfPiece, isOnDisk, type Metainfo } from "../../../lib/metainfo.ts";
import { webSeedFileUrl } from "../../../peer/web_seed_url.ts";
import { goldenTorrents, readGolden } from "../../lib/golden.ts";
import { bent, dictionary, integer, list, spell, text, type Tree } from "../bencode_draft.ts";
import { bytesOf, type Draw, latin1Of } from "../draw.ts";
import { areApart, holds, isId, isSafeName, same, within } from "../holds.ts";
import { type FuzzTarget, readOrRefuse } from "../target.ts";

const pieceLengths = [5, 16_384, 16_384, 16_384, 16_385, 2 ** 18, 2 ** 28, 2 ** 28 + 1];

/** The info section of a torrent whose lengths add up, unless it is bent. */
export function infoTree(draw: Draw): Tree {
  const pieceLength = draw.pick(pieceLengths);
  const lengths = draw.oneIn(2) ? undefined : draw.several(() => draw.below(3) * draw.below(40_000), 4);
  const length = draw.oneIn(30) ? draw.count() : 1 + draw.below(60_000);
  const total = lengths === undefined ? length : lengths.reduce((sum, each) => sum + each, 0);
  const pieceCount = Math.min(300, Math.ceil(total / pieceLength));
  return dictionary({
    files: lengths && list(...lengths.map((each) => fileTree(draw, each))),
    length: lengths ? undefined : integer(length),
    name: text(draw.utf8()),
    "name.utf-8": draw.oneIn(6) ? text(draw.utf8()) : undefined,
    "piece length": integer(pieceLength),
    pieces: text(draw.bytes(1).repeat(20 * pieceCount)),
    private: draw.oneIn(5) ? integer(draw.digits()) : undefined,
    source: draw.oneIn(6) ? text(draw.utf8()) : undefined,
    attr: draw.oneIn(8) ? text(draw.pick(["p", "l", "x", "px"])) : undefined,
    "meta version": draw.oneIn(10) ? integer(2) : undefined,
  });
}

function fileTree(draw: Draw, length: number): Tree {
  const path = () =>
    list(...draw.several(() => text(draw.oneIn(3) ? draw.pick(["a", "A", "b.txt", "a "]) : draw.utf8()), 4));
  return dictionary({
    length: integer(length),
    path: path(),
    "path.utf-8": draw.oneIn(8) ? path() : undefined,
    attr: draw.oneIn(6) ? text(draw.pick(["p", "l", "x", "lp", "hx"])) : undefined,
    "symlink path": draw.oneIn(20) ? list(text(".."), text("x")) : undefined,
  });
}

function torrentTree(draw: Draw): Tree {
  const urls = () => list(...draw.several(() => text(latin1Of(draw.url())), 4));
  return dictionary({
    announce: draw.oneIn(4) ? undefined : text(latin1Of(draw.url())),
    "announce-list": draw.oneIn(3)
      ? list(...draw.several(() => draw.oneIn(8) ? text(latin1Of(draw.url())) : urls(), 4))
      : undefined,
    "url-list": draw.oneIn(3) ? draw.oneIn(2) ? urls() : text(latin1Of(draw.url())) : undefined,
    comment: draw.oneIn(3) ? text(draw.utf8()) : undefined,
    "created by": draw.oneIn(4) ? text(draw.utf8()) : undefined,
    "creation date": draw.oneIn(4) ? integer(draw.digits()) : undefined,
    info: infoTree(draw),
  });
}

/** Every torrent of a foreign program that is kept. */
export const goldenBytes: readonly Uint8Array[] = Object.keys(goldenTorrents).map(readGolden);

export const metainfo: FuzzTarget = {
  name: "metainfo",
  corpus: goldenBytes,
  generate: (draw) => bytesOf(spell(bent(draw, torrentTree(draw), () => infoTree(draw)), draw)),
  run(input) {
    const torrent = readOrRefuse(() => decodeMetainfo(input));
    if (torrent === undefined) return "refused";
    checkTorrent(torrent);
    const { announce, webSeeds } = torrent;
    same(
      decodeInfo(torrent.infoBytes, { announce, webSeeds }).files,
      torrent.files,
      "the files of the info section alone",
    );
    const info = dictionaryOf(decodeBencode(input), "it").get("info")!;
    same(torrent.infoBytes, input.subarray(info.start, info.end), "the raw info section");
    return "taken";
  },
};

export const infoSection: FuzzTarget = {
  name: "info-section",
  generate: (draw) => bytesOf(spell(bent(draw, infoTree(draw)), draw)),
  run(input) {
    const torrent = readOrRefuse(() => decodeInfo(input));
    if (torrent === undefined) return "refused";
    checkTorrent(torrent);
    return "taken";
  },
};

function checkTorrent(torrent: Metainfo): void {
  const { files, infoBytes, infoHash, layout, pieceCount, pieceLength, pieces, totalLength } = torrent;
  isId(infoHash, "the info hash");
  holds(infoHash === createHash("sha1").update(infoBytes).digest("hex"), "the info hash is that of the info section");
  within(totalLength, 1, Number.MAX_SAFE_INTEGER, "the length of all files");
  within(pieceLength, 1, 2 ** 28, "the piece length");
  within(pieceCount, 1, 2 ** 21, "the number of pieces");
  holds(files.reduce((sum, { length }) => sum + length, 0) === totalLength, "the files have the length of the torrent");
  holds(pieces.length === 20 * pieceCount, "each piece has a hash");
  const last = layout.toPieceIndex(pieceCount - 1);
  holds(last !== undefined && layout.toPieceIndex(pieceCount) === undefined, "the layout has as many pieces");
  holds(hashOfPiece(torrent, last).length === 20, "the last piece has a hash");
  holds(
    layout.pieceOffset(last) + layout.lengthOfPiece(last) === totalLength,
    "the pieces have the length of the torrent",
  );
  isSafeName(torrent.name);
  for (const { path } of files) for (const part of path) isSafeName(part);
  areApart(files.filter(isOnDisk).map(({ path }) => path));
  checkUrls(torrent);
}

function checkUrls(torrent: Metainfo): void {
  const { announce, files, webSeeds } = torrent;
  const trackers = announce.flat();
  holds(trackers.length <= 200 && webSeeds.length <= 200, "a torrent has too many URLs");
  holds(new Set(trackers).size === trackers.length, "a tracker is named twice");
  for (const url of trackers) holds(/^(https?|udp):$/.test(new URL(url).protocol), `a tracker is ${url}`);
  for (const webSeed of webSeeds) {
    const base = new URL(webSeed);
    holds(/^https?:$/.test(base.protocol), `a web seed is ${webSeed}`);
    if (base.search !== "" || base.hash !== "" || !webSeed.endsWith("/")) continue;
    const url = new URL(webSeedFileUrl(webSeed, torrent, files.length - 1));
    holds(url.origin === base.origin, "a file of a web seed is on another host");
    holds(url.pathname.startsWith(base.pathname), `a file is outside of its web seed: ${url}`);
  }
}

/** Marks that stand between the names and files of this target's inputs. */
const marks = { name: "\ue000", file: "\ue001" } as const;

/** Any text at all, lone surrogates too: 2 bytes a code unit. */
function codeUnits(text: string): Uint8Array {
  const bytes = new Uint8Array(2 * text.length);
  for (let i = 0; i < text.length; i++) new DataView(bytes.buffer).setUint16(2 * i, text.charCodeAt(i));
  return bytes;
}
export function textOfUnits(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i + 1 < bytes.length; i += 2) text += String.fromCharCode(bytes[i] << 8 | bytes[i + 1]);
  return text;
}

export const filePath: FuzzTarget = {
  name: "file-path",
  // The names of a torrent, which somebody chose to have: they may take time for each of them.
  inputBytesMax: 12_000,
  generate(draw) {
    const name = () => draw.oneIn(3) ? draw.pick(["a", "A", "a.txt", "a (2)", "a.", " ", "b"]) : draw.text();
    const path = () => Array.from({ length: draw.oneIn(200) ? 102 : 1 + draw.below(4) }, name).join(marks.name);
    return codeUnits(draw.several(path, 8).join(marks.file));
  },
  run(input) {
    const names = textOfUnits(input).split(marks.file).map((file) => file.split(marks.name));
    for (const name of names.flat()) {
      isSafeName(safePart(name));
      holds(safePart(safePart(name)) === safePart(name), `a safe name is not safe as it is: ${JSON.stringify(name)}`);
    }
    const paths = readOrRefuse(() => mapFilePaths(names));
    if (paths === undefined) return "refused";
    holds(paths.length === names.length, "each file has a path");
    for (const { path, exactPath } of paths) {
      path.forEach(isSafeName);
      for (const part of exactPath ?? []) {
        holds(
          part !== "" && part !== "." && part !== ".." && !/[/\0]/.test(part),
          "the path of a maker leads elsewhere",
        );
      }
    }
    areApart(paths.map(({ path }) => path));
    return "taken";
  },
};
