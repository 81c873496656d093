/**
 * Where the bytes of pieces lie on the disk: in the torrent's files, or, of files that nobody asked for, in the part file.
 *
 * One rule for all threads: a piece with a position has the bytes of its unwanted files in the part file; every other
 * piece lies in its files.
 */
import type { PieceIndex } from "../ids.ts";
import type { FileSpan, Layout } from "../layout.ts";
import { type FileTable, FileUse } from "./piece_job.ts";

/** The number of the part file among the table's paths: it follows the torrent's files. */
export function partFileIndex(table: FileTable): number {
  return table.lengths.length;
}

/** The places of a range of the torrent's bytes, in order. */
export function placesOf(
  table: FileTable,
  layout: Layout,
  { offset, length }: { offset: number; length: number },
): FileSpan[] {
  if (table.aside === undefined) return layout.spansOf({ offset, length });
  const places: FileSpan[] = [];
  for (let done = 0; done < length;) {
    const piece = Math.floor((offset + done) / layout.pieceLength);
    const begin = offset + done - piece * layout.pieceLength;
    const partLength = Math.min(layout.pieceLength - begin, length - done);
    for (const span of layout.spansOf({ offset: offset + done, length: partLength })) {
      const place = table.aside.positions[piece] > 0 && table.aside.uses[span.fileIndex] !== FileUse.wanted
        ? inPartFile(table, piece, { ...span, rangeOffset: begin + span.rangeOffset })
        : span;
      places.push({ ...place, rangeOffset: done + span.rangeOffset });
    }
    done += partLength;
  }
  return places;
}

/** The place in the part file of a span of a piece that has a position. @param span its `rangeOffset` is within the piece */
export function inPartFile(table: FileTable, piece: number, span: FileSpan): FileSpan {
  const position = table.aside?.positions[piece] ?? 0;
  if (position === 0) throw new Error(`piece ${piece} has no place in the part file`);
  return { ...span, fileIndex: partFileIndex(table), fileOffset: position + span.rangeOffset };
}

/** Whether a piece touches a file that is not to be opened: it cannot lie in its files. */
export function touchesIgnored(table: FileTable, layout: Layout, piece: PieceIndex): boolean {
  const { aside } = table;
  if (aside === undefined) return false;
  return layout.spansOfPiece(piece).some(({ fileIndex }) => aside.uses[fileIndex] === FileUse.ignored);
}
