/**
 * Open files of one worker: a bounded cache, least recently used out first, so that thousands of small files pass
 * through a few descriptors.
 *
 * Files of a writable table are opened without following a link at the end of the path (a link laid there by somebody
 * else must not lead our writes out of the download folder); the folders above were checked when the storage was opened.
 */
import fs from "node:fs";
import { openFilesPerWorkerMax } from "../limits/disk.ts";
import { codeOf } from "./disk_error.ts";
import type { FileTable } from "./piece_job.ts";

interface OpenFile {
  readonly descriptor: number;
  readonly isWritable: boolean;
}

/** Zero where the system does not know the flag (Windows): there, making a link needs a privilege. */
const noFollow = fs.constants.O_NOFOLLOW ?? 0;
/** Keeps a fifo in the way from blocking the worker for ever. */
const nonBlock = fs.constants.O_NONBLOCK ?? 0;

export class FileHandles {
  /** By `table id * 2^21 + file index` (2^20 files at most); the order of the Map is that of the last use. */
  readonly #open = new Map<number, OpenFile>();

  /** A descriptor to read from. @throws the system's error, ENOENT among them */
  toRead(table: FileTable, fileIndex: number): number {
    return this.#get(table, fileIndex, false);
  }

  /**
   * A descriptor to write to. The file is made when it is not there, and stretched (as a hole) to its full length, so
   * that other clients, too, see a download that can be continued.
   *
   * @throws the system's error
   */
  toWrite(table: FileTable, fileIndex: number): number {
    return this.#get(table, fileIndex, true);
  }

  /** Closes the files of a table. */
  forget(tableId: number): void {
    for (const [key, file] of this.#open) {
      if (Math.floor(key / 2 ** 21) === tableId) this.#close(key, file);
    }
  }

  #get(table: FileTable, fileIndex: number, writable: boolean): number {
    const key = table.id * 2 ** 21 + fileIndex;
    const known = this.#open.get(key);
    if (known !== undefined) {
      this.#open.delete(key);
      if (known.isWritable || !writable) {
        this.#open.set(key, known);
        return known.descriptor;
      }
      fs.closeSync(known.descriptor);
    }
    if (this.#open.size >= openFilesPerWorkerMax) {
      for (const [oldKey, file] of this.#open) {
        this.#close(oldKey, file);
        break;
      }
    }
    const descriptor = writable ? openToWrite(table, fileIndex) : openToRead(table, fileIndex);
    this.#open.set(key, { descriptor, isWritable: writable });
    return descriptor;
  }

  #close(key: number, file: OpenFile): void {
    this.#open.delete(key);
    try {
      fs.closeSync(file.descriptor);
    } catch (error) {
      // Closing tells of writes that failed later (NFS); whoever flushes or reads the file hears of them.
      if (codeOf(error) === "EBADF") throw error;
    }
  }
}

/** A descriptor that the caller closes. @throws the system's error, ENOENT among them */
export function openToRead(table: FileTable, fileIndex: number): number {
  const flags = table.writable ? fs.constants.O_RDONLY | noFollow | nonBlock : fs.constants.O_RDONLY | nonBlock;
  return fs.openSync(table.paths[fileIndex], flags);
}

function openToWrite(table: FileTable, fileIndex: number): number {
  const flags = fs.constants.O_RDWR | fs.constants.O_CREAT | noFollow | nonBlock;
  const descriptor = fs.openSync(table.paths[fileIndex], flags, 0o666);
  try {
    const length = table.lengths[fileIndex];
    if (fs.fstatSync(descriptor).size < length) fs.ftruncateSync(descriptor, length);
  } catch (error) {
    fs.closeSync(descriptor);
    throw error;
  }
  return descriptor;
}
