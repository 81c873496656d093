/**
 * The tracker over UDP: one packet in, at most one out (BEP 15, 41).
 *
 * Owns what is answered and what is met with silence: who has not shown by a connection id that packets to its address
 * reach it hears 16 bytes for its 16, so that nobody can be flooded through us; what is malformed hears nothing. The rules
 * of the swarms are those of tracker.ts, whatever the way.
 */
import type { Bytes } from "../lib/bytes.ts";
import { ProtocolError } from "../lib/errors.ts";
import { trackerAskersMax } from "../lib/limits/tracker.ts";
import { type AnnounceAnswer, type AnnounceRequest, TrackerFailure } from "../lib/announce/request.ts";
import {
  encodeAnnounceReply,
  encodeConnectReply,
  encodeErrorReply,
  encodeScrapeReply,
  udpPeersMax,
} from "../lib/announce/udp_reply.ts";
import {
  decodeAnnounceRequest,
  decodeScrapeRequest,
  decodeUrlData,
  isConnectRequest,
  requestAction,
  requestTransactionId,
  udpAction,
  udpHeadLength,
} from "../lib/announce/udp_request.ts";
import { Refusals } from "../lib/refusals.ts";
import { addressOf, Asker } from "./asker.ts";
import { ConnectionIds } from "./connection_id.ts";
import type { Tracker } from "./tracker.ts";

/** Milliseconds after which it is found out anew under which address of ours an asker reaches us: interfaces change. */
const askersKeptMs = 60_000;
const silence = 0;

/** Why a packet is met with silence: no head, no good connection id behind it, or no request. */
const udpRefusals = ["short", "unproven", "malformed"] as const;
export type UdpRefusal = typeof udpRefusals[number];

export interface UdpTrackerOptions {
  readonly tracker: Tracker;
  /** 16 bytes that nobody else knows. */
  readonly secret: Bytes;
  /** The address of this machine under which it is reached from `remote`; undefined where nothing tells. */
  hostFacing(remote: string): string | undefined;
  /** Told of each announce that was answered. */
  onAnnounce?(request: AnnounceRequest, asker: Asker, answer: AnnounceAnswer): void;
}

export class UdpTracker {
  readonly #options: UdpTrackerOptions;
  readonly #ids: ConnectionIds;
  /** By the remote address; only who has shown an id gets in. */
  readonly #askers = new Map<string, Asker>();
  #askersSince = -Infinity;
  readonly #refusals = new Refusals<UdpRefusal>(udpRefusals);
  #connectCount = 0;

  constructor(options: UdpTrackerOptions) {
    this.#options = options;
    this.#ids = new ConnectionIds(options.secret);
  }

  /** Connection ids given out. */
  get connectCount(): number {
    return this.#connectCount;
  }

  /** Packets met with silence since the start, by reason. */
  get refused(): Readonly<Record<UdpRefusal, number>> {
    return this.#refusals.counts;
  }

  /**
   * Answers one packet.
   *
   * @param remote the address that it came from, as the system tells it
   * @param now monotonic milliseconds
   * @param reply room for the answer: udpReplyLengthMax bytes
   * @returns how many bytes of `reply` are to be sent; 0 is silence
   */
  answer(packet: Uint8Array, remote: string, now: number, reply: Bytes): number {
    if (packet.length < udpHeadLength) return this.#ignore("short");
    const transactionId = requestTransactionId(packet);
    if (isConnectRequest(packet)) {
      this.#connectCount++;
      return encodeConnectReply(reply, transactionId, this.#ids.mint(addressOf(remote), now));
    }
    const known = this.#askers.get(remote);
    if (!this.#ids.isGood(packet, known?.address ?? addressOf(remote), now)) return this.#ignore("unproven");
    const asker = known !== undefined && now - this.#askersSince < askersKeptMs ? known : this.#admit(remote, now);
    try {
      if (requestAction(packet) === udpAction.announce) return this.#announce(packet, asker, now, reply);
      return requestAction(packet) === udpAction.scrape ? this.#scrape(packet, reply) : this.#ignore("malformed");
    } catch (error) {
      if (error instanceof TrackerFailure) return encodeErrorReply(reply, transactionId, error.message);
      if (error instanceof ProtocolError) return this.#ignore("malformed");
      throw error;
    }
  }

  #ignore(reason: UdpRefusal): number {
    this.#refusals.add(reason);
    return silence;
  }

  #announce(packet: Uint8Array, asker: Asker, now: number, reply: Bytes): number {
    const request = decodeAnnounceRequest(packet);
    checkPath(decodeUrlData(packet));
    const family = asker.family;
    const numWant = Math.min(request.numWant, udpPeersMax[family]);
    const bounded = numWant === request.numWant ? request : { ...request, numWant };
    const answer = this.#options.tracker.announce(bounded, asker, now);
    this.#options.onAnnounce?.(request, asker, answer);
    return encodeAnnounceReply(reply, requestTransactionId(packet), answer, family);
  }

  #scrape(packet: Uint8Array, reply: Bytes): number {
    const infoHashes = decodeScrapeRequest(packet);
    const counts = this.#options.tracker.scrape(infoHashes);
    return encodeScrapeReply(reply, requestTransactionId(packet), infoHashes, counts);
  }

  #admit(remote: string, now: number): Asker {
    if (this.#askers.size >= trackerAskersMax || now - this.#askersSince >= askersKeptMs) {
      this.#askers.clear();
      this.#askersSince = now;
    }
    const asker = new Asker({ remote, local: this.#options.hostFacing(remote), isUdp: true });
    this.#askers.set(remote, asker);
    return asker;
  }
}

/** A torrent made for another tracker is told so here, as it is over HTTP. @throws TrackerFailure */
function checkPath(path: string): void {
  const end = path.indexOf("?");
  const name = end === -1 ? path : path.slice(0, end);
  if (name !== "" && name !== "/" && name !== "/announce") throw new TrackerFailure("this tracker is at /announce");
}
