/**
 * Magnet links <-> Magnet (BEP 9, BEP 53).
 *
 * A link is text from anyone: counts are bounded, URLs and names go through the same sieves as those of a torrent, and
 * broken percent-encoding stays as it is instead of throwing.
 */
import { bytesFromLatin1 } from "./bytes.ts";
import { formatEndpoint, parseHostPort } from "./endpoint.ts";
import { ProtocolError } from "./errors.ts";
import { safePart } from "./file_path.ts";
import { type InfoHash, infoHashFromBytes, parseInfoHash } from "./ids.ts";
import { fileCountMax, magnetCharsMax, magnetPeerCountMax, urlCountMax } from "./limits/torrent_file.ts";
import { parseTrackerUrl, parseWebSeedUrl } from "./remote_url.ts";

export interface Magnet {
  readonly infoHash: InfoHash;
  /** `dn`, safe as a file name; the torrent itself may say otherwise. */
  readonly name?: string;
  /** `tr`: URLs, each a tier of its own. */
  readonly trackers: readonly string[];
  /** `ws`: URLs. */
  readonly webSeeds: readonly string[];
  /** `x.pe`: peers to dial, as addresses or names. */
  readonly peers: readonly { readonly host: string; readonly port: number }[];
  /** `xl`: bytes of all files; the torrent itself may say otherwise. */
  readonly length?: number;
  /** `so`: 0-based indices of the files that are wanted, ascending (BEP 53). */
  readonly selectOnly?: readonly number[];
}

/**
 * Reads a magnet link.
 *
 * @throws ProtocolError when it is none, or names no version 1 torrent
 */
export function parseMagnet(text: string): Magnet {
  const trimmed = text.trim();
  if (trimmed.length > magnetCharsMax) throw new ProtocolError(`a magnet link of over ${magnetCharsMax} characters`);
  if (!/^magnet:\?/i.test(trimmed)) throw new ProtocolError('not a magnet link: it does not begin with "magnet:?"');
  const parameters = parseParameters(trimmed.slice("magnet:?".length));
  const all = (key: string) => parameters.get(key) ?? [];
  const infoHash = readInfoHash(all("xt"));
  const name = all("dn").find((value) => value !== "");
  const length = all("xl").find((value) => /^[0-9]{1,16}$/.test(value) && Number.isSafeInteger(Number(value)));
  const selection = all("so")[0];
  return {
    infoHash,
    ...(name !== undefined && { name: safePart(name) }),
    trackers: readUrls(all("tr"), parseTrackerUrl),
    webSeeds: readUrls(all("ws"), parseWebSeedUrl),
    peers: all("x.pe").map(parseHostPort).filter((peer) => peer !== undefined).slice(0, magnetPeerCountMax),
    ...(length !== undefined && { length: Number(length) }),
    ...(selection !== undefined && { selectOnly: parseSelection(selection) }),
  };
}

/** Writes a magnet link; what is absent or empty is left out. */
export function formatMagnet(magnet: {
  readonly infoHash: InfoHash;
  readonly name?: string;
  readonly trackers?: readonly string[];
  readonly webSeeds?: readonly string[];
  readonly length?: number;
  /** Peers to dial: `x.pe`. */
  readonly peers?: readonly { readonly host: string; readonly port: number }[];
  /** 0-based indices of the files that are wanted, ascending: `so`. */
  readonly selectOnly?: readonly number[];
}): string {
  const { infoHash, name, trackers = [], webSeeds = [], length, peers = [], selectOnly = [] } = magnet;
  const parameters = [`xt=urn:btih:${infoHash}`];
  const add = (key: string, value: string) => parameters.push(`${key}=${encodeURIComponent(value.toWellFormed())}`);
  if (name !== undefined) add("dn", name);
  if (length !== undefined) add("xl", String(length));
  for (const tracker of trackers) add("tr", tracker);
  for (const webSeed of webSeeds) add("ws", webSeed);
  for (const peer of peers) add("x.pe", formatEndpoint(peer));
  if (selectOnly.length > 0) parameters.push(`so=${formatSelection(selectOnly)}`);
  return `magnet:?${parameters.join("&")}`;
}

/** Values by lower-case key, decoded; `tr.1` counts as `tr`, and `&amp;` from a web page as `&`. */
function parseParameters(query: string): Map<string, string[]> {
  const parameters = new Map<string, string[]>();
  for (const parameter of query.split("&")) {
    const equals = parameter.indexOf("=");
    if (equals < 0) continue;
    const key = parameter.slice(0, equals).toLowerCase().replace(/^amp;/, "").replace(/\.[0-9]+$/, "");
    const text = parameter.slice(equals + 1);
    // In names a bare plus is a space, as web forms write it; in URLs it is itself.
    const value = decodePercents(key === "dn" ? text.replaceAll("+", " ") : text);
    const values = parameters.get(key);
    if (values === undefined) parameters.set(key, [value]);
    else values.push(value);
  }
  return parameters;
}

/** Percent-decoded UTF-8: bad bytes become U+FFFD, a `%` without two digits stays. */
function decodePercents(text: string): string {
  return text.replace(/(?:%[0-9a-fA-F]{2})+/g, (run) => {
    const bytes = run.slice(1).split("%").map((digits) => Number.parseInt(digits, 16));
    return textDecoder.decode(Uint8Array.from(bytes));
  });
}

const textDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

function readInfoHash(topics: readonly string[]): InfoHash {
  for (const topic of topics) {
    const digits = /^urn:btih:(.*)$/is.exec(topic)?.[1];
    if (digits === undefined) continue;
    const infoHash = parseInfoHash(digits) ?? parseBase32(digits);
    if (infoHash === undefined) throw new ProtocolError("the magnet link has an info hash that is not valid");
    return infoHash;
  }
  if (topics.some((topic) => /^urn:btmh:/i.test(topic))) {
    throw new ProtocolError("the magnet link is for a version 2 torrent only (BEP 52), which localbt cannot read yet");
  }
  throw new ProtocolError("the magnet link has no info hash (xt=urn:btih:…)");
}

/** 20 bytes as 32 base32 digits (RFC 4648), in either case. */
function parseBase32(digits: string): InfoHash | undefined {
  if (!/^[a-z2-7]{32}$/i.test(digits)) return undefined;
  let bits = 0;
  let bitCount = 0;
  let bytes = "";
  for (const digit of digits.toUpperCase()) {
    bits = (bits << 5) | "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(digit);
    bitCount += 5;
    if (bitCount < 8) continue;
    bitCount -= 8;
    bytes += String.fromCharCode((bits >>> bitCount) & 0xff);
    bits &= (1 << bitCount) - 1;
  }
  return infoHashFromBytes(bytesFromLatin1(bytes));
}

function readUrls(values: readonly string[], parse: (text: string) => string | undefined): string[] {
  const urls = new Set<string>();
  for (const value of values) {
    const url = parse(value);
    if (url !== undefined && urls.size < urlCountMax) urls.add(url);
  }
  return [...urls];
}

/** `0,2,4-6` as indices, ascending, each once; a few characters may mean a million of them. */
function parseSelection(text: string): number[] {
  const ranges = text.split(",").map((range) => {
    const match = /^([0-9]{1,7})(?:-([0-9]{1,7}))?$/.exec(range);
    if (match === null) throw new ProtocolError("the magnet link has a file selection (so=) that is not valid");
    const first = Number(match[1]);
    const last = Number(match[2] ?? first);
    if (last < first || last >= fileCountMax) {
      throw new ProtocolError("the magnet link has a file selection (so=) out of range");
    }
    return { first, last };
  });
  const indices: number[] = [];
  let next = 0;
  for (const { first, last } of ranges.sort((a, b) => a.first - b.first)) {
    for (next = Math.max(next, first); next <= last; next++) indices.push(next);
  }
  return indices;
}

/** Ascending indices as `0,2,4-6`. */
function formatSelection(indices: readonly number[]): string {
  const ranges: string[] = [];
  for (let i = 0; i < indices.length;) {
    const first = i;
    while (i + 1 < indices.length && indices[i + 1] === indices[i] + 1) i++;
    ranges.push(first === i ? String(indices[first]) : `${indices[first]}-${indices[i]}`);
    i++;
  }
  return ranges.join(",");
}
