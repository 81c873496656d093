/** A tracker at 10.0.0.1 and its clients, for tests of what it tells to whom. */
import type { AnnounceAnswer, AnnounceRequest } from "../../lib/announce/request.ts";
import { bytesFromLatin1 } from "../../lib/bytes.ts";
import { decodeCompact, formatEndpoint } from "../../lib/endpoint.ts";
import { parseInfoHash, peerIdFromBytes } from "../../lib/ids.ts";
import { Asker } from "../../tracker/asker.ts";
import { Tracker, type TrackerOptions } from "../../tracker/tracker.ts";
import { seededRandom } from "../lib/mutations.ts";

export const infoHash = parseInfoHash("ab".repeat(20))!;
export const otherHash = parseInfoHash("cd".repeat(20))!;
/** Where the tracker is in these tests. */
const trackerHost = "10.0.0.1";

/** A tracker and the moment. */
export class Room {
  readonly tracker: Tracker;
  now = 0;

  constructor(options: Partial<TrackerOptions> = {}) {
    this.tracker = new Tracker({ intervalMs: 60_000, random: seededRandom(1), ...options });
  }

  /** One announce from `host`, on a connection of its own; the port also makes the peer id unless one is given. */
  announce(
    host: string,
    port: number,
    change: Partial<AnnounceRequest> & { id?: string; local?: string } = {},
  ): AnnounceAnswer {
    const { id = `${host}:${port}`, local = localFor(host), ...rest } = change;
    const request: AnnounceRequest = {
      infoHash,
      peerId: peerIdFromBytes(bytesFromLatin1(id.padEnd(20, "-").slice(-20))),
      port,
      uploaded: 0,
      downloaded: 0,
      left: 1,
      event: undefined,
      numWant: 50,
      key: 0,
      compact: true,
      ...rest,
    };
    return this.tracker.announce(request, new Asker({ remote: host, local }), this.now);
  }

  /** Whom the asker is told about, sorted. */
  told(...args: Parameters<Room["announce"]>): string[] {
    return endpointsOf(this.announce(...args));
  }

  /** Looks at everybody once. */
  sweep(): void {
    this.tracker.sweep(this.now, 1_000_000);
  }
}

function localFor(host: string): string {
  if (host.startsWith("127.")) return "127.0.0.1";
  return host === "::1" ? "::1" : host.includes(":") && !host.includes("ffff") ? "fd00::1" : trackerHost;
}

/** Of both families, sorted. */
export function endpointsOf({ peers, peers6 }: AnnounceAnswer): string[] {
  return [...decodeCompact(peers, 4), ...decodeCompact(peers6, 6)].map(formatEndpoint).sort();
}
