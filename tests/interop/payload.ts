/** What the transfers move: deterministic files of three kinds, and the comparison of two trees. */
import { Buffer } from "node:buffer";
import { dirname, join } from "./path.ts";

/** One kind of input: a name, its piece length, and its files below `name` ([""] for a single file). */
export interface PayloadKind {
  readonly label: string;
  readonly name: string;
  readonly pieceLength: number;
  /** Path parts below `name` and lengths; a single file has one entry without parts. */
  readonly files: readonly { readonly path: readonly string[]; readonly length: number }[];
  readonly seed: number;
}

/** A payload on disk. */
export interface Payload extends PayloadKind {
  /** The folder that holds `name`. */
  readonly directory: string;
  readonly totalLength: number;
}

/** A small generator of 32-bit words (xorshift32): the same seed gives the same bytes everywhere. */
export function wordsFrom(seed: number): () => number {
  let state = (seed * 2_654_435_769) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** `length` deterministic bytes. */
export function bytesFrom(seed: number, length: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(length / 4));
  const next = wordsFrom(seed);
  for (let i = 0; i < words.length; i++) words[i] = next();
  return new Uint8Array(words.buffer, 0, length);
}

/** A single file. */
export function singleFile(length: number, pieceLength: number, seed = 1, label = "a single file"): PayloadKind {
  return { label, name: `file-${seed}.bin`, pieceLength, files: [{ path: [], length }], seed };
}

/** Many small files of 0 to 32 KiB, in nested folders; every 50th is empty. */
export function smallFiles(count: number, pieceLength: number, seed = 2): PayloadKind {
  const next = wordsFrom(seed);
  const files = Array.from({ length: count }, (_, i) => ({
    path: [`d${i % 10}`, `e${Math.floor(i / 10) % 20}`, `f${String(i).padStart(5, "0")}.dat`],
    length: i % 50 === 0 ? 0 : Math.floor((next() / 2 ** 32) ** 2 * 32_769),
  }));
  return { label: `a folder of ${count} files`, name: `folder-${seed}`, pieceLength, files, seed };
}

/** Writes a payload into `directory`. */
export function writePayload(kind: PayloadKind, directory: string): Payload {
  let seed = kind.seed * 1_000_003;
  const made = new Set<string>();
  for (const file of kind.files) {
    const path = join(directory, kind.name, ...file.path);
    if (!made.has(dirname(path))) Deno.mkdirSync(dirname(path), { recursive: true });
    made.add(dirname(path));
    Deno.writeFileSync(path, bytesFrom(seed++, file.length));
  }
  return { ...kind, directory, totalLength: kind.files.reduce((sum, file) => sum + file.length, 0) };
}

/**
 * Compares every file of the payload, byte by byte.
 *
 * @param options.emptyFiles false for a client that does not make files without bytes
 * @throws when `directory` does not hold exactly the bytes of the payload
 */
export function assertHoldsPayload(payload: Payload, directory: string, options = { emptyFiles: true }): void {
  for (const file of payload.files) {
    if (file.length === 0 && !options.emptyFiles) continue;
    const tail = [payload.name, ...file.path];
    const wanted = Deno.readFileSync(join(payload.directory, ...tail));
    const actual = readOrNothing(join(directory, ...tail));
    const name = tail.join("/");
    if (actual === undefined) throw new Error(`${name} is missing in ${directory}`);
    if (actual.length !== wanted.length) {
      throw new Error(`${name} has ${actual.length} bytes, not ${wanted.length}, in ${directory}`);
    }
    const at = firstDifference(wanted, actual);
    if (at >= 0) throw new Error(`${name} differs from offset ${at} on, in ${directory}`);
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

/** The index of the first byte that differs, or -1. */
function firstDifference(a: Uint8Array, b: Uint8Array): number {
  if (Buffer.compare(a, b) === 0) return -1;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return i;
  return -1;
}
