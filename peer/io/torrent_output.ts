/** Where `create` writes: looked at before the work, replaced as a whole after it. */
import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { ClaimedFile } from "../../lib/io/claimed_file.ts";
import { diskError, isAbsence } from "../../lib/io/disk_error.ts";
import { flushFolder, writeFlushed } from "./flush.ts";

export class TorrentOutput {
  /** The file; undefined for stdout. */
  readonly path: string | undefined;
  readonly #force: boolean;

  private constructor(path: string | undefined, force: boolean) {
    this.path = path;
    this.#force = force;
  }

  get isStdout(): boolean {
    return this.path === undefined;
  }

  /**
   * Finds out where to write, before hours of hashing.
   *
   * @param path as given: a file, a folder to put `<name>.torrent` into, `-` for stdout; undefined for here
   * @returns rejects with UserError when there is such a file and `force` does not allow to overwrite it
   */
  static async prepare(
    { path, name, force, dryRun }: { path: string | undefined; name: string; force: boolean; dryRun: boolean },
  ): Promise<TorrentOutput> {
    if (path === "-") return new TorrentOutput(undefined, force);
    const fileName = `${name}.torrent`;
    const info = await statOf(path ?? fileName);
    const file = path !== undefined && info?.isDirectory ? join(path, fileName) : path ?? fileName;
    const output = new TorrentOutput(file, force);
    if (!dryRun) await output.#refuseOverwriting();
    return output;
  }

  /**
   * Writes the file under another name and gives it its own when it is whole and on the disk itself, so that it is there
   * whole or not at all, whenever the power goes. Rejects with UserError.
   */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.path === undefined) throw new Error("stdout is not written here");
    let unfinished: ClaimedFile | undefined;
    try {
      unfinished = ClaimedFile.claim(unfinishedPath(this.path));
      if (unfinished === undefined) throw new UserError(`write ${this.path}`, "another localbt is writing it just now");
      await writeFlushed(unfinished.file, bytes);
      // Somebody may have made it while we hashed.
      await this.#refuseOverwriting();
      await Deno.rename(unfinished.path, this.path);
      unfinished.release();
    } catch (error) {
      unfinished?.remove();
      throw diskError("write", this.path, error);
    }
    await flushFolder(dirname(this.path));
  }

  async #refuseOverwriting(): Promise<void> {
    const path = this.path ?? "";
    const info = await statOf(path);
    if (info === undefined) return;
    if (info.isDirectory) throw new UserError(`write ${path}`, "it is a folder");
    if (!this.#force) {
      throw new UserError(`write ${path}`, "it exists already", { hint: "give --force to overwrite it" });
    }
  }
}

/** Beside the file, hidden, and short whatever its name. */
function unfinishedPath(path: string): string {
  const id = createHash("sha1").update(basename(path)).digest("hex").slice(0, 16);
  return join(dirname(path), `.${id}.localbt-new`);
}

async function statOf(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw diskError("write", path, error);
  }
}
