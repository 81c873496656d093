/**
 * What a client tells a tracker and what it hears back, whatever the wire form (BEP 3, 7, 15, 23, 24, 31).
 *
 * Owns the vocabulary only: http_query.ts and http_reply.ts turn these into bytes and back.
 */
import type { Endpoint } from "../endpoint.ts";
import { ProtocolError } from "../errors.ts";
import type { InfoHash, PeerId } from "../ids.ts";

/** Undefined is the regular announce between started and stopped. */
export type AnnounceEvent = "started" | "stopped" | "completed" | undefined;

/** One announce, decoded. */
export interface AnnounceRequest {
  readonly infoHash: InfoHash;
  readonly peerId: PeerId;
  /** 1 to 65535. */
  readonly port: number;
  /** Bytes since `started`. */
  readonly uploaded: number;
  /** Bytes since `started`. */
  readonly downloaded: number;
  /** Bytes still missing; 0 is a seed, 2^53 - 1 is "unknown". */
  readonly left: number;
  readonly event: AnnounceEvent;
  /** Peers wanted at most; 0 is none. */
  readonly numWant: number;
  /** 32 bits that stay the same while a client runs, known to nobody but client and tracker. */
  readonly key: number;
  /** Peers wanted as 6 and 18 bytes each (BEP 23); else as dictionaries. */
  readonly compact: boolean;
  /** The `tracker id` of an earlier reply, to be sent back as it was; one char code a byte. */
  readonly trackerId?: string | undefined;
}

/** A tracker's answer as a client sees it, within the bounds of lib/limits. */
export interface AnnounceReply {
  /** Milliseconds until the next announce, clamped to 10 s … 2 h. */
  readonly intervalMs: number;
  /** Milliseconds that must pass between any two announces; undefined where the tracker names none. */
  readonly minIntervalMs: number | undefined;
  /** Seeds in the swarm. */
  readonly complete: number | undefined;
  /** Peers in the swarm that still download. */
  readonly incomplete: number | undefined;
  readonly peers: Endpoint[];
  /** One char code a byte. */
  readonly trackerId?: string;
  readonly warning?: string;
}

/** A tracker's answer as the tracker makes it. The byte arrays may be views that live until its next answer. */
export interface AnnounceAnswer {
  readonly intervalMs: number;
  readonly minIntervalMs: number;
  readonly complete: number;
  readonly incomplete: number;
  /** 6 bytes a peer (BEP 23). */
  readonly peers: Uint8Array;
  /** 18 bytes a peer (BEP 7). */
  readonly peers6: Uint8Array;
  /** 20 bytes a peer, those of `peers` first; empty where the asker wants compact peers. */
  readonly peerIds: Uint8Array;
  /** The asker's address as the tracker sees it, 4 or 16 bytes (BEP 24); undefined for loopback. */
  readonly externalIp: Uint8Array | undefined;
}

/** The counters of one swarm (BEP 48). */
export interface ScrapeCounts {
  readonly infoHash: InfoHash;
  readonly complete: number;
  readonly incomplete: number;
  /** Downloads that ended while the tracker ran. */
  readonly downloaded: number;
}

/** A tracker said no, in its own words. */
export class TrackerFailure extends ProtocolError {
  /** Milliseconds until it may be asked again (BEP 31): Infinity for never, undefined where the tracker names none. */
  readonly retryInMs: number | undefined;

  constructor(reason: string, retryInMs?: number) {
    super(reason);
    this.retryInMs = retryInMs;
  }
}
