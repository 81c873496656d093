/** Numbers of a transfer, gathered from its parts. */
import type { Downloader } from "./downloader.ts";
import type { PeerRoster } from "./peer_roster.ts";
import type { PieceTable } from "./piece_table.ts";
import type { Uploader } from "./uploader.ts";
import type { WebSeeds } from "./web_seeds.ts";

/** Numbers of a transfer for a person or a program to look at: of what is wanted, where that is not everything. */
export interface TransferStats {
  readonly haveBytes: number;
  readonly totalBytes: number;
  readonly havePieces: number;
  readonly pieceCount: number;
  /** Payload bytes since the start. */
  readonly downloadedBytes: number;
  readonly uploadedBytes: number;
  /** Bytes a second over the last seconds. */
  readonly downRate: number;
  readonly upRate: number;
  /** Peers that are connected, and web seeds that deliver. */
  readonly peerCount: number;
  /** Connected peers that have every piece. */
  readonly seedCount: number;
}

/** The numbers at `now` (monotonic ms). */
export function gatherStats(
  { table, downloader, uploader, roster, webSeeds }: {
    table: PieceTable;
    downloader: Downloader;
    uploader: Uploader;
    roster: PeerRoster;
    webSeeds: WebSeeds;
  },
  now: number,
): TransferStats {
  return {
    haveBytes: table.haveBytes,
    totalBytes: table.selection.totalBytes,
    havePieces: table.haveCount,
    pieceCount: table.selection.pieces.count,
    downloadedBytes: downloader.meter.total,
    uploadedBytes: uploader.meter.total,
    downRate: downloader.meter.rate(now),
    upRate: uploader.meter.rate(now),
    peerCount: roster.establishedCount + webSeeds.joinedCount,
    seedCount: roster.established.filter((session) => session.has.isFull).length,
  };
}
