/**
 * What is known of a download's files: how they were when last looked at, whose they are, and which were written to
 * since. Owns the order in which they may be vouched for: written, put on the disk itself, looked at, and only then said
 * to be as they are.
 */
import { dirname } from "node:path";
import { bytesWorthSettling } from "../../lib/limits/disk.ts";
import { isSameFile, ownFiles, settlesAt } from "../piece_check.ts";
import type { FileState, ResumeFile, ResumeState } from "../resume.ts";
import { destinationState } from "./destination.ts";
import { flushFiles, flushFolder } from "./flush.ts";

export class FileLedger {
  readonly #paths: readonly string[];
  readonly #lengths: readonly number[];
  readonly #isWanted: (fileIndex: number) => boolean;
  #states: FileState[];
  #isOurs: readonly boolean[] = [];
  /** Files whose data may not be on the disk itself. */
  #unflushed = new Set<number>();
  /** Files whose next change might not show: they are to be looked at again. */
  readonly #unsettled = new Set<number>();

  /**
   * @param paths absolute; empty for what is never on disk
   * @param lengths of the files when they are whole
   */
  constructor(
    { paths, lengths, states, isWanted }: {
      paths: readonly string[];
      lengths: readonly number[];
      states: FileState[];
      isWanted: (fileIndex: number) => boolean;
    },
  ) {
    this.#paths = paths;
    this.#lengths = lengths;
    this.#states = states;
    this.#isWanted = isWanted;
  }

  get states(): readonly FileState[] {
    return this.#states;
  }

  /** What was found at the places of all files. */
  look(states: FileState[]): void {
    this.#states = states;
    this.#unsettled.clear();
    states.forEach(({ isSettled }, i) => {
      if (!isSettled) this.#unsettled.add(i);
    });
  }

  /** Which files are ours, by what the last run left. Those that it does not vouch for were perhaps never flushed. */
  claim(saved: ResumeState | undefined, vouched: readonly boolean[]): void {
    this.#isOurs = ownFiles(saved, { states: this.#states, isWanted: this.#isWanted });
    this.#states.forEach(({ length }, i) => {
      if (length >= 0 && !vouched[i]) this.wrote(i);
    });
  }

  /** Whether it did not exist before we came. */
  isOurs(fileIndex: number): boolean {
    return this.#isOurs[fileIndex];
  }

  wrote(fileIndex: number): void {
    if (this.#paths[fileIndex] !== "" && this.#isWanted(fileIndex)) this.#unflushed.add(fileIndex);
  }

  /** The file is to be verified anew, as it is now. */
  renew(fileIndex: number, state: FileState): void {
    this.#states[fileIndex] = state;
  }

  /** Puts what was written so far on the disk itself and looks at those files again. Rejects with UserError. */
  async flush(): Promise<void> {
    const flushed = this.#unflushed;
    // What is written from now on is for the next time.
    this.#unflushed = new Set();
    try {
      await flushFiles([...flushed].map((fileIndex) => this.#paths[fileIndex]));
      for (const fileIndex of [...flushed, ...this.#unsettled]) this.#lookAt(fileIndex);
    } catch (error) {
      for (const fileIndex of flushed) this.#unflushed.add(fileIndex);
      throw error;
    }
  }

  /** Makes the names of files that we made last: to be called with `flush`. */
  async flushFolders(): Promise<void> {
    const folders = new Set<string>();
    for (const [i, path] of this.#paths.entries()) if (path !== "" && this.#isOurs[i]) folders.add(dirname(path));
    for (const folder of folders) await flushFolder(folder);
  }

  /**
   * Waits, about a second at most, until the files can be vouched for, where to hash them again would cost more.
   *
   * @returns whether more can be vouched for than before
   */
  async settle(): Promise<boolean> {
    const files = [...this.#unsettled].map((fileIndex) => this.#states[fileIndex]);
    if (files.reduce((sum, { allocated }) => sum + allocated, 0) < bytesWorthSettling) return false;
    const waitMs = Math.max(...files.map(settlesAt)) - Date.now();
    if (waitMs > settleMsMax) return false; // the clock of another machine runs ahead of ours
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, waitMs)));
    for (const fileIndex of [...this.#unsettled]) this.#lookAt(fileIndex);
    return true;
  }

  /** Wanted files that are not as we left them: what others did to a file between two of our writes does not show. */
  findChanged(): number[] {
    return this.#paths.flatMap((path, i) => {
      if (path === "" || !this.#isWanted(i)) return [];
      const before = this.#states[i];
      const now = destinationState(path);
      if (!this.#unflushed.has(i)) return isSameFile(before, now) ? [] : [i];
      const isOurs = before.length < 0 || before.inode === now.inode;
      return now.length >= this.#lengths[i] && isOurs ? [] : [i];
    });
  }

  entries(): ResumeFile[] {
    return this.#states.map(({ length, mtimeMs, ctimeMs, inode, isSettled }, i) => {
      const vouches = length >= 0 && isSettled && !this.#unflushed.has(i);
      return { length, mtimeMs, ctimeMs, inode, vouches, createdByUs: this.#isOurs[i] };
    });
  }

  #lookAt(fileIndex: number): void {
    const state = destinationState(this.#paths[fileIndex]);
    this.#states[fileIndex] = state;
    if (state.isSettled) this.#unsettled.delete(fileIndex);
    else this.#unsettled.add(fileIndex);
  }
}

/** Milliseconds: more than any file has to rest. */
const settleMsMax = 2_100;
