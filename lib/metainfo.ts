/**
 * .torrent bytes -> Metainfo (BEP 3, 12, 19, 27, 47).
 *
 * Everything that later code relies on is checked here, once: the lengths add up to what the piece hashes cover, the
 * paths are safe (file_path.ts), the URLs can be contacted (remote_url.ts). The info hash is taken over the raw bytes of
 * `info`, whatever their order and unknown keys. Hybrid torrents are read as version 1; version 2 alone is refused.
 */
import { createHash } from "node:crypto";
import {
  type BencodeDictionary,
  type BencodeList,
  type BencodeNode,
  bytesAt,
  decodeBencode,
  dictionaryOf,
  integerAt,
  listAt,
  textAt,
  textOf,
} from "./bencode.ts";
import type { Bytes } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";
import { mapFilePaths, safePart } from "./file_path.ts";
import { idLength, type InfoHash, infoHashFromBytes, type PieceIndex } from "./ids.ts";
import { Layout } from "./layout.ts";
import {
  fileCountMax,
  pathDepthMax,
  pieceCountMax,
  pieceLengthMax,
  torrentBytesMax,
  urlCountMax,
  urlsLookedAtMax,
} from "./limits/torrent_file.ts";
import { parseTrackerUrl, parseWebSeedUrl } from "./remote_url.ts";

/** One file, in the torrent's order. */
export interface MetainfoFile {
  /** Safe names below the download folder: the torrent's name first; for a single file, its name alone. */
  readonly path: readonly string[];
  /** The maker's own path where it differs and is harmless to read on POSIX; see SafePath. */
  readonly exactPath?: readonly string[];
  /** Bytes. */
  readonly length: number;
  /** Zeros that align the next file: never on disk (BEP 47). */
  readonly isPadding: boolean;
  /** A link, which we leave out; it has no bytes (BEP 47). */
  readonly isSymlink: boolean;
  readonly isExecutable: boolean;
}

/** Whether the file has bytes of its own on the disk, or is made empty there. */
export function isOnDisk(file: Pick<MetainfoFile, "isPadding" | "isSymlink">): boolean {
  return !file.isPadding && !file.isSymlink;
}

export interface Metainfo {
  readonly infoHash: InfoHash;
  /** The raw bytes of `info`, as they were. */
  readonly infoBytes: Bytes;
  /** Safe as a file name. */
  readonly name: string;
  readonly isMultiFile: boolean;
  readonly files: readonly MetainfoFile[];
  /** Bytes of all files, above zero. */
  readonly totalLength: number;
  readonly pieceLength: number;
  readonly pieceCount: number;
  /** SHA-1 of each piece, 20 bytes each. */
  readonly pieces: Bytes;
  /** Tiers of tracker URLs (BEP 12). */
  readonly announce: readonly (readonly string[])[];
  /** URLs of web seeds (BEP 19). */
  readonly webSeeds: readonly string[];
  /** Peers may come from its trackers only (BEP 27). */
  readonly isPrivate: boolean;
  readonly comment?: string;
  readonly createdBy?: string;
  /** Unix time in seconds. */
  readonly creationDate?: number;
  readonly source?: string;
  readonly layout: Layout;
}

/**
 * Reads a .torrent file.
 *
 * @throws ProtocolError that says in plain words what is wrong with it
 */
export function decodeMetainfo(bytes: Uint8Array): Metainfo {
  if (bytes.length === 0) throw new ProtocolError("not a torrent: it is empty");
  if (bytes.length > torrentBytesMax) throw new ProtocolError(`not a torrent: it is over ${torrentBytesMax} bytes`);
  const entries = dictionaryOf(decodeTorrent(bytes), "not a torrent: it");
  const info = entries.get("info");
  if (info === undefined) throw new ProtocolError("not a torrent: it has no info section");
  const comment = textAt(entries, "comment.utf-8") ?? textAt(entries, "comment");
  const createdBy = textAt(entries, "created by");
  const creationDate = integerAt(entries, "creation date");
  return {
    ...readInfo(info, bytes.slice(info.start, info.end)),
    announce: readTiers(entries),
    webSeeds: readWebSeeds(entries),
    ...(comment !== undefined && { comment }),
    ...(createdBy !== undefined && { createdBy }),
    ...(creationDate !== undefined && { creationDate }),
  };
}

/**
 * Reads an `info` section that came by itself, as it does to a magnet link (BEP 9).
 *
 * @param infoBytes raw bytes, kept; the caller has compared their hash
 * @param extra what the magnet link knew, checked by lib/magnet.ts
 * @throws ProtocolError
 */
export function decodeInfo(
  infoBytes: Uint8Array,
  extra: { announce?: readonly (readonly string[])[]; webSeeds?: readonly string[] } = {},
): Metainfo {
  const { announce = [], webSeeds = [] } = extra;
  return { ...readInfo(decodeTorrent(infoBytes), infoBytes.slice()), announce, webSeeds };
}

/** The 20 bytes that the SHA-1 of a piece has to be: a view. */
export function hashOfPiece(metainfo: Metainfo, piece: PieceIndex): Bytes {
  return metainfo.pieces.subarray(piece * idLength, (piece + 1) * idLength);
}

function decodeTorrent(bytes: Uint8Array): BencodeNode {
  try {
    return decodeBencode(bytes);
  } catch (error) {
    if (error instanceof ProtocolError) throw new ProtocolError(`not a torrent: ${error.message}`);
    throw error;
  }
}

function readInfo(node: BencodeNode, infoBytes: Bytes): Omit<Metainfo, "announce" | "webSeeds"> {
  const info = dictionaryOf(node, "not a torrent: its info section");
  const pieces = bytesAt(info, "pieces");
  if (pieces === undefined) throw new ProtocolError(whyNoPieces(info));
  const pieceLength = integerAt(info, "piece length");
  if (pieceLength === undefined || pieceLength <= 0) throw new ProtocolError("the torrent has no valid piece length");
  if (pieceLength > pieceLengthMax) throw new ProtocolError(`the torrent has pieces of ${pieceLength} bytes`);
  const name = textAt(info, "name.utf-8") ?? textAt(info, "name");
  if (name === undefined) throw new ProtocolError("the torrent has no name");
  const fileNodes = listAt(info, "files");
  const files = fileNodes === undefined ? [readSingleFile(info, name)] : readFiles(fileNodes, name);
  checkLengths({ files, pieceLength, pieces });
  const layout = new Layout({ pieceLength, fileLengths: files.map((file) => file.length) });
  const source = textAt(info, "source");
  return {
    infoHash: infoHashFromBytes(createHash("sha1").update(infoBytes).digest()),
    infoBytes,
    name: safePart(name),
    isMultiFile: fileNodes !== undefined,
    files,
    totalLength: layout.totalLength,
    pieceLength,
    pieceCount: layout.pieceCount,
    pieces: pieces.slice() as Bytes,
    isPrivate: (integerAt(info, "private") ?? 0) !== 0,
    ...(source !== undefined && { source }),
    layout,
  };
}

function whyNoPieces(info: BencodeDictionary): string {
  return integerAt(info, "meta version") === 2
    ? "it is a version 2 torrent only (BEP 52), which localbt cannot read yet; ask for a hybrid or version 1 torrent"
    : "the torrent has no piece hashes";
}

function readSingleFile(info: BencodeDictionary, name: string): MetainfoFile {
  return { ...mapFilePaths([[name]])[0], ...readAttributes(info), length: readLength(info) };
}

function readFiles(nodes: BencodeList, name: string): MetainfoFile[] {
  if (nodes.length > fileCountMax) throw new ProtocolError(`the torrent has over ${fileCountMax} files`);
  const files = Array.from(nodes, (node) => {
    const entries = dictionaryOf(node, "a file in the torrent");
    const attributes = readAttributes(entries);
    const length = attributes.isSymlink ? 0 : readLength(entries);
    return { names: [name, ...readPath(entries)], file: { ...attributes, length } };
  });
  // What never gets to the disk takes no name away from what does.
  const paths = mapFilePaths(files.filter(({ file }) => isOnDisk(file)).map(({ names }) => names)).values();
  return files.map(({ names, file }) =>
    isOnDisk(file) ? { ...paths.next().value!, ...file } : { path: names.map(safePart), ...file }
  );
}

function readPath(entries: BencodeDictionary): string[] {
  const parts: string[] = [];
  for (const node of listAt(entries, "path.utf-8") ?? listAt(entries, "path") ?? []) {
    const part = textOf(node);
    if (part === undefined) throw new ProtocolError("a file in the torrent has a path that is not text");
    if (parts.push(part) > pathDepthMax) throw new ProtocolError(`a file in the torrent is over ${pathDepthMax} deep`);
  }
  if (parts.length === 0) throw new ProtocolError("a file in the torrent has no path");
  return parts;
}

function readLength(entries: BencodeDictionary): number {
  const length = integerAt(entries, "length");
  if (length === undefined || length < 0) throw new ProtocolError("a file in the torrent has no valid length");
  return length;
}

function readAttributes(entries: BencodeDictionary): Pick<MetainfoFile, "isPadding" | "isSymlink" | "isExecutable"> {
  const attributes = textAt(entries, "attr") ?? "";
  return {
    isPadding: attributes.includes("p"),
    isSymlink: attributes.includes("l"),
    isExecutable: attributes.includes("x"),
  };
}

function checkLengths(
  { files, pieceLength, pieces }: { files: readonly MetainfoFile[]; pieceLength: number; pieces: Uint8Array },
): void {
  let total = 0;
  for (const file of files) {
    total += file.length;
    if (!Number.isSafeInteger(total)) throw new ProtocolError("the torrent is larger than any disk");
  }
  if (total === 0) throw new ProtocolError("the torrent holds no data");
  const pieceCount = Math.ceil(total / pieceLength);
  if (pieceCount > pieceCountMax) throw new ProtocolError(`the torrent has over ${pieceCountMax} pieces`);
  if (pieces.length !== pieceCount * idLength) {
    throw new ProtocolError(
      `the torrent has ${pieces.length} bytes of piece hashes, wanted ${
        pieceCount * idLength
      } for ${total} bytes of data`,
    );
  }
}

/** The tiers of `announce-list`, or where that names no tracker, `announce` alone (BEP 12). */
function readTiers(entries: BencodeDictionary): string[][] {
  const sieve = new UrlSieve(parseTrackerUrl);
  const tiers: string[][] = [];
  for (const tier of listAt(entries, "announce-list") ?? []) {
    if (!sieve.mayLook()) break;
    // A bare URL where a tier belongs is a tier of its own: some writers have it so.
    const urls = sieve.keep(tier.kind === "list" ? tier : [tier]);
    if (urls.length > 0) tiers.push(urls);
  }
  if (tiers.length > 0) return tiers;
  const announce = entries.get("announce");
  const urls = announce === undefined ? [] : new UrlSieve(parseTrackerUrl).keep([announce]);
  return urls.length > 0 ? [urls] : [];
}

/** `url-list`: one URL or a list of them (BEP 19). */
function readWebSeeds(entries: BencodeDictionary): string[] {
  const node = entries.get("url-list");
  if (node === undefined) return [];
  return new UrlSieve(parseWebSeedUrl).keep(node.kind === "list" ? node : [node]);
}

/** Lets usable URLs through, each once, up to the limits. */
class UrlSieve {
  readonly #parse: (text: string) => string | undefined;
  readonly #seen = new Set<string>();
  #looksLeft = urlsLookedAtMax;

  constructor(parse: (text: string) => string | undefined) {
    this.#parse = parse;
  }

  /** Whether one more may be looked at, which counts. */
  mayLook(): boolean {
    return this.#seen.size < urlCountMax && this.#looksLeft-- > 0;
  }

  keep(nodes: Iterable<BencodeNode>): string[] {
    const urls: string[] = [];
    for (const node of nodes) {
      if (!this.mayLook()) break;
      const text = textOf(node);
      const url = text && this.#parse(text);
      if (!url || this.#seen.has(url)) continue;
      this.#seen.add(url);
      urls.push(url);
    }
    return urls;
  }
}
