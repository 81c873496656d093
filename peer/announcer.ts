/**
 * Which tracker hears what from us, and when: tiers, events, moments (BEP 3, 12, 15).
 *
 * Every tier has one tracker that works, found by trying its trackers in order; all tiers are asked, since on a LAN each
 * may know other peers. `started` goes out until a tracker has answered it, `completed` once a tier, `stopped` only to
 * trackers that know us. Owns no socket: `due` hands out calls, and their outcome comes back by id.
 */
import type { AnnounceEvent, AnnounceReply, AnnounceRequest } from "../lib/announce/request.ts";
import type { InfoHash, PeerId } from "../lib/ids.ts";
import {
  announceIntervalMinMs,
  announceRetryMaxMs,
  announceRetryMinMs,
  announceTimeoutMs,
  numWantMax,
} from "../lib/limits/tracker.ts";

/** One announce to make now. */
export interface AnnounceCall {
  /** To be given back with the outcome. */
  readonly id: number;
  readonly url: string;
  readonly request: AnnounceRequest;
}

/** What we tell of ourselves. */
export interface AnnounceStats {
  /** Bytes since the start. */
  readonly uploaded: number;
  /** Bytes since the start. */
  readonly downloaded: number;
  /** Bytes still missing. */
  readonly left: number;
}

export interface AnnouncerOptions {
  /** Tracker URLs; those of one tier are equals. */
  readonly tiers: readonly (readonly string[])[];
  readonly infoHash: InfoHash;
  readonly peerId: PeerId;
  /** Where we listen. */
  readonly port: number;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  /** Nothing was missing at the start, so there is nothing to complete. */
  readonly isComplete: boolean;
}

/** How one tier's tracker fares, for people. */
export interface TrackerStatus {
  readonly url: string;
  readonly lastError?: string;
  readonly warning?: string;
  /** Monotonic milliseconds of the next announce. */
  readonly nextAt: number;
  readonly seeders?: number;
  readonly leechers?: number;
}

interface TrackerState {
  readonly url: string;
  /** It has answered `started`, so it lists us and wants to hear `stopped`. */
  isKnown: boolean;
  failureCount: number;
  /** Not to be tried before. */
  retryAt: number;
  lastError: string | undefined;
  reply: AnnounceReply | undefined;
  /** Stays until the tracker gives another one (BEP 3). */
  trackerId: string | undefined;
}

interface TierState {
  /** What works stands in front. */
  readonly trackers: TrackerState[];
  /** When the tier is due, if no call is on its way. */
  nextAt: number;
  /** When peers are wanted it may be due so much earlier. */
  earlyAt: number;
  /** Early announces in a row: each waits twice as long. */
  earlyCount: number;
  /** The call that is on its way. */
  callId: number | undefined;
  /** Its tracker was told of a download that had begun, so the end of it is news. */
  hasBegun: boolean;
  hasCompleted: boolean;
}

interface PendingCall {
  readonly tier: TierState;
  readonly tracker: TrackerState;
  readonly event: AnnounceEvent;
  readonly isDownloading: boolean;
}

export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #key: number;
  readonly #tiers: TierState[];
  readonly #pending = new Map<number, PendingCall>();
  #nextId = 1;
  /** The download ended while we ran. */
  #isCompleted = false;
  #isStopped = false;
  #wantsPeers = false;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#key = Math.floor(options.random() * 2 ** 32);
    const seen = new Set<string>();
    this.#tiers = options.tiers
      .map((urls) => urls.filter((url) => !seen.has(url) && seen.add(url)))
      .filter((urls) => urls.length > 0)
      .map((urls) => makeTier(shuffle(urls, options.random)));
  }

  /**
   * The calls to make now; none after {@linkcode stop}.
   *
   * @param stats `wantsPeers`: too few peers are known, so an announce before its time is welcome
   */
  due(now: number, stats: AnnounceStats & { wantsPeers: boolean }): AnnounceCall[] {
    this.#wantsPeers = stats.wantsPeers;
    if (this.#isStopped) return [];
    const calls: AnnounceCall[] = [];
    for (const tier of this.#tiers) {
      if (this.#dueAt(tier) > now) continue;
      const tracker = tier.trackers.find(({ retryAt }) => retryAt <= now);
      if (tracker === undefined) continue;
      tier.earlyCount = now < tier.nextAt ? tier.earlyCount + 1 : 0;
      calls.push(this.#call(tier, tracker, stats));
    }
    return calls;
  }

  /** Monotonic milliseconds at which `due` has something again, as far as it knows now; Infinity for never. */
  nextDueAt(): number {
    if (this.#isStopped) return Infinity;
    return Math.min(Infinity, ...this.#tiers.map((tier) => this.#dueAt(tier)));
  }

  /** A call was answered. */
  replied(id: number, reply: AnnounceReply, now: number): void {
    const call = this.#take(id);
    if (call === undefined) return;
    const { tier, tracker, event, isDownloading } = call;
    tracker.failureCount = 0;
    tracker.lastError = undefined;
    tracker.reply = reply;
    tracker.trackerId = reply.trackerId ?? tracker.trackerId;
    if (event === "started") tier.hasBegun ||= isDownloading;
    if (event === "completed") tier.hasCompleted = true;
    tracker.isKnown = true;
    moveToFront(tier.trackers, tracker);
    tier.nextAt = now + reply.intervalMs;
    const minIntervalMs = Math.max(reply.minIntervalMs ?? 0, announceIntervalMinMs);
    tier.earlyAt = now + minIntervalMs * 2 ** Math.min(tier.earlyCount, 20);
    if (tier.earlyAt >= tier.nextAt) tier.earlyAt = tier.nextAt;
    if (this.#hasNews(tier)) tier.nextAt = now;
  }

  /**
   * A call came to nothing: the next tracker of the tier is due at once.
   *
   * @param retryInMs how long the tracker wants to be left alone; Infinity is for good
   */
  failed(id: number, why: string, now: number, retryInMs?: number): void {
    const call = this.#take(id);
    if (call === undefined) return;
    const { tier, tracker } = call;
    tracker.retryAt = now + Math.max(backOffMs(tracker.url, tracker.failureCount++), retryInMs ?? 0);
    tracker.lastError = why;
    tier.nextAt = Math.min(...tier.trackers.map(({ retryAt }) => Math.max(now, retryAt)));
    tier.earlyAt = tier.nextAt;
  }

  /** The download has just ended; tells each tier once, and nobody when nothing was missing at the start. */
  completed(now: number): void {
    if (this.#options.isComplete || this.#isCompleted) return;
    this.#isCompleted = true;
    for (const tier of this.#tiers) {
      if (this.#hasNews(tier)) tier.nextAt = Math.min(tier.nextAt, now);
    }
  }

  /** The last calls: `stopped`, to every tracker that lists us. Nothing is due any more, whatever becomes of them. */
  stop(_now: number, stats: AnnounceStats): AnnounceCall[] {
    if (this.#isStopped) return [];
    this.#isStopped = true;
    this.#pending.clear();
    const calls: AnnounceCall[] = [];
    for (const tier of this.#tiers) {
      for (const tracker of tier.trackers) {
        if (tracker.isKnown) calls.push(this.#makeCall(tracker, "stopped", { ...stats, numWant: 0 }));
      }
    }
    return calls;
  }

  /** Of every tier a tracker has answered, or all have failed. */
  get isAnswered(): boolean {
    return this.#tiers.every(({ trackers, callId }) =>
      trackers.some(({ reply }) => reply !== undefined) ||
      (callId === undefined && trackers.every(({ lastError }) => lastError !== undefined))
    );
  }

  /** The tracker of each tier that works, or is tried next. */
  get status(): TrackerStatus[] {
    return this.#tiers.map((tier) => {
      const [tracker] = tier.trackers;
      const { complete, incomplete, warning } = tracker.reply ?? {};
      return {
        url: tracker.url,
        nextAt: tier.nextAt,
        ...(tracker.lastError !== undefined && { lastError: tracker.lastError }),
        ...(warning !== undefined && { warning }),
        ...(complete !== undefined && { seeders: complete }),
        ...(incomplete !== undefined && { leechers: incomplete }),
      };
    });
  }

  #dueAt(tier: TierState): number {
    if (tier.callId !== undefined) return Infinity;
    return this.#wantsPeers ? Math.min(tier.nextAt, tier.earlyAt) : tier.nextAt;
  }

  /** Whether the tier has not heard yet that a download it knew of has ended. */
  #hasNews(tier: TierState): boolean {
    return this.#isCompleted && tier.hasBegun && !tier.hasCompleted && tier.trackers[0].isKnown;
  }

  #call(tier: TierState, tracker: TrackerState, stats: AnnounceStats): AnnounceCall {
    const event = !tracker.isKnown ? "started" : this.#hasNews(tier) ? "completed" : undefined;
    const call = this.#makeCall(tracker, event, { ...stats, numWant: this.#wantsPeers ? numWantMax : seedNumWant });
    tier.callId = call.id;
    this.#pending.set(call.id, { tier, tracker, event, isDownloading: stats.left > 0 });
    return call;
  }

  #makeCall(
    tracker: TrackerState,
    event: AnnounceEvent,
    { uploaded, downloaded, left, numWant }: AnnounceStats & { numWant: number },
  ): AnnounceCall {
    const { infoHash, peerId, port } = this.#options;
    const { trackerId } = tracker;
    return {
      id: this.#nextId++,
      url: tracker.url,
      request: {
        infoHash,
        peerId,
        port,
        uploaded,
        downloaded,
        left,
        event,
        numWant,
        key: this.#key,
        compact: true,
        ...(trackerId !== undefined && { trackerId }),
      },
    };
  }

  /** Undefined for calls of before the stop. */
  #take(id: number): PendingCall | undefined {
    const call = this.#pending.get(id);
    this.#pending.delete(id);
    if (call !== undefined) call.tier.callId = undefined;
    return call;
  }
}

/** Peers asked for by who does not look for any: a seeder dials out too, so that clients behind a firewall are served. */
const seedNumWant = 50;

/**
 * Milliseconds until a tracker is tried again. Over UDP a question is to be repeated 15 s · 2^n after it was sent (BEP 15),
 * and its answer has been waited for during the first 15 s of them.
 */
function backOffMs(url: string, failureCount: number): number {
  const doublings = 2 ** Math.min(failureCount, 20);
  const wantedMs = /^udp:/i.test(url) ? announceTimeoutMs * (doublings - 1) : announceRetryMinMs * doublings;
  return Math.min(Math.max(wantedMs, announceRetryMinMs), announceRetryMaxMs);
}

function makeTier(urls: readonly string[]): TierState {
  return {
    trackers: urls.map((url) => ({
      url,
      isKnown: false,
      failureCount: 0,
      retryAt: -Infinity,
      lastError: undefined,
      reply: undefined,
      trackerId: undefined,
    })),
    nextAt: -Infinity,
    earlyAt: -Infinity,
    earlyCount: 0,
    callId: undefined,
    hasBegun: false,
    hasCompleted: false,
  };
}

function shuffle(urls: readonly string[], random: () => number): string[] {
  const shuffled = [...urls];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1));
    [shuffled[i], shuffled[other]] = [shuffled[other], shuffled[i]];
  }
  return shuffled;
}

function moveToFront<T>(list: T[], item: T): void {
  list.splice(list.indexOf(item), 1);
  list.unshift(item);
}
