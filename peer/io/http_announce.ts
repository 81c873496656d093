/**
 * One announce over HTTP or HTTPS: asks, follows a few redirects, reads a bounded answer.
 *
 * Owns what may go wrong on the way; lib/announce owns the bytes, announcer.ts the moments, http_client.ts the redirects.
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
import { ProtocolError, UserError } from "../../lib/errors.ts";
import type { InfoHash } from "../../lib/ids.ts";
import { announceTimeoutMs, trackerReplyBytesMax } from "../../lib/limits/tracker.ts";
import type { AnnounceClientOptions } from "./announce_client.ts";
import { fetchFollowing, isHttp, isPrivate, wordsOf } from "./http_client.ts";
import { unreachable } from "./tracker_error.ts";

/**
 * Announces to one tracker. Whether over IPv4 or IPv6 the runtime chooses, where the URL has a name and not an address.
 *
 * @throws TrackerFailure when it refuses, ProtocolError when its answer is none, UserError when it cannot be reached;
 * each in plain words that hold no passkey. The signal's reason when it aborts.
 */
export async function announceByHttp(
  call: { url: string; request: AnnounceRequest },
  options: AnnounceClientOptions,
): Promise<AnnounceReply> {
  return await ask(call.url, announceUrl(call.url, call.request), decodeAnnounceReply, options);
}

/**
 * Asks a tracker for the counters of some swarms (BEP 48).
 *
 * @throws as {@linkcode announceByHttp} does, and UserError when this tracker's URL has no scrape
 */
export async function scrapeByHttp(
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
    const { response } = await fetchFollowing(httpUrl(tracker, url), {
      signal: AbortSignal.any([signal, timeout]),
      headers: { "accept": "*/*" },
      check: (url) => refuseOtherPathsAtHome(tracker, url),
    });
    const body = await readBody(response);
    return decodeBody(response, body, decode);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ProtocolError || error instanceof UserError) throw error;
    throw unreachable(tracker, timeout.aborted ? "it gives no answer" : wordsOf(error));
  }
}

function httpUrl(tracker: string, text: string): URL {
  const url = URL.parse(text);
  if (url === null || !isHttp(url)) throw unreachable(tracker, "its address is not an http one");
  return url;
}

/**
 * A torrent from anybody must not make us press buttons on the web pages of our own network: there, only what is called as
 * trackers are is asked (libtorrent's rule too, for loopback).
 */
async function refuseOtherPathsAtHome(tracker: string, url: URL): Promise<void> {
  if (/\/(announce|scrape)[^/]*$/.test(url.pathname) || !await isPrivate(url)) return;
  throw unreachable(tracker, "a tracker on a private network has to be at /announce");
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
