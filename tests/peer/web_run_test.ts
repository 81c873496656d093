import { assert, assertEquals } from "@std/assert";
import { Layout } from "../../lib/layout.ts";
import { blockLength } from "../../lib/limits/wire.ts";
import type { PieceIndex } from "../../lib/ids.ts";
import { ActivePiece } from "../../peer/piece_table.ts";
import { WebRun } from "../../peer/web_run.ts";

/** Two pieces of two blocks, and a last one of a block and 7 bytes. */
const layout = new Layout({ pieceLength: 2 * blockLength, fileLengths: [5 * blockLength + 7] });

function part(piece: number, firstBlock: number, blockCount: number) {
  const active = new ActivePiece(piece as PieceIndex, layout.blockCountOf(piece as PieceIndex), new Uint8Array(0));
  return { active, firstBlock, blockCount };
}

/** What the run hands on when the bytes come in parts of this size: piece, block, length and first byte of each. */
function blocksOf(run: WebRun, partLength: number): number[][] {
  const bytes = new Uint8Array(run.length + 100).map((_, i) => (run.offset + i) % 251);
  const blocks: number[][] = [];
  for (let at = 0; at < bytes.length; at += partLength) {
    run.push(bytes.slice(at, at + partLength), (active, block, block_) => {
      const start = active.piece * layout.pieceLength + block * blockLength;
      assertEquals(block_, Uint8Array.from({ length: block_.length }, (_, i) => (start + i) % 251));
      blocks.push([active.piece, block, block_.length]);
    });
  }
  return blocks;
}

Deno.test("WebRun spans from the first block's first byte to the last block's last", () => {
  const run = new WebRun(layout, [part(0, 1, 1), part(1, 0, 2), part(2, 0, 2)]);
  assertEquals([run.offset, run.length], [blockLength, 4 * blockLength + 7]);
  const inside = new WebRun(layout, [part(1, 1, 1)]);
  assertEquals([inside.offset, inside.length], [3 * blockLength, blockLength]);
});

for (const partLength of [1 << 20, blockLength, 1000, 8191]) {
  Deno.test(`WebRun.push() makes blocks of bytes that come ${partLength} at a time, and drops what comes after`, () => {
    const run = new WebRun(layout, [part(0, 1, 1), part(1, 0, 2), part(2, 0, 2)]);
    const whole = [[0, 1, blockLength], [1, 0, blockLength], [1, 1, blockLength], [2, 0, blockLength], [2, 1, 7]];
    assertEquals(blocksOf(run, partLength), whole);
    assert(run.isOver);
  });
}

Deno.test("WebRun.rest() names the blocks that did not come whole", () => {
  const run = new WebRun(layout, [part(0, 1, 1), part(1, 0, 2)]);
  run.push(new Uint8Array(blockLength + 5), () => {});
  assertEquals([...run.rest()].map(({ active, block }) => [active.piece, block]), [[1, 0], [1, 1]]);
});
