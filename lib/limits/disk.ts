/** Bounds of the disk (lib/io, peer/io). */
import { KiB, MiB } from "./units.ts";

/** Files that one disk worker keeps open: thousands of small files pass through, and 8 workers stay far below 1,024. */
export const openFilesPerWorkerMax = 32;
/** Disk workers: one a core, but each takes some 15 MB, and 8 hash more (13 GiB/s) than disks deliver. */
export const diskWorkersMax = 8;
/** Bytes that a disk worker reads at a time while it hashes: they stay in a core's second-level cache. */
export const hashBufferBytes = 256 * KiB;
/** Bytes of one job of hashing: some 5 ms, so that progress, Ctrl-C and an even end of all workers come cheaply. */
export const hashJobBytes = 8 * MiB;
/** Bytes that a thread hashes between two looks at what is left: 2 ms, so that all of them end together. */
export const sweepPartBytes = 4 * MiB;
/** Bytes of hashing that are worth another thread: 50 ms of one, where half of it and a thread's start are 45. */
export const bytesWorthAWorker = 80 * MiB;
/** Bytes of a piece up to which the main thread hashes and writes it itself: its way to a worker and back costs 30 µs. */
export const pieceBytesStoredAtOnce = 64 * KiB;
/** Bytes of pieces that a disk worker gathers into one answer: a message costs as much as moving 64 KiB. */
export const resultBatchBytes = 4 * MiB;
/** Bytes of pieces that a storage keeps in memory for its uploads: dozens of peers' places in a torrent of 1 MiB pieces. */
export const pieceCacheBytes = 24 * MiB;
/** Milliseconds without any upload after which that memory is given back: a share waits all day. */
export const cacheRestMs = 10_000;
/** Bytes of reads for uploads that are under way at once: with the cache, the most memory that uploads take. */
export const pieceReadBytesMax = 8 * MiB;
/** Bytes of one read for an upload: large enough that a read costs little beside its bytes (1 MiB in 0.1 ms). */
export const extentBytesMax = 1 * MiB;
/** The same where hundreds of peers sit at different places and the cache cannot hold 1 MiB for each. */
export const extentBytesMin = 128 * KiB;
/** Milliseconds before a piece that the disk refused is tried again; doubles up to the maximum, room is noticed sooner. */
export const storeRetryMinMs = 1_000;
export const storeRetryMaxMs = 60_000;
/** Times that a fault which may pass by itself is tried again, in 31 s: a cable, a server that starts anew. */
export const briefRetriesMax = 5;
/** Milliseconds between two looks whether there is room again. */
export const roomLookMs = 1_000;
/** Looks at files of a seeder a second (3 µs each), and seconds in which all of a few are looked at. */
export const looksPerSecondMax = 100;
export const lookSeconds = 5;
/** Milliseconds a second that such looks may take: a disk that has to seek for each would stop everything else. */
export const lookMsMax = 5;
/** The same while one file after the other has changed: a folder was moved away, or is there again. */
export const changedLookMsMax = 50;
/** Looks a second at files because they were read: of thousands of small ones more would cost a tenth of the reading. */
export const readLooksPerSecondMax = 500;
/** Milliseconds after which a file that changed is hashed again: at first, and when it goes on changing. */
export const recheckSoonMs = 200;
export const recheckRestMs = 5_000;
/** Milliseconds before a file that could not be read is tried again; doubles up to the maximum. */
export const recheckMinMs = 15_000;
export const recheckMaxMs = 600_000;
/** Bytes that are hashed again before others are told which of them are right. */
export const recheckRunBytes = 8 * MiB;
/** Bytes of a resume file: the bits of 2^21 pieces and 32 bytes for each of 10^6 files fit. */
export const resumeBytesMax = 36 * MiB;
/** Bytes of files that were just written to for which a stopped download waits, so that they need not be hashed again. */
export const bytesWorthSettling = 64 * MiB;
/** Pieces that are hashed again although the resume file vouches for them. */
export const resumeSampleCount = 8;
/** Files that are flushed to the disk at the same time: a journal takes many at once, 4,000 in 0.8 s, 4 by 4 in 3.4 s. */
export const flushLanes = 16;
