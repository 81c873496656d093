/**
 * A UDP tracker's answers: connection ids, peers, counters and refusals <-> packets (BEP 15).
 *
 * The tracker's side writes into the buffer that is sent; the client's side believes nothing: intervals are clamped, texts
 * shortened, counts matched to what was asked.
 *
 *     offset  bytes  connect          announce           scrape                 error
 *          0      4  action 0         action 1           action 2               action 3
 *          4      4  transaction id   transaction id     transaction id         transaction id
 *          8      4  connection id    interval, s        complete               words
 *         12      4                   incomplete         downloaded
 *         16      4                   complete           incomplete
 *         20                          peers, 6 or 18     12 for each further
 */
import { type Bytes, readUint32, writeUint32 } from "../bytes.ts";
import { decodeCompact } from "../endpoint.ts";
import { ProtocolError } from "../errors.ts";
import type { InfoHash } from "../ids.ts";
import { replyPeersMax, scrapeHashesMax, trackerTextMax, udpReplyBytesMax } from "../limits/tracker.ts";
import { clampInterval, shortText } from "./reply_bounds.ts";
import { type AnnounceAnswer, type AnnounceReply, type ScrapeCounts, TrackerFailure } from "./request.ts";
import { connectionIdLength, udpAction } from "./udp_request.ts";

/** Bytes of every answer at least. */
const headLength = 8;
const connectLength = headLength + connectionIdLength;
const announceLength = 20;
const countsLength = 12;

/** Bytes of a refusal that are read: as many as the characters that are shown can have, and one more. */
const wordsBytesMax = 4 * trackerTextMax + 1;

/** Peers of one answer at most, by the bytes that one takes in it. */
export const udpPeersMax = {
  4: Math.floor((udpReplyBytesMax - announceLength) / 6),
  6: Math.floor((udpReplyBytesMax - announceLength) / 18),
} as const;
/** Bytes of the longest answer, so of the buffer to encode into. */
export const udpReplyLengthMax: number = Math.max(udpReplyBytesMax, headLength + scrapeHashesMax * countsLength);

/** Encodes a connection id. @returns how many bytes of `reply` are used, as all of these do */
export function encodeConnectReply(reply: Bytes, transactionId: number, id: { high: number; low: number }): number {
  writeHead(reply, udpAction.connect, transactionId);
  writeUint32(reply, 8, id.high);
  writeUint32(reply, 12, id.low);
  return connectLength;
}

/** Encodes peers of the family of the asker's packet. */
export function encodeAnnounceReply(
  reply: Bytes,
  transactionId: number,
  answer: AnnounceAnswer,
  family: 4 | 6,
): number {
  const peers = family === 4 ? answer.peers : answer.peers6;
  writeHead(reply, udpAction.announce, transactionId);
  writeUint32(reply, 8, Math.round(answer.intervalMs / 1000));
  writeUint32(reply, 12, answer.incomplete);
  writeUint32(reply, 16, answer.complete);
  reply.set(peers, announceLength);
  return announceLength + peers.length;
}

/** Encodes counters in the order of the info hashes asked for; `counts` may leave out unknown ones, which are all 0. */
export function encodeScrapeReply(
  reply: Bytes,
  transactionId: number,
  infoHashes: readonly InfoHash[],
  counts: readonly ScrapeCounts[],
): number {
  writeHead(reply, udpAction.scrape, transactionId);
  const known = new Map(counts.map((swarm) => [swarm.infoHash, swarm]));
  let at = headLength;
  for (const infoHash of infoHashes) {
    const { complete = 0, downloaded = 0, incomplete = 0 } = known.get(infoHash) ?? {};
    writeUint32(reply, at, complete);
    writeUint32(reply, at + 4, downloaded);
    writeUint32(reply, at + 8, incomplete);
    at += countsLength;
  }
  return at;
}

/** Encodes a refusal. */
export function encodeErrorReply(reply: Bytes, transactionId: number, words: string): number {
  writeHead(reply, udpAction.error, transactionId);
  return headLength + new TextEncoder().encodeInto(shortText(words), reply.subarray(headLength)).written;
}

/** The transaction id that a packet answers; undefined for what is too short to answer anything. */
export function replyTransactionId(packet: Uint8Array): number | undefined {
  return packet.length < headLength ? undefined : readUint32(packet, 4);
}

/**
 * The connection id that a tracker gave out, 8 bytes.
 *
 * @throws TrackerFailure when the tracker refused, ProtocolError when this is no answer to a connect
 */
export function decodeConnectReply(packet: Uint8Array): Bytes {
  checkReply(packet, udpAction.connect, connectLength);
  return packet.slice(headLength, connectLength) as Bytes;
}

/**
 * Decodes the answer to an announce.
 *
 * @param family that of the tracker's address: its peers are of the same
 * @throws TrackerFailure when the tracker refused, ProtocolError when this is no answer to an announce
 */
export function decodeAnnounceReply(packet: Uint8Array, family: 4 | 6): AnnounceReply {
  checkReply(packet, udpAction.announce, announceLength);
  const stride = family === 4 ? 6 : 18;
  const peers = packet.subarray(announceLength);
  if (peers.length % stride !== 0) throw new ProtocolError("the tracker's list of peers is cut off");
  return {
    intervalMs: clampInterval(readUint32(packet, 8)),
    minIntervalMs: undefined,
    complete: readUint32(packet, 16),
    incomplete: readUint32(packet, 12),
    peers: decodeCompact(peers.subarray(0, replyPeersMax * stride), family),
  };
}

/**
 * Decodes the answer to a scrape of these info hashes.
 *
 * @throws TrackerFailure when the tracker refused, ProtocolError when this is no answer to that scrape
 */
export function decodeScrapeReply(packet: Uint8Array, infoHashes: readonly InfoHash[]): ScrapeCounts[] {
  checkReply(packet, udpAction.scrape, headLength + infoHashes.length * countsLength);
  return infoHashes.map((infoHash, i) => {
    const at = headLength + i * countsLength;
    return {
      infoHash,
      complete: readUint32(packet, at),
      downloaded: readUint32(packet, at + 4),
      incomplete: readUint32(packet, at + 8),
    };
  });
}

function checkReply(packet: Uint8Array, action: number, length: number): void {
  if (packet.length >= headLength && readUint32(packet, 0) === udpAction.error) {
    // Cut before it is looked at: some end in zeros, and no expression finds the end of a long run of them in linear time.
    const words = new TextDecoder().decode(packet.subarray(headLength, headLength + wordsBytesMax)).replace(/\0+$/, "");
    throw new TrackerFailure(shortText(words === "" ? "the tracker refused without a word" : words));
  }
  if (packet.length === headLength && action === udpAction.announce && readUint32(packet, 0) === action) {
    // opentracker's refusal
    throw new TrackerFailure("the tracker's answer is empty: it may not track this torrent");
  }
  if (packet.length < length || readUint32(packet, 0) !== action) {
    throw new ProtocolError("the answer is not a tracker's");
  }
}

function writeHead(reply: Bytes, action: number, transactionId: number): void {
  writeUint32(reply, 0, action);
  writeUint32(reply, 4, transactionId);
}
