/** The tracker of a share, as far as the share looks at it: main.ts hands in who makes one. */
import { UserError } from "../../lib/errors.ts";
import type { HttpReply } from "../../lib/http_response.ts";
import type { InfoHash } from "../../lib/ids.ts";
import type { HttpEnds, HttpRequest } from "../../lib/io/http_server.ts";
import type { Network } from "../../lib/io/network.ts";
import { sharePort } from "../../lib/share_target.ts";

export interface ShareTracker {
  readonly port: number;
  /** Best first; at least one. */
  readonly announceUrls: readonly string[];
  close(): Promise<void>;
}

/** An announce that was answered. */
export interface ShareAnnounce {
  readonly infoHash: InfoHash;
  /** `10.0.0.2:6881`. */
  readonly peer: string;
  readonly kind: "started" | "completed" | "stopped" | "regular";
}

export interface ShareTrackerOptions {
  readonly network: Network;
  readonly host: string | undefined;
  readonly port: number;
  readonly intervalMs: number;
  readonly allow: ReadonlySet<InfoHash>;
  now(): number;
  random(): number;
  site(request: HttpRequest, ends: HttpEnds): HttpReply | undefined;
  onAnnounce(announced: ShareAnnounce): void;
  /** What the peer of the share refused, by reason: told with the rest under `/stats`. */
  peersRefused(): Readonly<Record<string, number>>;
  onFault(error: unknown): void;
}

/** Starts a tracker. @throws UserError when it cannot listen */
export type StartShareTracker = (options: ShareTrackerOptions) => ShareTracker;

/** Ports that are tried one after the other before the system chooses one. */
const portTries = 20;

/** Starts it on the port that is named, or else on 6969 or the next free one. @throws UserError */
export function startOnNextFree(
  start: StartShareTracker,
  options: Omit<ShareTrackerOptions, "port"> & { port: number | undefined },
): ShareTracker {
  if (options.port !== undefined) return start({ ...options, port: options.port });
  for (let offset = 0; offset < portTries; offset++) {
    try {
      return start({ ...options, port: sharePort + offset });
    } catch (error) {
      if (!(error instanceof UserError && error.cause instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  return start({ ...options, port: 0 });
}
