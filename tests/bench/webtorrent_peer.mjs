// A WebTorrent peer for the bench. usage: node webtorrent_peer.mjs LIBRARY seed|download TORRENT DIRECTORY PORT
// Prints READY once the torrent is added and FINISHED once every piece is checked; SIGTERM ends it.
import { readFileSync } from "node:fs";
import process from "node:process";
import { pathToFileURL } from "node:url";

const [library, mode, torrent, directory, port] = process.argv.slice(2);
const { default: WebTorrent } = await import(pathToFileURL(library).href);
const off = { dht: false, lsd: false, utPex: false, utp: false, natUpnp: false, natPmp: false, webSeeds: false };
const client = new WebTorrent({ ...off, torrentPort: Number(port), tracker: true });
client.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
client.add(readFileSync(torrent), { path: directory, skipVerify: mode === "seed" }, (added) => {
  console.log("READY");
  if (mode === "seed") return;
  if (added.done) console.log("FINISHED");
  else added.on("done", () => console.log("FINISHED"));
});
process.on("SIGTERM", () => client.destroy(() => process.exit(0)));
