/** Which versions of the rivals are on this machine, in their own words: figures say nothing without them. */
import { npmFile } from "./npm_rivals.ts";

const commands: Readonly<Record<string, readonly string[]>> = {
  aria2: ["aria2c", "--version"],
  libtorrent: ["/usr/bin/python3", "-c", "import libtorrent; print(libtorrent.version)"],
  Transmission: ["transmission-daemon", "--version"],
  mktorrent: ["mktorrent", "-h"],
  rtorrent: ["rtorrent", "-h"],
  opentracker: ["dpkg-query", "-W", "-f", "${Version}", "opentracker"],
  node: ["node", "--version"],
};
const packages = ["webtorrent", "create-torrent", "bittorrent-tracker"];

/** By name; those that are not there are left out. */
export function rivalVersions(): Record<string, string> {
  const versions: Record<string, string> = {};
  for (const [name, command] of Object.entries(commands)) {
    const version = versionIn(outputOf(command));
    if (version !== undefined) versions[name] = version;
  }
  for (const name of packages) {
    const path = npmFile(name, "package.json");
    if (path !== undefined) versions[name] = (JSON.parse(Deno.readTextFileSync(path)) as { version: string }).version;
  }
  return versions;
}

/** The first thing like a version in a program's text. */
function versionIn(text: string): string | undefined {
  return text.match(/\d+(?:\.\d+)+(?:~git\S+)?/)?.[0];
}

function outputOf([program = "", ...args]: readonly string[]): string {
  try {
    const { stdout, stderr } = new Deno.Command(program, { args, stdin: "null" }).outputSync();
    const decoder = new TextDecoder();
    return decoder.decode(stdout) + decoder.decode(stderr);
  } catch {
    return "";
  }
}
