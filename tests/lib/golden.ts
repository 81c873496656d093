/** The torrents of data/golden/ and what foreign readers say is in them. */

/** What libtorrent reads in a torrent; see data/golden/make.sh. */
export interface GoldenTorrent {
  infoHash: string;
  name: string;
  isMultiFile: boolean;
  totalLength: number;
  pieceLength: number;
  pieceCount: number;
  pieces: string[];
  files: { path: string[]; length: number; isPadding: boolean; isSymlink: boolean; isExecutable: boolean }[];
  announce: string[][];
  webSeeds: string[];
  isPrivate: boolean;
  comment: string;
  createdBy: string;
  creationDate: number;
  magnetByLibtorrent: string;
  magnetByTransmission: string;
}

const folder = new URL("../../data/golden/", import.meta.url);

/** By file name. */
export const goldenTorrents: Readonly<Record<string, GoldenTorrent>> = JSON.parse(
  Deno.readTextFileSync(new URL("golden.json", folder)),
);

/** The bytes of a golden torrent. */
export function readGolden(file: string): Uint8Array {
  return Deno.readFileSync(new URL(file, folder));
}
