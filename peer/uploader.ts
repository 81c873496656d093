/**
 * The giving half of a torrent: who is unchoked, what is answered to a request, and in what order blocks leave.
 *
 * Blocks are read for a peer only while little waits in its outbox, so a peer that does not read costs no memory; under
 * an upload limit the peers take turns, one block each.
 */
import type { Endpoint } from "../lib/endpoint.ts";
import { ProtocolError } from "../lib/errors.ts";
import type { InfoHash } from "../lib/ids.ts";
import {
  allowedFastCount,
  chokeFlipMs,
  chokeRoundMs,
  invalidRequestsMax,
  requestLengthMax,
  unchokeSlots,
  uploadBatchBytesMax,
} from "../lib/limits.ts";
import type { RateLimiter } from "../lib/rate_limiter.ts";
import { RateMeter } from "../lib/rate_meter.ts";
import { allowedFastPieces } from "../lib/wire/allowed_fast.ts";
import type { BlockRange } from "../lib/wire/message.ts";
import { type ChokeCandidate, chooseUnchoked } from "./choker.ts";
import type { CheckedBlockRange, ConnectionId, Effect } from "./events.ts";
import type { PieceTable } from "./piece_table.ts";
import type { PeerSession } from "./peer_session.ts";

/** Milliseconds in which requests may still come that were sent before our choke arrived. */
const chokeGraceMs = 10_000;
/** Under a limit blocks leave in batches this small, so that all peers see some of it. */
const throttledBatchesPerSecond = 200;

export class Uploader {
  readonly meter = new RateMeter();
  readonly #table: PieceTable;
  readonly #limiter: RateLimiter;
  readonly #sessions: ReadonlyMap<ConnectionId, PeerSession>;
  readonly #random: () => number;
  readonly #emit: (effect: Effect) => void;
  #nextRoundAt = 0;
  /** The limiter let somebody wait. */
  #isThrottled = false;
  /** Whose turn it is under the limiter. */
  #turn = 0;

  constructor({ table, limiter, sessions, random, emit }: {
    table: PieceTable;
    limiter: RateLimiter;
    sessions: ReadonlyMap<ConnectionId, PeerSession>;
    random: () => number;
    emit: (effect: Effect) => void;
  }) {
    this.#table = table;
    this.#limiter = limiter;
    this.#sessions = sessions;
    this.#random = random;
    this.#emit = emit;
  }

  /** When the limiter lets the next block pass; Infinity while nobody waits for it. */
  wakeAt(now: number): number {
    return this.#isThrottled ? this.#limiter.readyAt(now) : Infinity;
  }

  /** Grants the pieces that the peer may have while choked (BEP 6). */
  grantAllowedFast(session: PeerSession, { endpoint, infoHash }: { endpoint: Endpoint; infoHash: InfoHash }): void {
    const pieceCount = this.#table.layout.pieceCount;
    const pieces = allowedFastPieces({ host: endpoint.host, infoHash, pieceCount, count: allowedFastCount });
    for (const piece of pieces) if (!session.has.has(piece)) session.sendAllowedFast(piece);
  }

  /** The peer wants something: while a slot is free it need not wait for the next round. */
  onInterested(session: PeerSession, now: number): void {
    if (session.amChoking) this.#fillSlots(now);
  }

  /** The peer wants nothing any more: what it asked for is void with its interest. */
  onNotInterested(session: PeerSession, now: number): void {
    for (const range of session.uploads.drain()) session.sendReject(range);
    this.#fillSlots(now);
  }

  /** The peer asks for a block: queued, rejected, or too wrong to go on. */
  onRequest(session: PeerSession, range: BlockRange, now: number): void {
    const checked = this.#check(range);
    const isAllowed = !session.amChoking || session.grantedFast.has(range.piece);
    if (checked !== undefined && isAllowed && session.uploads.push(checked)) return;
    session.sendReject(range);
    const crossedOurChoke = session.amChoking && now - session.chokeChangedAt < chokeGraceMs;
    if (checked !== undefined && (isAllowed || crossedOurChoke)) return;
    if (++session.invalidRequestCount > invalidRequestsMax) throw new ProtocolError("too many invalid requests");
  }

  /** The peer does not want the block any more. With the fast extension every request is answered: by a reject (BEP 6). */
  onCancel(session: PeerSession, range: BlockRange): void {
    const checked = this.#check(range);
    if (checked !== undefined && session.uploads.cancel(checked)) session.sendReject(range);
  }

  /** Has the next blocks read for the peer, unless enough waits for it. */
  serve(session: PeerSession, now: number): void {
    if (!this.#maySend(session)) return;
    const ranges: CheckedBlockRange[] = [];
    let byteCount = 0;
    const batchBytes = Math.min(uploadBatchBytesMax, this.#limiter.bytesPerSecond / throttledBatchesPerSecond);
    for (let range = session.uploads.peek(); range !== undefined; range = session.uploads.peek()) {
      if (byteCount + range.length > batchBytes && ranges.length > 0) break;
      if (!this.#limiter.take(range.length, now)) {
        this.#isThrottled = true;
        break;
      }
      session.uploads.shift();
      ranges.push(range);
      byteCount += range.length;
    }
    if (ranges.length === 0) return;
    session.isReading = true;
    this.#emit({ kind: "readBlocks", connection: session.connection, ranges });
  }

  /** The peer asked for something, and enough of what went before has left: else the next event of the peer serves it. */
  #maySend(session: PeerSession): boolean {
    return session.uploads.count > 0 && !session.isReading && session.outboxBytes < uploadBatchBytesMax;
  }

  /** The limiter is ready again: each peer gets a block in turn, beginning behind the one that was served last. */
  serveThrottled(now: number): void {
    if (!this.#isThrottled) return;
    this.#isThrottled = false;
    const waiting = [...this.#sessions.values()].filter((session) => this.#maySend(session));
    for (let i = 0; i < waiting.length && !this.#isThrottled; i++) {
      this.serve(waiting[(this.#turn + i) % waiting.length], now);
      if (this.#isThrottled) this.#turn += i;
    }
    if (waiting.some((session) => this.#maySend(session))) this.#isThrottled = true;
  }

  /** The blocks are here. */
  onBlocksRead(
    session: PeerSession,
    { ranges, blocks }: { ranges: readonly CheckedBlockRange[]; blocks: readonly Uint8Array[] },
    now: number,
  ): void {
    session.isReading = false;
    for (let i = 0; i < ranges.length; i++) {
      session.sendBlock(ranges[i].piece, ranges[i].begin, blocks[i], now);
      this.meter.add(blocks[i].length, now);
    }
    this.serve(session, now);
  }

  /** The disk did not give the blocks: the peer may ask others. */
  onReadFailed(session: PeerSession, ranges: readonly CheckedBlockRange[], now: number): void {
    session.isReading = false;
    for (const range of ranges) session.sendReject(range);
    this.serve(session, now);
  }

  /** Chokes and unchokes, once a round. Who wants nothing keeps its slot until somebody needs it. */
  runRound(now: number, isSeeding: boolean): void {
    if (now < this.#nextRoundAt) return;
    this.#nextRoundAt = now + chokeRoundMs;
    const sessions = [...this.#sessions.values()].filter((session) => session.isEstablished);
    const candidates = sessions.map((session): ChokeCandidate & { session: PeerSession } => ({
      session,
      isInterested: session.peerInterested,
      isUnchoked: !session.amChoking,
      changedAt: session.chokeChangedAt,
      downRate: session.requests.rate(now),
    }));
    const chosen = chooseUnchoked(candidates, { isSeeding, now, random: this.#random });
    let spareSlots = unchokeSlots - chosen.size;
    for (const candidate of candidates) {
      if (!candidate.isUnchoked || chosen.has(candidate) || now - candidate.changedAt < chokeFlipMs) continue;
      if (candidate.isInterested || --spareSlots < 0) this.#setChoking(candidate.session, true, now);
    }
    for (const { session } of chosen) this.#setChoking(session, false, now);
  }

  /** The peer is gone: its slot is free. */
  onClosed(now: number): void {
    this.#fillSlots(now);
  }

  /** Gives slots that nobody uses to those who have waited longest, without waiting for the next round. */
  #fillSlots(now: number): void {
    let usedCount = 0;
    const waiting: PeerSession[] = [];
    for (const session of this.#sessions.values()) {
      if (!session.peerInterested) continue;
      if (!session.amChoking) usedCount++;
      else if (now - session.chokedAt >= chokeFlipMs) waiting.push(session);
    }
    waiting.sort((a, b) => a.chokeChangedAt - b.chokeChangedAt);
    for (const session of waiting.slice(0, Math.max(0, unchokeSlots - usedCount))) {
      this.#setChoking(session, false, now);
    }
  }

  #setChoking(session: PeerSession, choking: boolean, now: number): void {
    if (session.amChoking === choking) return;
    session.setChoking(choking, now);
    if (!choking) return;
    for (const range of session.uploads.drain()) session.sendReject(range);
  }

  /** The range as one of a piece that we have; undefined otherwise. */
  #check(range: BlockRange): CheckedBlockRange | undefined {
    const piece = this.#table.layout.toPieceIndex(range.piece);
    if (piece === undefined || range.length > requestLengthMax) return undefined;
    if (!this.#table.isHave(piece) || !this.#table.layout.isRangeInPiece(piece, range)) return undefined;
    return { piece, begin: range.begin, length: range.length };
  }
}
