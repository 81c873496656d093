/**
 * Announces and scrapes, by whatever way the tracker's URL names: HTTP, HTTPS or UDP.
 *
 * One client serves all torrents of a run, so that they share sockets and ids of UDP trackers.
 */
import type { AnnounceReply, AnnounceRequest, ScrapeCounts } from "../../lib/announce/request.ts";
import type { InfoHash } from "../../lib/ids.ts";
import type { Network } from "../../lib/io/network.ts";
import { announceByHttp, scrapeByHttp } from "./http_announce.ts";
import { UdpClient } from "./udp_client.ts";

export interface AnnounceClientOptions {
  /** Ends the announce at once; its reason is thrown. */
  readonly signal: AbortSignal;
  /** Milliseconds for everything, redirects included. */
  readonly timeoutMs?: number;
}

export class AnnounceClient {
  readonly #udp: UdpClient;

  /** @param host our address to ask UDP trackers from; any, in both families, unless given */
  constructor(options: { network: Network; host?: string | undefined; now(): number }) {
    this.#udp = new UdpClient(options);
  }

  /**
   * Announces to one tracker.
   *
   * @throws TrackerFailure when it refuses, ProtocolError when its answer is none, UserError when it cannot be reached;
   * each in plain words that hold no passkey. The signal's reason when it aborts.
   */
  async announce(
    call: { url: string; request: AnnounceRequest },
    options: AnnounceClientOptions,
  ): Promise<AnnounceReply> {
    return await (isUdp(call.url) ? this.#udp.announce(call, options) : announceByHttp(call, options));
  }

  /**
   * Asks a tracker for the counters of some swarms (BEP 15, 48).
   *
   * @throws as {@linkcode announce} does, and UserError when this tracker's URL has no scrape
   */
  async scrape(
    call: { url: string; infoHashes: readonly InfoHash[] },
    options: AnnounceClientOptions,
  ): Promise<ScrapeCounts[]> {
    return await (isUdp(call.url) ? this.#udp.scrape(call, options) : scrapeByHttp(call, options));
  }

  /** Gives the sockets back; whoever still waits for an answer is told that there is none. */
  close(): void {
    this.#udp.close();
  }
}

function isUdp(url: string): boolean {
  return /^udp:/i.test(url);
}
