/**
 * A file or folder on the disk -> the list of its files and the hashes of its pieces: what `create` and `share` make their
 * torrents of. Owns the order: list, hash with progress, look whether anything changed meanwhile.
 */
import { basename, resolve } from "node:path";
import type { Context } from "../../lib/cli/context.ts";
import { safeText } from "../../lib/cli/text.ts";
import { ExitCode, UserError } from "../../lib/errors.ts";
import { isSafeToCreate, safePart } from "../../lib/file_path.ts";
import { sweepPieces } from "../../lib/io/piece_sweep.ts";
import { Layout } from "../../lib/layout.ts";
import { checkTorrentSize, choosePieceLength } from "../../lib/torrent_builder.ts";
import type { PathPattern } from "../path_pattern.ts";
import { SourceFiles } from "./source_files.ts";
import { WorkProgress } from "./work_progress.ts";

/** What is to be hashed, and how. */
export interface SourceWish {
  /** Path of the file or folder. */
  readonly source: string;
  readonly pieceLength?: number | undefined;
  /** Threads; one a core without it. */
  readonly workers?: number | undefined;
  readonly exclude?: readonly PathPattern[];
  /** Absolute paths that are left out silently. */
  readonly ignore?: ReadonlySet<string>;
}

/** What was found. */
export interface HashedSource {
  readonly files: SourceFiles;
  readonly layout: Layout;
  /** SHA-1 of each piece, 20 bytes each. */
  readonly pieces: Uint8Array;
}

/**
 * The torrent's name: as given, or that of the file or folder.
 *
 * @throws UserError when it cannot be in a torrent
 */
export function chooseName(command: string, { name, source }: { name: string | undefined; source: string }): string {
  const chosen = name ?? basename(resolve(source));
  if (isSafeToCreate(chosen)) return chosen;
  if (name === undefined) {
    throw new UserError(`share ${safeText(source)}`, "its name cannot be in a torrent", {
      hint: "give one with --name",
    });
  }
  throw new UserError(`run ${command}`, `--name "${safeText(name)}" is no name that others can use`, {
    exitCode: ExitCode.usage,
    hint: `see localbt ${command} --help`,
  });
}

/** Lists, hashes with progress, and looks again. @throws UserError, or the reason of the context's stop */
export async function hashSource(context: Context, wish: SourceWish): Promise<HashedSource> {
  const files = await SourceFiles.list({
    path: wish.source,
    exclude: wish.exclude ?? [],
    ...(wish.ignore && { ignore: wish.ignore }),
    onSkip: (path, why) => context.warn(`left out ${safeText(path)}: ${why}`),
    signal: context.stop,
  });
  const { totalLength } = files;
  if (totalLength === 0) {
    const why = files.files.length === 0 ? "it has no files" : "there is no data in it: all files are empty";
    throw new UserError(`create a torrent of ${safeText(wish.source)}`, why);
  }
  const pieceLength = wish.pieceLength ?? choosePieceLength(totalLength);
  checkTorrentSize({ totalLength, pieceLength, fileCount: files.files.length });
  const lengths = files.files.map((file) => file.length);
  const layout = new Layout({ pieceLength, fileLengths: lengths });
  const progress = new WorkProgress(context, { label: `hashing ${safeText(files.name)}`, totalBytes: totalLength });
  let pieces: Uint8Array;
  try {
    const paths = files.files.map((file) => file.absolutePath);
    pieces = await sweepPieces("hash", {
      table: { paths, lengths, pieceLength, hashes: undefined },
      pieceCount: layout.pieceCount,
      byteCount: totalLength,
      threadCount: wish.workers,
      onProgress: (doneCount) => progress.update(doneCount * pieceLength),
      signal: context.stop,
    });
  } catch (error) {
    // A file that has become short, or gone, is better told as one that changed.
    if (!context.stop.aborted) files.checkUnchanged();
    throw error;
  } finally {
    progress.finish();
  }
  files.checkUnchanged();
  return { files, layout, pieces };
}

/** Says which names others will not get as they are. */
export function warnOfNames(context: Context, files: SourceFiles): void {
  const names = new Set(files.files.flatMap((file) => file.path));
  const changed = [...names].filter((name) => safePart(name) !== name);
  if (changed.length === 0) return;
  const more = changed.length > 1 ? ` and ${changed.length - 1} more` : "";
  context.warn(
    `names that not every system takes will be changed by who downloads them: ${safeText(changed[0])}${more}`,
  );
}
