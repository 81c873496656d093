/**
 * The pages of a tracker beside the announces: its figures for programs and for people, and its health.
 *
 * Plain text and JSON, without anything from elsewhere, and only for visitors who call this machine by a name that no
 * stranger can own: a web page of somebody else must not read who shares what here (DNS rebinding, lib/site_host.ts).
 * Announces and scrapes take any name, since torrents carry the one by which their tracker is known.
 */
import { bytesFromLatin1 } from "../../lib/bytes.ts";
import type { HttpReply } from "../../lib/http_response.ts";
import { readSiteHost } from "../../lib/site_host.ts";
import type { ServerStats } from "./http_listener.ts";

/** Headers of every page: nothing is loaded, nothing runs, nobody frames it. */
const pageHeaders = "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n" +
  "Cross-Origin-Resource-Policy: same-origin\r\n";

/** Whether a page may be shown to somebody who called this machine so. @param host as in `Host`; undefined: no browser */
export function isOwnName(host: string | undefined, hostName: string): boolean {
  return host === undefined || readSiteHost(host, { hostName }) !== undefined;
}

/** `/stats`. */
export function statsPage(stats: ServerStats): HttpReply {
  return page(200, `${JSON.stringify(stats)}\n`, "application/json");
}

/** `/`: the same for people. */
export function aboutPage({ refused, ...figures }: ServerStats): HttpReply {
  const lines = Object.entries(figures).map(([name, count]) => `  ${name} ${count}`);
  const refusals = Object.entries(refused).flatMap(([part, counts]) =>
    Object.entries<number>(counts).filter(([, count]) => count > 0).map(([reason, count]) =>
      `  ${part} ${reason} ${count}`
    )
  );
  return page(
    200,
    [
      "This is a localbt tracker. Torrents announce to /announce.",
      ...["", "since its start:", ...lines],
      ...["", "refused:", ...refusals.length > 0 ? refusals : ["  nothing"]],
      "",
    ].join("\n"),
  );
}

/** `/health`. */
export const healthy = page(200, "ok\n");
export const notFound = page(404, "not found\n");
export const wrongHost = page(403, "this machine is not called that here: use its address\n");

function page(status: HttpReply["status"], text: string, contentType = "text/plain"): HttpReply {
  return { status, contentType, headers: pageHeaders, body: bytesFromLatin1(text) };
}
