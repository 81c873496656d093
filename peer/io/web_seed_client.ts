/**
 * Fetches parts of files from web servers and hands the bytes on (BEP 19); WebSeeds says which, and judges the faults.
 *
 * A server is asked for one range of one file at a time. What it answers is believed only where it says the same as the
 * torrent: the range, the file's length, no encoding. It may take its time, but not for ever.
 */
import { type AnswerRange, parseContentRange, parseRetryAfter } from "../../lib/http_answer.ts";
import type { FileSpan } from "../../lib/layout.ts";
import { KiB } from "../../lib/limits/units.ts";
import { webReadBytes, webSeedPaceBytes, webSeedSkipBytesMax, webSeedTimeoutMs } from "../../lib/limits/web_seeds.ts";
import type { Metainfo } from "../../lib/metainfo.ts";
import type { Effect, Input } from "../events.ts";
import type { WebSeedFault } from "../web_seed.ts";
import { webSeedFileUrl } from "../web_seed_url.ts";
import { fetchFollowing, isPrivate, RedirectError, wordsOf } from "./http_client.ts";
import { PaceWatch } from "./pace_watch.ts";

type FetchWeb = Extract<Effect, { kind: "fetchWeb" }>;

/** What padding files hold (BEP 47): they are nowhere to be fetched. */
const zeros = new Uint8Array(64 * KiB);

/** A fault on its way up to the request that it ends. */
class FaultError extends Error {
  readonly fault: WebSeedFault;

  constructor(fault: WebSeedFault) {
    super(fault.why);
    this.fault = fault;
  }
}

/** Who wants what is fetched: it is told of bytes and ends, and says when it can take more. */
export interface WebTaker {
  apply(input: Input): void;
  mayReadWeb(request: number): boolean;
}

interface Request {
  readonly effect: FetchWeb;
  readonly taker: WebTaker;
  /** Aborts when nothing more is wanted. */
  readonly signal: AbortSignal;
}

/** Milliseconds between two questions whether more can be taken. */
const pauseMs = 5;

export class WebSeedClient {
  readonly #metainfo: Metainfo;
  readonly #timeoutMs: number;
  readonly #requests = new Map<number, { readonly abort: AbortController; readonly ended: Promise<void> }>();
  /** Memory of reads that are over. */
  readonly #spareBuffers: ArrayBuffer[] = [];

  /** @param timeoutMs for a server's first word, and for each `webSeedPaceBytes` after it */
  constructor(metainfo: Metainfo, { timeoutMs = webSeedTimeoutMs } = {}) {
    this.#metainfo = metainfo;
    this.#timeoutMs = timeoutMs;
  }

  /** Begins a request for `taker`. */
  fetch(effect: FetchWeb, taker: WebTaker): void {
    const abort = new AbortController();
    const ended = this.#run({ effect, taker, signal: abort.signal }).finally(() =>
      this.#requests.delete(effect.request)
    );
    this.#requests.set(effect.request, { abort, ended });
  }

  /** Ends a request without another word. */
  cancel(request: number): void {
    this.#requests.get(request)?.abort.abort();
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    const requests = [...this.#requests.values()];
    for (const { abort } of requests) abort.abort();
    await Promise.all(requests.map(({ ended }) => ended));
  }

  async #run(request: Request): Promise<void> {
    const { effect, taker, signal } = request;
    let fault: WebSeedFault | undefined;
    try {
      for (const span of this.#metainfo.layout.spansOf(effect)) await this.#fetch(span, request);
    } catch (error) {
      fault = faultOf(error);
    }
    if (!signal.aborted) taker.apply({ kind: "webEnded", request: effect.request, fault });
  }

  async #fetch(span: FileSpan, request: Request): Promise<void> {
    const { webSeeds, files } = this.#metainfo;
    if (files[span.fileIndex].isPadding) return takeZeros(span.length, request);
    const url = URL.parse(webSeedFileUrl(webSeeds[request.effect.webSeed], this.#metainfo, span.fileIndex));
    if (url === null) throw new FaultError({ kind: "refused", why: "its address is no web address" });
    const pace = new PaceWatch({ signal: request.signal, timeoutMs: this.#timeoutMs, bytes: webSeedPaceBytes });
    let hasAnswered = false;
    try {
      const last = span.fileOffset + span.length - 1;
      const { response } = await fetchFollowing(url, {
        signal: pace.signal,
        headers: { "accept": "*/*", "accept-encoding": "identity", "range": `bytes=${span.fileOffset}-${last}` },
        check: refuseQueryAtHome,
      });
      hasAnswered = true;
      await this.#read(response, span, request, pace);
    } catch (error) {
      if (!pace.isTooSlow) throw error;
      throw new FaultError({ kind: "later", why: hasAnswered ? "it is too slow" : "it gives no answer" });
    } finally {
      pace.end();
    }
  }

  /** Reads what was asked for out of an answer, and no more. */
  async #read(response: Response, span: FileSpan, request: Request, pace: PaceWatch): Promise<void> {
    const { body } = response;
    let skip: number;
    try {
      skip = this.#checkAnswer(response, span, request);
      if (body === null) throw new FaultError({ kind: "later", why: "its answer is empty" });
    } catch (error) {
      await body?.cancel();
      throw error;
    }
    const reader = body.getReader({ mode: "byob" });
    let buffer = this.#spareBuffers.pop() ?? new ArrayBuffer(webReadBytes);
    let left = span.length;
    try {
      while (left > 0) {
        const { value, done } = await reader.read(new Uint8Array(buffer));
        if (done) throw new FaultError({ kind: "later", why: "its answer was too short" });
        buffer = value.buffer;
        const front = Math.min(skip, value.length);
        const bytes = value.subarray(front, front + left);
        skip -= front;
        if (front > 0) request.taker.apply({ kind: "webSkipped", request: request.effect.request, count: front });
        left -= bytes.length;
        pace.moved(value.length);
        take(bytes, request);
        await this.#untilReadable(request, pace);
      }
      this.#spareBuffers.push(buffer);
    } finally {
      await reader.cancel(); // closes the connection if the server has more to say, keeps it if not
    }
  }

  /** What waits here is memory, the disk or a limit: the server is not to blame. */
  async #untilReadable({ effect, taker, signal }: Request, pace: PaceWatch): Promise<void> {
    while (!signal.aborted && !taker.mayReadWeb(effect.request)) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      pace.moved(webSeedPaceBytes);
    }
  }

  /** Whether the answer is to what was asked. Returns how many bytes lie in front of it. @throws FaultError */
  #checkAnswer({ status, headers }: Response, span: FileSpan, { effect }: Request): number {
    const { fileIndex, fileOffset, length } = span;
    const misses = (why: string) => new FaultError({ kind: "file", fileIndex, why });
    if (laterStatuses.has(status) || status >= 500) {
      const retryInMs = parseRetryAfter(headers.get("retry-after"), Date.now());
      throw new FaultError({
        kind: "later",
        why: `it answered ${status}`,
        ...(retryInMs !== undefined && { retryInMs }),
      });
    }
    if (status !== 200 && status !== 206) throw misses(`it answered ${status}`);
    if ((headers.get("content-encoding") ?? "identity") !== "identity") throw misses("it packs what it sends");
    const fileLength = this.#metainfo.files[fileIndex].length;
    const { first, last, total } = status === 206 ? parseContentRange(headers.get("content-range")) : wholeOf(headers);
    if (total !== undefined && total !== fileLength) {
      throw misses(`its file has ${total} bytes instead of ${fileLength}`);
    }
    if (status === 206) {
      if (first !== fileOffset || last !== fileOffset + length - 1) throw misses("it sends another part of the file");
      return 0;
    }
    if (fileOffset <= webSeedSkipBytesMax || effect.mayBeginEarly) return fileOffset;
    throw new FaultError({ kind: "wholeFilesOnly", why: "it gives whole files only, no parts of them" });
  }
}

function faultOf(error: unknown): WebSeedFault {
  if (error instanceof FaultError) return error.fault;
  return { kind: error instanceof RedirectError ? "refused" : "later", why: wordsOf(error) };
}

/** Statuses below 500 of a server that may answer better another time. */
const laterStatuses: ReadonlySet<number> = new Set([408, 425, 429]);

function take(bytes: Uint8Array, { effect, taker, signal }: Request): void {
  if (bytes.length > 0 && !signal.aborted) taker.apply({ kind: "webBytes", request: effect.request, bytes });
}

function takeZeros(length: number, request: Request): void {
  for (let left = length; left > 0; left -= zeros.length) take(zeros.subarray(0, left), request);
}

/** A torrent from anybody must not make us press buttons on the web pages of our own network (libtorrent's rule too). */
async function refuseQueryAtHome(url: URL): Promise<void> {
  if (url.search === "" || !await isPrivate(url)) return;
  throw new FaultError({ kind: "refused", why: "its address on a private network has a query (?…)" });
}

function wholeOf(headers: Headers): AnswerRange {
  const length = headers.get("content-length");
  return { first: 0, last: undefined, total: length === null ? undefined : Number(length) };
}
