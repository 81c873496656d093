/** Bounds of torrent files and bencode (lib/bencode.ts, lib/metainfo.ts) and of magnet links and endpoints (lib/magnet.ts, lib/endpoint.ts). */
import { KiB, MiB } from "./units.ts";

/** Bytes of a .torrent file: 2^21 pieces need 40 MiB of hashes, but all known torrents fit here. */
export const torrentBytesMax = 64 * MiB;
/** Levels of nested lists and dictionaries; deeper input crashed recursive decoders (CVE-2020-8437). */
export const bencodeDepthMax = 100;
/** Values in one bencoded document. */
export const bencodeTokensMax = 3_000_000;
/** Keys of dictionaries that are not sorted, in all that are open at a time: they are held, to find one that repeats. */
export const bencodeUnsortedKeysMax = 20_000;
/** Digits of a bencoded integer or length. */
export const bencodeDigitsMax = 20;
/** Pieces of one torrent: libtorrent's bound too. */
export const pieceCountMax = 2 ** 21;
/** Bytes of one piece that a downloader is ready to hold in memory. */
export const pieceLengthMax = 256 * MiB;
/** Files of one torrent. */
export const fileCountMax = 1_000_000;
/** Folders above a file of a torrent. */
export const pathDepthMax = 100;
/** UTF-8 bytes of one name: most file systems take 255. */
export const nameBytesMax = 240;
/** Bytes of one dictionary key: file names are the longest that occur (BEP 52), and keys are held as strings. */
export const bencodeKeyBytesMax = 4 * KiB;
/** Tracker URLs, and web seed URLs, taken from one torrent or magnet link; the rest is left out. */
export const urlCountMax = 200;
/** Of these, good or not, that are looked at: each takes a microsecond, and a list may have millions. */
export const urlsLookedAtMax = 2000;
/** Characters of one URL from outside. */
export const urlCharsMax = 2 * KiB;

/** Characters of a magnet link: room for every URL that is taken, percent-encoded; no shell takes longer arguments. */
export const magnetCharsMax = 128 * KiB;
/** Peers (`x.pe`) taken from one magnet link. */
export const magnetPeerCountMax = 100;
/** Characters of a host name (RFC 1035), and of an address with its zone. */
export const hostCharsMax = 253;
