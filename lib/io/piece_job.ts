/**
 * What the main thread and the disk workers say to each other: jobs one way, results the other.
 *
 * Messages are arrays of these, so that many small jobs cost one message. Buffers are transferred both ways.
 */
import type { Bytes } from "../bytes.ts";
import type { DiskFailure } from "./disk_error.ts";
import type { SharedSweepMemory } from "./shared_sweep.ts";

/** What may be done with a file of a torrent that is downloaded in part. */
export const FileUse = {
  /** Nobody asked for it, and it was not there at the start: it is not opened. */
  ignored: 0,
  /** Nobody asked for it, but it is there. */
  readOnly: 1,
  wanted: 2,
} as const;
export type FileUse = typeof FileUse[keyof typeof FileUse];

/** Where bytes are kept that belong to files that nobody asked for, but lie in pieces that are wanted. */
export interface AsideTable {
  /** Absolute path of the part file. */
  readonly path: string;
  /** By file: a FileUse. */
  readonly uses: Uint8Array;
  /**
   * By piece: where it would begin in the part file if all of it lay there; 0 while it lies in its files. Shared by all
   * threads, written by the main thread before it gives the job to which it matters.
   */
  readonly positions: Float64Array<SharedArrayBuffer>;
}

/** The files under one torrent, sent to each worker once. */
export interface FileTable {
  readonly id: number;
  /** Absolute path of each file; empty for what is never on disk: it reads as zeros and is not written. */
  readonly paths: readonly string[];
  readonly lengths: readonly number[];
  readonly pieceLength: number;
  /** 20 bytes a piece, shared by all workers; undefined where they are still to be found (create). */
  readonly hashes: Uint8Array | undefined;
  /** Files may be made and written; links are then refused. */
  readonly writable: boolean;
  /** Where not all files are wanted, or were not before. */
  readonly aside?: AsideTable | undefined;
}

export type PieceJob =
  | { readonly kind: "open"; readonly table: FileTable }
  | { readonly kind: "forget"; readonly tableId: number }
  /** Close the table's files: they are opened anew by who needs them. */
  | { readonly kind: "release"; readonly tableId: number }
  | {
    readonly kind: "store";
    readonly id: number;
    readonly tableId: number;
    readonly piece: number;
    readonly bytes: Bytes;
  }
  | {
    readonly kind: "read";
    readonly id: number;
    readonly tableId: number;
    readonly offset: number;
    readonly length: number;
    /** Memory to read into, if it is large enough. */
    readonly spare: ArrayBuffer | undefined;
  }
  | {
    readonly kind: "check" | "hash";
    readonly id: number;
    readonly tableId: number;
    readonly first: number;
    readonly count: number;
  }
  | { readonly kind: "sweep"; readonly id: number; readonly tableId: number; readonly memory: SharedSweepMemory }
  | { readonly kind: "probe"; readonly id: number; readonly tableId: number; readonly fileIndex: number };

/** A job that is answered. */
export type AnsweredJob = Extract<PieceJob, { readonly id: number }>;

export type PieceResult =
  | {
    readonly id: number;
    /** stored: the hash matched; probed: the file holds something else than zeros. */
    readonly ok: boolean;
    /** store: the buffer that came; read: the bytes; check: a PieceStatus a piece; hash: 20 bytes a piece. */
    readonly bytes?: Bytes;
    /** store: why the disk refused a piece whose hash was right. */
    readonly refusal?: DiskFailure;
  }
  | { readonly id: number; readonly failure: DiskFailure };
