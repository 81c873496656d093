/** Where the data of a torrent is looked for when nobody says: beside the torrent, then here. */
import { dirname, join } from "node:path";
import type { Metainfo } from "../../lib/metainfo.ts";

/**
 * The folder that holds the torrent's file or folder, whole or in part; the torrent's own folder if none does.
 *
 * @param torrentPath path of the .torrent file
 */
export async function findDataDirectory(metainfo: Metainfo, torrentPath: string): Promise<string> {
  const beside = dirname(torrentPath);
  for (const directory of [beside, "."]) {
    if (await exists(join(directory, metainfo.name))) return directory;
  }
  return beside;
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
}
