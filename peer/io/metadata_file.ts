/**
 * The metadata of a magnet link beside a download that is not finished, so that the next run needs no peer to go on.
 *
 * Its content proves itself: what does not have the link's hash is not there. A fault costs only the second fetch.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Bytes } from "../../lib/bytes.ts";
import { type InfoHash, infoHashFromBytes } from "../../lib/ids.ts";
import { metadataBytesMax } from "../../lib/limits/wire.ts";

export class MetadataFile {
  readonly #directory: string;
  readonly #infoHash: InfoHash;
  readonly #path: string;

  constructor({ directory, infoHash }: { directory: string; infoHash: InfoHash }) {
    this.#directory = directory;
    this.#infoHash = infoHash;
    this.#path = join(directory, `.${infoHash}.localbt-metadata`);
  }

  /** The raw info dictionary; undefined when it is not there or not right. */
  async read(): Promise<Bytes | undefined> {
    try {
      const { isFile, size } = await Deno.lstat(this.#path);
      if (!isFile || size > metadataBytesMax) return undefined;
      const bytes = await Deno.readFile(this.#path);
      return infoHashFromBytes(createHash("sha1").update(bytes).digest()) === this.#infoHash ? bytes : undefined;
    } catch {
      return undefined;
    }
  }

  async write(infoBytes: Uint8Array): Promise<void> {
    try {
      await Deno.mkdir(this.#directory, { recursive: true });
      await this.remove();
      await Deno.writeFile(this.#path, infoBytes, { createNew: true }); // never through a link that lies there
    } catch {
      // Where nothing can be written the download says so.
    }
  }

  async remove(): Promise<void> {
    try {
      await Deno.remove(this.#path);
    } catch {
      // It was not there.
    }
  }
}
