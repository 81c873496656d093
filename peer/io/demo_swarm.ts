/** Who holds which piece in the demo, and the folders that hold them. */
import { Bitfield } from "../../lib/bitfield.ts";
import type { Metainfo } from "../../lib/metainfo.ts";

/** Seeders that hold a piece, by turns: a third of the pieces is rare, a third common. */
const holderCounts = [1, 2, 3] as const;

/**
 * Deals the pieces out so that each seeder holds only some of them, and all of them together each at least once.
 *
 * @param random numbers in [0, 1)
 * @returns one bitfield for each seeder
 */
export function dealPieces(pieceCount: number, seederCount: number, random: () => number): Bitfield[] {
  const hands = Array.from({ length: seederCount }, () => Bitfield.empty(pieceCount));
  for (let piece = 0; piece < pieceCount; piece++) {
    const count = Math.min(holderCounts[Math.floor(random() * holderCounts.length)], seederCount);
    const others = hands.map((_, i) => i).filter((i) => i !== piece % seederCount);
    // The first holder goes round the table: no seeder stays with empty hands.
    hands[piece % seederCount].set(piece);
    for (let more = 1; more < count; more++) {
      const [taken] = others.splice(Math.floor(random() * others.length), 1);
      hands[taken].set(piece);
    }
  }
  return hands;
}

/** Writes the pieces of one hand from a whole copy into a folder of their own; the other bytes are holes. */
export async function layOut(
  metainfo: Metainfo,
  { hand, from, to }: { hand: Bitfield; from: string; to: string },
): Promise<void> {
  const buffer = new Uint8Array(metainfo.pieceLength);
  for (let index = 0; index < metainfo.pieceCount; index++) {
    const piece = metainfo.layout.toPieceIndex(index);
    if (piece === undefined || !hand.has(piece)) continue;
    for (const span of metainfo.layout.spansOfPiece(piece)) {
      const { path, length } = metainfo.files[span.fileIndex];
      const part = buffer.subarray(0, span.length);
      await readAt([from, ...path].join("/"), part, span.fileOffset);
      await Deno.mkdir([to, ...path.slice(0, -1)].join("/"), { recursive: true });
      using file = await Deno.open([to, ...path].join("/"), { write: true, create: true });
      await file.truncate(length);
      await file.seek(span.fileOffset, Deno.SeekMode.Start);
      for (let written = 0; written < part.length;) written += await file.write(part.subarray(written));
    }
  }
}

async function readAt(path: string, into: Uint8Array, offset: number): Promise<void> {
  using file = await Deno.open(path);
  await file.seek(offset, Deno.SeekMode.Start);
  for (let length = 0; length < into.length;) {
    const count = await file.read(into.subarray(length));
    if (count === null) throw new Error(`${path} is shorter than its torrent says`);
    length += count;
  }
}

/** Copies a file, or a folder with all that is in it; works from inside a compiled program too. */
export async function copyTree(from: string, to: string): Promise<void> {
  const { isDirectory } = await Deno.stat(from);
  if (!isDirectory) return await Deno.writeFile(to, await Deno.readFile(from));
  await Deno.mkdir(to);
  for await (const entry of Deno.readDir(from)) {
    if (!entry.isSymlink) await copyTree(`${from}/${entry.name}`, `${to}/${entry.name}`);
  }
}

/** Bytes of a file, or of all files in a folder. */
export async function treeSize(path: string): Promise<number> {
  const { isDirectory, size } = await Deno.stat(path);
  if (!isDirectory) return size;
  let total = 0;
  for await (const entry of Deno.readDir(path)) total += await treeSize(`${path}/${entry.name}`);
  return total;
}
