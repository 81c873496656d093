/**
 * Which pieces we propose to whom, so that what only we have leaves us once before any of it leaves twice (BEP 6).
 *
 * Receivers that start together cannot know what the others are fetching from us, and chance lets them fetch the same: 1.1
 * to 1.25 copies of a file for eight of them, and a slow source is what all of them wait for. So each is proposed pieces
 * of its own, ahead of its requests. A proposal binds nobody: who does not follow is served all the same, if later.
 */
import type { PieceIndex } from "../lib/ids.ts";
import type { ConnectionId } from "./events.ts";
import type { PeerSession } from "./peer_session.ts";
import type { PiecePicker } from "./piece_picker.ts";
import type { PieceTable } from "./piece_table.ts";

/**
 * Proposals that wait for a peer to take them up: more than it begins at a time, few enough that their loss is none. That
 * is a part of the pieces, within bounds: with four of 32 KiB each the peers went on by chance.
 */
const proposedPart = 1 / 64;
const proposalsMin = 4;
const proposalsMax = 32;

export class PieceSpread {
  readonly #table: PieceTable;
  readonly #picker: PiecePicker;
  readonly #sessions: ReadonlyMap<ConnectionId, PeerSession>;
  readonly #random: () => number;
  /** Proposals that each peer is to have. */
  readonly #proposalCount: number;
  /** By piece: the connection that it was proposed to, or that asked for it first; 0 for none. */
  readonly #takers: Int32Array;
  #hasTakers = false;
  /** Where the search goes on: pieces are proposed in order, which is how a disk is read best. */
  #next = 0;
  /** Pieces to look at until all were. */
  #leftCount = 0;

  constructor({ table, picker, sessions, random }: {
    table: PieceTable;
    picker: PiecePicker;
    sessions: ReadonlyMap<ConnectionId, PeerSession>;
    random: () => number;
  }) {
    this.#table = table;
    this.#picker = picker;
    this.#sessions = sessions;
    this.#random = random;
    const { pieceCount } = table.layout;
    this.#proposalCount = Math.min(proposalsMax, Math.max(proposalsMin, Math.floor(pieceCount * proposedPart)));
    this.#takers = new Int32Array(pieceCount);
    this.#restart();
  }

  /** Fills up what the peer may choose from. */
  propose(session: PeerSession): void {
    if (!session.supportsFast || !this.#table.isWhole) return;
    while (session.proposed.size < this.#proposalCount) {
      const piece = this.#nextUngiven();
      if (piece === -1) return;
      this.#give(piece, session);
      session.proposed.add(piece);
      session.sendSuggest(piece);
    }
  }

  /** The peer asks for the piece. */
  onAsked(session: PeerSession, piece: PieceIndex): void {
    if (this.#takers[piece] === 0) this.#give(piece, session);
    this.onTaken(session, piece);
  }

  /** The peer asks for the piece, or has it: if it was proposed, another is. */
  onTaken(session: PeerSession, piece: number): void {
    if (session.proposed.delete(piece)) this.propose(session);
  }

  /** Whether another peer gets, or got, the piece from us: this one could have it from there. */
  isRepeat(session: PeerSession, piece: PieceIndex): boolean {
    const taker = this.#takers[piece];
    return taker !== session.connection && this.#sessions.has(taker);
  }

  /** Somebody left, or wants nothing more: after the last one all pieces are ungiven, for those who come next. */
  onLeft(): void {
    if (!this.#hasTakers) return;
    for (const session of this.#sessions.values()) if (session.peerInterested) return;
    this.#restart();
  }

  #restart(): void {
    this.#takers.fill(0);
    this.#hasTakers = false;
    this.#leftCount = this.#takers.length;
    this.#next = Math.floor(this.#random() * this.#takers.length);
  }

  #give(piece: number, session: PeerSession): void {
    this.#takers[piece] = session.connection;
    this.#hasTakers = true;
  }

  /** A piece that nobody has, as far as we know, and that nobody was given; -1 if there is none. */
  #nextUngiven(): number {
    for (; this.#leftCount > 0; this.#leftCount--) {
      const piece = this.#next;
      this.#next = (piece + 1) % this.#takers.length;
      if (this.#takers[piece] === 0 && this.#picker.availabilityOf(piece as PieceIndex) === 0) return piece;
    }
    return -1;
  }
}
