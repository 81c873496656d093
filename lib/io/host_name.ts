/** What this machine is called. */

/** This machine's name, without its domain; empty where the system does not tell. */
export function hostName(): string {
  try {
    return Deno.hostname().split(".")[0];
  } catch {
    return "";
  }
}
