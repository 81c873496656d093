/** Keeps a second download of the same files out of a folder, where the two would write over each other. */
import { join, resolve } from "node:path";
import { safeText } from "../../lib/cli/text.ts";
import { UserError } from "../../lib/errors.ts";
import { ClaimedFile } from "../../lib/io/claimed_file.ts";
import type { Metainfo } from "../../lib/metainfo.ts";
import { isNameOfOurs, lockFileName } from "../resume.ts";

export class DownloadLock {
  #file: ClaimedFile | undefined;

  private constructor(file: ClaimedFile | undefined) {
    this.#file = file;
  }

  /**
   * Where nothing can be written none is needed: that is found out, and said, soon after.
   *
   * @throws UserError where it is taken, or where the torrent's name is that of a file of ours
   */
  static take(metainfo: Metainfo, directory: string): DownloadLock {
    if (isNameOfOurs(metainfo.name)) {
      throw new UserError(
        `download ${safeText(metainfo.name)}`,
        "its name is one that localbt keeps for its own files",
      );
    }
    let file: ClaimedFile | undefined;
    try {
      Deno.mkdirSync(directory, { recursive: true });
      file = ClaimedFile.claim(join(resolve(directory), lockFileName(metainfo)));
    } catch {
      return new DownloadLock(undefined);
    }
    if (file !== undefined) return new DownloadLock(file);
    throw new UserError(
      `download ${safeText(metainfo.name)} to ${directory}`,
      "another localbt is downloading that name to that folder",
      { hint: "wait for it, or give another folder with -o" },
    );
  }

  /** Lets others in; does nothing the second time. */
  release(): void {
    this.#file?.remove();
    this.#file = undefined;
  }
}
