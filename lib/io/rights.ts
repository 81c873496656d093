/**
 * What the process may do, narrowed at its start to what localbt does: sockets and files, nothing else.
 *
 * The program is compiled with every permission because Deno opens files in /dev, /proc and /sys for no other, and memory
 * disks live in /dev/shm. So the first thing it does, before it looks at any input, is to give up for good the rights to run
 * programs, to load libraries and code, and to read its environment; only a run whose paths lie in those folders keeps
 * them, for there Deno takes all or nothing.
 */
import { dirname } from "node:path";

/** Networks that no HTTP proxy can reach for us: a tracker there is asked directly. */
const localNetworks = [
  "localhost",
  ".local",
  "127.0.0.0/8",
  "::1",
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "169.254.0.0/16",
  "fc00::/7",
  "fe80::/10",
];

const guardedFolders = /^\/(dev|proc|sys)(\/|$)/;

/** Keeps requests to the local network from a proxy that is set for the rest of the world. @param env the process's */
export function bypassProxyOnLan(env: Pick<Deno.Env, "get" | "set">): void {
  for (const name of ["NO_PROXY", "no_proxy"]) {
    const listed = env.get(name);
    if (listed === undefined && name === "no_proxy") continue;
    env.set(name, [...listed ? [listed] : [], ...localNetworks].join(","));
  }
}

/** Gives up every right that localbt does not use. @param args the command line, for the paths in it */
export function giveUpRights(args: readonly string[]): void {
  if ([".", ...args].some(isInGuardedFolder)) return;
  for (const name of ["run", "ffi", "env", "import"] as const) Deno.permissions.revokeSync({ name });
}

/** Whether the path, or `--option=path`, leads into a folder that Deno guards; links are followed. */
function isInGuardedFolder(arg: string): boolean {
  const path = arg.startsWith("-") ? arg.slice(arg.indexOf("=") + 1) : arg;
  for (let at = path; at !== ""; at = dirname(at)) {
    try {
      return guardedFolders.test(Deno.realPathSync(at));
    } catch {
      if (dirname(at) === at) return false; // it is no path, or nothing of it is there yet
    }
  }
  return false;
}
