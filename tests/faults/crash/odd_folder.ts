/** The folder that is downloaded while its downloader is killed: sizes, names, depths and modes of all kinds. */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { bencode } from "../../interop/reference_torrent.ts";
import { bytesFrom } from "../../interop/payload.ts";

export interface OddFile {
  readonly path: readonly string[];
  readonly offset: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly isExecutable: boolean;
}

export interface OddFolder {
  readonly name: string;
  readonly infoHash: string;
  readonly pieceLength: number;
  readonly files: readonly OddFile[];
  /** All files' bytes in order. */
  readonly content: Uint8Array<ArrayBuffer>;
  /** SHA-1 of each piece, in hex. */
  readonly hashes: readonly string[];
  readonly torrent: Uint8Array;
}

const name = "odd folder, ünï—¢ode 'quoted'";

/** Some forty files of `totalLength` bytes in all. */
export function oddFolder({ totalLength, pieceLength }: { totalLength: number; pieceLength: number }): OddFolder {
  const small = Array.from({ length: 30 }, (_, i) => ({ path: ["many", `d${i % 3}`, `${i}.txt`], length: i * i * 37 }));
  const plan: { path: string[]; length: number; isExecutable?: boolean }[] = [
    { path: ["tool"], length: 70_001, isExecutable: true },
    { path: ["empty"], length: 0 },
    { path: [".hidden"], length: 1 },
    ...small,
    { path: ["deep", "er", "and", "deeper", "still", "end.bin"], length: 3 * pieceLength },
    { path: ["bin", "run.sh"], length: 333, isExecutable: true },
    { path: ["bin", "empty-tool"], length: 0, isExecutable: true },
    { path: [" leading space", "naïve 日本語 🙂.dat"], length: 2 * pieceLength + 1 },
    { path: ["-dash", "$HOME;`x`#%20"], length: 12_345 },
    { path: ["x".repeat(180)], length: pieceLength - 1 },
  ];
  const left = totalLength - plan.reduce((sum, { length }) => sum + length, 0);
  plan.push({ path: ["large.bin"], length: Math.ceil(left * 0.7) }, {
    path: ["zz.bin"],
    length: Math.floor(left * 0.3),
  });
  let offset = 0;
  const files = plan.map(({ path, length, isExecutable = false }, i) => {
    const file = { path, offset, bytes: bytesFrom(i + 7, length), isExecutable };
    offset += length;
    return file;
  });
  const content = new Uint8Array(offset);
  for (const file of files) content.set(file.bytes, file.offset);
  return { ...describe(files, content, pieceLength), name, pieceLength, files, content };
}

function describe(files: readonly OddFile[], content: Uint8Array, pieceLength: number) {
  const digests: Uint8Array[] = [];
  for (let at = 0; at < content.length; at += pieceLength) {
    digests.push(createHash("sha1").update(content.subarray(at, at + pieceLength)).digest());
  }
  const pieces = new Uint8Array(20 * digests.length);
  digests.forEach((digest, i) => pieces.set(digest, 20 * i));
  const entries = files.map(({ path, bytes, isExecutable }) =>
    new Map<string, string | number | readonly string[]>([
      ...(isExecutable ? [["attr", "x"] as const] : []),
      ["length", bytes.length],
      ["path", path],
    ])
  );
  const info = new Map<string, Uint8Array | string | number | typeof entries>([
    ["files", entries],
    ["name", name],
    ["piece length", pieceLength],
    ["pieces", pieces],
  ]);
  return {
    infoHash: createHash("sha1").update(bencode(info)).digest("hex"),
    hashes: digests.map(hex),
    torrent: bencode(new Map([["info", info]])),
  };
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Writes it below `directory`, for a seeder. */
export function writeOddFolder(folder: OddFolder, directory: string): void {
  for (const { path, bytes, isExecutable } of folder.files) {
    const place = join(directory, folder.name, ...path);
    Deno.mkdirSync(dirname(place), { recursive: true });
    Deno.writeFileSync(place, bytes, { mode: isExecutable ? 0o755 : 0o644 });
  }
}

/**
 * What is wrong in `directory`, which should hold the folder and nothing else: bytes, modes, leftovers.
 *
 * @param options.modes false where the torrent tells no modes
 */
export function faultsOf(folder: OddFolder, directory: string, { modes = true } = {}): string[] {
  const wanted = new Map(folder.files.map((file) => [[folder.name, ...file.path].join("/"), file]));
  const faults: string[] = [];
  for (const path of filesBelow(directory)) {
    const file = wanted.get(path);
    wanted.delete(path);
    if (file === undefined) {
      faults.push(`${path} was left over`);
      continue;
    }
    const bytes = Deno.readFileSync(join(directory, path));
    const isSame = bytes.length === file.bytes.length && bytes.every((byte, i) => byte === file.bytes[i]);
    if (!isSame) faults.push(`${path} is not what it should be`);
    const mode = Deno.statSync(join(directory, path)).mode ?? 0;
    if (modes && Deno.build.os !== "windows" && ((mode & 0o100) !== 0) !== file.isExecutable) {
      faults.push(`${path} has the mode ${mode.toString(8)}`);
    }
  }
  return [...faults, ...Array.from(wanted.keys(), (path) => `${path} is missing`)];
}

/** Paths of all that is no folder, relative, with `/`. */
export function* filesBelow(directory: string, prefix = ""): Generator<string> {
  for (const entry of Deno.readDirSync(join(directory, prefix))) {
    const path = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
    if (entry.isDirectory) yield* filesBelow(directory, path);
    else yield path;
  }
}
