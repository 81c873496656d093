/** Bounds of web seeds (peer/web_seed*.ts). */
import { KiB, MiB } from "./units.ts";

/** Requests under way to one web seed, and to all of a torrent: BEP 19 asks to be kind to servers, and three hide the way there. */
export const webSeedRequestsMax = 3;
export const webRequestsMax = 6;
/** Bytes of one request, if it is not a single larger block run: small beside `pieceBufferBytesMax`, large beside a request. */
export const webRunBytesMax = 4 * MiB;
/** Bytes of one request to a server whose speed is not known yet, or that is slow. */
export const webRunBytesMin = 512 * KiB;
/** Milliseconds that peers get to show what they can, before a web seed is asked for what they could give. */
export const webSeedGraceMs = 5_000;
/** A web seed helps peers that give less than one part in so many of what it gives. */
export const webSeedSlowFactor = 4;
/** Pieces that fail their hash until a web seed is not asked any more: one may be an unlucky moment of its disk. */
export const webSeedBadPiecesMax = 3;
/** Files that a web seed lacks until it is given up, if it has never delivered anything. */
export const webSeedMissingFilesMax = 16;
/** Milliseconds before a web seed that failed is asked again; doubles with each failure up to the maximum. */
export const webSeedRetryMinMs = 2_000;
export const webSeedRetryMaxMs = 300_000;
/** Milliseconds of a `Retry-After` that are obeyed. */
export const webSeedRetryAfterMaxMs = 600_000;
/** Milliseconds for a web seed's first word, and for each `webSeedPaceBytes` (or all that is left) after it. */
export const webSeedTimeoutMs = 15_000;
export const webSeedPaceBytes = 32 * KiB;
/** Bytes in front of what is wanted that are read and dropped, where a server sends a file from its beginning. */
export const webSeedSkipBytesMax = 1 * MiB;
/** Bytes between two missing pieces of different files that are read for nothing, from a server that knows no ranges. */
export const webStreamGapBytesMax = 16 * MiB;
/** Bytes of one read of a web seed's answer: at 64 KiB the runtime needs twice the time. */
export const webReadBytes = 1 * MiB;
