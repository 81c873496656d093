/**
 * What a machine shares, as `share` tells it to `get`: a small JSON document at `/shares.json`.
 *
 * The document comes from anybody who has a port: it is bounded and every field is checked. Names are as the other side
 * has them, not safe to print or to save under.
 */
import { ProtocolError } from "./errors.ts";
import { type InfoHash, parseInfoHash } from "./ids.ts";
import { listedSharesMax } from "./limits/shares.ts";
import { nameBytesMax } from "./limits/torrent_file.ts";

/** One shared file or folder. */
export interface ListedShare {
  /** Its place in the list: what a request for it names. */
  readonly index: number;
  readonly name: string;
  /** Bytes. */
  readonly totalLength: number;
  readonly fileCount: number;
  /** Undefined where a PIN is needed to learn it. */
  readonly infoHash: InfoHash | undefined;
}

/** The shares of one `localbt share`. */
export interface ShareListing {
  /** The machine's own name for itself. */
  readonly host: string;
  /** The TCP port of its peer. */
  readonly peerPort: number;
  readonly shares: readonly ListedShare[];
}

/** Where the listing is. */
export const listingPath = "/shares.json";
const version = 1;

/** The document. */
export function formatShareListing({ host, peerPort, shares }: ShareListing): string {
  const listed = shares.map(({ name, totalLength, fileCount, infoHash }) => ({
    name: name.toWellFormed(),
    totalLength,
    fileCount,
    ...(infoHash === undefined ? { pin: true } : { infoHash }),
  }));
  return `${JSON.stringify({ localbt: version, host, peerPort, shares: listed })}\n`;
}

/**
 * Reads the document.
 *
 * @throws ProtocolError when it is none
 */
export function parseShareListing(text: string): ShareListing {
  const document = readJson(text);
  if (!isRecord(document) || document.localbt === undefined) throw new ProtocolError("it is no localbt share");
  if (document.localbt !== version) throw new ProtocolError("it is a localbt of another version");
  const { host, peerPort, shares } = document;
  if (!isCount(peerPort) || peerPort < 1 || peerPort > 65535 || !Array.isArray(shares)) throw broken();
  return {
    host: typeof host === "string" ? host.slice(0, nameBytesMax) : "",
    peerPort,
    shares: shares.slice(0, listedSharesMax).map(readShare),
  };
}

function readShare(value: unknown, index: number): ListedShare {
  if (!isRecord(value) || typeof value.name !== "string" || value.name === "") throw broken();
  const { name, totalLength, fileCount, pin } = value;
  if (!isCount(totalLength) || !isCount(fileCount)) throw broken();
  const infoHash = typeof value.infoHash === "string" ? parseInfoHash(value.infoHash) : undefined;
  if (infoHash === undefined && pin !== true) throw broken();
  return { index, name: name.slice(0, nameBytesMax), totalLength, fileCount, infoHash };
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ProtocolError("it is no localbt share");
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function broken(): ProtocolError {
  return new ProtocolError("its list of shares is broken");
}
