/** Where the bench keeps its data: in memory (/dev/shm) where there is that, so that no disk is measured. */
import { Buffer } from "node:buffer";
import { runLocalbt } from "../interop/localbt.ts";
import { basename, join } from "../interop/path.ts";
import { assertHoldsPayload, bytesFrom, type PayloadKind, wordsFrom, writePayload } from "../interop/payload.ts";
import { Scene } from "../interop/scene.ts";

export const MiB = 2 ** 20;
export const GiB = 2 ** 30;

/** A file or folder to share. */
export interface BenchData {
  /** The folder that holds it. */
  readonly directory: string;
  readonly name: string;
  readonly path: string;
  /** Bytes in all. */
  readonly length: number;
  /** @throws when the copy in `directory` is not the same, byte by byte */
  assertSameIn(directory: string): void;
}

/** The same with its torrent. */
export interface BenchShare extends BenchData {
  readonly torrent: string;
  readonly pieceLength: number;
}

/** Files of a folder of many. */
const fileCount = 2000;
const openScenes = new Set<Scene>();

/** Opens a scene on the fastest storage of this machine. */
export async function openBenchScene(): Promise<Scene> {
  const scene = await Scene.open(isDirectory("/dev/shm") ? "/dev/shm" : undefined);
  openScenes.add(scene);
  scene.atEnd(() => void openScenes.delete(scene));
  return scene;
}

/** Ends what was started and removes what was written, for a bench that is stopped while it goes on. */
export async function closeBenchScenes(): Promise<void> {
  const scenes = [...openScenes];
  await Promise.allSettled(scenes.map((scene) => scene[Symbol.asyncDispose]()));
  // what the bench still wrote between the end of its children and its own
  await Promise.allSettled(scenes.map(({ folder }) => Deno.remove(folder, { recursive: true })));
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

/** Writes a file of random bytes; `sparse` makes one of zeros that takes no room. */
export function writeBigFile(directory: string, length: number, options: { sparse?: boolean } = {}): BenchData {
  const name = `bench-${length / MiB}.bin`;
  const path = join(directory, name);
  using file = Deno.openSync(path, { create: true, write: true });
  const partLength = 16 * MiB;
  if (options.sparse) file.truncateSync(length);
  else {
    for (let at = 0; at < length; at += partLength) {
      const part = bytesFrom(at / partLength + 1, Math.min(partLength, length - at));
      for (let done = 0; done < part.length;) done += file.writeSync(part.subarray(done));
    }
  }
  return { directory, name, path, length, assertSameIn: (target) => assertSameFile(path, join(target, name)) };
}

/** Writes 2,000 files of 4 to 64 KiB, two folders deep: 70 MB. */
export function writeSmallFiles(directory: string): BenchData {
  const next = wordsFrom(7);
  return writeFolder(directory, "small", Array.from({ length: fileCount }, () => 4096 + next() % (60 * 1024)));
}

/** Writes 2,000 files that have `length` bytes together, so that what a file costs shows beside what a byte costs. */
export function writeManyFiles(directory: string, length: number): BenchData {
  return writeFolder(directory, "many", Array.from({ length: fileCount }, () => Math.floor(length / fileCount)));
}

function writeFolder(directory: string, name: string, lengths: readonly number[]): BenchData {
  const kind: PayloadKind = {
    label: name,
    name,
    pieceLength: 0,
    seed: 7,
    files: lengths.map((length, i) => ({
      path: [`d${i % 20}`, `e${Math.floor(i / 20) % 10}`, `f${i}.dat`],
      length,
    })),
  };
  const payload = writePayload(kind, directory);
  return {
    directory,
    name: kind.name,
    path: join(directory, kind.name),
    length: payload.totalLength,
    assertSameIn: (target) => assertHoldsPayload(payload, target),
  };
}

/** Makes a torrent by our `create`. */
export async function torrentOf(
  scene: Scene,
  data: BenchData,
  { pieceLength, announce }: { pieceLength: number; announce?: string },
): Promise<BenchShare> {
  const torrent = join(scene.newFolder("torrent"), `${basename(data.path)}.torrent`);
  const { code, child } = await runLocalbt(scene, [
    ...["create", data.path, "--output", torrent, "--piece-length", String(pieceLength)],
    ...(announce ? ["--announce", announce] : []),
  ], { deadlineMs: 120_000 });
  if (code !== 0) throw child.failure("made no torrent");
  return { ...data, torrent, pieceLength };
}

function assertSameFile(wanted: string, actual: string): void {
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
