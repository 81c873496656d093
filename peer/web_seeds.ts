/**
 * The web seeds of a torrent (BEP 19): peers of last resort, which are asked while peers do not give enough.
 *
 * Without a peer that gives they are asked for everything; beside peers for the pieces that none of them has; and for
 * everything again when the peers together are much slower than the web seed. A request claims the blocks that it fetches,
 * so that their memory is counted like a peer's, and what it does not deliver is free for others again.
 */
import type { PieceIndex } from "../lib/ids.ts";
import {
  webRequestsMax,
  webRunBytesMax,
  webRunBytesMin,
  webSeedGraceMs,
  webSeedRequestsMax,
  webSeedSlowFactor,
} from "../lib/limits/web_seeds.ts";
import { blockLength } from "../lib/limits/wire.ts";
import type { RateLimiter } from "../lib/rate_limiter.ts";
import type { Downloader } from "./downloader.ts";
import type { ConnectionId, Effect, Input } from "./events.ts";
import type { PeerSession } from "./peer_session.ts";
import type { PiecePicker } from "./piece_picker.ts";
import type { ActivePiece, PieceTable } from "./piece_table.ts";
import type { WebRun } from "./web_run.ts";
import { WebSeed, type WebSeedFault } from "./web_seed.ts";
import { type WebNeed, WebSeedChoice } from "./web_seed_choice.ts";
import { WebStream } from "./web_stream.ts";

/** Seconds' worth of bytes that one request may ask for under a limit: so long the peers wait for it. */
const throttledSeconds = 1 / 4;

/** Milliseconds that a stream gets before its rate says something. */
const streamMeasureMs = 2_000;

type WebInput = Extract<Input, { kind: "webBytes" | "webSkipped" | "webEnded" }>;

interface WebRequest {
  readonly id: number;
  readonly seed: WebSeed;
  readonly run: WebRun | WebStream;
  /** Monotonic ms. */
  readonly startedAt: number;
  receivedBytes: number;
}

export class WebSeeds {
  readonly #table: PieceTable;
  readonly #picker: PiecePicker;
  readonly #downloader: Downloader;
  readonly #choice: WebSeedChoice;
  readonly #limiter: RateLimiter;
  readonly #sessions: ReadonlyMap<ConnectionId, PeerSession>;
  readonly #emit: (effect: Effect) => void;
  /** In the order in which they are asked: by chance, so that a crowd spreads over them. */
  readonly #seeds: readonly WebSeed[];
  readonly #requests = new Map<number, WebRequest>();
  #nextId = 1;
  /** Since when (monotonic ms) there is a peer that gives. */
  #helpedSince: number | undefined;
  /** The limiter let some request wait. */
  #isThrottled = false;
  /** A request waits for the memory of a piece. */
  #waitsForMemory = false;
  #isStopped = false;

  constructor({ urls, table, picker, downloader, limiter, sessions, random, emit }: {
    /** http and https (lib/remote_url.ts). */
    urls: readonly string[];
    table: PieceTable;
    picker: PiecePicker;
    downloader: Downloader;
    limiter: RateLimiter;
    sessions: ReadonlyMap<ConnectionId, PeerSession>;
    random: () => number;
    emit: (effect: Effect) => void;
  }) {
    this.#table = table;
    this.#picker = picker;
    this.#downloader = downloader;
    this.#choice = new WebSeedChoice({ table, picker, downloader, random });
    this.#limiter = limiter;
    this.#sessions = sessions;
    this.#emit = emit;
    const { layout } = table;
    this.#seeds = urls.map((url, index) => ({ seed: new WebSeed({ url, index, layout }), place: random() }))
      .sort((a, b) => a.place - b.place).map(({ seed }) => seed);
    for (const seed of this.#seeds) seed.cursor = Math.floor(random() * layout.pieceCount);
  }

  /** Web seeds that deliver. */
  get joinedCount(): number {
    return this.#seeds.filter((seed) => seed.isJoined).length;
  }

  /** What went wrong last with each that is not well. */
  get errors(): string[] {
    return this.#seeds.flatMap(({ lastError }) => lastError ?? []);
  }

  /** When the limiter lets the next request pass; Infinity while none waits for it. */
  wakeAt(now: number): number {
    return this.#isThrottled ? this.#limiter.readyAt(now) : Infinity;
  }

  /** Begins what requests there may be. */
  fill(now: number): void {
    if (this.#isStopped || this.#seeds.length === 0 || this.#table.isComplete) return;
    this.#isThrottled = this.#waitsForMemory = false;
    const peers = this.#peersNow(now);
    for (const seed of this.#seeds) {
      const need = this.#needOf(seed, peers, now);
      if (need === undefined && seed.requestCount === 0) this.#downloader.disownAll(seed.source);
      while (need !== undefined && this.#mayAskMore(seed, now) && this.#request(seed, need, now));
    }
  }

  /** The memory of a piece has become free: a request may wait for it. */
  refill(now: number): void {
    if (this.#waitsForMemory) this.fill(now);
  }

  /** Ends what has become needless, and looks whether web seeds are needed. */
  upkeep(now: number): void {
    for (const request of [...this.#requests.values()]) {
      this.#measureStream(request, now);
      if (!this.#isOfUse(request, now)) this.#cancel(request);
    }
    this.fill(now);
  }

  /** Whether the next bytes of a request may be read: there is memory for them, and the limiter lets them pass. */
  mayRead(id: number, now: number): boolean {
    const run = this.#requests.get(id)?.run;
    if (!(run instanceof WebStream)) return true; // it has paid before it began
    if (this.#limiter.readyAt(now) > now) return false;
    const { nextPiece } = run;
    return nextPiece === undefined || this.#table.mayActivate || !this.#picker.isPickable(nextPiece);
  }

  /** What came of a request. */
  apply(input: WebInput, now: number): void {
    const request = this.#requests.get(input.request);
    if (request === undefined) return;
    if (input.kind === "webBytes") this.#onBytes(request, input.bytes, now);
    else if (input.kind === "webEnded") this.#onEnded(request, input.fault, now);
    else this.#limiter.take(input.count, now); // nobody wants them, but they were on the line
  }

  #onBytes(request: WebRequest, bytes: Uint8Array, now: number): void {
    const { seed, run } = request;
    if (!seed.isJoined) {
      seed.isJoined = true;
      this.#emit({ kind: "peerJoined", endpoint: seed.endpoint, client: "web seed" });
    }
    seed.delivered();
    request.receivedBytes += bytes.length;
    if (run instanceof WebStream) this.#limiter.take(bytes.length, now);
    this.#downloader.meter.add(bytes.length, now);
    run.push(bytes, (active, block, part) => this.#downloader.deliver(active, block, part, seed.source));
  }

  /** @param fault why it is over before its last byte */
  #onEnded(request: WebRequest, fault: WebSeedFault | undefined, now: number): void {
    const { seed, run, startedAt } = request;
    if (fault === undefined && run.isOver) seed.succeeded({ bytes: run.length, ms: now - startedAt });
    this.#remove(request);
    if (fault !== undefined) this.#onFault(seed, fault, now);
    else if (!run.isOver) this.#onFault(seed, { kind: "later", why: "its answer was too short" }, now);
    this.fill(now);
  }

  /** Blocks of this web seed spoiled a piece. */
  blame(source: ConnectionId, why: string): void {
    const seed = this.#seeds.find((seed) => seed.source === source);
    if (seed === undefined || seed.isBanned || !seed.spoiled()) return;
    this.#emit({ kind: "peerBanned", endpoint: seed.endpoint, why });
    for (const request of [...this.#requests.values()]) if (request.seed === seed) this.#cancel(request);
    this.#leave(seed, why);
  }

  /** Ends all requests, for good. */
  stop(): void {
    this.#isStopped = true;
    for (const request of [...this.#requests.values()]) this.#cancel(request);
  }

  #peersNow(now: number): { readonly rate: number; readonly count: number; readonly hasSeed: boolean } {
    let [rate, count, hasSeed] = [0, 0, false];
    for (const session of this.#sessions.values()) {
      if (!session.amInterested || session.peerChoking || session.requests.isSnubbed) continue;
      count++;
      rate += session.requests.rate(now);
      hasSeed ||= session.has.isFull;
    }
    if (count === 0) this.#helpedSince = undefined;
    else this.#helpedSince ??= now;
    return { rate, count, hasSeed };
  }

  #needOf(
    seed: WebSeed,
    peers: { readonly rate: number; readonly count: number; readonly hasSeed: boolean },
    now: number,
  ): WebNeed | undefined {
    if (peers.count === 0) return "everything";
    const expected = Math.min(seed.rate ?? Infinity, this.#limiter.bytesPerSecond);
    const areSlow = peers.rate * webSeedSlowFactor < expected;
    if (areSlow && !this.#isGrace(now)) return "everything";
    return peers.hasSeed ? undefined : "unheld";
  }

  /** Peers that give came so lately that their rate says nothing yet. */
  #isGrace(now: number): boolean {
    return now - (this.#helpedSince ?? now) < webSeedGraceMs;
  }

  /** A stream has no end to wait for: its rate is that since its beginning. */
  #measureStream({ seed, run, startedAt, receivedBytes }: WebRequest, now: number): void {
    if (!(run instanceof WebStream) || now - startedAt < streamMeasureMs) return;
    seed.rate = (receivedBytes / (now - startedAt)) * 1000;
  }

  #mayAskMore(seed: WebSeed, now: number): boolean {
    const most = seed.isOnTrial || seed.givesWholeFilesOnly ? 1 : webSeedRequestsMax;
    return seed.mayBeAsked(now) && this.#requests.size < webRequestsMax && seed.requestCount < most;
  }

  /** Sends one request; false when there is nothing to ask for, or it has to wait. */
  #request(seed: WebSeed, need: WebNeed, now: number): boolean {
    this.#isThrottled = this.#limiter.readyAt(now) > now;
    if (this.#isThrottled) return false;
    const run = seed.givesWholeFilesOnly ? this.#choice.chooseStream(seed, need) : this.#choose(seed, need, now);
    this.#waitsForMemory ||= run === undefined && !this.#table.mayActivate;
    if (run === undefined) return false;
    if (!(run instanceof WebStream)) this.#limiter.take(run.length, now);
    const request = { id: this.#nextId++, seed, run, startedAt: now, receivedBytes: 0 };
    this.#requests.set(request.id, request);
    seed.requestCount++;
    const { offset, length } = run;
    const mayBeginEarly = run instanceof WebStream;
    this.#emit({ kind: "fetchWeb", request: request.id, webSeed: seed.index, offset, length, mayBeginEarly });
    return true;
  }

  #choose(seed: WebSeed, need: WebNeed, now: number): WebRun | undefined {
    const others = [...this.#requests.values()]
      .filter((request) => request.seed === seed || now - request.startedAt < webSeedGraceMs);
    const isAsked = (active: ActivePiece, block: number) => isUnderWay(others, active, block);
    return this.#choice.choose({ seed, need, bytesMax: this.#runBytesOf(seed), isAsked });
  }

  /** About a second of what the seed gives, in all its requests. */
  #runBytesOf(seed: WebSeed): number {
    const wanted = (seed.rate ?? 0) / webSeedRequestsMax;
    const limited = Math.max(blockLength, this.#limiter.bytesPerSecond * throttledSeconds);
    return Math.min(limited, webRunBytesMax, Math.max(webRunBytesMin, wanted));
  }

  /** Whether any of its blocks is still wanted: all may have come from peers. */
  #isOfUse({ run, seed }: WebRequest, now: number): boolean {
    // A stream that is cut begins with its first byte again: peers have to prove themselves before.
    if (run instanceof WebStream) {
      return this.#needOf(seed, this.#peersNow(now), now) !== undefined || this.#isGrace(now);
    }
    for (const { active, block } of run.rest()) {
      if (this.#table.active(active.piece as PieceIndex) === active && !active.isReceived(block)) return true;
    }
    return false;
  }

  #onFault(seed: WebSeed, fault: WebSeedFault, now: number): void {
    seed.failed(fault, this.#table.layout, now);
    this.#downloader.disownAll(seed.source);
    if (fault.kind === "wholeFilesOnly") return; // it is asked in another way
    this.#emit({ kind: "webSeedFailed", endpoint: seed.endpoint, why: fault.why });
    if (fault.kind !== "file") this.#leave(seed, fault.why);
  }

  #leave(seed: WebSeed, why: string): void {
    if (!seed.isJoined) return;
    seed.isJoined = false;
    this.#emit({ kind: "peerLeft", endpoint: seed.endpoint, why });
  }

  #cancel(request: WebRequest): void {
    this.#remove(request);
    this.#downloader.disownAll(request.seed.source);
    this.#emit({ kind: "cancelWeb", request: request.id });
  }

  /** Forgets a request; what it did not deliver is free again. */
  #remove({ id, seed, run }: WebRequest): void {
    this.#requests.delete(id);
    seed.requestCount--;
    for (const { active, block } of run.rest()) this.#downloader.giveBack(active, block, seed.source);
  }
}

/** Whether one of the requests fetches the block. */
function isUnderWay(requests: readonly WebRequest[], active: ActivePiece, block: number): boolean {
  return requests.some(({ run }) => run.rest().some((left) => left.active === active && left.block === block));
}
