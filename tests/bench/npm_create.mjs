// Makes a torrent by npm's create-torrent. usage: node npm_create.mjs LIBRARY SOURCE PIECE_LENGTH OUTPUT ANNOUNCE
import { writeFileSync } from "node:fs";
import process from "node:process";
import { pathToFileURL } from "node:url";

const [library, source, pieceLength, output, announce] = process.argv.slice(2);
const { default: createTorrent } = await import(pathToFileURL(library).href);
createTorrent(source, { pieceLength: Number(pieceLength), announceList: [[announce]] }, (error, torrent) => {
  if (error) throw error;
  writeFileSync(output, torrent);
});
