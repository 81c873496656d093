/**
 * The files that a torrent is made of, found on the disk in an order that is the same everywhere: name by name, folder by
 * folder, by the bytes of the UTF-8 names.
 *
 * Hidden files stay in; links and what is no file are left out, and said. What was seen (sizes, times of change, folders)
 * is remembered, so that a change while the data was read is an error and never a wrong torrent.
 */
import { basename, join, resolve, sep } from "node:path";
import { safeText } from "../../lib/cli/text.ts";
import { UserError } from "../../lib/errors.ts";
import { isSafeToCreate } from "../../lib/file_path.ts";
import { diskError } from "../../lib/io/disk_error.ts";
import { fileCountMax } from "../../lib/limits/torrent_file.ts";
import type { PathPattern } from "../path_pattern.ts";

export interface SourceFile {
  /** Names below the root; empty when the root is a file. */
  readonly path: readonly string[];
  readonly absolutePath: string;
  /** Bytes. */
  readonly length: number;
}

/** What a file or a folder looked like when it was listed. */
interface Snapshot {
  readonly path: string;
  readonly size: number;
  readonly mtimeMs: number;
  readonly inode: number | null;
  /** Names in a folder; undefined for a file. Times of change are too coarse to tell of a name that just came. */
  readonly entryCount?: number;
}

export interface SourceOptions {
  /** The file or folder; it may be a link to one. */
  readonly path: string;
  readonly exclude?: readonly PathPattern[];
  /** Absolute paths that are left out silently, such as the torrent that is being made. */
  readonly ignore?: ReadonlySet<string>;
  /** Told what is left out, and why. */
  readonly onSkip?: (path: string, why: string) => void;
  readonly signal?: AbortSignal;
}

/** Entries listed between two looks at the signal. */
const entriesPerTurn = 2000;

export class SourceFiles {
  /** The last name of the path: the torrent's name. */
  readonly name: string;
  /** The root is a folder. */
  readonly isMultiFile: boolean;
  /** In the order of the torrent. */
  readonly files: readonly SourceFile[];
  readonly #snapshots: readonly Snapshot[];

  private constructor(
    root: string,
    isMultiFile: boolean,
    files: readonly SourceFile[],
    snapshots: readonly Snapshot[],
  ) {
    this.name = basename(root);
    this.isMultiFile = isMultiFile;
    this.files = files;
    this.#snapshots = snapshots;
  }

  /** Lists what is there. Rejects with UserError, or the signal's reason. */
  static async list(options: SourceOptions): Promise<SourceFiles> {
    const root = resolve(options.path);
    const info = statOf(root, Deno.statSync);
    if (info.isFile) {
      const file = { path: [], absolutePath: root, length: info.size };
      return new SourceFiles(root, false, [file], [snapshotOf(root, info)]);
    }
    if (!info.isDirectory) throw new UserError(`read ${options.path}`, "it is neither a file nor a folder");
    const walk = new Walk(options);
    await walk.folder(root, [], info);
    return new SourceFiles(root, true, walk.files, walk.snapshots);
  }

  /** Bytes of all files. */
  get totalLength(): number {
    return this.files.reduce((total, file) => total + file.length, 0);
  }

  /** When the newest file was changed: whole seconds since 1970. */
  get newestChange(): number {
    const paths = new Set(this.files.map((file) => file.absolutePath));
    let newestMs = 0;
    for (const { path, mtimeMs } of this.#snapshots) if (paths.has(path)) newestMs = Math.max(newestMs, mtimeMs);
    return Math.floor(newestMs / 1000);
  }

  /** Names in all folders, at the start. */
  get nameCount(): number {
    return this.#snapshots.reduce((sum, { entryCount = 0 }) => sum + entryCount, 0);
  }

  /** Whether as many names are in each folder as there were. @throws UserError where one cannot be read */
  hasSameNames(): boolean {
    return this.#snapshots.every(({ path, entryCount }) =>
      entryCount === undefined || namesIn(path).length === entryCount
    );
  }

  /** Looks at everything again. @throws UserError when a file or folder is not as it was */
  checkUnchanged(): void {
    for (const before of this.#snapshots) {
      const now = snapshotOf(before.path, statOf(before.path, Deno.statSync));
      const isSame = now.size === before.size && now.mtimeMs === before.mtimeMs && now.inode === before.inode;
      if (isSame && (before.entryCount === undefined || namesIn(before.path).length === before.entryCount)) continue;
      throw new UserError(`read ${before.path}`, "it changed while it was read", {
        hint: "wait until nothing writes to it any more, then try again",
      });
    }
  }
}

class Walk {
  readonly files: SourceFile[] = [];
  readonly snapshots: Snapshot[] = [];
  readonly #options: SourceOptions;
  #entryCount = 0;

  constructor(options: SourceOptions) {
    this.#options = options;
  }

  async folder(absolutePath: string, path: readonly string[], info: Deno.FileInfo): Promise<void> {
    const names = namesIn(absolutePath);
    // JavaScript's own order is that of UTF-8 but for surrogates, and its sort knows it best.
    names.sort(names.some((name) => surrogate.test(name)) ? compareUtf8 : undefined);
    // Not `join`: it takes 3 us to find that there is nothing to normalize.
    const prefix = absolutePath.endsWith(sep) ? absolutePath : absolutePath + sep;
    this.snapshots.push({ ...snapshotOf(absolutePath, info), entryCount: names.length });
    for (const name of names) {
      await this.#entry(prefix + name, [...path, name]);
    }
  }

  async #entry(absolutePath: string, path: readonly string[]): Promise<void> {
    const { exclude = [], ignore, signal } = this.#options;
    if (++this.#entryCount % entriesPerTurn === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    signal?.throwIfAborted();
    if (ignore?.has(absolutePath)) return;
    const info = lstatOf(absolutePath);
    if (exclude.some((pattern) => pattern.matches(path, { isFolder: info.isDirectory }))) return;
    if (info.isSymlink) return this.#skip(absolutePath, "it is a link");
    if (!info.isFile && !info.isDirectory) return this.#skip(absolutePath, "it is neither a file nor a folder");
    if (!isSafeToCreate(path[path.length - 1])) {
      throw new UserError(`share ${absolutePath}`, "its name has characters that other programs refuse", {
        hint: "rename it, or leave it out with --exclude",
      });
    }
    if (info.isDirectory) return await this.folder(absolutePath, path, info);
    if (this.files.length >= fileCountMax) {
      throw new UserError(`share ${this.#options.path}`, `it has over ${fileCountMax} files`);
    }
    this.files.push({ path, absolutePath, length: info.size });
    this.snapshots.push(snapshotOf(absolutePath, info));
  }

  #skip(path: string, why: string): void {
    this.#options.onSkip?.(path, why);
  }
}

const surrogate = /[\ud800-\udfff]/;

/**
 * The order of names by the bytes of their UTF-8 form, which is that of their code points; JavaScript's own order differs
 * above U+FFFF.
 */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left === right) continue;
    // Surrogates stand for code points above all others.
    const leftIsHigh = left >= 0xd800 && left <= 0xdfff;
    const rightIsHigh = right >= 0xd800 && right <= 0xdfff;
    return leftIsHigh === rightIsHigh ? left - right : leftIsHigh ? 1 : -1;
  }
  return a.length - b.length;
}

/**
 * @throws UserError where a name is not valid UTF-8: it could be neither opened nor written into a torrent. Deno 2.7 does
 * not even list such names (2.9 shows U+FFFD for the bad bytes): there they are left out unseen.
 */
function namesIn(path: string): string[] {
  try {
    const names = Array.from(Deno.readDirSync(path), (entry) => entry.name);
    for (const name of names) {
      if (name.includes("\ufffd") && !exists(join(path, name))) {
        throw new UserError(`read ${safeText(join(path, name))}`, "its name is not valid UTF-8", { hint: "rename it" });
      }
    }
    return names;
  } catch (error) {
    throw diskError("read", path, error);
  }
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

function lstatOf(path: string): Deno.FileInfo {
  return statOf(path, Deno.lstatSync);
}

function statOf(path: string, stat: (path: string) => Deno.FileInfo): Deno.FileInfo {
  try {
    return stat(path);
  } catch (error) {
    throw diskError("read", path, error);
  }
}

function snapshotOf(path: string, info: Deno.FileInfo): Snapshot {
  return { path, size: info.size, mtimeMs: info.mtime?.getTime() ?? 0, inode: info.ino };
}
