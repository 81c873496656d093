/**
 * What follows from the disk's answers: a piece is stored, wrong, refused or lost, and peers, pickers and liars hear of it.
 *
 * Keeps nothing itself; that all which is wanted is there is for Torrent to act upon.
 */
import { toldLossesMax } from "../lib/limits/transfer.ts";
import type { PieceIndex } from "../lib/ids.ts";
import type { Availability } from "./availability.ts";
import type { DiskPause } from "./disk_pause.ts";
import type { Downloader } from "./downloader.ts";
import type { ConnectionId, Effect, Input } from "./events.ts";
import type { PeerSession } from "./peer_session.ts";
import type { PeerRoster } from "./peer_roster.ts";
import type { PieceTable } from "./piece_table.ts";
import { isWebSource } from "./web_seed.ts";
import type { WebSeeds } from "./web_seeds.ts";

type InputOf<Kind extends Input["kind"]> = Extract<Input, { kind: Kind }>;

export interface PieceHolders {
  readonly table: PieceTable;
  readonly downloader: Downloader;
  readonly pause: DiskPause;
  readonly webSeeds: WebSeeds;
  readonly availability: Availability;
  readonly roster: PeerRoster;
  emit(effect: Effect): void;
}

export class PieceOutcomes {
  readonly #of: PieceHolders;

  constructor(holders: PieceHolders) {
    this.#of = holders;
  }

  onStored({ piece, buffer }: InputOf<"pieceStored">, now: number): void {
    const { downloader, availability, roster, table, pause } = this.#of;
    pause.settled(piece, now);
    for (const liar of downloader.onStored(piece, buffer)) {
      this.#blame(liar, "it sent blocks that spoiled a piece", now);
    }
    this.#of.emit({ kind: "pieceDone", piece });
    for (const session of roster.sessions.values()) {
      if (!session.isEstablished) continue;
      session.sendHave(piece);
      availability.onStored(session, piece);
    }
    if (!table.isComplete) this.#refill(now);
  }

  onBad({ piece, buffer }: InputOf<"pieceBad">, now: number): void {
    this.#of.pause.settled(piece, now);
    const liar = this.#of.downloader.onBad(piece, buffer);
    if (liar !== undefined) this.#blame(liar, "it sent a piece that fails its hash", now);
    this.#refill(now);
  }

  onStoreRefused(refusal: InputOf<"storeRefused">, now: number): void {
    if (!this.#of.pause.refused(refusal, now)) this.onStoreFailed(refusal);
  }

  onStoreFailed({ piece, error }: { piece: PieceIndex; error: unknown }): void {
    const { downloader, webSeeds, pause, emit } = this.#of;
    pause.stop();
    downloader.stop();
    webSeeds.stop();
    downloader.onStoreFailed(piece);
    emit({ kind: "diskFailed", error });
  }

  /** What the disk does not give any more is not ours any more (BEP 54); a download that goes on fetches it again. */
  onLost(pieces: readonly PieceIndex[], now: number): void {
    const { table, availability, downloader, roster } = this.#of;
    const lost = pieces.filter((piece) => table.isHave(piece));
    if (lost.length === 0) return;
    for (const piece of lost) {
      table.lost(piece);
      if (table.isWanted(piece) && !availability.wantsNothing) downloader.onLost(piece);
    }
    for (const session of roster.established) {
      for (const piece of lost) availability.onLost(session, piece);
      // With the fast extension a request is rejected at least; without, the peer would wait for what never comes.
      const isTold = session.speaks("lt_donthave") ? lost.length <= toldLossesMax : session.supportsFast;
      if (!isTold) roster.close(session, "it has to hear anew what is here", now);
      else for (const piece of lost) session.sendDontHave(piece);
    }
  }

  /** What was lost is right again, and is offered again. */
  onFound(pieces: readonly PieceIndex[]): void {
    const { table, availability, roster } = this.#of;
    for (const piece of pieces) {
      if (!table.found(piece)) continue;
      for (const session of roster.established) {
        session.sendHave(piece);
        availability.onStored(session, piece);
      }
    }
  }

  /** A peer's disk lost a piece (BEP 54). @throws ProtocolError when there is no such piece */
  onDontHave(session: PeerSession, index: number): void {
    const piece = this.#of.availability.onDontHave(session, index);
    if (piece !== undefined) this.#of.downloader.onDontHave(session, piece);
  }

  #blame(liar: ConnectionId, why: string, now: number): void {
    if (isWebSource(liar)) this.#of.webSeeds.blame(liar, why);
    else this.#of.roster.ban(liar, why, now);
  }

  /** Memory has become free: who waits for it may go on. */
  #refill(now: number): void {
    this.#of.downloader.fillAll(now);
    this.#of.webSeeds.refill(now);
  }
}
