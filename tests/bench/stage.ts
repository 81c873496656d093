/** Where the bench keeps its data: in memory (/dev/shm) where there is that, so that no disk is measured. */
import { Buffer } from "node:buffer";
import { join } from "../interop/path.ts";
import { bytesFrom } from "../interop/payload.ts";
import { runLocalbt } from "../interop/localbt.ts";
import { Scene } from "../interop/scene.ts";

export const MiB = 2 ** 20;

/** A file and its torrent. */
export interface BenchShare {
  /** The folder that holds the file. */
  readonly directory: string;
  readonly path: string;
  readonly name: string;
  readonly length: number;
  readonly torrent: string;
}

/** Opens a scene on the fastest storage of this machine. */
export function openBenchScene(): Promise<Scene> {
  return Scene.open(isDirectory("/dev/shm") ? "/dev/shm" : undefined);
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

/** Writes a file of random bytes; `sparse` makes one of zeros that takes no room. */
export function writeBenchFile(directory: string, length: number, options: { sparse?: boolean } = {}): string {
  const path = join(directory, `bench-${length / MiB}.bin`);
  using file = Deno.openSync(path, { create: true, write: true });
  if (options.sparse) {
    file.truncateSync(length);
    return path;
  }
  const partLength = 16 * MiB;
  for (let at = 0; at < length; at += partLength) {
    const part = bytesFrom(at / partLength + 1, Math.min(partLength, length - at));
    for (let done = 0; done < part.length;) done += file.writeSync(part.subarray(done));
  }
  return path;
}

/** A file and its torrent by our `create`. */
export async function makeBenchShare(
  scene: Scene,
  { length, pieceLength, announce, sparse = false }: {
    length: number;
    pieceLength: number;
    announce?: string;
    sparse?: boolean;
  },
): Promise<BenchShare> {
  const directory = scene.newFolder("data");
  const path = writeBenchFile(directory, length, { sparse });
  const torrent = `${path}.torrent`;
  const { code, child } = await runLocalbt(scene, [
    ...["create", path, "--output", torrent, "--piece-length", String(pieceLength), "--force"],
    ...(announce ? ["--announce", announce] : []),
  ], { deadlineMs: 120_000 });
  if (code !== 0) throw child.failure("made no torrent");
  return { directory, path, name: path.slice(directory.length + 1), length, torrent };
}

/** @throws when two files differ; both are read in parts */
export function assertSameFile(wanted: string, actual: string): void {
  using a = Deno.openSync(wanted);
  using b = Deno.openSync(actual);
  const [partA, partB] = [new Uint8Array(4 * MiB), new Uint8Array(4 * MiB)];
  for (let at = 0;; at += partA.length) {
    const [lengthA, lengthB] = [fill(a, partA), fill(b, partB)];
    const [viewA, viewB] = [partA.subarray(0, lengthA), partB.subarray(0, lengthB)];
    if (Buffer.compare(viewA, viewB) !== 0) throw new Error(`${actual} differs from ${wanted} behind offset ${at}`);
    if (lengthA < partA.length) return;
  }
}

function fill(file: Deno.FsFile, buffer: Uint8Array): number {
  let length = 0;
  while (length < buffer.length) {
    const count = file.readSync(buffer.subarray(length));
    if (count === null) break;
    length += count;
  }
  return length;
}
