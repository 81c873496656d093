/**
 * The state of every piece, and of every block of the pieces that are being received: the only owner of both.
 *
 * A piece is exactly one of missing, active, checking and have:
 *   missing --activate--> active --toChecking--> checking --stored--> have
 *   active --abandon--> missing; checking --failed--> missing; have --lost--> missing --found--> have
 * Whether it is wanted is another matter (file_selection.ts): only wanted pieces are ever activated. The torrent is complete
 * when nothing that is wanted lacks, and whole when nothing at all lacks.
 *
 * The memory of active and checking pieces is counted against `pieceBufferBytesMax` and `pieceBuffersMax`, and used again.
 */
import { Bitfield } from "../lib/bitfield.ts";
import type { Bytes } from "../lib/bytes.ts";
import type { PieceIndex } from "../lib/ids.ts";
import type { Layout } from "../lib/layout.ts";
import { pieceBufferBytesMax, pieceBuffersMax } from "../lib/limits/transfer.ts";
import { blockLength } from "../lib/limits/wire.ts";
import type { ConnectionId } from "./events.ts";
import { FileSelection } from "./file_selection.ts";

const stateMissing = 0;
const stateActive = 1;
const stateChecking = 2;
const stateHave = 3;

/** A piece that is being received, or checked. Fields are written by PieceTable alone. */
export class ActivePiece {
  readonly piece: PieceIndex;
  readonly blockCount: number;
  /** Where the blocks are put together; at least as long as the piece. */
  readonly buffer: Bytes;
  /** For each block: how many peers are asked for it now. */
  readonly requesters: Uint8Array;
  /** For each block: the connection that delivered it, or -1. */
  readonly sources: Float64Array;
  /** The peer whose piece this is: the others ask for its blocks only in the endgame. */
  owner: ConnectionId | undefined;
  /** Only the owner may ever deliver it: the piece failed its hash before, with blocks of several peers. */
  isExclusive = false;
  receivedCount = 0;
  /** Blocks neither received nor asked for. */
  openCount: number;
  /** No open block lies before this one. */
  firstOpen = 0;

  constructor(piece: PieceIndex, blockCount: number, buffer: Bytes) {
    this.piece = piece;
    this.blockCount = blockCount;
    this.buffer = buffer;
    this.requesters = new Uint8Array(blockCount);
    this.sources = new Float64Array(blockCount).fill(-1);
    this.openCount = blockCount;
  }

  isReceived(block: number): boolean {
    return this.sources[block] !== -1;
  }

  /** The next block that nobody delivered and nobody is asked for; -1 if there is none. */
  nextOpenBlock(): number {
    if (this.openCount === 0) return -1;
    let block = this.firstOpen;
    while (block < this.blockCount && (this.requesters[block] > 0 || this.isReceived(block))) block++;
    this.firstOpen = block;
    return block < this.blockCount ? block : -1;
  }
}

export class PieceTable {
  readonly layout: Layout;
  readonly selection: FileSelection;
  /** The pieces that are stored; changed by PieceTable alone. */
  readonly have: Bitfield;
  readonly #states: Uint8Array;
  readonly #active = new Map<PieceIndex, ActivePiece>();
  /** Active pieces with open blocks. */
  readonly #open = new Set<ActivePiece>();
  readonly #checking = new Map<PieceIndex, ActivePiece>();
  readonly #spareBuffers: Bytes[] = [];
  #haveBytes = 0;
  #lackingBytes: number;
  #missingCount: number;
  #lackingCount: number;

  /** @param selection what is wanted; everything without it */
  constructor(layout: Layout, have: Bitfield, selection: FileSelection = FileSelection.all(layout)) {
    this.layout = layout;
    this.selection = selection;
    this.have = Bitfield.empty(layout.pieceCount);
    this.#states = new Uint8Array(layout.pieceCount);
    this.#missingCount = this.#lackingCount = selection.pieces.count;
    this.#lackingBytes = layout.totalLength;
    for (let index = 0; index < layout.pieceCount; index++) {
      const piece = index as PieceIndex;
      if (!have.has(index)) continue;
      if (this.isWanted(piece)) this.#missingCount--;
      this.#setHave(piece);
    }
  }

  /** Bytes of wanted files in pieces that are stored. */
  get haveBytes(): number {
    return this.#haveBytes;
  }

  /** Bytes of all pieces that are not stored, wanted or not: what trackers hear, since they count who says 0 as a seeder. */
  get lackingBytes(): number {
    return this.#lackingBytes;
  }

  /** Wanted pieces that are stored. */
  get haveCount(): number {
    return this.selection.pieces.count - this.#lackingCount;
  }

  /** Wanted pieces that are missing: to be begun yet. */
  get missingCount(): number {
    return this.#missingCount;
  }

  /** Everything that is wanted is stored. */
  get isComplete(): boolean {
    return this.#lackingCount === 0;
  }

  /** Every piece of the torrent is stored. */
  get isWhole(): boolean {
    return this.have.isFull;
  }

  isWanted(piece: PieceIndex): boolean {
    return this.selection.pieces.has(piece);
  }

  /** Wanted and not stored yet. */
  isLacking(piece: PieceIndex): boolean {
    return this.isWanted(piece) && !this.have.has(piece);
  }

  isHave(piece: PieceIndex): boolean {
    return this.#states[piece] === stateHave;
  }

  isMissing(piece: PieceIndex): boolean {
    return this.#states[piece] === stateMissing;
  }

  isChecking(piece: PieceIndex): boolean {
    return this.#states[piece] === stateChecking;
  }

  /** Wanted and missing: to be begun. */
  isToFetch(piece: PieceIndex): boolean {
    return this.isMissing(piece) && this.isWanted(piece);
  }

  /** The piece while it is received; undefined in any other state. */
  active(piece: PieceIndex): ActivePiece | undefined {
    return this.#active.get(piece);
  }

  /** All pieces that are being received, the oldest first. */
  activePieces(): IterableIterator<ActivePiece> {
    return this.#active.values();
  }

  /** The pieces among them with blocks that nobody is asked for. */
  openPieces(): IterableIterator<ActivePiece> {
    return this.#open.values();
  }

  /** All pieces that are being checked and written. */
  checkingPieces(): IterableIterator<ActivePiece> {
    return this.#checking.values();
  }

  /** Memory that no piece is in, to be used by the next. */
  get spareBuffers(): readonly Bytes[] {
    return this.#spareBuffers;
  }

  /** Whether the memory for one more piece may be taken. */
  get mayActivate(): boolean {
    const count = this.#active.size + this.#checking.size;
    if (count >= pieceBuffersMax) return false;
    return count < 2 || (count + 1) * this.layout.pieceLength <= pieceBufferBytesMax;
  }

  /** missing -> active. */
  activate(piece: PieceIndex, owner: ConnectionId): ActivePiece {
    this.#expect(piece, stateMissing);
    this.#states[piece] = stateActive;
    this.#missingCount--;
    const buffer = this.#spareBuffers.pop() ??
      new Uint8Array(Math.min(this.layout.pieceLength, this.layout.totalLength));
    const active = new ActivePiece(piece, this.layout.blockCountOf(piece), buffer);
    active.owner = owner;
    this.#active.set(piece, active);
    this.#open.add(active);
    return active;
  }

  /** One more peer is asked for the block. */
  requested(active: ActivePiece, block: number): void {
    if (active.requesters[block] === 0 && !active.isReceived(block) && --active.openCount === 0) {
      this.#open.delete(active);
    }
    active.requesters[block]++;
  }

  /** One peer less is asked for the block: it choked, rejected, left, or was cancelled. */
  released(active: ActivePiece, block: number): void {
    active.requesters[block]--;
    if (active.requesters[block] === 0 && !active.isReceived(block)) {
      if (active.openCount++ === 0) this.#open.add(active);
      if (block < active.firstOpen) active.firstOpen = block;
    }
  }

  /**
   * Copies a block into its piece; its requester is counted off.
   *
   * @returns whether the piece is now whole
   */
  received(active: ActivePiece, block: number, bytes: Uint8Array, source: ConnectionId): boolean {
    active.buffer.set(bytes, block * blockLength);
    active.requesters[block]--;
    active.sources[block] = source;
    active.receivedCount++;
    return active.receivedCount === active.blockCount;
  }

  /** active -> checking: every block is there, and the buffer goes to the disk. */
  toChecking(active: ActivePiece): void {
    this.#expect(active.piece, stateActive);
    this.#states[active.piece] = stateChecking;
    this.#active.delete(active.piece);
    this.#checking.set(active.piece, active);
  }

  /** active -> missing, when nothing of it was received. */
  abandon(active: ActivePiece): void {
    this.#expect(active.piece, stateActive);
    this.#active.delete(active.piece);
    this.#open.delete(active);
    this.#setMissing(active.piece);
    this.#recycle(active.buffer);
  }

  /** checking -> have; returns who delivered what. */
  stored(piece: PieceIndex, buffer: Bytes): ActivePiece {
    const checked = this.#endChecking(piece, buffer);
    this.#setHave(piece);
    return checked;
  }

  /** checking -> missing; returns who delivered what. */
  failed(piece: PieceIndex, buffer: Bytes | undefined): ActivePiece {
    const checked = this.#endChecking(piece, buffer);
    this.#setMissing(piece);
    return checked;
  }

  /** have -> missing: the disk does not give it back. */
  lost(piece: PieceIndex): void {
    this.#expect(piece, stateHave);
    this.have.clear(piece);
    this.#lackingBytes += this.layout.lengthOfPiece(piece);
    if (this.isWanted(piece)) {
      this.#lackingCount++;
      this.#haveBytes -= this.selection.bytesIn(piece);
    }
    this.#setMissing(piece);
  }

  /** missing -> have: the disk gives it again. False where it is not missing: it is being fetched, or was never lost. */
  found(piece: PieceIndex): boolean {
    if (!this.isMissing(piece)) return false;
    if (this.isWanted(piece)) this.#missingCount--;
    this.#setHave(piece);
    return true;
  }

  /** Lets go of spare memory: nothing is received any more. */
  dropSpareBuffers(): void {
    this.#spareBuffers.length = 0;
  }

  #endChecking(piece: PieceIndex, buffer: Bytes | undefined): ActivePiece {
    this.#expect(piece, stateChecking);
    const checked = this.#checking.get(piece)!;
    this.#checking.delete(piece);
    if (buffer !== undefined) this.#recycle(buffer);
    return checked;
  }

  #recycle(buffer: Bytes): void {
    if (this.#missingCount > 0 || this.#active.size > 0) this.#spareBuffers.push(new Uint8Array(buffer.buffer));
  }

  #setMissing(piece: PieceIndex): void {
    this.#states[piece] = stateMissing;
    if (this.isWanted(piece)) this.#missingCount++;
  }

  #setHave(piece: PieceIndex): void {
    this.#states[piece] = stateHave;
    this.have.set(piece);
    this.#lackingBytes -= this.layout.lengthOfPiece(piece);
    if (!this.isWanted(piece)) return;
    this.#lackingCount--;
    this.#haveBytes += this.selection.bytesIn(piece);
  }

  #expect(piece: PieceIndex, state: number): void {
    if (this.#states[piece] !== state) {
      throw new Error(`piece ${piece} is in state ${this.#states[piece]}, not ${state}`);
    }
  }
}
