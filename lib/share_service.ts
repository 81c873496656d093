/**
 * A share as a service that is found by DNS-SD (RFC 6763): its names, and what its TXT record says.
 *
 * | key | meaning                                            |
 * | --- | -------------------------------------------------- |
 * | v   | version of these keys: 1                           |
 * | n   | the share's name, UTF-8                            |
 * | h   | the machine's own name                             |
 * | ih  | info hash, 40 hex digits; absent where a PIN is on |
 * | pin | 1 where a PIN is needed                            |
 * | s,f | bytes; number of files                             |
 * | p   | TCP port of the peer                               |
 * | i   | the share's place in the machine's list            |
 */
import { ProtocolError } from "./errors.ts";
import { type InfoHash, parseInfoHash } from "./ids.ts";
import { listedSharesMax } from "./limits/shares.ts";

/** The type of the service, as everybody can browse for it. */
export const serviceType = "_localbt._tcp.local";
/** Under this name all types are listed. */
export const allServices = "_services._dns-sd._udp.local";
/** The groups and the port of multicast DNS (RFC 6762). */
export const mdnsGroups = { 4: "224.0.0.251", 6: "ff02::fb" } as const;
export const mdnsPort = 5353;

/** What a share tells about itself. */
export interface ShareService {
  readonly name: string;
  readonly hostName: string;
  /** Undefined where a PIN is needed to learn it. */
  readonly infoHash: InfoHash | undefined;
  /** Bytes. */
  readonly totalLength: number;
  readonly fileCount: number;
  readonly peerPort: number;
  /** 0 to 63. */
  readonly index: number;
}

/** UTF-8 bytes of one label of a name, and of one entry of a TXT record. */
const labelBytesMax = 63;
const entryBytesMax = 255;

/**
 * The name of the service's instance that people see in other browsers: `holiday on laptop`.
 *
 * @param number above 1 where the name is taken: `holiday on laptop (2)`
 */
export function instanceName({ name, hostName }: ShareService, number: number): string {
  const suffix = number > 1 ? ` (${number})` : "";
  const place = hostName === "" ? "" : ` on ${hostName}`;
  // Other programs take a dot for the end of a label.
  const plain = (text: string) => text.replace(/[\p{Cc}.\\]+/gu, " ").trim();
  const end = cut(plain(place), 24);
  const room = labelBytesMax - byteLength(suffix) - byteLength(end) - 1;
  const label = [cut(plain(name), room) || "share", end].filter((part) => part !== "").join(" ") + suffix;
  return `${label}.${serviceType}`;
}

/** The entries of the TXT record. */
export function encodeShareText(share: ShareService): Uint8Array[] {
  const { name, hostName, infoHash, totalLength, fileCount, peerPort, index } = share;
  const entries = [
    "v=1",
    `n=${name}`,
    `h=${hostName}`,
    infoHash === undefined ? "pin=1" : `ih=${infoHash}`,
    `s=${totalLength}`,
    `f=${fileCount}`,
    `p=${peerPort}`,
    `i=${index}`,
  ];
  return entries.map((entry) => new TextEncoder().encode(cut(entry, entryBytesMax)));
}

/**
 * Reads them.
 *
 * @throws ProtocolError when they tell of no share that can be taken
 */
export function decodeShareText(entries: readonly Uint8Array[]): ShareService {
  const values = new Map<string, string>();
  for (const entry of entries) {
    const [, key, value] = /^([^=]+)=(.*)$/s.exec(new TextDecoder().decode(entry)) ?? [];
    // The first of a kind counts (RFC 6763 section 6.4).
    if (key !== undefined && !values.has(key.toLowerCase())) values.set(key.toLowerCase(), value);
  }
  const number = (key: string) => {
    const digits = values.get(key) ?? "";
    const value = Number(digits);
    if (!/^[0-9]{1,16}$/.test(digits) || !Number.isSafeInteger(value)) throw new ProtocolError(`no valid ${key}`);
    return value;
  };
  const name = values.get("n") ?? "";
  const infoHash = parseInfoHash(values.get("ih") ?? "");
  if (values.get("v") !== "1" || name === "") throw new ProtocolError("no share of a version that is known");
  if (infoHash === undefined && values.get("pin") !== "1") throw new ProtocolError("neither an info hash nor a PIN");
  const share = { totalLength: number("s"), fileCount: number("f"), peerPort: number("p"), index: number("i") };
  if (share.peerPort < 1 || share.peerPort > 65535 || share.index >= listedSharesMax) {
    throw new ProtocolError("no valid p or i");
  }
  return { name, hostName: values.get("h") ?? "", infoHash, ...share };
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** As many whole characters as fit. */
function cut(text: string, bytesMax: number): string {
  let cut = "";
  let bytes = 0;
  for (const character of text.toWellFormed()) {
    bytes += byteLength(character);
    if (bytes > bytesMax) break;
    cut += character;
  }
  return cut;
}
