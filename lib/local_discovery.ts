/**
 * The packets of local service discovery: "I have, or want, this torrent, and listen on this port" (BEP 14).
 *
 * They look like HTTP and go to a multicast group. What is sent is what every client takes: one torrent a packet, names of
 * headers as in the BEP (Transmission compares them exactly), under 200 bytes (aria2's buffer). What is taken is wider:
 * several torrents, headers in any case and order, no cookie.
 */
import { type Bytes, bytesFromLatin1, latin1FromBytes } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";
import { type InfoHash, parseInfoHash } from "./ids.ts";
import { localDiscoveryBytesMax, localDiscoveryCookieCharsMax } from "./limits/discovery.ts";

/** The groups of BEP 14, for each family, and their port. */
export const localDiscoveryGroups = { 4: "239.192.152.143", 6: "ff15::efc0:988f" } as const;
export const localDiscoveryPort = 6771;

/** What one packet says. */
export interface LocalAnnounce {
  /** TCP port that the sender takes peers on: 1 to 65534. */
  readonly port: number;
  /** One at least, each once. */
  readonly infoHashes: readonly InfoHash[];
  /** What the sender knows its own packets by; absent in Transmission's and aria2's. */
  readonly cookie: string | undefined;
}

const firstLine = /^BT-SEARCH \* HTTP\/1\.[01]$/;

/** A packet for the group of one family. BEP 14 */
export function encodeLocalAnnounce({ family, port, infoHash, cookie }: {
  family: 4 | 6;
  port: number;
  infoHash: InfoHash;
  cookie: string;
}): Bytes {
  const group = family === 4 ? localDiscoveryGroups[4] : `[${localDiscoveryGroups[6]}]`;
  return bytesFromLatin1([
    "BT-SEARCH * HTTP/1.1",
    `Host: ${group}:${localDiscoveryPort}`,
    `Port: ${port}`,
    `Infohash: ${infoHash}`,
    `cookie: ${cookie}`,
    "\r\n\r\n",
  ].join("\r\n"));
}

/**
 * What a packet says. BEP 14
 *
 * @throws ProtocolError
 */
export function decodeLocalAnnounce(bytes: Uint8Array): LocalAnnounce {
  if (bytes.length > localDiscoveryBytesMax) throw new ProtocolError(`a discovery packet of ${bytes.length} bytes`);
  const text = latin1FromBytes(bytes);
  const end = text.indexOf("\r\n\r\n");
  if (end === -1) throw new ProtocolError("a discovery packet without an end");
  const [first, ...lines] = text.slice(0, end).split("\r\n");
  if (!firstLine.test(first)) throw new ProtocolError("no discovery packet");
  const headers = lines.map(parseHeader);
  const valuesOf = (name: string) => headers.filter((header) => header.name === name).map(({ value }) => value);
  const cookie = valuesOf("cookie")[0];
  if (cookie !== undefined && cookie.length > localDiscoveryCookieCharsMax) throw new ProtocolError("a long cookie");
  return { port: portOf(valuesOf("port")), infoHashes: infoHashesOf(valuesOf("infohash")), cookie };
}

function parseHeader(line: string): { name: string; value: string } {
  const colon = line.indexOf(":");
  if (colon <= 0) throw new ProtocolError("a discovery packet with a line that is no header");
  return { name: line.slice(0, colon).toLowerCase(), value: line.slice(colon + 1).trim() };
}

/** 65535 is what some clients say when they mean none. */
function portOf(values: readonly string[]): number {
  const port = values.length === 1 && /^[0-9]{1,5}$/.test(values[0]) ? Number(values[0]) : 0;
  if (port === 0 || port >= 65535) throw new ProtocolError("a discovery packet without a port to dial");
  return port;
}

function infoHashesOf(values: readonly string[]): InfoHash[] {
  const infoHashes = new Set(values.map(parseInfoHash));
  if (infoHashes.size === 0 || infoHashes.has(undefined)) {
    throw new ProtocolError("a discovery packet without a torrent");
  }
  return [...infoHashes] as InfoHash[];
}
