/** Which pieces lie whole on the disk, read without the program: in their files, or in the part file beside them. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { OddFolder } from "./odd_folder.ts";

const headLength = 24;

/** A view of a download folder after its program was killed. */
export class StoredPieces {
  readonly #folder: OddFolder;
  readonly #directory: string;
  readonly #partPath: string;

  constructor(folder: OddFolder, directory: string) {
    this.#folder = folder;
    this.#directory = directory;
    this.#partPath = join(directory, `.${folder.name}.${folder.infoHash.slice(0, 8)}.localbt-parts`);
  }

  /** Those of the pieces that are whole and right. */
  among(pieces: Iterable<number>): number[] {
    const part = readOrNothing(this.#partPath);
    return [...pieces].filter((piece) => this.#isRight(piece, undefined) || this.#isRight(piece, part));
  }

  /** @param part content of the part file, where it is to be used for what is in no file */
  #isRight(piece: number, part: Uint8Array | undefined): boolean {
    const { pieceLength, content, hashes, files } = this.#folder;
    const start = piece * pieceLength;
    const end = Math.min(start + pieceLength, content.length);
    const slot = part === undefined ? undefined : this.#slotOf(piece, part);
    const hash = createHash("sha1");
    for (const { path, offset, bytes } of files) {
      const [from, to] = [Math.max(start, offset), Math.min(end, offset + bytes.length)];
      if (from >= to) continue;
      const inFile = readRange(join(this.#directory, this.#folder.name, ...path), from - offset, to - from);
      const found = inFile ?? slot?.subarray(from - start, to - start);
      if (found === undefined) return false;
      hash.update(found);
    }
    return hash.digest("hex") === hashes[piece];
  }

  #slotOf(piece: number, part: Uint8Array): Uint8Array | undefined {
    const { pieceLength, content } = this.#folder;
    const slotLength = headLength + Math.min(pieceLength, content.length);
    for (let at = 0; at + headLength < part.length; at += slotLength) {
      const number = new DataView(part.buffer, part.byteOffset + at + 20, 4).getUint32(0);
      if (number === piece) return part.subarray(at + headLength, at + slotLength);
    }
    return undefined;
  }
}

function readOrNothing(path: string): Uint8Array | undefined {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Undefined where the file is not there or too short. */
function readRange(path: string, offset: number, length: number): Uint8Array | undefined {
  try {
    using file = Deno.openSync(path);
    file.seekSync(offset, Deno.SeekMode.Start);
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const got = file.readSync(bytes.subarray(done));
      if (got === null) return undefined;
      done += got;
    }
    return bytes;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
