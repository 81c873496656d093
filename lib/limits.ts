/**
 * Every bound of localbt, with its unit and its reason. What comes from outside is checked against these before memory
 * or time is spent on it.
 */
export const KiB = 1024;
export const MiB = 1024 * KiB;

// Torrent files and bencode (lib/bencode.ts, lib/metainfo.ts)

/** Bytes of a .torrent file: 2^21 pieces need 40 MiB of hashes, but all known torrents fit here. */
export const torrentBytesMax = 64 * MiB;
/** Levels of nested lists and dictionaries; deeper input crashed recursive decoders (CVE-2020-8437). */
export const bencodeDepthMax = 100;
/** Values in one bencoded document. */
export const bencodeTokensMax = 3_000_000;
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

// The peer wire (lib/wire)

/** Bytes of a block: every client asks for this much and most drop who asks for more. */
export const blockLength = 16 * KiB;
/** Bytes of one wire message, without its length prefix; checked before anything is allocated. */
export const messageBytesMax = 1 * MiB;
/** Bytes of an extension message's payload that we send or decode. */
export const extensionBytesMax = 64 * KiB;
