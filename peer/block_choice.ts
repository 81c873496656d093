/**
 * Which block a peer is asked for next: of its own piece, of one that nobody fetches, of others' when all is begun.
 *
 * Whole pieces are given to peers as long as there are any, so that each is soon complete and can be passed on; only then
 * do peers share pieces, relieve each other of what waits longest, and at the very end fetch the same blocks (endgame).
 */
import type { PieceIndex } from "../lib/ids.ts";
import type { Layout } from "../lib/layout.ts";
import { requestersOfHeldMax, requestersPerBlockMax } from "../lib/limits/transfer.ts";
import { blockLength } from "../lib/limits/wire.ts";
import type { ConnectionId } from "./events.ts";
import type { PieceInquest } from "./piece_inquest.ts";
import type { PiecePicker } from "./piece_picker.ts";
import type { ActivePiece, PieceTable } from "./piece_table.ts";
import type { PeerSession } from "./peer_session.ts";
import type { BlockKey } from "./request_window.ts";

/** Pieces that we have or have begun before rarity counts: until then any piece is a start. */
const randomFirstPieces = 4;
/** Requests in flight above which a peer does not repeat what others were asked for. */
const endgameInFlightMax = 16;
/** Requests in flight above which a peer does not ask for what two others were asked for. */
const helperInFlightMax = 4;
/** Requests that a peer must have more than another before it is relieved: a batch of 32 may be on its way, past recall. */
const takeOverLead = 48;

export class BlockChoice {
  readonly #layout: Layout;
  readonly #table: PieceTable;
  readonly #picker: PiecePicker;
  readonly #inquest: PieceInquest;
  readonly #sessions: ReadonlyMap<ConnectionId, PeerSession>;

  constructor({ table, picker, inquest, sessions }: {
    table: PieceTable;
    picker: PiecePicker;
    inquest: PieceInquest;
    sessions: ReadonlyMap<ConnectionId, PeerSession>;
  }) {
    this.#layout = table.layout;
    this.#table = table;
    this.#picker = picker;
    this.#inquest = inquest;
    this.#sessions = sessions;
  }

  /** The piece that the peer's next request goes to; it has at least one block for it. */
  pieceFor(session: PeerSession): ActivePiece | undefined {
    const current = session.currentPiece;
    if (current !== undefined && current.openCount > 0 && this.#isOwn(current, session)) return current;
    session.currentPiece = this.#ownOrOrphanPiece(session) ?? this.#begin(session);
    return session.currentPiece ?? this.#othersOpenPiece(session) ?? this.#takeOver(session) ??
      this.#endgamePiece(session);
  }

  /** Whether it stays at that when nothing was found for the peer: with less in flight it might yet help in the endgame. */
  isFinalFor(session: PeerSession): boolean {
    return session.requests.count < helperInFlightMax;
  }

  #isOwn(active: ActivePiece, session: PeerSession): boolean {
    return active.owner === session.connection && this.#table.active(active.piece) === active &&
      this.#mayAsk(session, active.piece);
  }

  /** A begun piece with open blocks that is the peer's, or that nobody's it becomes. */
  #ownOrOrphanPiece(session: PeerSession): ActivePiece | undefined {
    let orphan: ActivePiece | undefined;
    for (const active of this.#table.openPieces()) {
      if (active.owner === session.connection && this.#isOwn(active, session)) return active;
      if (active.owner === undefined && this.#mayAsk(session, active.piece)) orphan ??= active;
    }
    if (orphan !== undefined) orphan.owner = session.connection;
    return orphan;
  }

  /** Nothing is left for this peer to begin: it helps with the open blocks of another's piece. */
  #othersOpenPiece(session: PeerSession): ActivePiece | undefined {
    for (const active of this.#table.openPieces()) {
      if (!active.isExclusive && this.#mayAsk(session, active.piece)) return active;
    }
    return undefined;
  }

  /**
   * Nothing at all is open for this peer: it relieves one that has much more to do of the piece that is furthest from being
   * sent. Else all would wait for whoever had a piece first, though others have it by now and are idle.
   */
  #takeOver(session: PeerSession): ActivePiece | undefined {
    if (session.requests.isSnubbed || session.requests.count >= endgameInFlightMax) return undefined;
    let latest: ActivePiece | undefined;
    let busy: PeerSession | undefined;
    for (const active of this.#table.activePieces()) {
      if (active.receivedCount > 0 || active.isExclusive || !this.#mayAsk(session, active.piece)) continue;
      const owner = active.owner === undefined ? undefined : this.#sessions.get(active.owner);
      const bearable = session.requests.count + Math.max(takeOverLead, 2 * active.blockCount);
      if (owner !== undefined && owner.requests.count > bearable) [latest, busy] = [active, owner];
    }
    if (latest === undefined || busy === undefined) return undefined;
    for (let block = 0; block < latest.blockCount; block++) {
      if (!busy.requests.callOff(this.#keyOf(latest.piece, block))) continue;
      busy.sendCancel(latest.piece, block * blockLength, this.#layout.lengthOfBlock(latest.piece, block));
      this.#table.released(latest, block);
    }
    latest.owner = session.connection;
    session.currentPiece = latest;
    return latest.openCount > 0 ? latest : undefined;
  }

  /** Starts a missing piece. */
  #begin(session: PeerSession): ActivePiece | undefined {
    if (!this.#table.mayActivate) return undefined;
    const piece = this.#pickFor(session);
    return piece === -1 ? undefined : this.begin(piece, session.connection);
  }

  /** Starts this piece, which can be picked, for whoever delivers it. */
  begin(piece: PieceIndex, owner: ConnectionId): ActivePiece {
    this.#picker.remove(piece);
    const active = this.#table.activate(piece, owner);
    active.isExclusive = this.#inquest.isOpen(piece);
    return active;
  }

  #pickFor(session: PeerSession): PieceIndex | -1 {
    if (session.peerChoking) {
      for (const piece of session.allowedFast) {
        if (this.#isMissingAt(session, piece)) return piece as PieceIndex;
      }
      return -1;
    }
    const isFirst = this.#table.selection.pieces.count - this.#table.missingCount < randomFirstPieces;
    return this.#suggestionOf(session, isFirst) ?? this.#picker.pick(session.has, { isFirst });
  }

  /** The latest piece that the peer proposed, of those that the strategy would not pass over. */
  #suggestionOf(session: PeerSession, isFirst: boolean): PieceIndex | undefined {
    for (let i = session.suggested.length - 1; i >= 0; i--) {
      const piece = session.suggested[i] as PieceIndex;
      const isMissing = this.#isMissingAt(session, piece);
      if (isMissing && !this.#picker.mayPick(piece, { isFirst })) continue;
      session.suggested.splice(i, 1);
      if (isMissing) return piece;
    }
    return undefined;
  }

  #isMissingAt(session: PeerSession, piece: number): boolean {
    return session.has.has(piece) && this.#table.isToFetch(piece as PieceIndex);
  }

  /** When nothing is left to begin: a piece with a block that few are asked for, and not this peer. */
  #endgamePiece(session: PeerSession): ActivePiece | undefined {
    if (this.#picker.count > 0 || session.requests.count >= endgameInFlightMax) return undefined;
    const idleRequests = this.#idleRequestsBeside(session);
    for (const active of this.#table.activePieces()) {
      if (active.isExclusive || !this.#mayAsk(session, active.piece)) continue;
      if (this.#duplicableBlock(active, session, idleRequests) !== -1) return active;
    }
    return undefined;
  }

  /**
   * How many peers that never gave anything are asked for each block, where this peer has given something: such claim to
   * have everything, and shall not hold the last blocks two by two until each is found to stall. Of what they were asked for
   * one more may be asked.
   */
  #idleRequestsBeside(session: PeerSession): ReadonlyMap<BlockKey, number> {
    const counts = new Map<BlockKey, number>();
    if (session.requests.receivedBytes === 0 || session.requests.count >= helperInFlightMax) return counts;
    for (const { requests } of this.#sessions.values()) {
      if (requests.receivedBytes > 0) continue;
      for (const key of requests.keys()) counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return counts;
  }

  /** The block of that piece to ask the peer for. */
  blockOf(active: ActivePiece, session: PeerSession): number {
    const block = active.nextOpenBlock();
    return block !== -1 ? block : this.#duplicableBlock(active, session, this.#idleRequestsBeside(session));
  }

  #duplicableBlock(active: ActivePiece, session: PeerSession, idleRequests: ReadonlyMap<BlockKey, number>): number {
    for (let block = 0; block < active.blockCount; block++) {
      if (active.isReceived(block)) continue;
      const key = this.#keyOf(active.piece, block);
      const isHeldByIdle = idleRequests.get(key) === requestersPerBlockMax;
      const most = isHeldByIdle ? requestersOfHeldMax : requestersPerBlockMax;
      if (active.requesters[block] < most && !session.requests.has(key)) return block;
    }
    return -1;
  }

  #mayAsk(session: PeerSession, piece: PieceIndex): boolean {
    return session.has.has(piece) && (!session.peerChoking || session.allowedFast.has(piece));
  }

  #keyOf(piece: PieceIndex, block: number): BlockKey {
    return piece * this.#layout.blocksPerPiece + block;
  }
}
