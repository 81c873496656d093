/** Files and folders -> the torrents of a share, made in memory: the same data gives the same info hash. */
import { dirname, resolve } from "node:path";
import type { Context } from "../../lib/cli/context.ts";
import { formatHex } from "../../lib/bytes.ts";
import { safeText } from "../../lib/cli/text.ts";
import { ExitCode, UserError } from "../../lib/errors.ts";
import { listedSharesMax } from "../../lib/limits/shares.ts";
import { decodeMetainfo, type Metainfo } from "../../lib/metainfo.ts";
import { buildTorrent } from "../../lib/torrent_builder.ts";
import { chooseName, hashSource, warnOfNames } from "./source_hashing.ts";
import type { SourceFiles } from "./source_files.ts";

export interface MadeShare {
  readonly metainfo: Metainfo;
  /** What was shared, as it was when it was hashed. */
  readonly source: SourceFiles;
  /** In the torrent's order; the path is below the share's name, and empty for a single file. */
  readonly files: readonly { readonly path: readonly string[]; readonly length: number }[];
  /** Absolute paths, in the same order. */
  readonly paths: readonly string[];
  readonly directory: string;
}

/**
 * Hashes each, with progress; what is named twice is shared once.
 *
 * @param name of the only one; undefined for its own
 * @param isPinned the info hash is one that who has the same data cannot know, and peers come from the tracker alone
 * @throws UserError, or the reason of the context's stop
 */
export async function makeShares(
  context: Context,
  sources: readonly string[],
  { name, isPinned }: { name: string | undefined; isPinned: boolean },
): Promise<MadeShare[]> {
  if (sources.length > listedSharesMax) {
    throw new UserError("run share", `${sources.length} files and folders are too many: at most ${listedSharesMax}`, {
      exitCode: ExitCode.usage,
      hint: "put them into one folder and share that",
    });
  }
  const shares = new Map<string, MadeShare>();
  for (const source of sources) {
    const share = await makeShare(context, source, { name, isPinned });
    const { infoHash } = share.metainfo;
    if (shares.has(infoHash)) context.warn(`left out ${safeText(source)}: it is shared already`);
    else shares.set(infoHash, share);
  }
  return [...shares.values()];
}

async function makeShare(
  context: Context,
  source: string,
  { name, isPinned }: { name: string | undefined; isPinned: boolean },
): Promise<MadeShare> {
  const chosen = chooseName("share", { name, source });
  const { files, layout, pieces } = await hashSource(context, { source });
  const { bytes } = buildTorrent({
    name: chosen,
    files: files.files,
    isMultiFile: files.isMultiFile,
    pieceLength: layout.pieceLength,
    pieces,
    createdBy: `localbt/${context.version}`,
    ...(isPinned && { isPrivate: true, source: makeSalt() }),
  });
  warnOfNames(context, files);
  return {
    metainfo: decodeMetainfo(bytes),
    source: files,
    files: files.files,
    paths: files.files.map((file) => file.absolutePath),
    directory: dirname(resolve(source)),
  };
}

function makeSalt(): string {
  return `localbt ${formatHex(crypto.getRandomValues(new Uint8Array(16)))}`;
}
