/**
 * What a program does with its disk, as peer/io/storage.ts does: checks what is there, stores pieces, reads blocks, saves the
 * resume file. What of that is believed is decided by the very code of peer/piece_check.ts and peer/resume.ts.
 */
import { assert } from "@std/assert";
import { Bitfield } from "../../../lib/bitfield.ts";
import { type Bytes, equalBytes } from "../../../lib/bytes.ts";
import type { PieceIndex } from "../../../lib/ids.ts";
import { PieceStatus } from "../../../lib/piece_status.ts";
import { planCheck, sampleOf, vouchedFiles } from "../../../peer/piece_check.ts";
import type { FileSelection } from "../../../peer/file_selection.ts";
import { decodeResume, encodeResume, type FileState, type ResumeState } from "../../../peer/resume.ts";
import { bytesOf, type WorldContent } from "./content.ts";
import type { Drive } from "./drive.ts";

export class Store {
  /** Pieces that are on disk and right, as far as the program knows. */
  readonly have: Bitfield;
  isFinished = false;
  /** All that there was to do at the end is done. */
  isSettled = false;
  readonly #content: WorldContent;
  readonly #drive: Drive;
  readonly #selection: FileSelection;
  readonly #isSeed: boolean;
  #states: FileState[] = [];
  /** Files whose data may not be on the disk itself. */
  #unflushed = new Set<number>();

  constructor(content: WorldContent, drive: Drive, options: { selection: FileSelection; isSeed: boolean }) {
    this.#content = content;
    this.#drive = drive;
    this.#selection = options.selection;
    this.#isSeed = options.isSeed;
    this.have = Bitfield.empty(content.metainfo.pieceCount);
  }

  /** Finds out which pieces are there. */
  check(): Bitfield {
    const { metainfo } = this.#content;
    const { infoHash, pieceCount, files } = metainfo;
    const { resume } = this.#drive;
    this.#states = this.#drive.states;
    const saved = resume === undefined || this.#isSeed
      ? undefined
      : decodeResume(resume, { infoHash, pieceCount, fileCount: files.length });
    const statuses = this.#statuses(saved);
    for (let piece = 0; piece < pieceCount; piece++) {
      if (statuses[piece] === PieceStatus.good) this.have.set(piece);
    }
    for (const piece of this.#drive.spoiledAtRest) {
      assert(!this.have.has(piece), `piece ${piece} was spoiled while no program ran, and is believed`);
    }
    this.#drive.spoiledAtRest.clear();
    this.isFinished = !this.#selection.pieces.hasAnyMissingFrom(this.have);
    return this.have;
  }

  #statuses(saved: ResumeState | undefined): Uint8Array {
    // What lies in the part file is checked at each start.
    const vouched = vouchedFiles(saved, this.#states).map((is, i) => is && this.#selection.isWanted(i));
    vouched.forEach((is, i) => {
      if (!is && this.#states[i].length >= 0) this.#unflushed.add(i);
    });
    const { metainfo } = this.#content;
    const { statuses, mustCheck, believed } = planCheck({
      ...{ metainfo, states: this.#states, have: saved?.have, vouched },
    });
    if (saved !== undefined && sampleOf(believed).some((piece) => !this.#drive.right.has(piece))) {
      return this.#statuses(undefined);
    }
    mustCheck.forEach((must, piece) => {
      if (must === 1 && this.#drive.right.has(piece)) statuses[piece] = PieceStatus.good;
    });
    // What was spoiled is found out but where a save came after it: a time of change does not tell whose change it was.
    const isBelieved = new Set(believed);
    for (const piece of this.#drive.spoiled) if (!isBelieved.has(piece)) this.#drive.spoiled.delete(piece);
    return statuses;
  }

  /** Whether the hash of the piece is right. */
  isRight(piece: PieceIndex, buffer: Bytes): boolean {
    const wanted = bytesOf(this.#content, piece);
    return equalBytes(buffer.subarray(0, wanted.length), wanted);
  }

  /** The piece was written. */
  write(piece: PieceIndex, buffer: Bytes): void {
    this.#drive.write(piece, buffer);
    this.have.set(piece);
    for (const { fileIndex } of this.#content.metainfo.layout.spansOfPiece(piece)) this.#unflushed.add(fileIndex);
  }

  /**
   * Begins a save of the resume file.
   *
   * @returns what is to be done, step by step: time passes in between, and the program may end there
   */
  *save(): Generator<void, void> {
    if (this.#isSeed || this.isFinished) return;
    const have = this.have.clone();
    yield* this.#flush();
    yield* this.writeResume(have);
  }

  /** Puts what was written on the disk itself, and looks at those files again. */
  *#flush(): Generator<void, void> {
    const flushed = this.#unflushed;
    // What is written from now on is for the next time.
    this.#unflushed = new Set();
    for (const fileIndex of flushed) {
      const end = this.#drive.flush(fileIndex);
      yield;
      end();
    }
    this.#states.forEach(({ isSettled }, i) => {
      if (flushed.has(i) || !isSettled) this.#states[i] = this.#drive.stateOf(i);
    });
  }

  *writeResume(have = this.have): Generator<void, void> {
    const inFiles = have.clone();
    const { layout, infoHash } = this.#content.metainfo;
    for (let piece = 0; piece < inFiles.length; piece++) {
      const spans = layout.spansOfPiece(piece as PieceIndex);
      if (spans.some(({ fileIndex }) => !this.#selection.isWanted(fileIndex))) inFiles.clear(piece);
    }
    const files = this.#states.map((state, i) => ({
      ...state,
      vouches: state.length >= 0 && state.isSettled && !this.#unflushed.has(i),
      createdByUs: true,
    }));
    const bytes = encodeResume({ infoHash, have: inFiles, files });
    yield;
    if (this.#drive.isFull) return;
    this.#drive.replaceResume(bytes);
    yield;
    this.#drive.settleResume();
  }

  /** All that is wanted is there. */
  *finish(): Generator<void, void> {
    this.isFinished = true;
    yield* this.#flush();
    // Which files are ours is kept beside the part file; what others spoiled meanwhile is found out at the next start.
    if (!this.#selection.isAll) yield* this.writeResume(Bitfield.empty(this.have.length));
    else this.#drive.replaceResume(undefined);
    this.#drive.settleResume();
    this.isSettled = true;
  }
}
