/** Reads .torrent files from the disk, never more of them than a torrent may have. Their meaning is lib/metainfo.ts's. */
import { ExitCode, ProtocolError, UserError } from "../errors.ts";
import { torrentBytesMax } from "../limits/torrent_file.ts";
import { MiB } from "../limits/units.ts";
import { decodeMetainfo, type Metainfo } from "../metainfo.ts";
import { diskError } from "./disk_error.ts";

/**
 * Reads and checks a .torrent file.
 *
 * @throws UserError naming the file: exit code 1 when it cannot be read, 3 when it is no valid torrent
 */
export async function readTorrentFile(path: string): Promise<Metainfo> {
  const doing = `read ${path}`;
  let bytes: Uint8Array;
  try {
    if ((await Deno.stat(path)).isDirectory) throw new UserError(doing, "it is a folder, not a .torrent file");
    bytes = await readBounded(path);
  } catch (error) {
    throw diskError("read", path, error);
  }
  try {
    return decodeMetainfo(bytes);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new UserError(doing, error.message, { exitCode: ExitCode.notATorrent });
  }
}

/** The bytes of a file, one more than a torrent may have at most; what a device says about its size is not believed. */
async function readBounded(path: string): Promise<Uint8Array> {
  using file = await Deno.open(path);
  let bytes = new Uint8Array(1 * MiB);
  let length = 0;
  while (length <= torrentBytesMax) {
    if (length === bytes.length) {
      const larger = new Uint8Array(Math.min(2 * bytes.length, torrentBytesMax + 1));
      larger.set(bytes);
      bytes = larger;
    }
    const count = await file.read(bytes.subarray(length));
    if (count === null) break;
    length += count;
  }
  return bytes.subarray(0, length);
}
