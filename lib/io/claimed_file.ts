/**
 * A file of ours at a fixed path that one running program at a time may have: by the system's lock on it, which ends with
 * the program however that ends. What a killed program left is taken over.
 *
 * Where the file system knows no locks (some network disks) nobody is kept out.
 */
import { codeOf } from "./disk_error.ts";

export class ClaimedFile {
  readonly path: string;
  readonly file: Deno.FsFile;

  private constructor(path: string, file: Deno.FsFile) {
    this.path = path;
    this.file = file;
  }

  /**
   * Claims the file, which is made if it is not there; its content is left as it is.
   *
   * @returns undefined while another program has it
   * @throws the system's error, also where a link or something that is no file is in the way
   */
  static claim(path: string): ClaimedFile | undefined {
    for (;;) {
      const file = openAt(path);
      let isOurs = false;
      try {
        if (!tryLock(file)) return undefined;
        // Who had it may have removed or renamed it between our opening and our lock: then ours is a file without a name.
        isOurs = inodeAt(path) === file.statSync().ino;
      } finally {
        if (!isOurs) file.close();
      }
      if (isOurs) return new ClaimedFile(path, file);
    }
  }

  /** Gives it up and removes it. */
  remove(): void {
    try {
      Deno.removeSync(this.path); // first: afterwards it might be another's
    } catch {
      // It is gone, or the disk is: the next program takes it over.
    }
    this.release();
  }

  /** Gives it up, wherever it lies by now. */
  release(): void {
    this.file.close();
  }
}

function openAt(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path, { read: true, write: true, createNew: true });
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  }
  if (!Deno.lstatSync(path).isFile) throw new Error("something that is no file is in the way");
  return Deno.openSync(path, { read: true, write: true });
}

function tryLock(file: Deno.FsFile): boolean {
  try {
    return file.tryLockSync(true);
  } catch {
    return true; // no locks here
  }
}

function inodeAt(path: string): number | null | undefined {
  try {
    const info = Deno.lstatSync(path);
    return info.isFile ? info.ino : undefined;
  } catch {
    return undefined;
  }
}
