/**
 * The taking half of a torrent: when peers are asked for blocks, what becomes of the blocks, and who is to blame.
 *
 * Which block it is that a peer is asked for is for BlockChoice to say. What is received and not yet on disk is bounded by
 * PieceTable; at the bound no new piece is begun.
 */
import type { Bytes } from "../lib/bytes.ts";
import type { PieceIndex } from "../lib/ids.ts";
import type { Layout } from "../lib/layout.ts";
import { snubMs, unwantedBytesMax } from "../lib/limits/transfer.ts";
import { blockLength } from "../lib/limits/wire.ts";
import { ProtocolError } from "../lib/errors.ts";
import type { RateLimiter } from "../lib/rate_limiter.ts";
import { RateMeter } from "../lib/rate_meter.ts";
import type { BlockRange } from "../lib/wire/message.ts";
import { BlockChoice } from "./block_choice.ts";
import type { ConnectionId, Effect } from "./events.ts";
import { PieceInquest } from "./piece_inquest.ts";
import type { PiecePicker } from "./piece_picker.ts";
import type { ActivePiece, PieceTable } from "./piece_table.ts";
import type { PeerSession } from "./peer_session.ts";

/** Milliseconds that a new peer gets to unchoke us before we ask for the pieces that need no unchoke. */
const allowedFastDelayMs = 2_000;
/** Milliseconds without requests for a peer that rejects them. */
const rejectPauseMs = 1_000;

export class Downloader {
  readonly meter = new RateMeter();
  readonly #layout: Layout;
  readonly #table: PieceTable;
  readonly #picker: PiecePicker;
  readonly #inquest: PieceInquest;
  readonly #choice: BlockChoice;
  readonly #limiter: RateLimiter;
  readonly #sessions: ReadonlyMap<ConnectionId, PeerSession>;
  readonly #emit: (effect: Effect) => void;
  /** Counts the changes after which a peer that had nothing to do may have something. */
  #epoch = 0;
  /** The limiter let some request wait. */
  #isThrottled = false;
  /** Whose turn it is under the limiter. */
  #turn = 0;
  #isStopped = false;

  constructor({ table, picker, limiter, sessions, emit }: {
    table: PieceTable;
    picker: PiecePicker;
    limiter: RateLimiter;
    sessions: ReadonlyMap<ConnectionId, PeerSession>;
    emit: (effect: Effect) => void;
  }) {
    this.#layout = table.layout;
    this.#table = table;
    this.#picker = picker;
    this.#inquest = new PieceInquest(table.layout);
    this.#choice = new BlockChoice({ table, picker, inquest: this.#inquest, sessions });
    this.#limiter = limiter;
    this.#sessions = sessions;
    this.#emit = emit;
  }

  /** When the limiter lets the next request pass; Infinity while none waits for it. */
  wakeAt(now: number): number {
    return this.#isThrottled ? this.#limiter.readyAt(now) : Infinity;
  }

  /** Asks for nothing more: the disk failed, or the end has come. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Asks the peer for as many blocks as its window has room for. */
  fill(session: PeerSession, now: number): void {
    if (this.#isStopped || !session.amInterested || now < session.quietUntil) return;
    if (session.peerChoking && !this.#mayUseAllowedFast(session, now)) return;
    if (session.exhaustedAt === this.#epoch) return;
    for (let room = session.requests.room(now); room > 0; room--) {
      if (!this.#requestNext(session, now)) return;
    }
    session.requests.filled(now);
  }

  /** Asks for one block more; false when there is none to ask for, or the limiter lets none pass. */
  #requestNext(session: PeerSession, now: number): boolean {
    if (this.#limiter.readyAt(now) > now) {
      this.#isThrottled = true;
      return false;
    }
    const wasLeft = this.#picker.count > 0;
    const active = this.#choice.pieceFor(session);
    if (wasLeft && this.#picker.count === 0) this.#epoch++; // the endgame begins: idle peers may help
    if (active === undefined) {
      if (this.#choice.isFinalFor(session)) session.exhaustedAt = this.#epoch;
      return false;
    }
    const block = this.#choice.blockOf(active, session);
    const length = this.#layout.lengthOfBlock(active.piece, block);
    this.#limiter.take(length, now);
    this.#table.requested(active, block);
    session.requests.add(this.#keyOf(active.piece, block), now);
    session.sendRequest(active.piece, block * blockLength, length);
    return true;
  }

  /** Only who has to wait takes its allowed-fast pieces: they are the same for a whole LAN, and often unchoke follows. */
  #mayUseAllowedFast(session: PeerSession, now: number): boolean {
    return session.allowedFast.size > 0 && now - session.connectedAt >= allowedFastDelayMs;
  }

  /**
   * Fills every peer's window: memory, the limiter or a piece has become free. Who stalls comes last; under a limit each
   * call begins with another peer, so that what little there is goes around.
   */
  fillAll(now: number): void {
    this.#isThrottled = false;
    const sessions = [...this.#sessions.values()];
    const start = this.#limiter.bytesPerSecond === Infinity ? 0 : this.#turn++ % Math.max(1, sessions.length);
    const inTurn = [...sessions.slice(start), ...sessions.slice(0, start)];
    for (const session of inTurn) if (!session.requests.isSnubbed) this.fill(session, now);
    for (const session of inTurn) if (session.requests.isSnubbed) this.fill(session, now);
  }

  /** A block came. */
  onBlock(session: PeerSession, { piece: index, begin, block: bytes }: BlockMessage, now: number): void {
    const piece = this.#layout.toPieceIndex(index);
    const block = piece === undefined ? -1 : this.#layout.blockAt(piece, { begin, length: bytes.length });
    if (piece === undefined || block === -1) {
      throw new ProtocolError(`a block of ${bytes.length} bytes at ${begin} of piece ${index}, which cannot be`);
    }
    if (!session.requests.delivered(this.#keyOf(piece, block), bytes.length, now)) {
      session.unwantedBytes += bytes.length;
      if (session.unwantedBytes > unwantedBytesMax) throw new ProtocolError("too many blocks that nobody asked for");
      return;
    }
    session.unwantedBytes = Math.max(0, session.unwantedBytes - bytes.length);
    session.usefulAt = now;
    session.patience.passed(bytes.length);
    this.meter.add(bytes.length, now);
    const active = this.#table.active(piece);
    if (active === undefined || active.isReceived(block)) return;
    if (this.#isStopped) return this.#release(session, piece, block);
    this.#take(active, block, bytes, session.connection);
  }

  /** A block is here that its source was asked for; a whole piece goes to the disk. */
  #take(active: ActivePiece, block: number, bytes: Uint8Array, source: ConnectionId): void {
    const isWhole = this.#table.received(active, block, bytes, source);
    if (active.requesters[block] > 0) this.#cancelOthers(active, block);
    if (!isWhole) return;
    this.#table.toChecking(active);
    this.#emit({ kind: "storePiece", piece: active.piece, buffer: active.buffer });
  }

  // What web seeds need: they deliver blocks and are no sessions

  /** Begins a piece that can be picked, for this source. */
  begin(piece: PieceIndex, source: ConnectionId): ActivePiece {
    return this.#choice.begin(piece, source);
  }

  /** The source is asked for the block from now on. */
  ask(active: ActivePiece, block: number): void {
    this.#table.requested(active, block);
  }

  /** The source delivers a block that it was asked for, which may have come from elsewhere since. */
  deliver(active: ActivePiece, block: number, bytes: Uint8Array, source: ConnectionId): void {
    if (this.#table.active(active.piece) !== active) return;
    if (this.#isStopped || active.isReceived(block)) this.#table.released(active, block);
    else this.#take(active, block, bytes, source);
  }

  /** The source will not deliver the block; its piece is nobody's. */
  giveBack(active: ActivePiece, block: number, source: ConnectionId): void {
    if (this.#table.active(active.piece) !== active) return;
    this.#table.released(active, block);
    this.#disown(active, source);
    this.#epoch++;
  }

  /** All pieces that the source has begun are nobody's. */
  disownAll(source: ConnectionId): void {
    for (const active of this.#table.activePieces()) {
      if (active.owner !== source) continue;
      this.#disown(active, source);
      this.#epoch++;
    }
  }

  /** The peer will not answer this request. */
  onReject(session: PeerSession, range: BlockRange, now: number): void {
    const piece = this.#layout.toPieceIndex(range.piece);
    const block = piece === undefined ? -1 : this.#layout.blockAt(piece, range);
    if (piece === undefined || block === -1) throw new ProtocolError("a reject of no block of this torrent");
    const rejected = session.requests.rejected(this.#keyOf(piece, block));
    if (rejected === "none") session.patience.spend(1);
    if (rejected !== "under way") return;
    session.allowedFast.delete(piece);
    if (!session.peerChoking) session.quietUntil = now + rejectPauseMs;
    this.#release(session, piece, block);
  }

  /** The peer has lost the piece: what it was asked of it is to be had elsewhere. */
  onDontHave(session: PeerSession, piece: PieceIndex): void {
    if (this.#table.active(piece) === undefined) return;
    for (let block = 0; block < this.#layout.blockCountOf(piece); block++) {
      if (session.requests.callOff(this.#keyOf(piece, block))) this.#release(session, piece, block);
    }
  }

  /** The disk lost a piece that is wanted: it is missing again. */
  onLost(piece: PieceIndex): void {
    this.#picker.add(piece);
    this.#epoch++;
  }

  /** The peer choked us; without the fast extension that voids what is pending (BEP 3, BEP 6). */
  onChoke(session: PeerSession): void {
    if (!session.supportsFast) this.releaseAll(session);
  }

  /** Gives back all that the peer was asked for, and its pieces: it left, choked or stalls. */
  releaseAll(session: PeerSession): void {
    for (const key of session.requests.drain()) {
      this.#release(session, this.#pieceOf(key), key % this.#layout.blocksPerPiece);
    }
    for (const active of this.#table.activePieces()) this.#disown(active, session.connection);
    this.#epoch++;
  }

  /** Something the peer has is news: it may be asked again. */
  wake(session: PeerSession): void {
    session.exhaustedAt = -1;
  }

  /** Takes requests back from peers that stopped delivering; returns those that stalled long enough to be left. */
  checkStalled(now: number, dropMs: number): PeerSession[] {
    const lost: PeerSession[] = [];
    for (const session of this.#sessions.values()) {
      const stalledMs = session.requests.stalledMs(now);
      if (stalledMs > dropMs) lost.push(session);
      else if (stalledMs > snubMs && !session.requests.isSnubbed) this.#takeBackStalled(session);
    }
    return lost;
  }

  /** The piece is on disk: returns the peers that had spoiled it before. */
  onStored(piece: PieceIndex, buffer: Bytes): ConnectionId[] {
    const liars = this.#inquest.solved(piece, buffer);
    this.#table.stored(piece, buffer);
    this.#epoch++; // there is memory for another piece
    if (this.#table.isComplete) this.#table.dropSpareBuffers();
    return liars;
  }

  /** The piece failed its hash: it is missing again; returns the peer to blame if that is certain. */
  onBad(piece: PieceIndex, buffer: Bytes): ConnectionId | undefined {
    const attempt = this.#table.failed(piece, undefined);
    const liar = this.#inquest.failed(attempt, buffer);
    this.#picker.add(piece);
    this.#epoch++;
    return liar;
  }

  /** The disk refused the piece: it is missing again. */
  onStoreFailed(piece: PieceIndex): void {
    this.#table.failed(piece, undefined);
    this.#picker.add(piece);
    this.#epoch++;
  }

  /** The block came from one peer: the others need not send it. */
  #cancelOthers(active: ActivePiece, block: number): void {
    const key = this.#keyOf(active.piece, block);
    for (const session of this.#sessions.values()) {
      if (!session.requests.callOff(key)) continue;
      active.requesters[block]--;
      session.sendCancel(active.piece, block * blockLength, this.#layout.lengthOfBlock(active.piece, block));
      if (active.requesters[block] === 0) return;
    }
  }

  /** The peer stalls: one request stays, all else may be asked of others. */
  #takeBackStalled(session: PeerSession): void {
    for (const key of session.requests.snub()) {
      const piece = this.#pieceOf(key);
      const block = key % this.#layout.blocksPerPiece;
      session.sendCancel(piece, block * blockLength, this.#layout.lengthOfBlock(piece, block));
      this.#release(session, piece, block);
    }
    for (const active of this.#table.activePieces()) this.#disown(active, session.connection);
    this.#epoch++;
  }

  #release(session: PeerSession, piece: PieceIndex, block: number): void {
    const active = this.#table.active(piece);
    if (active === undefined) return;
    this.#table.released(active, block);
    this.#disown(active, session.connection);
    this.#epoch++;
  }

  /** The piece is nobody's again; if nothing of it was received and nobody is asked, it is merely missing. */
  #disown(active: ActivePiece, owner: ConnectionId): void {
    if (active.owner === owner) active.owner = undefined;
    if (active.owner !== undefined || active.openCount !== active.blockCount) {
      if (active.isExclusive && active.owner === undefined) this.#restart(active);
      return;
    }
    this.#table.abandon(active);
    this.#picker.add(active.piece);
  }

  /** An exclusive piece whose owner is gone begins anew: its blocks must all come from one peer. */
  #restart(active: ActivePiece): void {
    for (let block = 0; block < active.blockCount; block++) {
      if (active.requesters[block] > 0) this.#cancelOthers(active, block);
    }
    this.#table.abandon(active);
    this.#picker.add(active.piece);
  }

  #keyOf(piece: PieceIndex, block: number): number {
    return piece * this.#layout.blocksPerPiece + block;
  }

  #pieceOf(key: number): PieceIndex {
    return Math.floor(key / this.#layout.blocksPerPiece) as PieceIndex;
  }
}

/** A piece message (BEP 3), as it came. */
interface BlockMessage {
  readonly piece: number;
  readonly begin: number;
  readonly block: Uint8Array;
}
