/** Bounds of the HTTP server (lib/http_request.ts, lib/io/http_server.ts). */
import { KiB } from "./units.ts";

/** Bytes of a request line: 74 percent-encoded info hashes are 5.3 KB. */
export const httpLineBytesMax = 8 * KiB;
/** Bytes of a request line and its headers together. */
export const httpHeadBytesMax = 16 * KiB;
/** Header fields of one request. */
export const httpHeadersMax = 64;
/** Connections of the server in all. */
export const httpConnectionsMax = 2048;
/** The same as a part of what the system lets the process open: half as many again may hang, unread, and files and peers
 * want some too. */
export const httpConnectionsShare = 0.4;
/** Connections from one address; loopback is free of it, since a whole class may run on one machine. */
export const httpConnectionsPerAddressMax = 64;
/** Milliseconds that a connection has for its first request before it may be the one that makes room for a newcomer. */
export const httpFreshMs = 2_000;
/** Connections that are looked at, at most, for one that can go: room has to be made faster than it is taken. */
export const httpLookedAtMax = 64;
/** Bytes of a reply while half of the connections are held up by clients that do not read: any socket takes as many. */
export const httpCrowdedReplyBytesMax = 4 * KiB;
/** Milliseconds from the first byte of a request (or the connection's start) to the end of its headers. */
export const httpHeadTimeoutMs = 10_000;
/** Milliseconds that a kept connection may stay silent between requests. */
export const httpIdleTimeoutMs = 20_000;
/** Milliseconds that a client may take to receive the replies of one turn. */
export const httpWriteTimeoutMs = 10_000;
/** Milliseconds that the server reads on after its last word, so that the client gets to see it. */
export const httpLingerMs = 1_000;
/** Bytes of replies gathered before they are written, when requests are pipelined. */
export const httpTurnBytesMax = 64 * KiB;
/** Pipelined requests answered before it is the turn of others: enough to spread the cost of a write. */
export const httpTurnRequestsMax = 16;

/** Bytes of a body that is read while it is sent, in memory at a time. */
export const httpBodyPieceBytes = 128 * KiB;
