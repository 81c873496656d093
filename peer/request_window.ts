/**
 * What we asked of one peer and have not got: how many requests may be under way, which ones are, and since when.
 *
 * What is kept in flight follows the peer's rate, and how it answers, never above its `reqq`: enough that the wire never
 * runs dry, not so much that a slow source is booked out by the first who ask.
 */
import { RateMeter } from "../lib/rate_meter.ts";
import {
  blockLength,
  calledOffMax,
  requestsInFlightDefault,
  requestsInFlightFirst,
  requestsInFlightMax,
  requestsInFlightMin,
} from "../lib/limits/wire.ts";
import { RequestSpan } from "./request_span.ts";

/** A block of a torrent as one number: piece * blocksPerPiece + block. */
export type BlockKey = number;

/** The part of the window that is free when it is filled again. */
const refillPart = 1 / 8;

export class RequestWindow {
  /** Requests under way, with the time of each, the oldest first. */
  readonly #sentAt = new Map<BlockKey, number>();
  /** By block: requests that were called off and not answered yet; one may be made and called off more than once. */
  readonly #calledOff = new Map<BlockKey, number>();
  readonly #meter = new RateMeter(1_000);
  readonly #span = new RequestSpan();
  #peerQueueMax = requestsInFlightDefault;
  /** When the peer last delivered, or was first asked after nothing was under way. */
  #progressAt = 0;
  /** The peer stopped delivering: one request at a time until it does again. */
  isSnubbed = false;

  /** The peer's `reqq` (BEP 10). Two below it: Transmission 3 rejects the one that would make its queue full. */
  set peerQueueMax(value: number) {
    this.#peerQueueMax = Math.max(1, value - 2);
  }

  /** Requests that may be in flight to this peer. */
  get peerQueueMax(): number {
    return this.#peerQueueMax;
  }

  /** The requests under way, the oldest first. */
  keys(): IterableIterator<BlockKey> {
    return this.#sentAt.keys();
  }

  get count(): number {
    return this.#sentAt.size;
  }

  /** Payload bytes that came for our requests. */
  get receivedBytes(): number {
    return this.#meter.total;
  }

  /** Bytes a second that the peer delivers. */
  rate(now: number): number {
    return this.#meter.rate(now);
  }

  /** The peer proposes pieces, so that less of it has to be kept in flight. */
  proposed(): void {
    this.#span.shorten();
  }

  /** The window was filled to the brim: only its size keeps more from being asked for. */
  filled(now: number): void {
    this.#span.look(this.#meter.rate(now), now);
  }

  /**
   * How many more requests may go out now: none before a part of the window is free, so that they leave many at a time;
   * each write wakes the peer.
   */
  room(now: number): number {
    if (this.isSnubbed) return 1 - this.#sentAt.size;
    const most = Math.min(this.#wanted(now), this.#peerQueueMax, requestsInFlightMax);
    const free = most - this.#sentAt.size;
    return free >= most * refillPart ? free : 0;
  }

  #wanted(now: number): number {
    if (this.#meter.total === 0) return requestsInFlightFirst;
    const blocksPerSpan = (this.#meter.rate(now) / blockLength) * this.#span.seconds;
    return Math.ceil(blocksPerSpan) + requestsInFlightMin;
  }

  has(key: BlockKey): boolean {
    return this.#sentAt.has(key);
  }

  /** A request went out. */
  add(key: BlockKey, now: number): void {
    if (this.#sentAt.size === 0) this.#progressAt = now;
    this.#sentAt.set(key, now);
  }

  /** The block came; false when it was not asked for. */
  delivered(key: BlockKey, bytes: number, now: number): boolean {
    if (!this.#sentAt.delete(key)) {
      this.#answerCalledOff(key);
      return false;
    }
    this.#meter.add(bytes, now);
    this.#progressAt = now;
    this.isSnubbed = false;
    return true;
  }

  /** The request is not waited for any more, but its answer may still come (BEP 6); false when there was none. */
  callOff(key: BlockKey): boolean {
    if (!this.#sentAt.delete(key)) return false;
    if (this.#calledOff.size >= calledOffMax) this.#calledOff.clear();
    this.#calledOff.set(key, (this.#calledOff.get(key) ?? 0) + 1);
    return true;
  }

  /** The peer rejected a request: one that was called off, one under way, or none at all. */
  rejected(key: BlockKey): "called off" | "under way" | "none" {
    // The same may have been asked anew since; that is answered after this one.
    if (this.#answerCalledOff(key)) return "called off";
    return this.#sentAt.delete(key) ? "under way" : "none";
  }

  /** False when the block was not called off. */
  #answerCalledOff(key: BlockKey): boolean {
    const count = this.#calledOff.get(key) ?? 0;
    if (count > 1) this.#calledOff.set(key, count - 1);
    else this.#calledOff.delete(key);
    return count > 0;
  }

  /** Takes all requests back. */
  drain(): BlockKey[] {
    const keys = [...this.#sentAt.keys()];
    this.#sentAt.clear();
    return keys;
  }

  /** The peer stalls: takes all requests back but the oldest, which shows whether it comes back. */
  snub(): BlockKey[] {
    this.isSnubbed = true;
    const [, ...keys] = this.#sentAt.keys();
    for (const key of keys) this.callOff(key);
    return keys;
  }

  /** Milliseconds that the peer has owed us something without delivering anything; 0 when it owes nothing. */
  stalledMs(now: number): number {
    return this.#sentAt.size === 0 ? 0 : now - this.#progressAt;
  }
}
