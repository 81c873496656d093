/** A torrent's content and a disk in memory that checks what it is given, as the real one does. */
import { assert } from "@std/assert";
import { createHash } from "node:crypto";
import { Bitfield } from "../../lib/bitfield.ts";
import { type Bytes, equalBytes } from "../../lib/bytes.ts";
import { type InfoHash, infoHashFromBytes, type PieceIndex } from "../../lib/ids.ts";
import { Layout } from "../../lib/layout.ts";
import type { CheckedBlockRange } from "../../peer/events.ts";
import { seededRandom } from "../lib/mutations.ts";

export interface Content {
  readonly infoHash: InfoHash;
  readonly layout: Layout;
  readonly bytes: Bytes;
  /** SHA-1 of each piece. */
  readonly hashes: readonly Bytes[];
}

export function sha1(bytes: Uint8Array): Bytes {
  return new Uint8Array(createHash("sha1").update(bytes).digest());
}

/** Bytes that follow from the seed; a piece length that is no power of two is allowed. */
export function makeContent(
  { totalLength, pieceLength, seed = 1 }: { totalLength: number; pieceLength: number; seed?: number },
): Content {
  const layout = new Layout({ pieceLength, fileLengths: [totalLength] });
  const random = seededRandom(seed);
  const words = new Uint32Array(Math.ceil(totalLength / 4));
  for (let i = 0; i < words.length; i++) words[i] = random() * 2 ** 32;
  const bytes = new Uint8Array(words.buffer, 0, totalLength);
  const hashes = piecesOf(layout).map((piece) => {
    const offset = layout.pieceOffset(piece);
    return sha1(bytes.subarray(offset, offset + layout.lengthOfPiece(piece)));
  });
  return { infoHash: infoHashFromBytes(sha1(new TextEncoder().encode(`content ${seed}`))), layout, bytes, hashes };
}

export function piecesOf(layout: Layout): PieceIndex[] {
  return Array.from({ length: layout.pieceCount }, (_, index) => index as PieceIndex);
}

/** The set of pieces drawn as text: `"* *"` is pieces 0 and 2 of 3. */
export function bitfieldOf(drawing: string): Bitfield {
  const bitfield = Bitfield.empty(drawing.length);
  for (let index = 0; index < drawing.length; index++) if (drawing[index] === "*") bitfield.set(index);
  return bitfield;
}

/** What one peer has on its disk. Only right pieces get in, so what it gives is the content itself. */
export class VirtualDisk {
  readonly #content: Content;
  readonly stored: Bitfield;
  /** Bytes written since the start, by hash-checked pieces. */
  writtenBytes = 0;

  constructor(content: Content, have: Bitfield) {
    this.#content = content;
    this.stored = have.clone();
  }

  /** The block, as a fresh array, so that whoever keeps it spoils nothing. */
  read({ piece, begin, length }: CheckedBlockRange): Bytes {
    assert(this.stored.has(piece), `piece ${piece} was read and is not stored`);
    const { layout, bytes } = this.#content;
    assert(begin + length <= layout.lengthOfPiece(piece), `a read of ${length} at ${begin} leaves piece ${piece}`);
    const offset = layout.pieceOffset(piece) + begin;
    return bytes.slice(offset, offset + length);
  }

  /** Checks the piece in the buffer; false when its hash is wrong. */
  store(piece: PieceIndex, buffer: Bytes): boolean {
    assert(!this.stored.has(piece), `piece ${piece} was stored twice`);
    const { layout, hashes } = this.#content;
    const length = layout.lengthOfPiece(piece);
    if (!equalBytes(sha1(buffer.subarray(0, length)), hashes[piece])) return false;
    this.stored.set(piece);
    this.writtenBytes += length;
    return true;
  }
}
