/**
 * The rivals that come from npm, in a cache folder outside the repository: found if they are there, installed on demand.
 *
 * `deno task bench --install` fetches them (and says what to do for the others). Scripts of packages do not run: one
 * calls a tool that is not there, and the native part of WebRTC cannot be fetched everywhere; it is switched off.
 */
import { homedir } from "node:os";
import { runs } from "../interop/installed.ts";
import { join } from "../interop/path.ts";

/** webtorrent 2.8.5 breaks with the uint8-util that npm would choose. */
const packages = ["webtorrent@2.8.5", "create-torrent@6.1.3", "bittorrent-tracker@11.2.3", "uint8-util@2.2.5"];

/** In place of the package that makes WebRTC of a native part; TCP needs none of it. */
const noWebRtc = `class Off { constructor() { throw new Error("WebRTC is off"); } }
export { Off as RTCPeerConnection, Off as RTCSessionDescription, Off as RTCIceCandidate, Off as RTCIceTransport,
  Off as RTCDataChannel, Off as RTCSctpTransport, Off as RTCDtlsTransport, Off as RTCCertificate };
export default { RTCPeerConnection: Off, RTCSessionDescription: Off, RTCIceCandidate: Off };
`;

/** Where the packages are kept: LOCALBT_BENCH_CACHE, or a folder in the user's cache. */
export const npmFolder: string = Deno.env.get("LOCALBT_BENCH_CACHE") ??
  join(Deno.env.get("XDG_CACHE_HOME") ?? join(homedir(), ".cache"), "localbt-bench");

/** The path of a package's file, or undefined where Node or the package is missing. */
export function npmFile(name: string, file: string): string | undefined {
  const path = join(npmFolder, "node_modules", name, file);
  try {
    return Deno.statSync(path).isFile && runs(["node", "--version"]) ? path : undefined;
  } catch {
    return undefined;
  }
}

/** Fetches the packages and says on stderr what it does; what cannot be fetched is missing from the tables, no more. */
export function installNpmRivals(): void {
  console.error(`bench: npm install ${packages.join(" ")} in ${npmFolder}`);
  try {
    Deno.mkdirSync(npmFolder, { recursive: true });
    Deno.writeTextFileSync(join(npmFolder, "package.json"), '{"private":true}\n');
    const { success } = new Deno.Command("npm", {
      args: ["install", "--ignore-scripts", "--no-audit", "--no-fund", ...packages],
      cwd: npmFolder,
      stdout: "null",
    }).outputSync();
    if (!success) throw new Error("npm install failed");
    Deno.writeTextFileSync(join(npmFolder, "node_modules", "webrtc-polyfill", "index.js"), noWebRtc);
  } catch (error) {
    console.error(`bench: goes on without them: ${error instanceof Error ? error.message : error}`);
  }
  console.error("bench: the others of Debian: apt-get install -y --no-install-recommends rtorrent aria2 mktorrent");
  console.error("       opentracker transmission-cli transmission-daemon python3-libtorrent gcc libc6-dev");
}
