/**
 * Gives the torrent's info dictionary to peers that came by a magnet link (BEP 9).
 *
 * The bytes are the torrent's own, shared and never copied whole. What waits for one peer is bounded in number, what
 * stands in its outbox in bytes, and what it gets in all by a few times the whole.
 */
import { ProtocolError } from "../lib/errors.ts";
import { metadataOutboxBytesMax, metadataRequestsMax, metadataServingsMax } from "../lib/limits/wire.ts";
import { encodeMetadataData, encodeMetadataReject, metadataPartCount } from "../lib/wire/ut_metadata.ts";
import type { PeerSession } from "./peer_session.ts";

/** @throws ProtocolError when the peer asks without end and takes nothing of what it is sent */
export function rejectMetadataRequest(session: PeerSession, part: number): void {
  if (session.outboxBytes >= metadataOutboxBytesMax) {
    throw new ProtocolError("it asks for metadata and reads no answer");
  }
  session.sendExtended("ut_metadata", encodeMetadataReject(part));
}

/** What one peer wants and got. */
interface Asker {
  /** Parts, in the order they were asked for. */
  readonly waiting: number[];
  /** Parts that it was given. */
  givenCount: number;
}

export class MetadataShare {
  readonly #infoBytes: Uint8Array;
  readonly #partCount: number;
  readonly #askers = new Map<PeerSession, Asker>();

  /** @param infoBytes raw, its hash compared */
  constructor(infoBytes: Uint8Array) {
    this.#infoBytes = infoBytes;
    this.#partCount = metadataPartCount(infoBytes.length);
  }

  /** @throws ProtocolError as `rejectMetadataRequest` */
  onRequest(session: PeerSession, part: number): void {
    let asker = this.#askers.get(session);
    if (asker === undefined) this.#askers.set(session, asker = { waiting: [], givenCount: 0 });
    const allowedCount = metadataServingsMax * this.#partCount - asker.givenCount - asker.waiting.length;
    if (part >= this.#partCount || allowedCount <= 0 || asker.waiting.length >= metadataRequestsMax) {
      return rejectMetadataRequest(session, part);
    }
    asker.waiting.push(part);
    this.serve(session);
  }

  /** Puts as much into the peer's outbox as may stand there; to be called again when it was written. */
  serve(session: PeerSession): void {
    const asker = this.#askers.get(session);
    if (asker === undefined) return;
    while (asker.waiting.length > 0 && session.outboxBytes < metadataOutboxBytesMax) {
      asker.givenCount++;
      session.sendExtended("ut_metadata", encodeMetadataData(this.#infoBytes, asker.waiting.shift()!));
    }
  }

  onGone(session: PeerSession): void {
    this.#askers.delete(session);
  }
}
