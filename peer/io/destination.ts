/**
 * Where the files of a torrent are, or are to be: paths, folders, free space. Owns what must hold before a byte is
 * written: every folder below the download folder is a real folder, every file a real file or not there yet.
 *
 * A link in the way is refused: following it would let whoever laid it choose where a download writes. The download
 * folder itself is the user's word and may be a link.
 */
import fs from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import { formatSize } from "../../lib/cli/text.ts";
import { UserError } from "../../lib/errors.ts";
import { codeOf, diskError, isAbsence } from "../../lib/io/disk_error.ts";
import { isOnDisk, type Metainfo } from "../../lib/metainfo.ts";
import { settlesAt } from "../piece_check.ts";
import { type FileState, noFile } from "../resume.ts";

const absent: FileState = { ...noFile, isSettled: true, allocated: 0 };
const isWindows = Deno.build.os === "windows";

/** Absolute paths of the files to download; empty for padding and links. */
export function destinationPaths(metainfo: Metainfo, directory: string): string[] {
  const root = resolve(directory);
  return metainfo.files.map((file) => isOnDisk(file) ? pathBelow(root, file.path) : "");
}

/**
 * Absolute paths of files to read only; empty for padding and links. Where nothing is under a file's safe name, the
 * maker's own name is taken if something is there.
 */
export function sourcePaths(metainfo: Metainfo, directory: string): string[] {
  const root = resolve(directory);
  return metainfo.files.map((file) => {
    if (!isOnDisk(file)) return "";
    const path = pathBelow(root, file.path);
    if (file.exactPath === undefined || isWindows || sourceState(path).length >= 0) return path;
    const exact = pathBelow(root, file.exactPath);
    return sourceState(exact).length >= 0 ? exact : path;
  });
}

/** Like `join`, for names that hold no `.`, `..` or separator: it takes 3 us to find that out. */
function pathBelow(root: string, names: readonly string[]): string {
  return (root.endsWith(sep) ? root : root + sep) + names.join(sep);
}

/** What is at a path to read from; anything but a file counts as nothing. */
export function sourceState(path: string): FileState {
  if (path === "") return absent;
  try {
    const info = Deno.statSync(path);
    return info.isFile ? stateOf(info) : absent;
  } catch (error) {
    if (isAbsence(error)) return absent;
    throw diskError("read", path, error);
  }
}

/** What is at a path to write to, links not followed. @throws UserError when it is no file */
export function destinationState(path: string): FileState {
  if (path === "") return absent;
  const info = lstat(path);
  if (info === undefined) return absent;
  if (info.isFile) return stateOf(info);
  throw new UserError(`write ${path}`, info.isSymlink ? linkReason : "something that is no file is in the way");
}

const linkReason = "a link is in the way, and a download does not follow links";

/**
 * What is at each path to write to.
 *
 * @param isWanted whether a file, by its index, is to be downloaded; what is in the way of the others counts as nothing
 * @throws UserError where a link, or something else, is in the way
 */
export function surveyDestination(
  { metainfo, directory, isWanted }: {
    metainfo: Metainfo;
    directory: string;
    isWanted: (fileIndex: number) => boolean;
  },
): FileState[] {
  const root = resolve(directory);
  const folders = new Map<string, boolean>();
  const stateOfPath = (path: readonly string[]) => {
    let folder = root;
    for (const part of path.slice(0, -1)) {
      folder = join(folder, part);
      if (!folders.has(folder)) folders.set(folder, isRealFolder(folder));
      if (folders.get(folder) === false) return absent;
    }
    return destinationState(join(folder, path[path.length - 1]));
  };
  return metainfo.files.map((file, i) => {
    if (!isOnDisk(file)) return absent;
    try {
      return stateOfPath(file.path);
    } catch (error) {
      if (error instanceof UserError && !isWanted(i)) return absent;
      throw error;
    }
  });
}

/**
 * Makes the download folder and the folders of wanted files in it, one by one, and those of the files that have no bytes.
 *
 * @param isWanted whether a file, by its index, is to be downloaded
 * @throws UserError
 */
export function prepareDestination(
  { metainfo, directory, isWanted }: {
    metainfo: Metainfo;
    directory: string;
    isWanted: (fileIndex: number) => boolean;
  },
): void {
  const root = resolve(directory);
  makeRoot(root);
  const made = new Set<string>();
  metainfo.files.forEach((file, i) => {
    if (!isOnDisk(file) || !isWanted(i)) return;
    let folder = root;
    for (const part of file.path.slice(0, -1)) {
      folder = join(folder, part);
      if (made.has(folder)) continue;
      if (!isRealFolder(folder)) makeFolder(folder);
      made.add(folder);
    }
    if (file.length === 0) makeEmptyFile(join(folder, file.path[file.path.length - 1]));
  });
}

/** Sets the executable bit of the wanted files that have it in the torrent, for whoever may read them. */
export function markExecutables(
  { metainfo, directory, isWanted }: {
    metainfo: Metainfo;
    directory: string;
    isWanted: (fileIndex: number) => boolean;
  },
): void {
  if (isWindows) return;
  destinationPaths(metainfo, directory).forEach((path, i) => {
    if (path === "" || !isWanted(i) || !metainfo.files[i].isExecutable) return;
    try {
      const mode = lstat(path)?.mode;
      if (mode !== undefined && mode !== null) Deno.chmodSync(path, (mode | ((mode & 0o444) >> 2)) & 0o777);
    } catch {
      // The data is whole; that a file system knows no modes is no reason to fail.
    }
  });
}

/**
 * Compares what is still to be written with the free space, where the system tells it.
 *
 * @param neededBytes bytes that the download will still take up
 * @throws UserError when it is too little
 */
export function checkFreeSpace({ directory, neededBytes }: { directory: string; neededBytes: number }): void {
  const freeBytes = freeSpaceOf(resolve(directory));
  if (freeBytes === undefined || freeBytes >= neededBytes) return;
  throw new UserError(
    `download to ${directory}`,
    `it needs ${formatSize(neededBytes)}, and ${formatSize(freeBytes)} are free`,
    { hint: "make room, or give a folder on another disk with -o" },
  );
}

/** Bytes that are free where a folder is or would be made; undefined where the system does not tell. */
export function freeSpaceOf(path: string): number | undefined {
  for (let folder = path;; folder = dirname(folder)) {
    try {
      const { bavail, bsize } = fs.statfsSync(folder);
      return bavail * bsize;
    } catch (error) {
      if (codeOf(error) !== "ENOENT" || folder === dirname(folder)) return undefined;
    }
  }
}

function stateOf(info: Deno.FileInfo): FileState {
  const stamp = {
    length: info.size,
    mtimeMs: Math.max(0, info.mtime?.getTime() ?? 0),
    ctimeMs: Math.max(0, info.ctime?.getTime() ?? 0),
    // 64 bits of which a number holds 53: still no two files of a folder are taken for one another.
    inode: (info.ino ?? 0) % 2 ** 53,
  };
  return {
    ...stamp,
    isSettled: Date.now() >= settlesAt(stamp),
    allocated: info.blocks === null ? info.size : Math.min(info.size, info.blocks * 512),
  };
}

/** Undefined when nothing is there. */
function lstat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw diskError("read", path, error);
  }
}

/** False when nothing is there. @throws UserError when something else is */
function isRealFolder(path: string): boolean {
  const info = lstat(path);
  if (info === undefined) return false;
  if (info.isDirectory) return true;
  const why = info.isSymlink ? linkReason : "a file is in the way of a folder of that name";
  throw new UserError(`write ${path}`, why);
}

function makeRoot(path: string): void {
  try {
    Deno.mkdirSync(path, { recursive: true });
    if (!Deno.statSync(path).isDirectory) throw new UserError(`write ${path}`, "it is no folder");
  } catch (error) {
    throw diskError("make the folder", path, error);
  }
}

function makeFolder(path: string): void {
  try {
    Deno.mkdirSync(path);
  } catch (error) {
    // Somebody else was faster: fine if what is there now is a folder.
    if (codeOf(error) !== "EEXIST" || !isRealFolder(path)) throw diskError("make the folder", path, error);
  }
}

function makeEmptyFile(path: string): void {
  if (destinationState(path).length >= 0) return;
  try {
    Deno.openSync(path, { write: true, createNew: true }).close();
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw diskError("make", path, error);
  }
}
