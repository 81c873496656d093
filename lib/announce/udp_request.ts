/**
 * The questions of a UDP tracker's client: connect, announce and scrape <-> packets (BEP 15), with the URL's path (BEP 41).
 *
 * All begin alike, and what is behind the fields that are known is options, or nothing yet: longer packets are fine.
 *
 *     offset  bytes  connect                announce               scrape
 *          0      8  magic 0x41727101980    connection id          connection id
 *          8      4  action 0               action 1               action 2
 *         12      4  transaction id         transaction id         transaction id
 *         16                                info hash, 20          info hashes, 20 each
 *         36     20                         peer id
 *         56      8                         downloaded
 *         64      8                         left
 *         72      8                         uploaded
 *         80      4                         event
 *         84      4                         IP address: 0, and ignored on purpose
 *         88      4                         key
 *         92      4                         peers wanted, -1 for any number
 *         96      2                         port
 *         98                                options (BEP 41)
 */
import { type Bytes, latin1FromBytes, readUint16, readUint32, writeUint16, writeUint32 } from "../bytes.ts";
import { ProtocolError } from "../errors.ts";
import { idBytes, idLength, type InfoHash, infoHashFromBytes, peerIdFromBytes } from "../ids.ts";
import { numWantDefault, numWantMax, scrapeHashesMax } from "../limits/tracker.ts";
import { type AnnounceEvent, type AnnounceRequest, TrackerFailure } from "./request.ts";

/** What a packet asks or answers. */
export const udpAction = { connect: 0, announce: 1, scrape: 2, error: 3 } as const;

/** Bytes of a connect request, and of what all requests begin with. */
export const udpHeadLength = 16;
/** Bytes of a connection id. */
export const connectionIdLength = 8;

const magicHigh = 0x417;
const magicLow = 0x27101980;
const announceLength = 98;
const optionType = { end: 0, nop: 1, urlData: 2 } as const;
const urlDataMax = 255;
/** By their numbers on the wire. */
const events: readonly AnnounceEvent[] = [undefined, "completed", "started", "stopped"];

/** What stands in front of every request but connect. */
export interface UdpCall {
  /** 8 bytes that the tracker gave out. */
  readonly connectionId: Bytes;
  /** 32 bits that the reply repeats. */
  readonly transactionId: number;
}

/** The action of a request of 16 bytes or more. */
export function requestAction(packet: Uint8Array): number {
  return readUint32(packet, 8);
}

/** The transaction id of a request of 16 bytes or more. */
export function requestTransactionId(packet: Uint8Array): number {
  return readUint32(packet, 12);
}

/** Whether the packet asks for a connection id. */
export function isConnectRequest(packet: Uint8Array): boolean {
  return packet.length >= udpHeadLength && readUint32(packet, 0) === magicHigh && readUint32(packet, 4) === magicLow &&
    requestAction(packet) === udpAction.connect;
}

/** Encodes the question for a connection id. */
export function encodeConnectRequest(transactionId: number): Bytes {
  const packet = new Uint8Array(udpHeadLength);
  writeUint32(packet, 0, magicHigh);
  writeUint32(packet, 4, magicLow);
  writeUint32(packet, 12, transactionId);
  return packet;
}

/**
 * Encodes an announce.
 *
 * @param path path and query of the tracker's URL, as they stand there; sent where they say something (BEP 41)
 */
export function encodeAnnounceRequest(request: AnnounceRequest, path: string, call: UdpCall): Bytes {
  const urlData = path === "/" ? new Uint8Array(0) : new TextEncoder().encode(path);
  const optionCount = Math.ceil(urlData.length / urlDataMax);
  const packet = new Uint8Array(announceLength + 2 * optionCount + urlData.length);
  writeHead(packet, udpAction.announce, call);
  packet.set(idBytes(request.infoHash), 16);
  packet.set(idBytes(request.peerId), 36);
  writeUint64(packet, 56, request.downloaded);
  writeUint64(packet, 64, request.left);
  writeUint64(packet, 72, request.uploaded);
  writeUint32(packet, 80, events.indexOf(request.event));
  writeUint32(packet, 88, request.key);
  writeUint32(packet, 92, request.numWant);
  writeUint16(packet, 96, request.port);
  for (let from = 0, at = announceLength; from < urlData.length; from += urlDataMax) {
    const part = urlData.subarray(from, from + urlDataMax);
    packet.set([optionType.urlData, part.length], at);
    packet.set(part, at + 2);
    at += 2 + part.length;
  }
  return packet;
}

/**
 * Decodes an announce; its connection id is checked elsewhere, its IP address never looked at.
 *
 * @throws ProtocolError when it is too short, TrackerFailure in words for the client when it cannot be listed
 */
export function decodeAnnounceRequest(packet: Uint8Array): AnnounceRequest {
  if (packet.length < announceLength) throw new ProtocolError(`an announce of ${packet.length} bytes`);
  const port = readUint16(packet, 96);
  if (port === 0) throw new TrackerFailure("port 0 cannot be reached");
  const numWant = readUint32(packet, 92) | 0;
  return {
    infoHash: infoHashFromBytes(packet.subarray(16, 16 + idLength)),
    peerId: peerIdFromBytes(packet.subarray(36, 36 + idLength)),
    port,
    downloaded: readUint64(packet, 56),
    left: readUint64(packet, 64),
    uploaded: readUint64(packet, 72),
    // Numbers that nobody has given a meaning are the regular announce, as unknown words are over HTTP.
    event: events[readUint32(packet, 80)],
    numWant: numWant < 0 ? numWantDefault : Math.min(numWant, numWantMax),
    key: readUint32(packet, 88),
    compact: true,
  };
}

/**
 * Path and query of the URL that an announce was meant for, one char code a byte; empty where it does not say (BEP 41).
 *
 * @throws ProtocolError when an option does not end inside the packet
 */
export function decodeUrlData(packet: Uint8Array): string {
  let path = "";
  for (let at = announceLength; at < packet.length;) {
    const type = packet[at++];
    if (type === optionType.end) break;
    if (type === optionType.nop) continue;
    // Every option but those two has a length, so that unknown ones can be passed over.
    const end = at + 1 + packet[at];
    if (!(end <= packet.length)) throw new ProtocolError("an announce with an option that is cut off");
    if (type === optionType.urlData) path += latin1FromBytes(packet.subarray(at + 1, end));
    at = end;
  }
  return path;
}

/** Encodes a question for the counters of some swarms. @param infoHashes at most scrapeHashesMax */
export function encodeScrapeRequest(infoHashes: readonly InfoHash[], call: UdpCall): Bytes {
  const packet = new Uint8Array(udpHeadLength + infoHashes.length * idLength);
  writeHead(packet, udpAction.scrape, call);
  infoHashes.forEach((infoHash, i) => packet.set(idBytes(infoHash), udpHeadLength + i * idLength));
  return packet;
}

/**
 * Decodes a scrape: the info hashes asked for, in order, at least one.
 *
 * @throws ProtocolError when it asks for none or ends inside one, TrackerFailure when it asks for too many
 */
export function decodeScrapeRequest(packet: Uint8Array): InfoHash[] {
  const length = packet.length - udpHeadLength;
  if (length < idLength || length % idLength !== 0) throw new ProtocolError(`a scrape of ${packet.length} bytes`);
  if (length / idLength > scrapeHashesMax) throw new TrackerFailure(`more than ${scrapeHashesMax} info hashes`);
  const infoHashes: InfoHash[] = [];
  for (let at = udpHeadLength; at < packet.length; at += idLength) {
    infoHashes.push(infoHashFromBytes(packet.subarray(at, at + idLength)));
  }
  return infoHashes;
}

function writeHead(packet: Bytes, action: number, { connectionId, transactionId }: UdpCall): void {
  packet.set(connectionId);
  writeUint32(packet, 8, action);
  writeUint32(packet, 12, transactionId);
}

function writeUint64(bytes: Bytes, offset: number, value: number): void {
  writeUint32(bytes, offset, Math.floor(value / 2 ** 32));
  writeUint32(bytes, offset + 4, value);
}

/** Beyond 2^53 - 1 it stays there (some clients write 2^64 - 1 for "unknown"). */
function readUint64(bytes: Uint8Array, offset: number): number {
  return Math.min(readUint32(bytes, offset) * 2 ** 32 + readUint32(bytes, offset + 4), Number.MAX_SAFE_INTEGER);
}
