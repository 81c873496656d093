/**
 * What is known of one web seed (BEP 19): which pieces it may have, how fast it is, when it may be asked again.
 *
 * A web seed is a source of blocks like a peer, with a number of its own below zero where peers' connections are above it.
 * It is taken to have everything until it says otherwise, file by file.
 */
import { Bitfield } from "../lib/bitfield.ts";
import type { Endpoint } from "../lib/endpoint.ts";
import type { Layout } from "../lib/layout.ts";
import {
  webSeedBadPiecesMax,
  webSeedMissingFilesMax,
  webSeedRetryAfterMaxMs,
  webSeedRetryMaxMs,
  webSeedRetryMinMs,
} from "../lib/limits/web_seeds.ts";
import type { ConnectionId } from "./events.ts";

/** Why a request ended before its last byte, and what that means for the next ones. */
export type WebSeedFault =
  /** It does not have this file, or not in this form. */
  | { readonly kind: "file"; readonly fileIndex: number; readonly why: string }
  /** It gives files from their first byte on only. */
  | { readonly kind: "wholeFilesOnly"; readonly why: string }
  /** Nothing is to be asked of it any more. */
  | { readonly kind: "refused"; readonly why: string }
  /** It may do better another time, in `retryInMs` if it said so. */
  | { readonly kind: "later"; readonly why: string; readonly retryInMs?: number };

export class WebSeed {
  /** Where it stands among the torrent's web seeds. */
  readonly index: number;
  /** Its number among the sources of blocks. */
  readonly source: ConnectionId;
  /** Its host and port: all that is said of it, since the rest of a URL may hold a password. */
  readonly endpoint: Endpoint;
  /** Bytes a second while it is asked, in all requests together; undefined before the first answer. */
  rate: number | undefined;
  /** Requests under way, the one that ends now included. */
  requestCount = 0;
  /** It delivers: the person was told so. */
  isJoined = false;
  /** It knows no ranges. */
  givesWholeFilesOnly = false;
  /** What went wrong last; undefined while all is well. */
  lastError: string | undefined;
  /** Where the next pieces are begun: adjacent ones come in one request. */
  cursor = 0;
  readonly #pieceCount: number;
  /** Pieces that it does not have; undefined while none is known. */
  #lacks: Bitfield | undefined;
  #isBanned = false;
  #failureCount = 0;
  #retryAt = -Infinity;
  #badPieceCount = 0;
  #missingFileCount = 0;
  #hasDelivered = false;

  constructor({ url, index, layout }: { url: string; index: number; layout: Layout }) {
    this.index = index;
    this.source = firstSource - index;
    const { hostname, port, protocol } = new URL(url);
    this.endpoint = {
      host: hostname.replace(/^\[(.*)\]$/, "$1"),
      port: Number(port) || (protocol === "https:" ? 443 : 80),
    };
    this.#pieceCount = layout.pieceCount;
  }

  /** It is not asked any more, ever. */
  get isBanned(): boolean {
    return this.#isBanned;
  }

  mayBeAsked(now: number): boolean {
    return !this.#isBanned && now >= this.#retryAt && this.#lacks?.isFull !== true;
  }

  /** Whether it may have the piece. */
  has(piece: number): boolean {
    return this.#lacks === undefined || !this.#lacks.has(piece);
  }

  /** Whether it failed last: then one request at a time finds out whether it is well again. */
  get isOnTrial(): boolean {
    return !this.#hasDelivered || this.#failureCount > 0;
  }

  delivered(): void {
    this.#hasDelivered = true;
  }

  /** A request was answered to its end: `bytes` in `ms`, beside other requests. */
  succeeded({ bytes, ms }: { bytes: number; ms: number }): void {
    const rate = (bytes / Math.max(1, ms)) * 1000 * this.requestCount;
    this.rate = this.rate === undefined ? rate : (this.rate + rate) / 2;
    this.#failureCount = 0;
    if (this.#lacks === undefined) this.lastError = undefined;
  }

  /** A request failed: what cannot be had of it is asked of others, and it is left alone for a while. */
  failed(fault: WebSeedFault, layout: Layout, now: number): void {
    this.lastError = fault.why;
    switch (fault.kind) {
      case "file":
        return this.#missesFile(fault.fileIndex, layout);
      case "wholeFilesOnly":
        this.givesWholeFilesOnly = true;
        return;
      case "refused":
        this.#isBanned = true;
        return;
      case "later":
        if (now >= this.#retryAt) this.#retryAt = now + this.#pause(fault.retryInMs); // else: of the same moment
    }
  }

  /** It delivered a piece that fails its hash. Returns whether that was once too often. */
  spoiled(): boolean {
    this.lastError = "it sent a piece that fails its hash";
    if (++this.#badPieceCount >= webSeedBadPiecesMax) this.#isBanned = true;
    return this.#isBanned;
  }

  #missesFile(fileIndex: number, layout: Layout): void {
    const pieces = layout.piecesOfFile(fileIndex);
    if (pieces === undefined) return;
    this.#lacks ??= Bitfield.empty(this.#pieceCount);
    for (let piece: number = pieces.first; piece <= pieces.last; piece++) this.#lacks.set(piece);
    if (++this.#missingFileCount >= webSeedMissingFilesMax && !this.#hasDelivered) this.#isBanned = true;
  }

  #pause(retryInMs: number | undefined): number {
    const doubled = Math.min(webSeedRetryMaxMs, webSeedRetryMinMs * 2 ** this.#failureCount++);
    return retryInMs === undefined ? doubled : Math.min(webSeedRetryAfterMaxMs, Math.max(webSeedRetryMinMs, retryInMs));
  }
}

/** The source numbers of web seeds: connections count up from 1, and -1 is nobody (peer/piece_table.ts). */
const firstSource = -2;

/** Whether the source is a web seed. */
export function isWebSource(source: ConnectionId): boolean {
  return source <= firstSource;
}
