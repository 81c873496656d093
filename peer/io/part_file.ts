/**
 * The part file: what fetched pieces hold of files that nobody asked for. It lies hidden beside the resume file, so that
 * such bytes get into no file, can be given to others, and need not be fetched again when more files are wanted.
 *
 * Owns which piece has its bytes there. Nothing in it is believed: a piece counts only after its hash was right. It is a
 * row of slots, each as long as a piece and its head, given out in the order in which pieces come:
 * ```text
 * 0   20 bytes  info hash
 * 20  uint32    piece
 * 24            the piece; a hole where its bytes lie in wanted files
 * ```
 */
import fs from "node:fs";
import { join, resolve } from "node:path";
import type { Bitfield } from "../../lib/bitfield.ts";
import { type Bytes, equalBytes, readUint32, writeUint32 } from "../../lib/bytes.ts";
import { idBytes, idLength, type PieceIndex } from "../../lib/ids.ts";
import { diskError, isAbsence } from "../../lib/io/disk_error.ts";
import { type AsideTable, FileUse } from "../../lib/io/piece_job.ts";
import { isOnDisk, type Metainfo } from "../../lib/metainfo.ts";
import type { FileSelection } from "../file_selection.ts";
import { type FileState, partFileName } from "../resume.ts";
import { destinationState } from "./destination.ts";

const headLength = idLength + 4;
/** Zero where the system does not know the flag (Windows). */
const noFollow = fs.constants.O_NOFOLLOW ?? 0;
const nonBlock = fs.constants.O_NONBLOCK ?? 0;

export class PartFile {
  readonly path: string;
  /** What the threads need to know. */
  readonly table: AsideTable;
  readonly #metainfo: Metainfo;
  /** The number of the slot of each piece that has one. */
  readonly #slots: Map<PieceIndex, number>;

  private constructor(metainfo: Metainfo, path: string, uses: Uint8Array) {
    this.#metainfo = metainfo;
    this.path = path;
    const memory = new SharedArrayBuffer(metainfo.pieceCount * Float64Array.BYTES_PER_ELEMENT);
    this.table = { path, uses, positions: new Float64Array(memory) };
    this.#slots = readSlots(metainfo, path);
  }

  /**
   * For a download.
   *
   * @param states what is at the place of each file
   * @returns undefined where there is none and none is needed: all files are wanted
   * @throws UserError when something that is no file is in its place
   */
  static toWrite(
    metainfo: Metainfo,
    { directory, selection, states }: { directory: string; selection: FileSelection; states: readonly FileState[] },
  ): PartFile | undefined {
    const path = pathOf(metainfo, directory);
    if (destinationState(path).length < 0 && selection.isAll) return undefined;
    const uses = metainfo.files.map((file, i) => {
      if (!isOnDisk(file) || selection.isWanted(i)) return FileUse.wanted;
      return states[i].length < 0 ? FileUse.ignored : FileUse.readOnly;
    });
    return new PartFile(metainfo, path, Uint8Array.from(uses));
  }

  /** For one who only reads: files that are not wholly there count as those that nobody wanted. Undefined without one. */
  static toRead(
    metainfo: Metainfo,
    { directory, states }: { directory: string; states: readonly FileState[] },
  ): PartFile | undefined {
    const path = pathOf(metainfo, directory);
    if (!isFile(path)) return undefined;
    const uses = metainfo.files.map((file, i) =>
      !isOnDisk(file) || states[i].length >= file.length ? FileUse.wanted : FileUse.ignored
    );
    return new PartFile(metainfo, path, Uint8Array.from(uses));
  }

  /** The pieces that have a slot, whatever is in it. */
  get pieces(): PieceIndex[] {
    return [...this.#slots.keys()];
  }

  /** Whether any slot may hold something that is not in the files. @param have the pieces that are there */
  isNeeded(have: Bitfield): boolean {
    return this.pieces.some((piece) => this.has(piece) || !have.has(piece));
  }

  /** Bytes that it takes up on the disk. */
  get allocatedBytes(): number {
    return destinationState(this.path).allocated;
  }

  /** Whether bytes of the piece are to be looked for here. */
  has(piece: PieceIndex): boolean {
    return this.table.positions[piece] > 0;
  }

  /** From now on the bytes of unwanted files of the piece, which has a slot, are those in it. */
  show(piece: PieceIndex): void {
    this.table.positions[piece] = this.#slots.get(piece)! * this.#slotLength + headLength;
  }

  /** The piece lies in its files alone. Its slot stays. */
  hide(piece: PieceIndex): void {
    this.table.positions[piece] = 0;
  }

  /**
   * Makes room for the piece that is about to be stored, if it has bytes that belong into no wanted file.
   *
   * @throws UserError
   */
  makeRoom(piece: PieceIndex): void {
    if (!this.#needsRoom(piece)) return this.hide(piece);
    if (!this.#slots.has(piece)) {
      const slot = this.#slots.size;
      this.#writeHead(piece, slot);
      this.#slots.set(piece, slot);
    }
    this.show(piece);
  }

  /** Removes it. @throws UserError */
  remove(): void {
    this.table.positions.fill(0);
    this.#slots.clear();
    try {
      removeIfThere(this.path);
    } catch (error) {
      throw diskError("remove", this.path, error);
    }
  }

  get #slotLength(): number {
    return slotLengthOf(this.#metainfo);
  }

  #needsRoom(piece: PieceIndex): boolean {
    const { uses } = this.table;
    return this.#metainfo.layout.spansOfPiece(piece).some(({ fileIndex }) => uses[fileIndex] !== FileUse.wanted);
  }

  #writeHead(piece: PieceIndex, slot: number): void {
    const head = new Uint8Array(headLength);
    head.set(idBytes(this.#metainfo.infoHash));
    writeUint32(head, idLength, piece);
    const offset = slot * this.#slotLength;
    try {
      // A file of this name that holds no slot of ours is made anew: it might be anybody's, under a second name.
      if (slot === 0) removeIfThere(this.path);
      const creation = slot === 0 ? fs.constants.O_CREAT | fs.constants.O_EXCL : 0;
      const descriptor = fs.openSync(this.path, fs.constants.O_RDWR | creation | noFollow | nonBlock, 0o666);
      try {
        // What lies behind the last slot was torn by a crash.
        if (fs.fstatSync(descriptor).size > offset) fs.ftruncateSync(descriptor, offset);
        fs.writeSync(descriptor, head, 0, headLength, offset);
      } finally {
        fs.closeSync(descriptor);
      }
    } catch (error) {
      throw diskError("write", this.path, error);
    }
  }
}

function pathOf(metainfo: Metainfo, directory: string): string {
  return join(resolve(directory), partFileName(metainfo));
}

function slotLengthOf({ layout }: Metainfo): number {
  return headLength + Math.min(layout.pieceLength, layout.totalLength);
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!isAbsence(error)) throw error;
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.lstatSync(path).isFile;
  } catch {
    return false;
  }
}

/** The slots up to the first that is not this torrent's; none where the file cannot be read. */
function readSlots(metainfo: Metainfo, path: string): Map<PieceIndex, number> {
  const slots = new Map<PieceIndex, number>();
  const infoHash = idBytes(metainfo.infoHash);
  const head: Bytes = new Uint8Array(headLength);
  try {
    const descriptor = fs.openSync(path, fs.constants.O_RDONLY | noFollow | nonBlock);
    try {
      for (let slot = 0; slot < metainfo.pieceCount; slot++) {
        const got = fs.readSync(descriptor, head, 0, headLength, slot * slotLengthOf(metainfo));
        const piece = metainfo.layout.toPieceIndex(readUint32(head, idLength));
        const isOurs = got === headLength && equalBytes(head.subarray(0, idLength), infoHash);
        if (!isOurs || piece === undefined || slots.has(piece)) break;
        slots.set(piece, slot);
      }
    } finally {
      fs.closeSync(descriptor);
    }
  } catch {
    // Without it its pieces are fetched again: slower, never wrong.
  }
  return slots;
}
