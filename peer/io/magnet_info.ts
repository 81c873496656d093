/** The metadata of a magnet link for `info`: asked of whoever is there now, without waiting for who may come. */
import type { Context } from "../../lib/cli/context.ts";
import type { Endpoint } from "../../lib/endpoint.ts";
import type { Magnet } from "../../lib/magnet.ts";
import type { Metainfo } from "../../lib/metainfo.ts";
import { findLinkPeers, metainfoOf } from "./magnet_source.ts";
import { Session } from "./session.ts";

/** Milliseconds between two looks at whether there is anybody left to ask. */
const lookMs = 20;

export interface MagnetQuestion {
  /** Named by the user, besides those of the link. */
  readonly peers: readonly Endpoint[];
  readonly timeoutMs: number;
  readonly noDiscovery: boolean;
}

/**
 * Asks the link's trackers, its peers and the local network; undefined when nobody gave it in time, or there is nobody.
 *
 * @throws UserError when what came is no torrent (3), and when no port can be had
 */
export async function askForMetainfo(
  context: Context,
  magnet: Magnet,
  { peers, timeoutMs, noDiscovery }: MagnetQuestion,
): Promise<Metainfo | undefined> {
  const hasAnybody = peers.length + magnet.peers.length + magnet.trackers.length > 0 || !noDiscovery;
  if (timeoutMs === 0 || !hasAnybody) return undefined;
  const host = undefined;
  const limits = { uploadLimit: undefined, downloadLimit: undefined, maxPeers: undefined };
  const session = new Session({ context, host, port: undefined, ...limits, noDiscovery });
  const ended = Promise.withResolvers<undefined>();
  const timeout = setTimeout(() => ended.resolve(undefined), timeoutMs);
  const onStop = () => ended.reject(context.stop.reason);
  context.stop.addEventListener("abort", onStop);
  let looking: ReturnType<typeof setInterval> | undefined;
  try {
    context.stop.throwIfAborted();
    const task = session.fetchMetadata(magnet, () => {});
    const found = (endpoints: readonly Endpoint[]) =>
      task.link.apply({ kind: "peersFound", endpoints, source: "user" });
    found(peers);
    let isFinding = true;
    findLinkPeers(context, magnet, found).finally(() => isFinding = false);
    looking = setInterval(() => {
      if (noDiscovery && !isFinding && !task.fetch.hasHope) ended.resolve(undefined);
    }, lookMs);
    const infoBytes = await Promise.race([task.metadata, ended.promise]);
    return infoBytes && metainfoOf(magnet, infoBytes);
  } finally {
    clearInterval(looking);
    clearTimeout(timeout);
    context.stop.removeEventListener("abort", onStop);
    await session.close();
  }
}
