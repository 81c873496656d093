/** Where `create` writes: looked at before the work, replaced as a whole after it. */
import { join } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { diskError, isAbsence } from "../../lib/io/disk_error.ts";

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

  /** Writes the file through a temporary one, so that it is there whole or not at all. Rejects with UserError. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.path === undefined) throw new Error("stdout is not written here");
    const temporary = `${this.path}.${Deno.pid}.tmp`;
    try {
      await Deno.writeFile(temporary, bytes, { createNew: true });
      // Somebody may have made it while we hashed.
      await this.#refuseOverwriting();
      await Deno.rename(temporary, this.path);
    } catch (error) {
      await Deno.remove(temporary).catch(() => {});
      throw diskError("write", this.path, error);
    }
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

async function statOf(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw diskError("write", path, error);
  }
}
