/**
 * The files of a torrent read one after another, as hashing does: one is open at a time, and its own position moves on.
 *
 * Deno's read at a given position is four calls of the system (where am I, go there, read, go back), and a cache of open
 * files is of no use to who reads each file once: for 2,000 small files that was a third of the work beside SHA-1.
 */
import fs from "node:fs";
import type { Bytes } from "../bytes.ts";
import { openToRead } from "./file_handles.ts";
import type { FileTable } from "./piece_job.ts";

const closed = -1;

export class FileSequence {
  #tableId = 0;
  #fileIndex = 0;
  #descriptor = closed;
  /** Where the next read without a position would begin. */
  #position = 0;

  /**
   * Reads from a file at `fileOffset` until `target` is full or the file ends.
   *
   * @returns the bytes read
   * @throws the system's error, ENOENT among them
   */
  read(table: FileTable, { fileIndex, fileOffset }: { fileIndex: number; fileOffset: number }, target: Bytes): number {
    if (this.#descriptor === closed || fileIndex !== this.#fileIndex || table.id !== this.#tableId) {
      this.#open(table, fileIndex);
    }
    let done = 0;
    while (done < target.length) {
      const at = fileOffset + done;
      const isNext = at === this.#position;
      const got = fs.readSync(this.#descriptor, target, done, target.length - done, isNext ? null : at);
      if (isNext) this.#position += got;
      if (got === 0) break;
      done += got;
    }
    return done;
  }

  /** Closes the file that is open, if it is of this table. */
  forget(tableId: number): void {
    if (tableId === this.#tableId) this.#close();
  }

  #open(table: FileTable, fileIndex: number): void {
    this.#close();
    this.#descriptor = openToRead(table, fileIndex);
    this.#tableId = table.id;
    this.#fileIndex = fileIndex;
    this.#position = 0;
  }

  #close(): void {
    if (this.#descriptor === closed) return;
    const descriptor = this.#descriptor;
    this.#descriptor = closed;
    fs.closeSync(descriptor);
  }
}
