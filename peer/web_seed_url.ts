/** Where a web seed has a file (BEP 19). */
import type { Metainfo } from "../lib/metainfo.ts";

/**
 * The URL of one file: for a torrent of several, and where the web seed's URL ends in a slash, the file's path in the
 * torrent is appended, each part percent-encoded.
 *
 * The path is its maker's own where that is harmless, else the safe one: `..` leads nowhere.
 */
export function webSeedFileUrl(
  webSeed: string,
  { files, isMultiFile }: Pick<Metainfo, "files" | "isMultiFile">,
  fileIndex: number,
): string {
  if (!isMultiFile && !webSeed.endsWith("/")) return webSeed;
  const { path, exactPath = path } = files[fileIndex];
  const folder = webSeed.endsWith("/") ? webSeed : `${webSeed}/`;
  return folder + exactPath.map((part) => encodeURIComponent(part.toWellFormed())).join("/");
}
