/**
 * One announce over HTTP or HTTPS: asks, follows a few redirects, reads a bounded answer.
 *
 * Owns what may go wrong on the way and its words; lib/announce owns the bytes, announcer.ts the moments. A torrent must
 * not make us knock at doors behind a firewall: a redirect never leads from a public address to a private one.
 */
import { LimitedBytesTransformStream, toBytes } from "@std/streams";
import { announceUrl, scrapeUrl } from "../../lib/announce/http_query.ts";
import { decodeAnnounceReply, decodeScrapeReply } from "../../lib/announce/http_reply.ts";
import {
  type AnnounceReply,
  type AnnounceRequest,
  type ScrapeCounts,
  TrackerFailure,
} from "../../lib/announce/request.ts";
import { canonicalHost, encodeAddress, isLoopback } from "../../lib/endpoint.ts";
import { ProtocolError, UserError } from "../../lib/errors.ts";
import type { InfoHash } from "../../lib/ids.ts";
import { announceRedirectsMax, announceTimeoutMs, trackerReplyBytesMax } from "../../lib/limits.ts";

export interface AnnounceClientOptions {
  /** Ends the announce at once; its reason is thrown. */
  readonly signal: AbortSignal;
  /** Milliseconds for everything, redirects included. */
  readonly timeoutMs?: number;
}

/**
 * Announces to one tracker.
 *
 * @throws TrackerFailure when it refuses, ProtocolError when its answer is none, UserError when it cannot be reached;
 * each in plain words that hold no passkey. The signal's reason when it aborts.
 */
export async function announce(
  call: { url: string; request: AnnounceRequest },
  options: AnnounceClientOptions,
): Promise<AnnounceReply> {
  return await ask(call.url, announceUrl(call.url, call.request), decodeAnnounceReply, options);
}

/**
 * Asks a tracker for the counters of some swarms (BEP 48).
 *
 * @throws as {@linkcode announce} does, and UserError when this tracker's URL has no scrape
 */
export async function scrape(
  call: { url: string; infoHashes: readonly InfoHash[] },
  options: AnnounceClientOptions,
): Promise<ScrapeCounts[]> {
  const url = scrapeUrl(call.url, call.infoHashes);
  if (url === undefined) throw unreachable(call.url, "it offers no scrape");
  return await ask(call.url, url, decodeScrapeReply, options);
}

async function ask<T>(
  tracker: string,
  url: string,
  decode: (body: Uint8Array) => T,
  { signal, timeoutMs = announceTimeoutMs }: AnnounceClientOptions,
): Promise<T> {
  signal.throwIfAborted();
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetchFollowing(tracker, url, AbortSignal.any([signal, timeout]));
    const body = await readBody(response);
    return decodeBody(response, body, decode);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ProtocolError || error instanceof UserError) throw error;
    throw unreachable(tracker, timeout.aborted ? "it gives no answer" : wordsOf(error));
  }
}

/** The last response of a chain of redirects; its body is not read yet. */
async function fetchFollowing(tracker: string, first: string, signal: AbortSignal): Promise<Response> {
  let url = httpUrl(tracker, first);
  for (let redirects = 0;; redirects++) {
    const response = await fetch(url, {
      signal,
      redirect: "manual",
      headers: { "user-agent": "localbt", "accept": "*/*" },
    });
    const location = redirectStatuses.includes(response.status) ? response.headers.get("location") : null;
    if (location === null) return response;
    await response.body?.cancel();
    if (redirects === announceRedirectsMax) throw unreachable(tracker, "it redirects too often");
    const next = URL.parse(location, url);
    if (next === null || !isHttp(next)) throw unreachable(tracker, "it redirects to something that is no web address");
    if (!isPrivate(url) && isPrivate(next)) throw unreachable(tracker, "it redirects to a private address");
    url = next;
  }
}

const redirectStatuses = [301, 302, 303, 307, 308];

function httpUrl(tracker: string, text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol === "udp:") throw unreachable(tracker, "trackers over UDP are not supported yet");
  if (url === null || !isHttp(url)) throw unreachable(tracker, "its address is not an http one");
  return url;
}

function isHttp(url: URL): boolean {
  return url.protocol === "http:" || url.protocol === "https:";
}

/** The whole body after decompression; more than the bound is an error, however well it was packed. */
async function readBody(response: Response): Promise<Uint8Array> {
  if (response.body === null) return new Uint8Array(0);
  const limited = new LimitedBytesTransformStream(trackerReplyBytesMax, { error: true });
  try {
    return await toBytes(response.body.pipeThrough(limited));
  } catch (error) {
    if (error instanceof RangeError) throw new ProtocolError("the tracker's answer is too large");
    throw error;
  }
}

/** Some trackers refuse with a status of their own and the reason in bencode all the same. */
function decodeBody<T>(response: Response, body: Uint8Array, decode: (body: Uint8Array) => T): T {
  if (response.ok) return decode(body);
  try {
    decode(body);
  } catch (error) {
    if (error instanceof TrackerFailure) throw error;
  }
  throw new ProtocolError(`the tracker answered ${response.status}`);
}

function unreachable(tracker: string, why: string): UserError {
  return new UserError(`announce to ${nameOf(tracker)}`, why);
}

/** Scheme, host and port: path and query may hold a passkey, and the user part a password. */
function nameOf(tracker: string): string {
  const url = URL.parse(tracker);
  return url === null ? "the tracker" : `${url.protocol}//${url.host}`;
}

/** What the runtime says of a failed request, in our words: its own hold the whole URL, passkey and all. */
function wordsOf(error: unknown): string {
  const cause = error instanceof Error ? `${error.message} ${String(error.cause ?? "")}` : String(error);
  return causes.find(([pattern]) => pattern.test(cause))?.[1] ?? "the connection failed";
}

const causes: readonly (readonly [RegExp, string])[] = [
  [/connection refused|actively refused/i, "connection refused"],
  [/dns error|failed to lookup|name or service not known|no such host/i, "there is no such host"],
  [/requests to port \d+ are blocked/i, "its port is reserved for another protocol"],
  [/no route to host|network is unreachable|host is unreachable/i, "the network cannot be reached"],
  [/timed? ?out/i, "it gives no answer"],
  [/UnknownIssuer|certificate|invalid peer/i, "its certificate is not trusted"],
  [/NotCapable|Requires net access/i, "network access is not allowed"],
  [/corrupt message|received fatal alert|tls/i, "it does not speak TLS"],
  [
    /connection (was )?(closed|reset)|error reading a body|unexpected end|incomplete message|broken pipe/i,
    "it closed the connection",
  ],
  [/invalid HTTP|parse error|decode|decompress|deflate|gzip/i, "it does not speak HTTP"],
];

/** Whether a host is this machine or on a private network: by its address, or by what kind of name it has. */
function isPrivate({ hostname }: URL): boolean {
  const host = canonicalHost(hostname);
  if (host === undefined) {
    const name = hostname.toLowerCase().replace(/\.$/, "");
    return !name.includes(".") || /\.(localhost|local|lan|home|internal|intranet|home\.arpa)$/.test(name);
  }
  if (isLoopback(host)) return true;
  const [a, b] = encodeAddress(host);
  if (host.includes(":")) return host === "::" || (a & 0xfe) === 0xfc || (a === 0xfe && (b & 0xc0) === 0x80);
  return a === 0 || a === 10 || (a === 172 && (b & 0xf0) === 16) || (a === 192 && b === 168) ||
    (a === 169 && b === 254) || (a === 100 && (b & 0xc0) === 64);
}
