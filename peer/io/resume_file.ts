/**
 * The resume file in the download folder: read with suspicion, replaced as a whole, removed at the end.
 *
 * What it says and when that may be believed is peer/resume.ts's matter.
 */
import { join, resolve } from "node:path";
import { diskError, isAbsence } from "../../lib/io/disk_error.ts";
import { resumeBytesMax } from "../../lib/limits/disk.ts";
import type { Metainfo } from "../../lib/metainfo.ts";
import { decodeResume, encodeResume, resumeFileName, type ResumeState } from "../resume.ts";
import { flushFolder, writeFlushed } from "./flush.ts";

export class ResumeFile {
  readonly #metainfo: Metainfo;
  readonly #folder: string;
  readonly path: string;

  constructor({ metainfo, directory }: { metainfo: Metainfo; directory: string }) {
    this.#metainfo = metainfo;
    this.#folder = resolve(directory);
    this.path = join(this.#folder, resumeFileName(metainfo));
  }

  /** What it says; undefined when it is not there or cannot be believed. */
  async read(): Promise<ResumeState | undefined> {
    const { infoHash, pieceCount, files } = this.#metainfo;
    try {
      const info = await Deno.lstat(this.path);
      if (!info.isFile || info.size > resumeBytesMax) return undefined;
      const bytes = await Deno.readFile(this.path);
      return decodeResume(bytes, { infoHash, pieceCount, fileCount: files.length });
    } catch {
      // Without it everything is checked: slower, never wrong.
      return undefined;
    }
  }

  /**
   * Replaces it: after a crash there is the old one or the new one, whole.
   *
   * The data that it vouches for has been flushed before. Rejects with UserError.
   */
  async write(state: ResumeState): Promise<void> {
    const temporary = `${this.path}.tmp`;
    try {
      await removeIfThere(temporary);
      {
        using file = await Deno.open(temporary, { write: true, createNew: true });
        await writeFlushed(file, encodeResume(state));
      }
      await Deno.rename(temporary, this.path);
    } catch (error) {
      await removeIfThere(temporary).catch(() => {}); // what matters is why it could not be written
      throw diskError("write", this.path, error);
    }
    await flushFolder(this.#folder);
  }

  /** Removes it. Rejects with UserError. */
  async remove(): Promise<void> {
    try {
      await removeIfThere(`${this.path}.tmp`);
      await removeIfThere(this.path);
    } catch (error) {
      throw diskError("remove", this.path, error);
    }
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!isAbsence(error)) throw error;
  }
}
