import { assertEquals } from "@std/assert";
import type { Bytes } from "../../lib/bytes.ts";
import type { PieceIndex } from "../../lib/ids.ts";
import { Layout } from "../../lib/layout.ts";
import { inquestsMax } from "../../lib/limits/transfer.ts";
import { blockLength } from "../../lib/limits/wire.ts";
import { PieceInquest } from "../../peer/piece_inquest.ts";
import { ActivePiece } from "../../peer/piece_table.ts";

const pieceCount = inquestsMax + 8;
const layout = new Layout({ pieceLength: 3 * blockLength, fileLengths: [pieceCount * 3 * blockLength] });
const honest = 1;
const liar = 2;
const other = 3;

/** The right bytes of any piece. */
const right: Bytes = new Uint8Array(3 * blockLength).map((_, index) => index % 251);

/** An attempt at a piece: for each block who sent it; the blocks of `liars` are wrong. */
function attempt(index: number, sources: number[], liars: number[] = [liar]): [ActivePiece, Bytes] {
  const active = new ActivePiece(index as PieceIndex, 3, right.slice());
  sources.forEach((source, block) => {
    active.sources[block] = source;
    if (liars.includes(source)) active.buffer[block * blockLength + 5] ^= 1;
  });
  return [active, active.buffer];
}

Deno.test("PieceInquest blames at once who sent all of a bad piece", () => {
  const inquest = new PieceInquest(layout);
  assertEquals(inquest.failed(...attempt(0, [liar, liar, liar])), liar);
  assertEquals(inquest.isOpen(0 as PieceIndex), false);
});

Deno.test("PieceInquest blames nobody of several until the piece is right", () => {
  const inquest = new PieceInquest(layout);
  assertEquals(inquest.failed(...attempt(0, [honest, liar, honest])), undefined);
  assertEquals([inquest.isOpen(0 as PieceIndex), inquest.isOpen(1 as PieceIndex)], [true, false]);
});

Deno.test("PieceInquest finds the liar and no honest peer once the piece is right", () => {
  const inquest = new PieceInquest(layout);
  inquest.failed(...attempt(0, [honest, liar, other]));
  assertEquals(inquest.solved(0 as PieceIndex, right), [liar]);
  assertEquals(inquest.isOpen(0 as PieceIndex), false);
  assertEquals(inquest.solved(0 as PieceIndex, right), []);
});

Deno.test("PieceInquest finds every liar of a piece, each once", () => {
  const inquest = new PieceInquest(layout);
  inquest.failed(...attempt(0, [liar, other, liar], [liar, other]));
  assertEquals(inquest.solved(0 as PieceIndex, right).toSorted(), [liar, other]);
});

Deno.test("PieceInquest keeps what it knows when the only deliverer of the next attempt lies too", () => {
  const inquest = new PieceInquest(layout);
  inquest.failed(...attempt(0, [honest, liar, honest]));
  assertEquals(inquest.failed(...attempt(0, [other, other, other], [other])), other);
  assertEquals(inquest.solved(0 as PieceIndex, right), [liar]);
});

Deno.test("PieceInquest blames nobody for a piece that never failed", () => {
  assertEquals(new PieceInquest(layout).solved(3 as PieceIndex, right), []);
});

Deno.test("PieceInquest remembers a bounded number of pieces, the latest", () => {
  const inquest = new PieceInquest(layout);
  for (let index = 0; index < pieceCount; index++) inquest.failed(...attempt(index, [honest, liar, honest]));
  const open = Array.from({ length: pieceCount }, (_, index) => inquest.isOpen(index as PieceIndex));
  assertEquals(open.filter(Boolean).length, inquestsMax);
  assertEquals([open[0], open.at(-1)], [false, true]);
});

Deno.test("PieceInquest knows a short last block", () => {
  const short = new Layout({ pieceLength: 3 * blockLength, fileLengths: [2 * blockLength + 10] });
  const inquest = new PieceInquest(short);
  const [active, buffer] = attempt(0, [honest, honest, liar]);
  inquest.failed(active, buffer);
  const again = right.slice();
  again[2 * blockLength + 10] ^= 1; // behind the end: the memory of another piece
  assertEquals(inquest.solved(0 as PieceIndex, again), [liar]);
});
