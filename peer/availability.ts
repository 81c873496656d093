/**
 * Who has what, and of whom we want something: keeps the picker's counts and each session's interest in step with what
 * peers say and what we store.
 */
import { ProtocolError } from "../lib/errors.ts";
import type { PieceIndex } from "../lib/ids.ts";
import { allowedFastMax, suggestionsMax } from "../lib/limits/transfer.ts";
import type { PeerSession } from "./peer_session.ts";
import type { PiecePicker } from "./piece_picker.ts";
import type { PieceTable } from "./piece_table.ts";

export class Availability {
  readonly #table: PieceTable;
  readonly #picker: PiecePicker;
  #wantsNothing: boolean;
  /** Peers that took a piece back: counted like the others even while they have all, or saying so again and again would cost. */
  readonly #shrunk = new Set<PeerSession>();

  /** @param wantsNothing we only give: interest is never shown */
  constructor({ table, picker, wantsNothing }: {
    table: PieceTable;
    picker: PiecePicker;
    wantsNothing: boolean;
  }) {
    this.#table = table;
    this.#picker = picker;
    this.#wantsNothing = wantsNothing;
  }

  /** From now on we only give: everything that was wanted is there. */
  wantNothing(): void {
    this.#wantsNothing = true;
  }

  get wantsNothing(): boolean {
    return this.#wantsNothing;
  }

  /** Whether neither has anything for the other: the peer wants nothing, and has nothing that we want. */
  isOfNoUse(session: PeerSession): boolean {
    if (!session.has.isFull && !session.isUploadOnly) return false;
    // Who has said nothing yet, or nothing but that it has nothing, may be a seed that shows its pieces one by one.
    return this.#wantsNothing || (session.wantedCount === 0 && !session.has.isEmpty);
  }

  /** The peer has one piece more. @throws ProtocolError when there is no such piece */
  onHave(session: PeerSession, index: number): void {
    const piece = this.#pieceOf(index);
    if (!session.has.set(piece)) return session.patience.spend(1);
    this.#picker.increase(piece);
    if (!this.isCounted(session)) this.#picker.countPeer(session.has, -1);
    if (this.#table.isLacking(piece)) session.wantedCount++;
    this.#updateInterest(session);
  }

  /** The peer has lost a piece (BEP 54). Returns it if the peer had it. @throws ProtocolError when there is no such piece */
  onDontHave(session: PeerSession, index: number): PieceIndex | undefined {
    const piece = this.#pieceOf(index);
    const wasCounted = this.isCounted(session);
    // losing and finding the same piece again and again is no news
    if (++session.lostCount > session.has.length) session.patience.spend(1);
    if (!session.has.clear(piece)) return undefined;
    this.#shrunk.add(session);
    if (wasCounted) this.#picker.decrease(piece);
    else this.#picker.countPeer(session.has, 1);
    session.allowedFast.delete(piece);
    if (this.#table.isLacking(piece)) session.wantedCount--;
    this.#updateInterest(session);
    return piece;
  }

  /** The peer said at once what it has. */
  onAllPieces(session: PeerSession): void {
    if (this.isCounted(session)) this.#picker.countPeer(session.has, 1);
    session.wantedCount = 0;
    for (let piece = 0; piece < session.has.length; piece++) {
      if (session.has.has(piece) && this.#table.isLacking(piece as PieceIndex)) session.wantedCount++;
    }
    this.#updateInterest(session);
  }

  /** The peer proposes a piece, or lets us have it while choked (BEP 6). @throws ProtocolError as `onHave` */
  onOffer(session: PeerSession, { kind, piece: index }: { kind: string; piece: number }): void {
    const piece = this.#pieceOf(index);
    if (kind === "allowedFast") {
      if (session.allowedFast.size < allowedFastMax) session.allowedFast.add(piece);
      return;
    }
    if (session.suggested.push(piece) > suggestionsMax) session.suggested.shift();
    session.requests.proposed();
  }

  /** We stored a piece: one reason less to want something of the peer. */
  onStored(session: PeerSession, piece: PieceIndex): void {
    if (!session.has.has(piece) || !this.#table.isWanted(piece)) return;
    session.wantedCount--;
    this.#updateInterest(session);
  }

  /** We lost a piece: one reason more to want something of the peer. */
  onLost(session: PeerSession, piece: PieceIndex): void {
    if (!session.has.has(piece) || !this.#table.isWanted(piece)) return;
    session.wantedCount++;
    this.#updateInterest(session);
  }

  /** The peer is gone. */
  onGone(session: PeerSession): void {
    if (this.isCounted(session)) this.#picker.countPeer(session.has, -1);
    this.#shrunk.delete(session);
  }

  /** Whether the picker counts what the peer has: those that have everything change no order. */
  isCounted(session: PeerSession): boolean {
    return !session.has.isFull || this.#shrunk.has(session);
  }

  #updateInterest(session: PeerSession): void {
    session.setInterested(session.wantedCount > 0 && !this.#wantsNothing);
  }

  #pieceOf(index: number): PieceIndex {
    const piece = this.#table.layout.toPieceIndex(index);
    if (piece === undefined) throw new ProtocolError(`piece ${index} of ${this.#table.layout.pieceCount}`);
    return piece;
  }
}
