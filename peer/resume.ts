/**
 * What is on disk, as bytes, and when it may be trusted: the resume file.
 *
 * It says which pieces were whole when every file was as it is described here. A file that has changed since says
 * nothing any more; bytes that are cut, altered, of another version or of another torrent are worth nothing at all.
 * When it is written and read is peer/io/resume_file.ts's matter, what follows from it piece_check.ts's.
 *
 * Bencoded `{checksum: SHA-1 of state, state: <bencoded {files, format, have, info hash}>}`; `files` is 32 bytes a file:
 * ```text
 * 0   uint8   1 = we created it, 2 = it was there, 4 = it vouches for its pieces
 * 1   uint56  length in bytes
 * 8   uint64  time of its data's change, ms since 1970
 * 16  uint64  time of its own change, ms since 1970
 * 24  uint64  number of the file in its file system
 * ```
 */
import { createHash } from "node:crypto";
import { bytesAt, decodeBencode, dictionaryOf, encodeBencode, textAt } from "../lib/bencode.ts";
import { Bitfield } from "../lib/bitfield.ts";
import { type Bytes, equalBytes, formatHex, readUint32, writeUint32 } from "../lib/bytes.ts";
import { ProtocolError } from "../lib/errors.ts";
import { idBytes, type InfoHash } from "../lib/ids.ts";

/** What tells one state of a file from another. */
export interface FileStamp {
  /** Bytes; -1 when there is no file. */
  readonly length: number;
  /** When its data changed, whole milliseconds since 1970; any program can set it back. */
  readonly mtimeMs: number;
  /** When anything of it changed, as the system notes it; 0 where it does not. No program can set it back. */
  readonly ctimeMs: number;
  /** The file's number in its file system, below 2^53; 0 where there is none. */
  readonly inode: number;
}

/** What is at the path of a file. */
export interface FileState extends FileStamp {
  /** Its last change lies so far back that another one would show. */
  readonly isSettled: boolean;
  /** Bytes that the file takes up on the disk: fewer than its length when it has holes. */
  readonly allocated: number;
}

/** The stamp of a file that is not there. */
export const noFile: FileStamp = { length: -1, mtimeMs: 0, ctimeMs: 0, inode: 0 };

/** A file as it was when the resume file was written. */
export interface ResumeFile extends FileStamp {
  /** While it is as described here, it holds the pieces that are had, and no others. */
  readonly vouches: boolean;
  /** It did not exist before this download: it is ours to write to. */
  readonly createdByUs: boolean;
}

export interface ResumeState {
  readonly infoHash: InfoHash;
  /** Pieces that were on disk, flushed, before this was written. */
  readonly have: Bitfield;
  /** In the torrent's order. */
  readonly files: readonly ResumeFile[];
}

const format = "localbt resume 2";
const entryLength = 32;
const createdFlag = 1;
const presentFlag = 2;
const vouchesFlag = 4;

/** The resume file of this state. */
export function encodeResume(state: ResumeState): Bytes {
  const files = new Uint8Array(state.files.length * entryLength);
  state.files.forEach((file, i) => encodeFile(file, files.subarray(i * entryLength, (i + 1) * entryLength)));
  const inner = encodeBencode({ files, format, have: state.have.encode(), "info hash": idBytes(state.infoHash) });
  return encodeBencode({ checksum: sha1(inner), state: inner });
}

/**
 * The state in a resume file, if it can be believed: whole, of this version and of this torrent.
 *
 * @returns undefined for anything else; never throws
 */
export function decodeResume(
  bytes: Uint8Array,
  { infoHash, pieceCount, fileCount }: { infoHash: InfoHash; pieceCount: number; fileCount: number },
): ResumeState | undefined {
  try {
    const outer = dictionaryOf(decodeBencode(bytes), "a resume file");
    const inner = bytesAt(outer, "state");
    const checksum = bytesAt(outer, "checksum");
    if (inner === undefined || checksum === undefined || !equalBytes(checksum, sha1(inner))) return undefined;
    const state = dictionaryOf(decodeBencode(inner), "a resume file's state");
    const files = bytesAt(state, "files");
    const have = bytesAt(state, "have");
    const hash = bytesAt(state, "info hash");
    if (textAt(state, "format") !== format || files?.length !== fileCount * entryLength) return undefined;
    if (have === undefined || hash === undefined || !equalBytes(hash, idBytes(infoHash))) return undefined;
    return {
      infoHash,
      have: Bitfield.decode(have, pieceCount),
      files: Array.from({ length: fileCount }, (_, i) => decodeFile(files.subarray(i * entryLength))),
    };
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

/**
 * The name of the resume file in the download folder: hidden, safe, and short enough for every file system.
 *
 * @param name the torrent's safe name
 */
export function resumeFileName({ name, infoHash }: { name: string; infoHash: InfoHash }): string {
  return hiddenName({ name, id: infoHash }, "localbt-resume");
}

/** The name of the part file, beside it. @param name as above */
export function partFileName({ name, infoHash }: { name: string; infoHash: InfoHash }): string {
  return hiddenName({ name, id: infoHash }, "localbt-parts");
}

/**
 * The name of the file that keeps a second download out of the folder: the same for all torrents of that name, since the
 * files of two torrents can only be the same where the torrents' names are.
 *
 * @param name as above
 */
export function lockFileName({ name }: { name: string }): string {
  return hiddenName({ name, id: formatHex(sha1(new TextEncoder().encode(name.toLowerCase()))) }, "localbt-lock");
}

/** Whether a torrent of this name would lay a file of ours, forged, for another download to find. @param name as above */
export function isNameOfOurs(name: string): boolean {
  return /\.localbt-[a-z]+(\.tmp)?$/i.test(name);
}

function hiddenName({ name, id }: { name: string; id: string }, ending: string): string {
  const encoder = new TextEncoder();
  let stem = "";
  let byteLength = 0;
  for (const character of name) {
    byteLength += encoder.encode(character).length;
    if (byteLength > stemBytesMax) break;
    stem += character;
  }
  return `.${stem}.${id.slice(0, 8)}.${ending}`;
}

/** UTF-8 bytes of the torrent's name in the resume file's: with its ends and a `.tmp` it stays below 255. */
const stemBytesMax = 200;

function encodeFile(file: ResumeFile, into: Uint8Array): void {
  const isPresent = file.length >= 0;
  if (isPresent) {
    [file.length, file.mtimeMs, file.ctimeMs, file.inode].forEach((value, i) => writeUint64(into, 8 * i, value));
  }
  into[0] = (file.createdByUs ? createdFlag : 0) | (isPresent ? presentFlag : 0) | (file.vouches ? vouchesFlag : 0);
}

function decodeFile(entry: Uint8Array): ResumeFile {
  const createdByUs = (entry[0] & createdFlag) !== 0;
  const vouches = (entry[0] & vouchesFlag) !== 0;
  if ((entry[0] & presentFlag) === 0) return { ...noFile, vouches, createdByUs };
  return {
    length: Math.min((readUint32(entry, 0) & 0xffffff) * 2 ** 32 + readUint32(entry, 4), Number.MAX_SAFE_INTEGER),
    mtimeMs: readUint64(entry, 8),
    ctimeMs: readUint64(entry, 16),
    inode: readUint64(entry, 24),
    vouches,
    createdByUs,
  };
}

/** Beyond 2^53 - 1, where we never wrote anything, it stays there. */
function readUint64(bytes: Uint8Array, offset: number): number {
  return Math.min(readUint32(bytes, offset) * 2 ** 32 + readUint32(bytes, offset + 4), Number.MAX_SAFE_INTEGER);
}

/** @param value below 2^53 */
function writeUint64(bytes: Uint8Array, offset: number, value: number): void {
  writeUint32(bytes, offset, Math.floor(value / 2 ** 32));
  writeUint32(bytes, offset + 4, value % 2 ** 32);
}

function sha1(bytes: Uint8Array): Bytes {
  return new Uint8Array(createHash("sha1").update(bytes).digest());
}
