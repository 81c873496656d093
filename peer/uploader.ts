/**
 * The giving half of a torrent: who is unchoked, what is answered to a request, and in what order blocks leave.
 *
 * Blocks are read for a peer only while little waits in its outbox, so a peer that does not read costs no memory; under
 * an upload limit the peers take turns, one block each.
 */
import type { Endpoint } from "../lib/endpoint.ts";
import { ProtocolError } from "../lib/errors.ts";
import type { InfoHash, PieceIndex } from "../lib/ids.ts";
import {
  allowedFastCount,
  chokeFlipMs,
  chokeRoundMs,
  invalidRequestsMax,
  requestLengthMax,
  slotIdleMs,
  slotStuckMs,
  unchokeSlots,
} from "../lib/limits/transfer.ts";
import { scarceBatchBytesMax, uploadBatchBytesMax } from "../lib/limits/wire.ts";
import type { RateLimiter } from "../lib/rate_limiter.ts";
import { RateMeter } from "../lib/rate_meter.ts";
import type { BatchMemory } from "../lib/wire/batch_memory.ts";
import { allowedFastPieces } from "../lib/wire/allowed_fast.ts";
import type { BlockRange } from "../lib/wire/message.ts";
import { type ChokeCandidate, chooseUnchoked } from "./choker.ts";
import type { CheckedBlockRange, ConnectionId, Effect } from "./events.ts";
import type { PiecePicker } from "./piece_picker.ts";
import { PieceSpread } from "./piece_spread.ts";
import type { PieceTable } from "./piece_table.ts";
import type { PeerSession } from "./peer_session.ts";
import { SecondAskers } from "./second_askers.ts";

/** Milliseconds in which requests may still come that were sent before our choke arrived. */
const chokeGraceMs = 10_000;
/** Under a limit blocks leave in batches this small, so that all peers see some of it. */
const throttledBatchesPerSecond = 200;
/** Of so many rounds under a limit one goes strictly by who waits longest. */
const evenRoundEvery = 16;

export class Uploader {
  readonly meter = new RateMeter();
  readonly #table: PieceTable;
  readonly #limiter: RateLimiter;
  readonly #sessions: ReadonlyMap<ConnectionId, PeerSession>;
  readonly #spread: PieceSpread;
  readonly #askers: SecondAskers;
  readonly #memory: BatchMemory;
  readonly #random: () => number;
  readonly #emit: (effect: Effect) => void;
  #nextRoundAt = 0;
  /** Those whom the limiter lets wait, who came first in front. */
  readonly #line = new Set<PeerSession>();
  #roundCount = 0;

  constructor({ table, picker, limiter, sessions, memory, random, emit }: {
    table: PieceTable;
    picker: PiecePicker;
    limiter: RateLimiter;
    sessions: ReadonlyMap<ConnectionId, PeerSession>;
    memory: BatchMemory;
    random: () => number;
    emit: (effect: Effect) => void;
  }) {
    this.#table = table;
    this.#limiter = limiter;
    this.#sessions = sessions;
    this.#spread = new PieceSpread({ table, picker, sessions, random });
    this.#askers = new SecondAskers({ layout: table.layout, emit });
    this.#memory = memory;
    this.#random = random;
    this.#emit = emit;
  }

  /** When the limiter lets the next block pass; Infinity while nobody waits for it. */
  wakeAt(now: number): number {
    return this.#line.size > 0 ? this.#limiter.readyAt(now) : Infinity;
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
    this.#spread.onLeft();
  }

  /** The peer has one piece more. */
  onHave(session: PeerSession, piece: number): void {
    this.#spread.onTaken(session, piece);
  }

  /** The peer asks for a block: queued, rejected, or too wrong to go on. */
  onRequest(session: PeerSession, range: BlockRange, now: number): void {
    const checked = this.#check(range);
    const isAllowed = !session.amChoking || session.grantedFast.has(range.piece);
    if (checked !== undefined && isAllowed && session.uploads.push(checked)) {
      if (range.begin === 0) this.#spread.onAsked(session, checked.piece);
      return;
    }
    session.patience.spend(1);
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

  /** Has the next blocks read for the peer, unless enough waits for it; under the limiter it lines up behind others. */
  serve(session: PeerSession, now: number): void {
    if (!this.#maySend(session)) return;
    if (this.#line.size > 0 || !this.#readNext(session, now)) this.#line.add(session);
  }

  /** The peer asked for something, and enough of what went before has left: else the next event of the peer serves it. */
  #maySend(session: PeerSession): boolean {
    if (session.uploads.count === 0 || session.isReading) return false;
    return this.#memory.isScarce
      ? session.outboxBytes === 0 && !session.isWriting
      : session.outboxBytes < uploadBatchBytesMax;
  }

  /** False when the limiter lets nothing pass. */
  #readNext(session: PeerSession, now: number): boolean {
    const ranges: CheckedBlockRange[] = [];
    let byteCount = 0;
    let isLimited = false;
    const batchBytesMax = this.#memory.isScarce ? scarceBatchBytesMax : uploadBatchBytesMax;
    const batchBytes = Math.min(batchBytesMax, this.#limiter.bytesPerSecond / throttledBatchesPerSecond);
    for (let range = session.uploads.peek(); range !== undefined; range = session.uploads.peek()) {
      if (byteCount + range.length > batchBytes && ranges.length > 0) break;
      const when = this.#table.isHave(range.piece) ? this.#askers.judge(session, range) : "never";
      if (when === "later") break;
      if (when === "never") session.sendReject(range);
      else if (!this.#limiter.take(range.length, now)) {
        isLimited = true;
        break;
      }
      session.uploads.shift();
      if (when === "never") continue;
      this.#askers.sent(session, range);
      ranges.push(range);
      byteCount += range.length;
    }
    if (ranges.length === 0) return !isLimited;
    session.isReading = true;
    this.#emit({ kind: "readBlocks", connection: session.connection, ranges });
    return true;
  }

  /**
   * The limiter is ready again. What nobody got before goes first, so that there soon is something to pass on; but not
   * always, so that nobody waits in vain for what others have and do not give.
   */
  serveThrottled(now: number): void {
    if (this.#line.size === 0) return;
    const isFirst = (session: PeerSession) => !this.#spread.isRepeat(session, session.uploads.peek()!.piece);
    if (this.#roundCount++ % evenRoundEvery !== 0 && !this.#serveLine(isFirst, now)) return;
    this.#serveLine(() => true, now);
  }

  /** Whoever waits longest is first, and then last in line with what is left for it. False when the limit is reached. */
  #serveLine(isServed: (session: PeerSession) => boolean, now: number): boolean {
    for (const session of this.#line) {
      if (this.#maySend(session)) {
        if (!isServed(session)) continue;
        if (!this.#readNext(session, now)) return false;
      }
      this.#line.delete(session);
    }
    return true;
  }

  /** The blocks are here. */
  onBlocksRead(
    session: PeerSession,
    { ranges, blocks }: { ranges: readonly CheckedBlockRange[]; blocks: readonly Uint8Array[] },
    now: number,
  ): void {
    session.isReading = false;
    for (let i = 0; i < ranges.length; i++) {
      // It was lost while it was read: the bytes may be anything.
      if (!this.#table.isHave(ranges[i].piece)) {
        session.sendReject(ranges[i]);
        continue;
      }
      session.sendBlock(ranges[i].piece, ranges[i].begin, blocks[i], now);
      this.meter.add(blocks[i].length, now);
    }
    this.serve(session, now);
  }

  /** A piece was hashed because somebody asked for it a second time. */
  onPieceChecked(piece: PieceIndex, now: number): void {
    for (const session of this.#askers.settle(piece)) this.serve(session, now);
  }

  /** The disk did not give the blocks: the peer may ask others. */
  onReadFailed(session: PeerSession, ranges: readonly CheckedBlockRange[], now: number): void {
    session.isReading = false;
    for (const range of ranges) session.sendReject(range);
    this.serve(session, now);
  }

  /**
   * Chokes and unchokes, once a round. Who wants nothing keeps its slot until somebody needs it; who makes no use of its
   * slot takes it from nobody, so that it stays out of this.
   */
  runRound(now: number, isSeeding: boolean): void {
    if (now < this.#nextRoundAt) return this.#fillSlots(now);
    this.#nextRoundAt = now + chokeRoundMs;
    const sessions = [...this.#sessions.values()].filter((session) =>
      session.isEstablished && (!session.peerInterested || session.amChoking || this.#usesSlot(session, now))
    );
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
  onClosed(session: PeerSession, now: number): void {
    this.#line.delete(session);
    this.#askers.onGone(session);
    this.#fillSlots(now);
    this.#spread.onLeft();
  }

  /** Gives slots that nobody uses to those who have waited longest, without waiting for the next round. */
  #fillSlots(now: number): void {
    let usedCount = 0;
    const waiting: PeerSession[] = [];
    for (const session of this.#sessions.values()) {
      if (!session.peerInterested) continue;
      if (!session.amChoking) usedCount += this.#usesSlot(session, now) ? 1 : 0;
      else if (now - session.chokedAt >= chokeFlipMs) waiting.push(session);
    }
    waiting.sort((a, b) => a.chokeChangedAt - b.chokeChangedAt);
    for (const session of waiting.slice(0, Math.max(0, unchokeSlots - usedCount))) {
      this.#setChoking(session, false, now);
    }
  }

  /** It was just unchoked, waits for blocks and takes them, or has just had some. */
  #usesSlot(session: PeerSession, now: number): boolean {
    if (now - Math.max(session.chokeChangedAt, session.usefulAt) <= slotIdleMs) return true;
    return (session.uploads.count > 0 || session.isReading) && session.stuckMs(now) < slotStuckMs;
  }

  #setChoking(session: PeerSession, choking: boolean, now: number): void {
    if (session.amChoking === choking) return;
    if (!choking) this.#spread.propose(session);
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
