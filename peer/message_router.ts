/**
 * Leads each message of an established peer to the part of the torrent that it is for.
 *
 * Keeps nothing itself: PeerSession has checked the order already, and what a message changes is each part's own.
 */
import type { Message } from "../lib/wire/message.ts";
import type { Availability } from "./availability.ts";
import type { Downloader } from "./downloader.ts";
import type { PeerSession } from "./peer_session.ts";
import type { Uploader } from "./uploader.ts";

/** Who takes which messages in. */
export interface MessageTakers {
  readonly availability: Availability;
  readonly downloader: Downloader;
  readonly uploader: Uploader;
  /** The peer has something new: a piece, or all that it has. */
  onNews(session: PeerSession): void;
  /** An extended message (BEP 10), the extension handshake included. */
  onExtended(session: PeerSession, message: Extract<Message, { kind: "extended" }>, now: number): void;
}

export class MessageRouter {
  readonly #to: MessageTakers;

  constructor(takers: MessageTakers) {
    this.#to = takers;
  }

  /** @throws ProtocolError when what the peer says cannot be */
  route(session: PeerSession, message: Message, now: number): void {
    const { availability, downloader, uploader } = this.#to;
    switch (message.kind) {
      case "piece":
        return downloader.onBlock(session, message, now);
      case "request":
        return uploader.onRequest(session, message, now);
      case "have":
        availability.onHave(session, message.piece);
        uploader.onHave(session, message.piece);
        return this.#onNews(session);
      case "bitfield":
      case "haveAll":
      case "haveNone":
        availability.onAllPieces(session);
        return this.#onNews(session);
      case "choke":
        return downloader.onChoke(session);
      case "unchoke":
        return downloader.wake(session);
      case "interested":
        return uploader.onInterested(session, now);
      case "notInterested":
        return uploader.onNotInterested(session, now);
      case "cancel":
        return uploader.onCancel(session, message);
      case "reject":
        return downloader.onReject(session, message, now);
      case "suggest":
      case "allowedFast":
        availability.onOffer(session, message);
        return downloader.wake(session);
      case "extended":
        return this.#to.onExtended(session, message, now);
      case "keepAlive":
      case "port":
      case "unknown":
        return;
    }
  }

  #onNews(session: PeerSession): void {
    this.#to.downloader.wake(session);
    this.#to.onNews(session);
  }
}
