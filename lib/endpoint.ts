/**
 * Where a peer listens: an IP address and a port, as text and in the compact form of trackers and peer exchange.
 *
 * Addresses are kept canonical, so that equal endpoints are equal strings: IPv4 dotted without leading zeros, IPv6 as
 * RFC 5952 has it (lower case, compressed, no brackets), IPv4-mapped IPv6 unwrapped to IPv4. Names are left to the
 * resolver in io.
 */
import { type Bytes, readUint16, writeUint16 } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";
import { hostCharsMax } from "./limits/torrent_file.ts";

/** An address that can be dialled; `host` is canonical IP text, `port` is 1 to 65535. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Bytes of an address of each family in the compact form; the port takes 2 more (BEP 23, BEP 7). */
const addressLength = { 4: 4, 6: 16 } as const;

/** An endpoint from `10.0.0.2:6881` or `[::1]:6881`; undefined for names, port 0 and anything else. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const parts = splitHostPort(text);
  const host = parts && canonicalHost(parts.host);
  return host === undefined ? undefined : { host, port: parts!.port };
}

/**
 * A host and a port from `name:6881`, `10.0.0.2:6881` or `[fe80::1%eth0]:6881`; undefined for anything else.
 *
 * `host` is canonical for an address and lower case for a name.
 */
export function parseHostPort(text: string): { host: string; port: number } | undefined {
  const parts = splitHostPort(text);
  if (parts === undefined) return undefined;
  const host = canonicalHost(parts.host);
  if (host !== undefined) return { host, port: parts.port };
  return isName(parts.host, parts.isBracketed) ? { host: parts.host.toLowerCase(), port: parts.port } : undefined;
}

/** `10.0.0.2:6881` or `[::1]:6881`: for people, and for use as a Map key. */
export function formatEndpoint({ host, port }: { host: string; port: number }): string {
  return isIpv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The canonical text of an IP address, with or without brackets; undefined for anything else, zones included. */
export function canonicalHost(text: string): string | undefined {
  const bytes = parseIpv4(text) ?? parseIpv6(/^\[.*\]$/.test(text) ? text.slice(1, -1) : text);
  return bytes && formatAddress(bytes);
}

/** Whether the canonical host is an IPv6 address. */
export function isIpv6(host: string): boolean {
  return host.includes(":");
}

/** Whether the canonical host is this machine under any of its loopback addresses. */
export function isLoopback(host: string): boolean {
  return host === "::1" || (host.startsWith("127.") && parseIpv4(host) !== undefined);
}

/**
 * The 4 or 16 bytes of an address.
 *
 * @throws RangeError when `host` is no IP address
 */
export function encodeAddress(host: string): Bytes {
  const bytes = parseIpv4(host) ?? parseIpv6(host);
  if (bytes === undefined) throw new RangeError(`"${host}" is not an IP address`);
  return bytes.length === 16 && isMapped(bytes) ? bytes.slice(12) : bytes;
}

/** The canonical text of 4 or 16 bytes; undefined for another length. */
export function decodeAddress(bytes: Uint8Array): string | undefined {
  return bytes.length === 4 || bytes.length === 16 ? formatAddress(bytes) : undefined;
}

/**
 * The compact form: the address (4 or 16 bytes), then the port (2 bytes, big-endian). BEP 23, BEP 7.
 *
 * @throws RangeError when the host is no IP address
 */
export function encodeCompact({ host, port }: Endpoint): Bytes {
  const address = encodeAddress(host);
  const bytes = new Uint8Array(address.length + 2);
  bytes.set(address);
  writeUint16(bytes, address.length, port);
  return bytes;
}

/**
 * Endpoints from a run of compact ones; those with port 0 are left out. BEP 23, BEP 7.
 *
 * @throws ProtocolError when the length is no multiple of 6 (IPv4) or 18 (IPv6)
 */
export function decodeCompact(bytes: Uint8Array, family: 4 | 6): Endpoint[] {
  const length = addressLength[family];
  const stride = length + 2;
  if (bytes.length % stride !== 0) {
    throw new ProtocolError(`a compact peer list has ${bytes.length} bytes, wanted a multiple of ${stride}`);
  }
  const endpoints: Endpoint[] = [];
  for (let at = 0; at < bytes.length; at += stride) {
    const port = readUint16(bytes, at + length);
    if (port !== 0) endpoints.push({ host: formatAddress(bytes.subarray(at, at + length)), port });
  }
  return endpoints;
}

function splitHostPort(text: string): { host: string; port: number; isBracketed: boolean } | undefined {
  // Said first: the expression takes time for each pair of colons.
  if (text.length > hostCharsMax + "[]:65535".length) return undefined;
  const match = /^(?:\[([^\[\]]*:[^\[\]]*)\]|([^\[\]:]+)):([0-9]{1,5})$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  if (port < 1 || port > 65535) return undefined;
  return { host: match[1] ?? match[2], port, isBracketed: match[1] !== undefined };
}

/** A host name, or inside brackets an IPv6 address with its zone. Dotted digits that are no address are no name. */
function isName(host: string, isBracketed: boolean): boolean {
  if (host.length > hostCharsMax) return false;
  if (isBracketed) {
    const zone = host.indexOf("%");
    return /^%[\w.-]+$/.test(host.slice(zone)) && zone > 0 && parseIpv6(host.slice(0, zone)) !== undefined;
  }
  return /^[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}_.-]*[\p{L}\p{M}\p{N}.])?$/u.test(host) && !/^[0-9.]*$/.test(host);
}

function parseIpv4(text: string): Bytes | undefined {
  if (text.length > 15) return undefined;
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (let i = 0; i < 4; i++) {
    // A leading zero means octal to some resolvers and decimal to others: refused.
    if (!/^(?:0|[1-9][0-9]{0,2})$/.test(parts[i]) || Number(parts[i]) > 255) return undefined;
    bytes[i] = Number(parts[i]);
  }
  return bytes;
}

function parseIpv6(text: string): Bytes | undefined {
  if (text.length > 45 || !text.includes(":")) return undefined;
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0], { mayEndInIpv4: halves.length === 1 });
  const tail = halves.length === 2 ? parseGroups(halves[1], { mayEndInIpv4: true }) : [];
  if (head === undefined || tail === undefined) return undefined;
  const count = head.length + tail.length;
  if (halves.length === 2 ? count > 7 : count !== 8) return undefined;
  const bytes = new Uint8Array(16);
  head.forEach((group, i) => writeUint16(bytes, 2 * i, group));
  tail.forEach((group, i) => writeUint16(bytes, 16 - 2 * (tail.length - i), group));
  return bytes;
}

/** The 16-bit groups of one side of `::`; an IPv4 address at the end counts as two. */
function parseGroups(text: string, { mayEndInIpv4 }: { mayEndInIpv4: boolean }): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const ipv4 = mayEndInIpv4 && i === parts.length - 1 ? parseIpv4(part) : undefined;
    if (ipv4 === undefined) return undefined;
    groups.push(readUint16(ipv4, 0), readUint16(ipv4, 2));
  }
  return groups;
}

function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (isMapped(bytes)) return bytes.subarray(12).join(".");
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(readUint16(bytes, at).toString(16));
  const { start, length } = longestZeroRun(groups);
  if (length < 2) return groups.join(":");
  return `${groups.slice(0, start).join(":")}::${groups.slice(start + length).join(":")}`;
}

function longestZeroRun(groups: readonly string[]): { start: number; length: number } {
  let longest = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let end = start;
    while (end < groups.length && groups[end] === "0") end++;
    if (end - start > longest.length) longest = { start, length: end - start };
  }
  return longest;
}

/** Whether 16 bytes are an IPv4 address in ::ffff:0:0/96, as dual-stack sockets report IPv4 peers. */
function isMapped(bytes: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false;
  return bytes[10] === 0xff && bytes[11] === 0xff;
}
