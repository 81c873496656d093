/** Putting files and folders on the disk itself: what was not is lost in a power cut, whatever was written. */
import fs from "node:fs";
import { open } from "node:fs/promises";
import { codeOf, diskError } from "../../lib/io/disk_error.ts";
import { flushLanes } from "../../lib/limits/disk.ts";

/** Windows flushes only what is open for writing; elsewhere a file that may only be read can be flushed, too. */
const access = Deno.build.os === "windows" ? fs.constants.O_RDWR : fs.constants.O_RDONLY;
/** Neither follows a link nor waits for a fifo that somebody laid in the way; zero where the system knows no such flag. */
const guarded = access | (fs.constants.O_NOFOLLOW ?? 0) | (fs.constants.O_NONBLOCK ?? 0);
/** What file systems say that cannot do it. */
const notKnown: ReadonlySet<string> = new Set(["EINVAL", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"]);

/** Puts the files' data on the disk itself, some at a time. Rejects with UserError. */
export async function flushFiles(paths: readonly string[]): Promise<void> {
  const queue = paths.values();
  const lane = async () => {
    for (const path of queue) await flushFile(path);
  };
  await Promise.all(Array.from({ length: flushLanes }, lane));
}

async function flushFile(path: string): Promise<void> {
  try {
    const file = await open(path, guarded);
    try {
      await file.datasync();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!notKnown.has(codeOf(error))) throw diskError("write", path, error);
  }
}

/** Makes names last. Not every system can open a folder: there, the system looks after it. */
export async function flushFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, fs.constants.O_RDONLY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch {
    // At worst a file is missing after a power cut, and is fetched again.
  }
}

/** Makes these bytes all that the file holds, and puts them on the disk itself. */
export async function writeFlushed(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  await file.truncate();
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
  await file.sync();
}
