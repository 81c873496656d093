/**
 * Which URLs from torrents and magnet links we are ready to contact: http and https for both kinds, udp for trackers.
 *
 * A URL is kept in its own words, trimmed; one with control characters, or of another scheme, is not kept at all.
 */
import { urlCharsMax } from "./limits/torrent_file.ts";

/** A tracker's URL; undefined when it is not one that can be asked. BEP 3, BEP 15. */
export function parseTrackerUrl(text: string): string | undefined {
  return parseRemoteUrl(text, ["http:", "https:", "udp:"]);
}

/** The URL of a web seed; undefined when it is not one that can be fetched. BEP 19. */
export function parseWebSeedUrl(text: string): string | undefined {
  return parseRemoteUrl(text, ["http:", "https:"]);
}

function parseRemoteUrl(text: string, schemes: readonly string[]): string | undefined {
  if (text.length > urlCharsMax) return undefined;
  const trimmed = text.trim();
  // The parser of URLs would drop tabs and line ends inside; others would send them on (request splitting).
  if (/[\p{Cc}\s\uFFFD]/u.test(trimmed)) return undefined;
  const url = URL.parse(trimmed);
  return url !== null && schemes.includes(url.protocol) && url.hostname !== "" ? trimmed : undefined;
}
