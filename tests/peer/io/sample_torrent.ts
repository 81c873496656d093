/** A torrent of made-up files, and folders to put them into: what the tests of the disk start from. */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { encodeBencode } from "../../../lib/bencode.ts";
import { concatBytes } from "../../../lib/bytes.ts";
import type { PieceIndex } from "../../../lib/ids.ts";
import { decodeMetainfo, type Metainfo } from "../../../lib/metainfo.ts";
import { destinationState } from "../../../peer/io/destination.ts";

export interface SampleFile {
  readonly path: readonly string[];
  readonly length: number;
  /** BEP 47: `p` padding, `x` executable. */
  readonly attr?: string;
}

export interface Sample {
  readonly metainfo: Metainfo;
  /** The .torrent file. */
  readonly torrent: Uint8Array;
  /** Bytes of each file; padding is zeros. */
  readonly contents: readonly Uint8Array<ArrayBuffer>[];
  /** A copy of a piece's bytes. */
  piece(index: number): Uint8Array<ArrayBuffer>;
  /** Writes files (all, or those given by index) below `directory`, as they are in the torrent. */
  write(directory: string, fileIndices?: readonly number[]): Promise<void>;
  /** Path of a file below `directory`. */
  pathOf(directory: string, fileIndex: number): string;
}

export const pieceLength = 64 * 1024;

/** Bytes that differ from place to place and hold no run of zeros. */
export function sampleBytes(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let state = seed * 2654435761;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = (state >>> 24) | 1;
  }
  return bytes;
}

/** A torrent named `sample` of these files; one file without a path is a single-file torrent. */
export function makeSample(files: readonly SampleFile[], { length = pieceLength } = {}): Sample {
  const contents = files.map((file, i) =>
    file.attr === "p" ? new Uint8Array(file.length) : sampleBytes(file.length, i + 1)
  );
  const whole = concatBytes(contents);
  const hashes: Uint8Array[] = [];
  for (let at = 0; at < whole.length; at += length) {
    hashes.push(createHash("sha1").update(whole.subarray(at, at + length)).digest());
  }
  const isMultiFile = files[0].path.length > 0;
  const torrent = encodeBencode({
    info: {
      name: "sample",
      "piece length": length,
      pieces: concatBytes(hashes),
      ...(isMultiFile ? { files: files.map(({ path, length, attr }) => ({ path, length, attr })) } : {
        length: files[0].length,
      }),
    },
  });
  const metainfo = decodeMetainfo(torrent);
  const pathOf = (directory: string, fileIndex: number) => join(directory, ...metainfo.files[fileIndex].path);
  return {
    metainfo,
    torrent,
    contents,
    piece: (index) => whole.slice(index * length, index * length + metainfo.layout.lengthOfPiece(index as PieceIndex)),
    pathOf,
    async write(directory, fileIndices = files.map((_, i) => i)) {
      for (const i of fileIndices) {
        if (files[i].attr === "p") continue;
        await Deno.mkdir(dirname(pathOf(directory, i)), { recursive: true });
        await Deno.writeFile(pathOf(directory, i), contents[i]);
      }
    },
  };
}

/** Waits, a second or so, until another change of the file would show: before that no resume file vouches for it. */
export async function atRest(path: string): Promise<void> {
  while (!destinationState(path).isSettled) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** A folder that is removed at the end of the scope. */
export class TempFolder implements AsyncDisposable {
  private constructor(readonly path: string) {}

  static async make(): Promise<TempFolder> {
    return new TempFolder(await Deno.makeTempDir({ prefix: "localbt-test-" }));
  }

  /** A path in it. */
  at(...names: string[]): string {
    return join(this.path, ...names);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}
