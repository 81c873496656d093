/**
 * Which names a share's pages answer to.
 *
 * A page of another site can point a name of its own at this machine and then read what it answers (DNS rebinding,
 * CVE-2018-5702). Only a name can be turned like that, so addresses are let in as they are; of names only those that no
 * stranger can own: localhost, this machine's own, and those of the local network.
 */
import { canonicalHost, formatEndpoint, parseHostPort } from "./endpoint.ts";

/** Suffixes that the public DNS does not hand out. */
const localSuffixes = [".local", ".localhost", ".lan", ".home", ".home.arpa", ".internal"];

/** Host and port that a visitor used, checked; undefined for one that is not let in. */
export function readSiteHost(
  header: string,
  { hostName }: { hostName: string },
): { readonly host: string; readonly port: number } | undefined {
  const endpoint = parseHostPort(/:[0-9]+$/.test(header) && !/^[^[]*:.*:/.test(header) ? header : `${header}:80`);
  if (endpoint === undefined) return undefined;
  const { host } = endpoint;
  if (canonicalHost(host) !== undefined) return endpoint;
  const name = host.toLowerCase().replace(/\.$/, "");
  const isOwn = name === "localhost" || name === hostName.toLowerCase() ||
    name === hostName.toLowerCase().split(".")[0];
  return isOwn || isLocalName(name) ? { ...endpoint, host: name } : undefined;
}

/** Whether the name can only be that of a machine on the local network: `laptop.local`. */
export function isLocalName(name: string): boolean {
  return localSuffixes.some((suffix) => name.toLowerCase().endsWith(suffix));
}

/** `http://192.168.1.5:6969`: without the port where it is the default. */
export function originOf(endpoint: { readonly host: string; readonly port: number }): string {
  return `http://${formatEndpoint(endpoint).replace(/:80$/, "")}`;
}
