/**
 * Announces to trackers over UDP (BEP 15, 41): a connection id first, then the question, over each family of the tracker.
 *
 * Owns the ids (used for 60 s) and the choice among a name's addresses; udp_questions.ts owns the sockets. Each question is
 * sent once: who hears nothing within the time gives up, and the announcer asks again after the times of BEP 15.
 */
import type { AnnounceReply, AnnounceRequest, ScrapeCounts } from "../../lib/announce/request.ts";
import { decodeAnnounceReply, decodeConnectReply, decodeScrapeReply } from "../../lib/announce/udp_reply.ts";
import {
  encodeAnnounceRequest,
  encodeConnectRequest,
  encodeScrapeRequest,
  type UdpCall,
} from "../../lib/announce/udp_request.ts";
import type { Bytes } from "../../lib/bytes.ts";
import { canonicalHost, type Endpoint, formatEndpoint, isIpv6 } from "../../lib/endpoint.ts";
import { ProtocolError, UserError } from "../../lib/errors.ts";
import type { InfoHash } from "../../lib/ids.ts";
import type { Network } from "../../lib/io/network.ts";
import {
  announceTimeoutMs,
  otherFamilyMs,
  replyPeersMax,
  scrapeHashesMax,
  udpIdUsedMs,
} from "../../lib/limits/tracker.ts";
import type { AnnounceClientOptions } from "./announce_client.ts";
import { wordsOf } from "./http_client.ts";
import { unreachable } from "./tracker_error.ts";
import { UdpQuestions } from "./udp_questions.ts";

type Family = 4 | 6;

/** How a name is looked up: all of its addresses. */
type Resolve = (name: string) => Promise<string[]>;

/** One question to one address of a tracker, and what to make of the answer. */
interface Question<T> {
  encode(call: UdpCall): Bytes;
  decode(packet: Uint8Array, family: Family): T;
}

export class UdpClient {
  readonly #now: () => number;
  readonly #resolve: Resolve;
  readonly #families: ReadonlyMap<Family, UdpQuestions>;
  /** By the tracker's endpoint. */
  readonly #ids = new Map<string, { id: Bytes; until: number }>();
  /** By the name and the family: which of its addresses is asked next. */
  readonly #choices = new Map<string, number>();

  /** @param host our address; any, in both families, unless given */
  constructor({ network, host, now, resolve = lookUp }: {
    network: Network;
    host?: string | undefined;
    now(): number;
    resolve?: Resolve;
  }) {
    this.#now = now;
    this.#resolve = resolve;
    const own = host === undefined || host === "::" || host === "0.0.0.0" ? undefined : canonicalHost(host);
    const families = ([4, 6] as const).filter((family) => own === undefined || family === familyOf(own));
    this.#families = new Map(families.map((family) => {
      const hostname = own ?? (family === 4 ? "0.0.0.0" : "::");
      return [family, new UdpQuestions({ network, hostname, onIdle: () => this.#ids.clear() })];
    }));
  }

  /** As AnnounceClient.announce(). */
  async announce(
    { url, request }: { url: string; request: AnnounceRequest },
    options: AnnounceClientOptions,
  ): Promise<AnnounceReply> {
    const path = pathOf(url);
    const replies = await this.#askFamilies(url, options, {
      encode: (call) => encodeAnnounceRequest(request, path, call),
      decode: decodeAnnounceReply,
    });
    return joined(replies);
  }

  /** As AnnounceClient.scrape(); 74 info hashes at most. */
  async scrape(
    { url, infoHashes }: { url: string; infoHashes: readonly InfoHash[] },
    options: AnnounceClientOptions,
  ): Promise<ScrapeCounts[]> {
    const asked = infoHashes.slice(0, scrapeHashesMax);
    const [counts] = await this.#askFamilies(url, options, {
      encode: (call) => encodeScrapeRequest(asked, call),
      decode: (packet) => decodeScrapeReply(packet, asked),
    });
    return counts;
  }

  close(): void {
    for (const questions of this.#families.values()) questions.close();
  }

  /** The answers of the tracker over each family that it answers on; one at least. */
  async #askFamilies<T>(url: string, options: AnnounceClientOptions, question: Question<T>): Promise<T[]> {
    options.signal.throwIfAborted();
    const timeout = AbortSignal.timeout(options.timeoutMs ?? announceTimeoutMs);
    const signal = AbortSignal.any([options.signal, timeout]);
    try {
      const { host, port } = placeOf(url);
      const byFamily = await this.#addressesOf(url, host, signal);
      const asked = byFamily.map(([family, hosts]) => this.#askOne({ family, hosts, port, signal }, question));
      return await firstAndNear(asked);
    } catch (error) {
      options.signal.throwIfAborted();
      if (error instanceof ProtocolError || error instanceof UserError) throw error;
      throw unreachable(url, timeout.aborted ? "it gives no answer" : wordsOf(error));
    }
  }

  async #addressesOf(url: string, host: string, signal: AbortSignal): Promise<[Family, string[]][]> {
    const literal = canonicalHost(host);
    const hosts = literal !== undefined ? [literal] : await orAborted(this.#resolve(host), signal);
    const usable = hosts.flatMap((address) => canonicalHost(address) ?? []).filter(isAskable);
    const byFamily = [...this.#families.keys()].map((family): [Family, string[]] => [
      family,
      usable.filter((address) => familyOf(address) === family),
    ]).filter(([, hosts]) => hosts.length > 0);
    if (byFamily.length === 0) throw unreachable(url, "its address cannot be reached from here");
    return byFamily;
  }

  async #askOne<T>(
    { family, hosts, port, signal }: { family: Family; hosts: string[]; port: number; signal: AbortSignal },
    question: Question<T>,
  ): Promise<T> {
    const name = `${hosts.join()}:${port}`;
    const choice = this.#choices.get(name) ?? 0;
    const tracker = { host: hosts[choice % hosts.length], port };
    try {
      return await this.#ask(family, tracker, signal, question);
    } catch (error) {
      if (hosts.length > 1) this.#choices.set(name, choice + 1);
      throw error;
    }
  }

  async #ask<T>(family: Family, tracker: Endpoint, signal: AbortSignal, { encode, decode }: Question<T>): Promise<T> {
    const questions = this.#families.get(family)!;
    const key = formatEndpoint(tracker);
    for (;;) {
      const kept = this.#ids.get(key);
      const isKept = kept !== undefined && kept.until > this.#now();
      const connectionId = isKept ? kept.id : await this.#connect(questions, tracker, signal);
      try {
        const packet = await questions.ask(tracker, signal, (transactionId) => encode({ connectionId, transactionId }));
        return decode(packet, family);
      } catch (error) {
        this.#ids.delete(key);
        // An id that was good for an earlier question may have been forgotten, by a tracker that started anew.
        if (!isKept || !(error instanceof ProtocolError)) throw error;
      }
    }
  }

  async #connect(questions: UdpQuestions, tracker: Endpoint, signal: AbortSignal): Promise<Bytes> {
    const id = decodeConnectReply(await questions.ask(tracker, signal, encodeConnectRequest));
    for (const [key, { until }] of this.#ids) if (until <= this.#now()) this.#ids.delete(key);
    this.#ids.set(formatEndpoint(tracker), { id, until: this.#now() + udpIdUsedMs });
    return id;
  }
}

/** Host and port of a tracker's URL. @throws UserError where there is no port: UDP trackers have no usual one */
function placeOf(text: string): { host: string; port: number } {
  const url = URL.parse(text);
  // Only of web addresses does the parser know how names in other scripts and short forms of addresses are written.
  const host = URL.parse(`http://${url?.hostname ?? ""}/`)?.hostname ?? "";
  if (url === null || host === "") throw unreachable(text, "its address is not a valid one");
  if (url.port === "" || url.port === "0") throw unreachable(text, "its address names no port");
  return { host: host.replace(/^\[(.*)\]$/, "$1"), port: Number(url.port) };
}

/** Path and query of a tracker's URL, which may hold a passkey. */
function pathOf(text: string): string {
  const url = URL.parse(text);
  return url === null ? "" : url.pathname + url.search;
}

/** Whether it is the address of one machine: nobody shall make us call to all of a network. */
function isAskable(host: string): boolean {
  return !/^(?:0\.|22[4-9]\.|2[34]\d\.|25\d\.|ff[0-9a-f]{2}:|::$)/.test(host);
}

function familyOf(host: string): Family {
  return isIpv6(host) ? 6 : 4;
}

async function lookUp(name: string): Promise<string[]> {
  const { lookup } = await import("node:dns/promises");
  const found = await lookup(name, { all: true }).catch(() => []);
  if (found.length === 0) throw new Error("no such host");
  return found.map(({ address }) => address);
}

/** The result of what cannot be stopped, unless the signal is faster. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/**
 * What has come of all these when the first has succeeded and the others had a moment more; the rest goes on unheard.
 *
 * @throws the first error, a tracker's own words before others, when none succeeds
 */
async function firstAndNear<T>(asked: readonly Promise<T>[]): Promise<T[]> {
  const results: T[] = [];
  const errors: unknown[] = [];
  const all = Promise.all(
    asked.map((one) => one.then((result) => results.push(result), (error) => errors.push(error))),
  );
  await Promise.any(asked).catch(() => {});
  if (results.length < asked.length - errors.length) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await Promise.race([all, new Promise<void>((resolve) => timer = setTimeout(resolve, otherFamilyMs))]);
    clearTimeout(timer);
  }
  if (results.length > 0) return results;
  throw errors.find((error) => error instanceof ProtocolError) ?? errors[0];
}

/** One answer of those over both families: the peers of all, the counts of the one that knows more. */
function joined(replies: readonly AnnounceReply[]): AnnounceReply {
  const most = (count: (reply: AnnounceReply) => number | undefined) =>
    Math.max(...replies.map((reply) => count(reply) ?? 0));
  const peers = new Map(replies.flatMap((reply) => reply.peers.map((peer) => [formatEndpoint(peer), peer])));
  return {
    intervalMs: most(({ intervalMs }) => intervalMs),
    minIntervalMs: undefined,
    complete: most(({ complete }) => complete),
    incomplete: most(({ incomplete }) => incomplete),
    peers: [...peers.values()].slice(0, replyPeersMax),
  };
}
