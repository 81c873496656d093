/** What a person types behind `localbt get` -> what is meant: a torrent, a machine, or the name of a share. */
import { canonicalHost, parseHostPort } from "./endpoint.ts";

/** The port that `share` takes first. */
export const sharePort = 6969;

export type ShareTarget =
  /** A magnet link or the path of a .torrent file. */
  | { readonly kind: "torrent"; readonly operand: string }
  /** A machine; without a port it is looked for on the first few that `share` takes. */
  | { readonly kind: "site"; readonly host: string; readonly port: number | undefined; readonly path: string }
  /** The name of a share, or of the machine that has it. */
  | { readonly kind: "name"; readonly name: string };

/** Reads the operand of `get`; undefined for an address that cannot be one. */
export function parseShareTarget(operand: string): ShareTarget | undefined {
  const text = operand.trim();
  if (/^magnet:/i.test(text)) return { kind: "torrent", operand: text };
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return parseUrl(text);
  if (/\.torrent$/i.test(text)) return { kind: "torrent", operand };
  const literal = canonicalHost(text);
  if (literal !== undefined) return { kind: "site", host: literal, port: undefined, path: "/" };
  if (/^[0-9a-f:.]+%[\w.-]+$/i.test(text)) return { kind: "site", host: text, port: undefined, path: "/" };
  if (/^localhost$/i.test(text)) return { kind: "site", host: "localhost", port: undefined, path: "/" };
  const endpoint = parseHostPort(text);
  if (endpoint !== undefined) return { kind: "site", ...endpoint, path: "/" };
  return text === "" ? undefined : { kind: "name", name: text };
}

function parseUrl(text: string): ShareTarget | undefined {
  const url = URL.parse(text);
  if (url === null || url.protocol !== "http:" || url.hostname === "") return undefined;
  const host = canonicalHost(url.hostname) ?? url.hostname;
  return { kind: "site", host, port: url.port === "" ? 80 : Number(url.port), path: url.pathname };
}
