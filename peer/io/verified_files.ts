/**
 * The files under a torrent as they were when they were verified, and as they are now: what DataWatch needs of a storage.
 *
 * Owns no state of its own: how files were is the ledger's to know, which pieces are right `have`'s to say.
 */
import type { Bitfield } from "../../lib/bitfield.ts";
import { reasonOf, UserError } from "../../lib/errors.ts";
import type { PieceIndex } from "../../lib/ids.ts";
import type { PieceFiles } from "../../lib/io/piece_files.ts";
import type { Layout } from "../../lib/layout.ts";
import type { PieceRun } from "../../lib/piece_runs.ts";
import { PieceStatus } from "../../lib/piece_status.ts";
import type { FileState } from "../resume.ts";
import type { FileLedger } from "./file_ledger.ts";
import type { PieceReader } from "./piece_reader.ts";

/** How a file differs from what was verified. */
export interface FileChange {
  /** Its data may be other data; false where nothing but its attributes changed, as far as one can see. */
  readonly isOfData: boolean;
  /** In plain words. */
  readonly why: string;
}

export class VerifiedFiles {
  readonly layout: Layout;
  readonly have: Bitfield;
  readonly paths: readonly string[];
  readonly #ledger: FileLedger;
  readonly #files: PieceFiles;
  readonly #reader: PieceReader;
  readonly #lookAt: (path: string) => FileState;

  /** @param lookAt what is at a path now; it throws UserError */
  constructor({ layout, have, paths, ledger, files, reader, lookAt }: {
    layout: Layout;
    have: Bitfield;
    paths: readonly string[];
    ledger: FileLedger;
    files: PieceFiles;
    reader: PieceReader;
    lookAt: (path: string) => FileState;
  }) {
    this.layout = layout;
    this.have = have;
    this.paths = paths;
    this.#ledger = ledger;
    this.#files = files;
    this.#reader = reader;
    this.#lookAt = lookAt;
  }

  /** Told of every range that was read for an upload, before its bytes leave; what it throws, the reader does too. */
  onRead(look: (range: { offset: number; length: number }) => void): void {
    this.#reader.onRead = look;
  }

  /** How the file has changed since it was looked at last; what is there counts as looked at from now on. */
  takeChange(fileIndex: number): FileChange | undefined {
    const before = this.#ledger.states[fileIndex];
    let now: FileState;
    try {
      now = this.#lookAt(this.paths[fileIndex]);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      if (before.length < 0) return undefined;
      this.#ledger.renew(fileIndex, { ...before, length: -1 });
      return { isOfData: true, why: reasonOf(error) };
    }
    const change = changeOf(before, now);
    if (change !== undefined) this.#ledger.renew(fileIndex, now);
    return change;
  }

  /** Pieces of a file that are in `have`. */
  piecesHad(fileIndex: number): PieceIndex[] {
    const pieces = this.layout.piecesOfFile(fileIndex);
    const had: PieceIndex[] = [];
    if (pieces === undefined) return had;
    for (let piece = pieces.first; piece <= pieces.last; piece++) {
      if (this.have.has(piece)) had.push(piece as PieceIndex);
    }
    return had;
  }

  /** What was read before counts no more: all files are opened anew. */
  freshen(): void {
    this.#files.release();
    this.#reader.drop();
  }

  /** The piece in memory counts no more. */
  dropPiece(piece: PieceIndex): void {
    this.#reader.drop(piece);
  }

  /** Whether each piece of a short run is on disk and right; rejects with UserError where a file cannot be read. */
  async check(run: PieceRun): Promise<boolean[]> {
    const statuses = await this.#files.check(run);
    return Array.from(statuses, (status) => status === PieceStatus.good || status === PieceStatus.aside);
  }
}

function changeOf(before: FileState, now: FileState): FileChange | undefined {
  if (now.length < 0) return before.length < 0 ? undefined : { isOfData: true, why: "it is gone" };
  if (before.length < 0) return { isOfData: true, why: "it is there now" };
  if (now.length < before.length) return { isOfData: true, why: "it is shorter than it was" };
  if (now.length !== before.length || now.mtimeMs !== before.mtimeMs) return { isOfData: true, why: "it has changed" };
  // Files of a server or a stick may have a new number each time they are opened.
  const isSame = now.ctimeMs === before.ctimeMs && now.inode === before.inode;
  return isSame ? undefined : { isOfData: false, why: "its attributes have changed" };
}
