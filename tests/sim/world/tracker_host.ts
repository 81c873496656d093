/** A machine with a real Tracker on it, asked by the bytes of HTTP announces; it may be away, and comes back with nothing. */
import { assert } from "@std/assert";
import { formatEndpoint } from "../../../lib/endpoint.ts";
import { announceUrl } from "../../../lib/announce/http_query.ts";
import { decodeAnnounceQuery } from "../../../lib/announce/http_query.ts";
import { decodeAnnounceReply, ReplyEncoder } from "../../../lib/announce/http_reply.ts";
import type { AnnounceReply } from "../../../lib/announce/request.ts";
import type { AnnounceCall } from "../../../peer/announcer.ts";
import { Asker } from "../../../tracker/asker.ts";
import { Tracker } from "../../../tracker/tracker.ts";
import type { Luck } from "./luck.ts";

/** Slots of a tracker's table that one announce sweeps. */
const sweepSlots = 64;

export class TrackerHost {
  readonly url: string;
  /** Nobody ever answers there. */
  readonly isGone: boolean;
  isUp: boolean;
  tracker: Tracker;
  readonly #luck: Luck;
  readonly #intervalMs: number;
  readonly #encoder = new ReplyEncoder();

  constructor(number: number, { luck, isGone }: { luck: Luck; isGone: boolean }) {
    this.isGone = isGone;
    this.isUp = !isGone;
    this.url = `http://10.9.0.${number}:6969/announce`;
    this.#luck = luck;
    this.#intervalMs = luck.pick(20_000, 60_000, 180_000);
    this.tracker = this.#begin();
  }

  #begin(): Tracker {
    return new Tracker({ intervalMs: this.#intervalMs, random: this.#luck.next });
  }

  restart(): void {
    this.tracker = this.#begin();
    this.isUp = !this.isGone;
  }

  /** @throws ProtocolError as the tracker does */
  announce({ request }: AnnounceCall, host: string, now: number): AnnounceReply {
    const url = announceUrl(this.url, request);
    const query = new TextEncoder().encode(url.slice(url.indexOf("?") + 1));
    const decoded = decodeAnnounceQuery(query);
    const asker = new Asker({ remote: host, local: "10.9.0.1" });
    this.tracker.sweep(now, sweepSlots);
    const reply = decodeAnnounceReply(
      this.#encoder.encodeAnnounce(this.tracker.announce(decoded, asker, now), { compact: decoded.compact }),
    );
    this.#check(reply, formatEndpoint({ host, port: request.port }), request.numWant);
    return reply;
  }

  /** Nobody is told of itself, nobody twice, nobody gets more than it wants; the counts are those of a list. */
  #check({ peers }: AnnounceReply, own: string, numWant: number): void {
    const told = peers.map(formatEndpoint);
    assert(!told.includes(own), `the tracker told ${own} of itself`);
    assert(new Set(told).size === told.length, `the tracker told ${own} of somebody twice`);
    assert(told.length <= numWant, `the tracker told ${own} of ${told.length}, who wanted ${numWant}`);
    const { peers: listed, seeds, leechers } = this.tracker.stats;
    assert(listed === seeds + leechers, `the tracker lists ${listed}: ${seeds} seeds and ${leechers} leechers`);
  }
}
