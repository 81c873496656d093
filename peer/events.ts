/**
 * What goes into a Torrent and what comes out of it: the whole border between the transfer and the world.
 *
 * peer/io/engine.ts turns sockets, disk, clock and trackers into inputs and performs the effects; a test or a simulation
 * does the same with arrays.
 */
import type { AnnounceReply } from "../lib/announce/request.ts";
import type { Bytes } from "../lib/bytes.ts";
import type { Endpoint } from "../lib/endpoint.ts";
import type { PieceIndex } from "../lib/ids.ts";
import type { BlockRange } from "../lib/wire/message.ts";
import type { AnnounceCall } from "./announcer.ts";
import type { WebSeedFault } from "./web_seed.ts";
import type { AddressSource } from "./peer_pool.ts";

/** Number of a connection, given by who opened it; never used twice. */
export type ConnectionId = number;

/** A block that a peer asked for: checked against the torrent. */
export interface CheckedBlockRange extends BlockRange {
  readonly piece: PieceIndex;
}

export type Input =
  /** A TCP connection stands; `endpoint` is its far end. */
  | {
    readonly kind: "connected";
    readonly connection: ConnectionId;
    readonly endpoint: Endpoint;
    readonly isOutgoing: boolean;
  }
  | { readonly kind: "dialFailed"; readonly endpoint: Endpoint }
  /** Bytes came; they are only valid until `apply` returns. */
  | { readonly kind: "received"; readonly connection: ConnectionId; readonly bytes: Uint8Array }
  /** The write of the effect `send` is over, in vain where the connection is closed: the memory may be used again. */
  | { readonly kind: "sent"; readonly connection: ConnectionId; readonly bytes: Bytes }
  | { readonly kind: "closed"; readonly connection: ConnectionId }
  /** What `readBlocks` asked for, in the same order. */
  | {
    readonly kind: "blocksRead";
    readonly connection: ConnectionId;
    readonly ranges: readonly CheckedBlockRange[];
    readonly blocks: readonly Uint8Array[];
  }
  | {
    readonly kind: "readFailed";
    readonly connection: ConnectionId;
    readonly ranges: readonly CheckedBlockRange[];
    /** Pieces that the disk does not give any more. */
    readonly lost: readonly PieceIndex[];
    readonly why: string;
  }
  /** These pieces are not on disk any more as they should be: the files changed. */
  | { readonly kind: "piecesLost"; readonly pieces: readonly PieceIndex[] }
  /** They are on disk and right again. */
  | { readonly kind: "piecesFound"; readonly pieces: readonly PieceIndex[] }
  /** What `checkPiece` asked for: whether the piece is still right on disk. */
  | { readonly kind: "pieceChecked"; readonly piece: PieceIndex; readonly ok: boolean }
  /** The piece's hash matched and its bytes are on disk; `buffer` still holds them and is given back. */
  | { readonly kind: "pieceStored"; readonly piece: PieceIndex; readonly buffer: Bytes }
  /** The piece's hash did not match; nothing was written. */
  | { readonly kind: "pieceBad"; readonly piece: PieceIndex; readonly buffer: Bytes }
  /** The disk refused the piece, but may take it later; `buffer` still holds it. Brief: it is not to be waited for long. */
  | {
    readonly kind: "storeRefused";
    readonly piece: PieceIndex;
    readonly buffer: Bytes;
    readonly error: unknown;
    readonly isBrief: boolean;
  }
  /** There may be room on the disk again. */
  | { readonly kind: "diskHasRoom" }
  /** The disk refused the piece for good. */
  | { readonly kind: "storeFailed"; readonly piece: PieceIndex; readonly error: unknown }
  | { readonly kind: "announced"; readonly id: number; readonly reply: AnnounceReply }
  /** `retryInMs`: how long the tracker wants to be left alone (BEP 31); Infinity is for good. */
  | {
    readonly kind: "announceFailed";
    readonly id: number;
    readonly why: string;
    readonly retryInMs: number | undefined;
  }
  /** Addresses; only those of the user are kept for ever. */
  | { readonly kind: "peersFound"; readonly endpoints: readonly Endpoint[]; readonly source: AddressSource }
  /** The connections of a MetadataFetch are ours from now on. */
  | { readonly kind: "handedOver" }
  /** Bytes of a `fetchWeb` came, in order; they are only valid until `apply` returns. */
  | { readonly kind: "webBytes"; readonly request: number; readonly bytes: Uint8Array }
  /** Bytes of a `fetchWeb` came that lie before what was asked for, and were dropped. */
  | { readonly kind: "webSkipped"; readonly request: number; readonly count: number }
  /** A `fetchWeb` is over; `fault` says why it is before its last byte. */
  | { readonly kind: "webEnded"; readonly request: number; readonly fault: WebSeedFault | undefined }
  | { readonly kind: "tick" }
  | { readonly kind: "stop" };

export type Effect =
  | { readonly kind: "dial"; readonly endpoint: Endpoint }
  | { readonly kind: "close"; readonly connection: ConnectionId; readonly why: string }
  | { readonly kind: "send"; readonly connection: ConnectionId; readonly bytes: Bytes }
  | { readonly kind: "readBlocks"; readonly connection: ConnectionId; readonly ranges: readonly CheckedBlockRange[] }
  /** Somebody may have got the piece wrong: hash what is on disk; answered by pieceChecked. */
  | { readonly kind: "checkPiece"; readonly piece: PieceIndex }
  /** Check the hash of the piece in `buffer` and write it: answered by pieceStored, pieceBad, storeRefused or storeFailed. */
  | { readonly kind: "storePiece"; readonly piece: PieceIndex; readonly buffer: Bytes }
  | { readonly kind: "announce"; readonly call: AnnounceCall }
  /** Fetch a range of the torrent's run of bytes from one of its web seeds: answered by webBytes, then webEnded. */
  | {
    readonly kind: "fetchWeb";
    readonly request: number;
    /** Index among the torrent's web seeds. */
    readonly webSeed: number;
    readonly offset: number;
    readonly length: number;
    /** The server may send files from their beginning, however far the range is from it. */
    readonly mayBeginEarly: boolean;
  }
  /** Nothing more is wanted of the `fetchWeb`, no answer either. */
  | { readonly kind: "cancelWeb"; readonly request: number }
  | { readonly kind: "peerJoined"; readonly endpoint: Endpoint; readonly client: string }
  | { readonly kind: "peerLeft"; readonly endpoint: Endpoint; readonly why: string }
  | { readonly kind: "pieceDone"; readonly piece: PieceIndex }
  | { readonly kind: "peerBanned"; readonly endpoint: Endpoint; readonly why: string }
  /** A request to a web seed failed; `endpoint` is its host and port. */
  | { readonly kind: "webSeedFailed"; readonly endpoint: Endpoint; readonly why: string }
  /** The info dictionary came, and its hash matches (BEP 9). */
  | { readonly kind: "metadata"; readonly infoBytes: Bytes }
  /** Every piece that is wanted is stored. */
  | { readonly kind: "complete" }
  /** The disk refused a piece: it and all that follow wait, and it is tried again by and by. */
  | { readonly kind: "diskPaused"; readonly error: unknown }
  /** The disk has taken all that waited. */
  | { readonly kind: "diskResumed" }
  /** Nothing more is written: the disk refused a piece. */
  | { readonly kind: "diskFailed"; readonly error: unknown };
