/** The torrents that a tracker is told to track, from their files. */
import { ExitCode, ProtocolError, reasonOf, UserError } from "../../lib/errors.ts";
import type { InfoHash } from "../../lib/ids.ts";
import { torrentBytesMax } from "../../lib/limits/torrent_file.ts";
import { decodeMetainfo } from "../../lib/metainfo.ts";

/**
 * The info hashes of some .torrent files.
 *
 * @throws UserError naming the file that cannot be read (exit code 1) or is no torrent (3)
 */
export async function readAllowList(paths: readonly string[]): Promise<Set<InfoHash>> {
  const allow = new Set<InfoHash>();
  for (const path of paths) allow.add(await readInfoHash(path));
  return allow;
}

async function readInfoHash(path: string): Promise<InfoHash> {
  const doing = `read ${path}`;
  let bytes: Uint8Array;
  try {
    const { size, isDirectory } = await Deno.stat(path);
    if (isDirectory) throw new UserError(doing, "it is a folder, not a .torrent file");
    if (size > torrentBytesMax) throw new ProtocolError(`it is larger than ${torrentBytesMax} bytes`);
    bytes = await Deno.readFile(path);
    return decodeMetainfo(bytes).infoHash;
  } catch (error) {
    if (error instanceof UserError) throw error;
    if (error instanceof ProtocolError) {
      throw new UserError(doing, `it is not a valid torrent (${error.message})`, { exitCode: ExitCode.notATorrent });
    }
    if (error instanceof Deno.errors.NotFound) throw new UserError(doing, "there is no such file");
    if (error instanceof Deno.errors.PermissionDenied) throw new UserError(doing, "permission denied");
    throw new UserError(doing, reasonOf(error));
  }
}
