import { assert, assertEquals, assertFalse } from "@std/assert";
import type { PieceIndex } from "../../lib/ids.ts";
import { Layout } from "../../lib/layout.ts";
import { seededRandom } from "./mutations.ts";

const KiB = 1024;
const GiB = 1024 ** 3;

function pieceOf(layout: Layout, index: number): PieceIndex {
  const piece = layout.toPieceIndex(index);
  assert(piece !== undefined, `no piece ${index}`);
  return piece;
}

Deno.test("Layout counts pieces and blocks of a length that divides nothing", () => {
  const layout = new Layout({ pieceLength: 48 * KiB + 1, fileLengths: [100 * KiB] });
  assertEquals([layout.totalLength, layout.pieceCount, layout.blocksPerPiece], [100 * KiB, 3, 4]);
  const [first, last] = [pieceOf(layout, 0), pieceOf(layout, 2)];
  assertEquals([layout.lengthOfPiece(first), layout.blockCountOf(first)], [48 * KiB + 1, 4]);
  assertEquals([layout.lengthOfBlock(first, 0), layout.lengthOfBlock(first, 3)], [16 * KiB, 1]);
  assertEquals([layout.lengthOfPiece(last), layout.blockCountOf(last)], [4 * KiB - 2, 1]);
  assertEquals(layout.lengthOfBlock(last, 0), 4 * KiB - 2);
});

Deno.test("Layout has a whole last piece where the length divides the total", () => {
  const layout = new Layout({ pieceLength: 32 * KiB, fileLengths: [64 * KiB] });
  assertEquals([layout.pieceCount, layout.lengthOfPiece(pieceOf(layout, 1))], [2, 32 * KiB]);
});

Deno.test("Layout has one short piece where the total is below the piece length", () => {
  const layout = new Layout({ pieceLength: 256 * KiB, fileLengths: [1] });
  const piece = pieceOf(layout, 0);
  assertEquals([layout.pieceCount, layout.lengthOfPiece(piece), layout.blockCountOf(piece)], [1, 1, 1]);
  assertEquals(layout.lengthOfBlock(piece, 0), 1);
});

Deno.test("Layout.toPieceIndex() takes the pieces of the torrent only", () => {
  const layout = new Layout({ pieceLength: 10, fileLengths: [25] });
  assertEquals([0, 1, 2].map((index) => Number(layout.toPieceIndex(index))), [0, 1, 2]);
  for (const index of [-1, 3, 1.5, NaN, Infinity, 4294967295]) assertEquals(layout.toPieceIndex(index), undefined);
});

Deno.test("Layout.isRangeInPiece() knows the end of a short last piece", () => {
  const layout = new Layout({ pieceLength: 32 * KiB, fileLengths: [40 * KiB] });
  const last = pieceOf(layout, 1);
  assert(layout.isRangeInPiece(last, { begin: 0, length: 8 * KiB }));
  assert(layout.isRangeInPiece(last, { begin: 8 * KiB - 1, length: 1 }));
  for (
    const [begin, length] of [[0, 8 * KiB + 1], [8 * KiB, 1], [0, 0], [-1, 1], [4294967295, 1], [1, 4294967295]]
  ) assertFalse(layout.isRangeInPiece(last, { begin, length }), `${begin}+${length}`);
});

Deno.test("Layout.blockAt() takes exact blocks only", () => {
  const layout = new Layout({ pieceLength: 40 * KiB, fileLengths: [100 * KiB] });
  const [first, last] = [pieceOf(layout, 0), pieceOf(layout, 2)];
  assertEquals(layout.blockAt(first, { begin: 16 * KiB, length: 16 * KiB }), 1);
  assertEquals(layout.blockAt(first, { begin: 32 * KiB, length: 8 * KiB }), 2);
  assertEquals(layout.blockAt(last, { begin: 16 * KiB, length: 4 * KiB }), 1);
  const wrong = [[1, 16 * KiB], [0, 8 * KiB], [32 * KiB, 16 * KiB], [48 * KiB, 16 * KiB], [-16 * KiB, 16 * KiB]];
  for (const [begin, length] of wrong) assertEquals(layout.blockAt(first, { begin, length }), -1, `${begin}+${length}`);
});

Deno.test("Layout.spansOfPiece() crosses files and skips empty ones", () => {
  const layout = new Layout({ pieceLength: 10, fileLengths: [0, 3, 0, 0, 4, 20, 0] });
  assertEquals(layout.spansOfPiece(pieceOf(layout, 0)), [
    { fileIndex: 1, fileOffset: 0, rangeOffset: 0, length: 3 },
    { fileIndex: 4, fileOffset: 0, rangeOffset: 3, length: 4 },
    { fileIndex: 5, fileOffset: 0, rangeOffset: 7, length: 3 },
  ]);
  assertEquals(layout.spansOfPiece(pieceOf(layout, 1)), [{ fileIndex: 5, fileOffset: 3, rangeOffset: 0, length: 10 }]);
  assertEquals(layout.spansOfPiece(pieceOf(layout, 2)), [{ fileIndex: 5, fileOffset: 13, rangeOffset: 0, length: 7 }]);
});

Deno.test("Layout.spansOf() starts with the file that begins at the offset, past empty ones there", () => {
  const layout = new Layout({ pieceLength: 10, fileLengths: [10, 0, 0, 10] });
  assertEquals(layout.spansOf({ offset: 10, length: 5 }), [
    { fileIndex: 3, fileOffset: 0, rangeOffset: 0, length: 5 },
  ]);
  assertEquals(layout.spansOf({ offset: 9, length: 1 }), [{ fileIndex: 0, fileOffset: 9, rangeOffset: 0, length: 1 }]);
});

Deno.test("Layout.spansOf() stops at the end of the torrent", () => {
  const layout = new Layout({ pieceLength: 10, fileLengths: [15, 0] });
  assertEquals(layout.spansOf({ offset: 12, length: 100 }), [
    { fileIndex: 0, fileOffset: 12, rangeOffset: 0, length: 3 },
  ]);
  assertEquals(layout.spansOf({ offset: 15, length: 1 }), []);
  assertEquals(layout.spansOf({ offset: 3, length: 0 }), []);
});

Deno.test("Layout.piecesOfFile() gives the pieces that a file touches, none for an empty file", () => {
  const layout = new Layout({ pieceLength: 10, fileLengths: [10, 0, 1, 25, 0] });
  const pieces = [0, 1, 2, 3, 4].map((fileIndex) => layout.piecesOfFile(fileIndex));
  assertEquals(pieces.map((range) => range && [Number(range.first), Number(range.last)]), [
    [0, 0],
    undefined,
    [1, 1],
    [1, 3],
    undefined,
  ]);
});

Deno.test("Layout is exact beyond 4 GiB and beyond 2^32 blocks", () => {
  const layout = new Layout({ pieceLength: 16 * 1024 * KiB, fileLengths: [5 * GiB + 1, 1, 30_000 * GiB] });
  assertEquals(layout.totalLength, 30_005 * GiB + 2);
  assertEquals(layout.pieceCount, 30_005 * 64 + 1);
  const last = pieceOf(layout, layout.pieceCount - 1);
  assertEquals([layout.pieceOffset(last), layout.lengthOfPiece(last)], [30_005 * GiB, 2]);
  assertEquals(layout.spansOfPiece(pieceOf(layout, 5 * 64)), [
    { fileIndex: 0, fileOffset: 5 * GiB, rangeOffset: 0, length: 1 },
    { fileIndex: 1, fileOffset: 0, rangeOffset: 1, length: 1 },
    { fileIndex: 2, fileOffset: 0, rangeOffset: 2, length: 16 * 1024 * KiB - 2 },
  ]);
  const range = layout.piecesOfFile(2);
  assertEquals([Number(range?.first), Number(range?.last)], [5 * 64, layout.pieceCount - 1]);
});

Deno.test("Layout covers every byte exactly once, by pieces, blocks and files", () => {
  const random = seededRandom(7);
  for (let run = 0; run < 100; run++) {
    const fileLengths = Array.from(
      { length: 1 + Math.floor(random() * 12) },
      () => random() < 0.3 ? 0 : Math.floor(random() * 90_000),
    );
    fileLengths.push(1);
    const layout = new Layout({ pieceLength: 1 + Math.floor(random() * 60_000), fileLengths });
    const filled = fileLengths.map(() => 0);
    for (let index = 0; index < layout.pieceCount; index++) {
      const piece = pieceOf(layout, index);
      let blockBytes = 0;
      for (let block = 0; block < layout.blockCountOf(piece); block++) {
        const length = layout.lengthOfBlock(piece, block);
        assertEquals(layout.blockAt(piece, { begin: blockBytes, length }), block);
        blockBytes += length;
      }
      assertEquals(blockBytes, layout.lengthOfPiece(piece));
      let spanBytes = 0;
      for (const span of layout.spansOfPiece(piece)) {
        assertEquals([span.rangeOffset, span.fileOffset], [spanBytes, filled[span.fileIndex]]);
        filled[span.fileIndex] += span.length;
        spanBytes += span.length;
      }
      assertEquals(spanBytes, blockBytes);
    }
    assertEquals(filled, fileLengths);
  }
});
