/** `localbt create`: a file or folder -> a .torrent file. Owns the options' meaning and the order of the work. */
import { basename, dirname, join, resolve } from "node:path";
import { command, count, flag, size, text, texts } from "../../lib/cli/args.ts";
import type { Context } from "../../lib/cli/context.ts";
import { summaries } from "../../lib/cli/summaries.ts";
import { formatCount, formatSize, safeText } from "../../lib/cli/text.ts";
import { ExitCode, UserError } from "../../lib/errors.ts";
import type { InfoHash } from "../../lib/ids.ts";
import type { Layout } from "../../lib/layout.ts";
import { diskWorkersMax } from "../../lib/limits/disk.ts";
import { pieceLengthMax } from "../../lib/limits/torrent_file.ts";
import { blockLength } from "../../lib/limits/wire.ts";
import { formatMagnet } from "../../lib/magnet.ts";
import { parseTrackerUrl, parseWebSeedUrl } from "../../lib/remote_url.ts";
import { buildTorrent } from "../../lib/torrent_builder.ts";
import { PathPattern } from "../path_pattern.ts";
import { chooseName, hashSource, warnOfNames } from "./source_hashing.ts";
import type { SourceFiles } from "./source_files.ts";
import { stopCode } from "./stop_code.ts";
import { TorrentOutput } from "./torrent_output.ts";

/** What the user asked for, checked. */
interface Wish {
  readonly source: string;
  readonly name: string | undefined;
  readonly announce: readonly (readonly string[])[];
  readonly webSeeds: readonly string[];
  readonly pieceLength: number | undefined;
  readonly workers: number | undefined;
  readonly exclude: readonly PathPattern[];
}

export const createCommand = command({
  name: "create",
  summary: summaries.create,
  operands: "<file or folder>",
  options: {
    announce: texts({ short: "a", value: "URL", help: "a tracker; each is a tier of its own, a,b are one tier" }),
    output: text({ short: "o", value: "FILE", help: "where to write it, - for stdout (default: <name>.torrent here)" }),
    pieceLength: size({
      short: "l",
      value: "SIZE",
      help: "bytes of a piece (default: 16K to 16M, by the size of the data)",
      min: blockLength,
      max: pieceLengthMax,
    }),
    comment: text({ short: "c", value: "TEXT", help: "a comment" }),
    private: flag({ short: "p", help: "peers from the trackers only" }),
    webSeed: texts({ short: "w", value: "URL", help: "a web server that has the data" }),
    source: text({ value: "TEXT", help: "a source tag, which changes the info hash" }),
    name: text({ value: "NAME", help: "the torrent's name (default: that of the file or folder)" }),
    exclude: texts({ value: "GLOB", help: "leave out what matches: *.tmp, cache/, docs/**/*.bak" }),
    noDate: flag({ help: "write no date (default: SOURCE_DATE_EPOCH, else the newest file's)" }),
    dryRun: flag({ help: "do everything but write the file" }),
    force: flag({ help: "overwrite the output" }),
    workers: count({
      value: "N",
      help: "threads that read and hash (default: one a core; 1 for a spinning disk)",
      min: 1,
      max: diskWorkersMax,
    }),
  },
  examples: [
    "localbt create -a http://192.168.1.20:6969/announce holiday",
    "localbt create -a http://a.example/announce -a udp://b.example:6969 -o /tmp/x.torrent big.iso",
    "localbt create --exclude '*.tmp' --no-date -c 'for everybody' -o - docs > docs.torrent",
  ],
  async run(context, values, [source]) {
    const wish: Wish = {
      source,
      name: values.name,
      announce: readTiers(values.announce),
      webSeeds: values.webSeed.map((url) => readUrl(url, { option: "--web-seed", parse: parseWebSeedUrl })),
      pieceLength: values.pieceLength,
      workers: values.workers,
      exclude: values.exclude.map((pattern) => new PathPattern(pattern)),
    };
    const creationDate = readSourceDate(context.env("SOURCE_DATE_EPOCH"));
    const name = chooseName("create", wish);
    const output = await TorrentOutput.prepare({ ...values, path: values.output, name });
    if (output.isStdout && context.json) throw usage("--json and -o - both want stdout");
    try {
      const { files, layout, pieces } = await hashSource(context, {
        ...wish,
        ignore: new Set(output.path === undefined ? [] : [resolve(output.path)]),
      });
      const { bytes, infoHash } = buildTorrent({
        name,
        files: files.files,
        isMultiFile: files.isMultiFile,
        pieceLength: layout.pieceLength,
        pieces,
        announce: wish.announce,
        webSeeds: wish.webSeeds,
        ...(values.comment !== undefined && { comment: values.comment }),
        ...(values.private && { isPrivate: true }),
        ...(values.source !== undefined && { source: values.source }),
        ...(!values.noDate && { creationDate: creationDate ?? files.newestChange }),
        createdBy: `localbt/${context.version}`,
      });
      warnOfNames(context, files);
      if (!values.dryRun) {
        if (output.isStdout) context.out(bytes);
        else await output.write(bytes);
      }
      tell(context, { output, infoHash, name, files, layout, wish });
      return ExitCode.done;
    } catch (error) {
      if (context.stop.aborted) return stopCode(context.stop);
      throw error;
    }
  },
});

function usage(why: string): UserError {
  return new UserError("run create", why, { exitCode: ExitCode.usage, hint: "see localbt create --help" });
}

function readUrl(
  given: string,
  { option, parse }: { option: string; parse: (text: string) => string | undefined },
): string {
  const url = parse(given);
  if (url === undefined) throw usage(`${option} needs a URL, not "${safeText(given)}"`);
  return url;
}

/** Each `-a` is a tier; URLs in one, joined by commas, share it (BEP 12). */
function readTiers(given: readonly string[]): string[][] {
  return given.map((tier) =>
    tier.split(/,(?=[a-z]+:\/\/)/i).map((given) => {
      const url = readUrl(given, { option: "--announce", parse: parseTrackerUrl });
      const { protocol, port } = new URL(url);
      if (protocol === "udp:" && port === "") throw usage(`--announce needs a port for "${safeText(url)}"`);
      return url;
    })
  );
}

/** Unix time in seconds: see reproducible-builds.org. */
function readSourceDate(given: string | undefined): number | undefined {
  if (given === undefined || given === "") return undefined;
  if (!/^\d{1,12}$/.test(given)) {
    throw usage(`SOURCE_DATE_EPOCH is to be a number of seconds, not "${safeText(given)}"`);
  }
  return Number(given);
}

function tell(
  context: Context,
  { output, infoHash, name, files, layout, wish }: {
    output: TorrentOutput;
    infoHash: InfoHash;
    name: string;
    files: SourceFiles;
    layout: Layout;
    wish: Wish;
  },
): void {
  const { totalLength, pieceLength, pieceCount } = layout;
  const fileCount = files.files.length;
  const trackers = wish.announce.flat();
  const magnet = formatMagnet({ infoHash, name, trackers, webSeeds: [...wish.webSeeds], length: totalLength });
  const path = output.path ?? null;
  if (context.json) {
    const facts = { path, infoHash, magnet, totalLength, pieceLength, pieceCount, fileCount, name };
    return context.out(`${JSON.stringify(facts, undefined, 2)}\n`);
  }
  const sizes = `${formatCount(fileCount, "file")}, ${formatSize(totalLength)}, ` +
    `${formatCount(pieceCount, "piece")} of ${formatSize(pieceLength)}`;
  const lines = [`info hash  ${infoHash}`, `magnet     ${magnet}`, `data       ${sizes}`];
  if (path === null) return lines.forEach((line) => context.log(line));
  context.out(`${[`torrent    ${join(dirname(path), basename(path))}`, ...lines].join("\n")}\n`);
}
