/**
 * The answer to an HTTP announce or scrape: bencoded bytes <-> values (BEP 3, 7, 23, 24, 31, 48).
 *
 * The tracker's side writes straight into one buffer, without a tree in between; the client's side believes nothing:
 * peers are counted, intervals clamped, texts shortened.
 */
import {
  type BencodeDictionary,
  bytesAt,
  decodeBencodePrefix,
  dictionaryAt,
  dictionaryOf,
  encodeBencode,
  integerAt,
  textAt,
  textOf,
} from "../bencode.ts";
import { type Bytes, bytesFromLatin1, latin1FromBytes, readUint16, writeDecimal } from "../bytes.ts";
import { canonicalHost, decodeAddress, decodeCompact, type Endpoint } from "../endpoint.ts";
import { ProtocolError } from "../errors.ts";
import { idBytes, idLength, infoHashFromBytes } from "../ids.ts";
import {
  announceIntervalDefaultMs,
  numWantMax,
  replyPeersMax,
  scrapeRepliesMax,
  trackerIdBytesMax,
} from "../limits/tracker.ts";
import { clampInterval, shortText } from "./reply_bounds.ts";
import { type AnnounceAnswer, type AnnounceReply, type ScrapeCounts, TrackerFailure } from "./request.ts";

/** Bytes of one peer in the compact forms. */
const stride4 = 6;
const stride6 = 18;

/** Bytes of a peer's dictionary at most: `d2:ip39:…7:peer id20:…4:porti65535ee`. */
const dictionaryBytesMax = 96;

/**
 * Encodes a tracker's answers, one after the other into the same buffer.
 *
 * Each result is a view that lives until the next call.
 */
export class ReplyEncoder {
  readonly #bytes = new Uint8Array(1024 + numWantMax * dictionaryBytesMax);
  #length = 0;

  /** `peers` is always there, even empty: some clients take its absence for a failure. */
  encodeAnnounce(answer: AnnounceAnswer, options: { compact: boolean }): Bytes {
    this.#length = 0;
    this.#writeBytes(pieces.complete);
    this.#writeNumber(answer.complete);
    if (answer.externalIp !== undefined) {
      this.#writeBytes(pieces.externalIp);
      this.#writeString(answer.externalIp);
      this.#writeBytes(pieces.incomplete);
    } else this.#writeBytes(pieces.endThenIncomplete);
    this.#writeNumber(answer.incomplete);
    this.#writeBytes(pieces.interval);
    this.#writeNumber(Math.round(answer.intervalMs / 1000));
    this.#writeBytes(pieces.minInterval);
    this.#writeNumber(Math.round(answer.minIntervalMs / 1000));
    this.#writeBytes(pieces.peers);
    if (options.compact) {
      this.#writeString(answer.peers);
      if (answer.peers6.length > 0) {
        this.#writeBytes(pieces.peers6);
        this.#writeString(answer.peers6);
      }
    } else this.#writeDictionaries(answer);
    this.#bytes[this.#length++] = endMark;
    return this.#bytes.subarray(0, this.#length);
  }

  #writeDictionaries({ peers, peers6, peerIds }: AnnounceAnswer): void {
    this.#writeText("l");
    let id = 0;
    for (const [compact, stride] of [[peers, stride4], [peers6, stride6]] as const) {
      for (let at = 0; at < compact.length; at += stride, id += idLength) {
        const host = decodeAddress(compact.subarray(at, at + stride - 2))!;
        this.#writeText(`d2:ip${host.length}:${host}7:peer id`);
        this.#writeString(peerIds.subarray(id, id + idLength));
        this.#writeText(`4:porti${readUint16(compact, at + stride - 2)}ee`);
      }
    }
    this.#writeText("e");
  }

  #writeText(text: string): void {
    for (let i = 0; i < text.length; i++) this.#bytes[this.#length++] = text.charCodeAt(i);
  }

  #writeNumber(value: number): void {
    this.#length = writeDecimal(this.#bytes, this.#length, value);
  }

  #writeString(bytes: Uint8Array): void {
    this.#writeNumber(bytes.length);
    this.#bytes[this.#length++] = colon;
    this.#writeBytes(bytes);
  }

  #writeBytes(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }
}

const colon = 0x3a;
/** Ends an integer and a dictionary. */
const endMark = 0x65;
/** What stands between the values of an answer, in the order of the keys. */
const pieces = {
  complete: bytesFromLatin1("d8:completei"),
  externalIp: bytesFromLatin1("e11:external ip"),
  incomplete: bytesFromLatin1("10:incompletei"),
  endThenIncomplete: bytesFromLatin1("e10:incompletei"),
  interval: bytesFromLatin1("e8:intervali"),
  minInterval: bytesFromLatin1("e12:min intervali"),
  peers: bytesFromLatin1("e5:peers"),
  peers6: bytesFromLatin1("6:peers6"),
} as const;

/**
 * Encodes a refusal.
 *
 * @param retryInMs when the client may ask again (BEP 31): Infinity is never, undefined says nothing
 */
export function encodeFailure(reason: string, retryInMs?: number): Bytes {
  const retryIn = retryInMs === Infinity ? "never" : retryInMs && Math.ceil(retryInMs / 60_000);
  return encodeBencode({ "failure reason": reason, "retry in": retryIn });
}

/** Encodes the counters of some swarms (BEP 48); one asked for twice is told once. */
export function encodeScrape(counts: readonly ScrapeCounts[]): Bytes {
  const files = new Map<string, { complete: number; downloaded: number; incomplete: number }>();
  for (const { infoHash, complete, downloaded, incomplete } of counts) {
    files.set(latin1FromBytes(idBytes(infoHash)), { complete, downloaded, incomplete });
  }
  return encodeBencode({ files });
}

/**
 * Decodes the body of a reply to an announce; bytes behind the dictionary are ignored.
 *
 * @throws TrackerFailure when the tracker refused, ProtocolError when this is no tracker's answer
 */
export function decodeAnnounceReply(body: Uint8Array): AnnounceReply {
  const reply = replyEntries(body);
  const seconds = integerAt(reply, "interval");
  const minSeconds = integerAt(reply, "min interval");
  const minIntervalMs = minSeconds === undefined || minSeconds <= 0 ? undefined : clampInterval(minSeconds);
  const intervalMs = seconds === undefined ? announceIntervalDefaultMs : clampInterval(seconds);
  const trackerId = bytesAt(reply, "tracker id");
  const warning = textAt(reply, "warning message");
  return {
    intervalMs: Math.max(intervalMs, minIntervalMs ?? 0),
    minIntervalMs,
    complete: countAt(reply, "complete"),
    incomplete: countAt(reply, "incomplete"),
    peers: peersOf(reply),
    ...(trackerId && trackerId.length <= trackerIdBytesMax && { trackerId: latin1FromBytes(trackerId) }),
    ...(warning !== undefined && { warning: shortText(warning) }),
  };
}

/**
 * Decodes the body of a reply to a scrape (BEP 48).
 *
 * @throws TrackerFailure when the tracker refused, ProtocolError when this is no tracker's answer
 */
export function decodeScrapeReply(body: Uint8Array): ScrapeCounts[] {
  const files = dictionaryAt(replyEntries(body), "files");
  if (files === undefined) throw new ProtocolError("the tracker's answer has no files");
  const counts: ScrapeCounts[] = [];
  let looksLeft = scrapeRepliesMax;
  for (const [key, node] of files) {
    if (looksLeft-- === 0) break;
    if (key.length !== idLength || node.kind !== "dictionary") continue;
    counts.push({
      infoHash: infoHashFromBytes(bytesFromLatin1(key)),
      complete: countAt(node, "complete") ?? 0,
      incomplete: countAt(node, "incomplete") ?? 0,
      downloaded: countAt(node, "downloaded") ?? 0,
    });
  }
  return counts;
}

function replyEntries(body: Uint8Array): BencodeDictionary {
  // Said first: a web page's first byte is a clearer sign than what bencode makes of it.
  if (body.length === 0) throw new ProtocolError("the answer is empty");
  if (body[0] !== 0x64) throw new ProtocolError("the answer is not a tracker's");
  const reply = dictionaryOf(decodeBencodePrefix(body), "the tracker's answer");
  const failure = textAt(reply, "failure reason");
  if (failure !== undefined) throw new TrackerFailure(shortText(failure), retryInMs(reply));
  return reply;
}

/** `retry in` is minutes, as an integer or as digits, or "never" (BEP 31). */
function retryInMs(reply: BencodeDictionary): number | undefined {
  const text = textAt(reply, "retry in");
  if (text === "never") return Infinity;
  const minutes = integerAt(reply, "retry in") ?? (text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) : 0);
  return minutes > 0 ? minutes * 60_000 : undefined;
}

function countAt(reply: BencodeDictionary, key: string): number | undefined {
  const count = integerAt(reply, key);
  return count !== undefined && count >= 0 ? count : undefined;
}

/** Peers of all forms, at most replyPeersMax; compact ones may come in a reply to compact=0 and the reverse. */
function peersOf(reply: BencodeDictionary): Endpoint[] {
  const peers: Endpoint[] = [];
  const node = reply.get("peers");
  if (node?.kind === "bytes") peers.push(...compactPeers(node.value, 4));
  if (node?.kind === "list") {
    let looksLeft = replyPeersMax;
    for (const item of node) {
      if (looksLeft-- === 0) break;
      const peer = item.kind === "dictionary" ? peerOf(item) : undefined;
      if (peer !== undefined) peers.push(peer);
    }
  }
  const peers6 = bytesAt(reply, "peers6");
  if (peers6 !== undefined) peers.push(...compactPeers(peers6, 6));
  return peers.slice(0, replyPeersMax);
}

function compactPeers(bytes: Uint8Array, family: 4 | 6): Endpoint[] {
  const stride = family === 4 ? stride4 : stride6;
  if (bytes.length % stride !== 0) throw new ProtocolError("the tracker's list of peers is cut off");
  return decodeCompact(bytes.subarray(0, replyPeersMax * stride), family);
}

/** A peer's dictionary; names are left out, since looking one up for a tracker would be a favour to an attacker. */
function peerOf(entries: BencodeDictionary): Endpoint | undefined {
  const host = canonicalHost(textOf(entries.get("ip")) ?? "");
  const port = integerAt(entries, "port") ?? 0;
  return host !== undefined && port >= 1 && port <= 65535 ? { host, port } : undefined;
}
