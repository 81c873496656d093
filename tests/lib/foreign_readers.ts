/** What transmission-show, `aria2c -S` and libtorrent read in a .torrent file, in common terms. */
import { type Need, runs } from "../interop/installed.ts";

export const needs = {
  transmission: { name: "transmission-show", isInstalled: () => runs(["transmission-show", "--version"]) },
  aria2: { name: "aria2c", isInstalled: () => runs(["aria2c", "--version"]) },
  libtorrent: {
    name: "python3-libtorrent",
    isInstalled: () => runs(["/usr/bin/python3", "-c", "import libtorrent"]),
  },
} as const satisfies Record<string, Need>;

/** What every one of the readers tells. */
export interface ForeignView {
  infoHash: string;
  name: string;
  pieceCount: number;
  /** Paths with the torrent's name first, and bytes where the reader gives them exactly. */
  files: { path: string; length: number | undefined }[];
  trackers: string[];
}

async function outputOf(program: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    stdin: "null",
    env: { LC_ALL: "C.UTF-8" },
  }).output();
  const text = new TextDecoder().decode(stdout);
  if (!success) throw new Error(`${program} failed: ${new TextDecoder().decode(stderr)}${text}`);
  return text;
}

function only(text: string, pattern: RegExp): string {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`no ${pattern} in: ${text}`);
  return found;
}

/** The lines between two headings. */
function section(text: string, from: string, to?: string): string[] {
  const rest = text.slice(text.indexOf(from) + from.length);
  return (to === undefined || !rest.includes(to) ? rest : rest.slice(0, rest.indexOf(to))).split("\n");
}

const isUrl = (text: string) => /^(?:https?|udp):/.test(text);

/** Sorted by path, as transmission-show prints them. */
export async function readByTransmission(
  path: string,
): Promise<ForeignView & { isPrivate: boolean; webSeeds: string[] }> {
  const text = await outputOf("transmission-show", [path]);
  const urls = section(text, "\nTRACKERS\n", "\nFILES\n").join("\n");
  const urlsIn = (part: string) => part.split("\n").map((line) => line.trim()).filter(isUrl);
  const [trackers, webSeeds = ""] = urls.split("\nWEBSEEDS\n");
  return {
    infoHash: only(text, /^ {2}Hash: (.*)$/m),
    name: only(text, /^Name: (.*)$/m),
    pieceCount: Number(only(text, /^ {2}Piece Count: (.*)$/m)),
    files: section(text, "\nFILES\n").filter((line) => line !== "")
      .map((line) => ({ path: only(line, /^ {2}(.*) \([^()]*\)$/), length: undefined })),
    trackers: urlsIn(trackers),
    webSeeds: urlsIn(webSeeds),
    isPrivate: /^ {2}Privacy: Private torrent$/m.test(text),
  };
}

export async function readByAria2(path: string): Promise<ForeignView> {
  const text = await outputOf("aria2c", ["--no-conf", "-S", path]);
  const lengths = [...text.matchAll(/^ {3}\|.*\(([0-9,]+)\)$/gm)].map(([, digits]) =>
    Number(digits.replaceAll(",", ""))
  );
  return {
    infoHash: only(text, /^Info Hash: (.*)$/m),
    name: only(text, /^Name: (.*)$/m),
    pieceCount: Number(only(text, /^The Number of Pieces: (.*)$/m)),
    files: [...text.matchAll(/^ *\d+\|\.\/(.*)$/gm)].map(([, file], i) => ({ path: file, length: lengths[i] })),
    trackers: text.includes("\nAnnounce:\n")
      ? section(text, "\nAnnounce:\n", "\nInfo Hash:").flatMap((line) => line.trim().split(" ")).filter(isUrl)
      : [],
  };
}

/** A tier's trackers come sorted: libtorrent shuffles them. */
export async function readByLibtorrent(
  path: string,
): Promise<ForeignView & { isPrivate: boolean; pieceLength: number; pieces: string; webSeeds: string[] }> {
  const program = `
import json, sys
import libtorrent as lt
info = lt.torrent_info(sys.argv[1])
files = info.files()
print(json.dumps({
    "infoHash": str(info.info_hash()),
    "name": info.name(),
    "pieceCount": info.num_pieces(),
    "pieceLength": info.piece_length(),
    "pieces": "".join(info.hash_for_piece(i).hex() for i in range(info.num_pieces())),
    "files": [{"path": files.file_path(i), "length": files.file_size(i)} for i in range(files.num_files())],
    "trackers": [url for _, url in sorted((tracker.tier, tracker.url) for tracker in info.trackers())],
    "webSeeds": sorted(seed["url"] for seed in info.web_seeds()),
    "isPrivate": info.priv(),
}))`;
  return JSON.parse(await outputOf("/usr/bin/python3", ["-c", program, path]));
}
