import { assert, assertEquals, assertThrows } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import type { Bytes } from "../../lib/bytes.ts";
import type { PieceIndex } from "../../lib/ids.ts";
import { Layout } from "../../lib/layout.ts";
import { pieceBufferBytesMax, pieceBuffersMax } from "../../lib/limits/transfer.ts";
import { MiB } from "../../lib/limits/units.ts";
import { blockLength } from "../../lib/limits/wire.ts";
import { FileSelection } from "../../peer/file_selection.ts";
import { type ActivePiece, PieceTable } from "../../peer/piece_table.ts";
import { bitfieldOf } from "./virtual_disk.ts";

const piece = (index: number) => index as PieceIndex;

/** Two pieces of 2 blocks and one of 100 bytes. */
function makeTable(have = "   "): PieceTable {
  const layout = new Layout({ pieceLength: 2 * blockLength, fileLengths: [4 * blockLength + 100] });
  return new PieceTable(layout, bitfieldOf(have));
}

function block(fill: number, length = blockLength): Bytes {
  return new Uint8Array(length).fill(fill);
}

/** Asks for the block and gets it. */
function receive(table: PieceTable, active: ActivePiece, index: number, source = 1): boolean {
  table.requested(active, index);
  return table.received(active, index, block(index + 1, table.layout.lengthOfBlock(active.piece, index)), source);
}

Deno.test("PieceTable begins with what is on disk", () => {
  const table = makeTable(" **");
  assertEquals([table.isMissing(piece(0)), table.isHave(piece(1)), table.isHave(piece(2))], [true, true, true]);
  assertEquals([table.have.count, table.missingCount, table.haveBytes], [2, 1, 2 * blockLength + 100]);
  assertEquals(table.isComplete, false);
  assertEquals(makeTable("***").isComplete, true);
});

Deno.test("PieceTable copies the pieces that it is told of", () => {
  const have = bitfieldOf("   ");
  const layout = new Layout({ pieceLength: 2 * blockLength, fileLengths: [4 * blockLength + 100] });
  const table = new PieceTable(layout, have);
  have.set(0);
  assert(!table.have.has(0));
});

Deno.test("PieceTable leads a piece from missing over active and checking to have", () => {
  const table = makeTable();
  const active = table.activate(piece(2), 7);
  assertEquals([table.isMissing(piece(2)), table.missingCount, active.owner], [false, 2, 7]);
  assertEquals(table.active(piece(2)), active);
  assertEquals([[...table.activePieces()], [...table.openPieces()]], [[active], [active]]);
  assert(receive(table, active, 0), "its only block makes it whole");
  assertEquals(active.buffer.subarray(0, 100), block(1, 100));
  table.toChecking(active);
  assertEquals([table.active(piece(2)), table.isHave(piece(2)), table.isMissing(piece(2))], [undefined, false, false]);
  table.stored(piece(2), active.buffer);
  assertEquals([table.isHave(piece(2)), table.have.has(2), table.haveBytes], [true, true, 100]);
});

Deno.test("PieceTable puts the blocks of a piece together in whatever order they come", () => {
  const table = makeTable();
  const active = table.activate(piece(0), 1);
  assertEquals([receive(table, active, 1), receive(table, active, 0)], [false, true]);
  assertEquals(active.buffer.subarray(0, blockLength), block(1));
  assertEquals(active.buffer.subarray(blockLength), block(2));
});

Deno.test("PieceTable makes a piece that failed its hash missing, and says who delivered what", () => {
  const table = makeTable();
  const active = table.activate(piece(0), 1);
  receive(table, active, 0, 11);
  receive(table, active, 1, 12);
  table.toChecking(active);
  assertEquals([...table.failed(piece(0), undefined).sources], [11, 12]);
  assertEquals([table.isMissing(piece(0)), table.missingCount], [true, 3]);
  assertEquals([...table.activate(piece(0), 1).sources], [-1, -1]);
});

Deno.test("PieceTable gives an abandoned piece's memory to the next", () => {
  const table = makeTable();
  const active = table.activate(piece(0), 1);
  table.abandon(active);
  assertEquals([table.isMissing(piece(0)), [...table.activePieces()], [...table.openPieces()]], [true, [], []]);
  assertEquals(table.activate(piece(1), 1).buffer.buffer, active.buffer.buffer);
});

const transitions: [name: string, run: (table: PieceTable, active: ActivePiece) => void][] = [
  ["activate() of an active piece", (table) => table.activate(piece(0), 1)],
  ["activate() of a piece that we have", (table) => table.activate(piece(2), 1)],
  ["stored() of an active piece", (table) => table.stored(piece(0), block(0))],
  ["stored() of a missing piece", (table) => table.stored(piece(1), block(0))],
  ["failed() of a missing piece", (table) => table.failed(piece(1), undefined)],
  ["toChecking() twice", (table, active) => (table.toChecking(active), table.toChecking(active))],
  ["abandon() of a checking piece", (table, active) => (table.toChecking(active), table.abandon(active))],
  ["activate() of a checking piece", (table, active) => (table.toChecking(active), table.activate(piece(0), 1))],
];
for (const [name, run] of transitions) {
  Deno.test(`PieceTable refuses ${name}`, () => {
    const table = makeTable("  *");
    const active = table.activate(piece(0), 1);
    assertThrows(() => run(table, active), Error, "is in state");
  });
}

Deno.test("PieceTable counts a block as open again only when its last requester is gone", () => {
  const table = makeTable();
  const active = table.activate(piece(0), 1);
  table.requested(active, 0);
  table.requested(active, 0);
  table.requested(active, 1);
  assertEquals([active.openCount, active.nextOpenBlock(), [...table.openPieces()]], [0, -1, []]);
  table.released(active, 0);
  assertEquals(active.openCount, 0);
  table.released(active, 0);
  assertEquals([active.openCount, active.nextOpenBlock(), [...table.openPieces()]], [1, 0, [active]]);
});

Deno.test("PieceTable does not open a received block when its second requester goes", () => {
  const table = makeTable();
  const active = table.activate(piece(0), 1);
  table.requested(active, 0);
  table.requested(active, 0);
  table.received(active, 0, block(1), 1);
  table.released(active, 0);
  assertEquals([active.openCount, active.nextOpenBlock()], [1, 1]);
});

Deno.test("ActivePiece.nextOpenBlock() gives each block in order and finds those that were given back", () => {
  const layout = new Layout({ pieceLength: 4 * blockLength, fileLengths: [4 * blockLength] });
  const table = new PieceTable(layout, bitfieldOf(" "));
  const active = table.activate(piece(0), 1);
  const order: number[] = [];
  for (let next = active.nextOpenBlock(); next !== -1; next = active.nextOpenBlock()) {
    order.push(next);
    table.requested(active, next);
  }
  assertEquals(order, [0, 1, 2, 3]);
  table.released(active, 2);
  table.released(active, 1);
  assertEquals(active.nextOpenBlock(), 1);
});

Deno.test("PieceTable.mayActivate bounds the memory of pieces under way, but always leaves two", () => {
  const pieceLength = 16 * MiB;
  const layout = new Layout({ pieceLength, fileLengths: [8 * pieceLength] });
  const table = new PieceTable(layout, bitfieldOf(" ".repeat(8)));
  let count = 0;
  while (table.mayActivate) table.activate(piece(count++), 1);
  assertEquals(count, pieceBufferBytesMax / pieceLength);
  const huge = 2 * pieceBufferBytesMax;
  const wide = new PieceTable(new Layout({ pieceLength: huge, fileLengths: [3 * huge] }), bitfieldOf("   "));
  assert(wide.mayActivate);
});

Deno.test("PieceTable counts checking pieces against the memory bound", () => {
  const pieceLength = pieceBufferBytesMax / 2;
  const layout = new Layout({ pieceLength, fileLengths: [3 * pieceLength] });
  const table = new PieceTable(layout, bitfieldOf("   "));
  table.activate(piece(0), 1);
  const second = table.activate(piece(1), 1);
  table.toChecking(second);
  assertEquals(table.mayActivate, false);
  table.stored(piece(1), second.buffer);
  assertEquals(table.mayActivate, true);
});

Deno.test("PieceTable begins no more small pieces than its bound", () => {
  const layout = new Layout({ pieceLength: blockLength, fileLengths: [2 * pieceBuffersMax * blockLength] });
  const table = new PieceTable(layout, Bitfield.empty(layout.pieceCount));
  let count = 0;
  while (table.mayActivate) table.activate(piece(count++), 1);
  assertEquals(count, pieceBuffersMax);
});

/** The same pieces as those of two files: of the first 1.5 pieces, and the rest; the second is wanted. */
function makePartTable(have = "   "): PieceTable {
  const layout = new Layout({ pieceLength: 2 * blockLength, fileLengths: [3 * blockLength, blockLength + 100] });
  return new PieceTable(layout, bitfieldOf(have), FileSelection.of(layout, Uint8Array.of(0, 1)));
}

Deno.test("PieceTable counts what is wanted, and is complete with it though not whole", () => {
  const table = makePartTable("*  ");
  assertEquals([table.haveBytes, table.haveCount, table.missingCount], [0, 0, 2]);
  assertEquals([0, 1, 2].map((index) => table.isToFetch(piece(index))), [false, true, true]);
  assertEquals(table.lackingBytes, 2 * blockLength + 100);
  const active = table.activate(piece(1), 1);
  for (const index of [0, 1]) receive(table, active, index);
  table.toChecking(active);
  table.stored(piece(1), active.buffer);
  assertEquals([table.haveBytes, table.haveCount, table.missingCount], [blockLength, 1, 1]);
  assertEquals([table.isComplete, makePartTable(" **").isComplete, makePartTable(" **").isWhole], [false, true, false]);
  assertEquals([makePartTable("***").isWhole, makePartTable(" **").lackingBytes], [true, 2 * blockLength]);
});

Deno.test("PieceTable takes a piece back that the disk lost", () => {
  const table = makePartTable("***");
  table.lost(piece(1));
  assertEquals([table.isComplete, table.isToFetch(piece(1)), table.missingCount], [false, true, 1]);
  assertEquals([table.haveBytes, table.lackingBytes, table.have.count], [100, 2 * blockLength, 2]);
  table.lost(piece(0));
  assertEquals([table.isToFetch(piece(0)), table.missingCount, table.haveBytes], [false, 1, 100]);
  assertThrows(() => table.lost(piece(0)), Error, "piece 0 is in state 0");
});
