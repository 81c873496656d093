/** What a magnet link names, got from peers: for `download` and `get` (BEP 9). */
import type { Context } from "../../lib/cli/context.ts";
import { formatCount, formatDuration, safeText } from "../../lib/cli/text.ts";
import type { Endpoint } from "../../lib/endpoint.ts";
import { ExitCode, ProtocolError, UserError } from "../../lib/errors.ts";
import { type Magnet, parseMagnet } from "../../lib/magnet.ts";
import { decodeInfo, type Metainfo } from "../../lib/metainfo.ts";
import type { MetadataFile } from "./metadata_file.ts";
import type { MetadataTask } from "./metadata_task.ts";
import { PeerReport } from "./peer_report.ts";
import { resolveHost, type Session } from "./session.ts";

/** Milliseconds between two looks at the fetch. */
const lookMs = 100;
/** Milliseconds after which the person hears again that it is still looking. */
const tellMs = 10_000;

/** A torrent whose metadata came from peers, and the connections to them. */
export interface FetchedTorrent {
  readonly metainfo: Metainfo;
  /** To be given to Session.start, which takes its connections over; undefined where an earlier run left the metadata. */
  readonly fetched: MetadataTask | undefined;
}

/** @throws UserError (3) */
export function readMagnet(link: string): Magnet {
  try {
    return parseMagnet(link);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new UserError("read the magnet link", error.message, { exitCode: ExitCode.notATorrent });
  }
}

/** The peers that the link names (`x.pe`), as they are found; a name that is not known is only a warning. */
export async function findLinkPeers(
  context: Context,
  magnet: Magnet,
  onFound: (endpoints: Endpoint[]) => void,
): Promise<void> {
  await Promise.all(
    magnet.peers.filter(({ port }) => port > 0).map(async ({ host, port }) => {
      try {
        onFound((await resolveHost(host)).map((address) => ({ host: address, port })));
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        context.warn(`the peer ${safeText(host)} of the magnet link is left out: ${safeText(error.message)}`);
      }
    }),
  );
}

/** The torrent of the metadata that came. @throws UserError (3) where it cannot be read */
export function metainfoOf(magnet: Magnet, infoBytes: Uint8Array): Metainfo {
  try {
    const announce = magnet.trackers.map((url) => [url]);
    return decodeInfo(infoBytes, { announce, webSeeds: magnet.webSeeds });
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const name = magnet.name ?? magnet.infoHash;
    throw new UserError(`download ${safeText(name)}`, error.message, { exitCode: ExitCode.notATorrent });
  }
}

/**
 * Takes the metadata that an earlier run left, or fetches it from whoever has it and tells how that goes.
 *
 * @param kept where it is kept for the next run
 * @param peers named by the user, besides those of the link
 * @param timeoutMs gives up when nothing has come for so long
 * @returns undefined when the person stops it
 * @throws UserError (5) at the timeout, (3) when what comes is no torrent
 */
export async function fetchMagnet(
  context: Context,
  session: Session,
  { magnet, peers, timeoutMs, kept }: {
    magnet: Magnet;
    peers: readonly Endpoint[];
    timeoutMs: number | undefined;
    kept: MetadataFile;
  },
): Promise<FetchedTorrent | undefined> {
  const keptBytes = await kept.read();
  if (keptBytes !== undefined) return { metainfo: tellMetadata(context, magnet, keptBytes), fetched: undefined };
  const report = new PeerReport(context);
  const task = session.fetchMetadata(magnet, (event) => report.tell(event));
  const found = (endpoints: readonly Endpoint[]) => task.link.apply({ kind: "peersFound", endpoints, source: "user" });
  found(peers);
  findLinkPeers(context, magnet, found);
  const infoBytes = await waitFor(context, task, { name: safeText(magnet.name ?? magnet.infoHash), timeoutMs });
  if (infoBytes === undefined) {
    context.log("stopped before anything was known but the link");
    return undefined;
  }
  await kept.write(infoBytes);
  return { metainfo: tellMetadata(context, magnet, infoBytes), fetched: task };
}

function tellMetadata(context: Context, magnet: Magnet, infoBytes: Uint8Array): Metainfo {
  const metainfo = metainfoOf(magnet, infoBytes);
  const { infoHash, totalLength, pieceCount, files } = metainfo;
  const name = safeText(metainfo.name);
  context.event("metadata", { name, infoHash, totalLength, pieceCount, fileCount: files.length });
  return metainfo;
}

/** Undefined when the person stops it. */
async function waitFor(
  context: Context,
  task: MetadataTask,
  { name, timeoutMs }: { name: string; timeoutMs: number | undefined },
): Promise<Uint8Array | undefined> {
  context.log(`looking for peers that know ${name}`);
  const ended = Promise.withResolvers<undefined>();
  const onStop = () => ended.resolve(undefined);
  context.stop.addEventListener("abort", onStop);
  if (context.stop.aborted) onStop();
  const waiting = new Waiting(context, task);
  const looking = setInterval(() => {
    const why = waiting.look(timeoutMs);
    if (why !== undefined) {
      ended.reject(new UserError(`download ${name}`, why, { exitCode: ExitCode.timeout, hint: waiting.hint }));
    }
  }, lookMs);
  try {
    return await Promise.race([task.metadata, ended.promise]);
  } finally {
    clearInterval(looking);
    context.stop.removeEventListener("abort", onStop);
  }
}

/** Looks at a fetch again and again: says when it has found somebody, and when nothing comes any more. */
class Waiting {
  readonly #context: Context;
  readonly #task: MetadataTask;
  #sourceCount = 0;
  #receivedBytes = 0;
  #movedAt: number;
  #toldAt: number;

  constructor(context: Context, task: MetadataTask) {
    this.#context = context;
    this.#task = task;
    this.#movedAt = this.#toldAt = context.now();
  }

  /** What to do when it is given up. */
  get hint(): string {
    return this.#task.fetch.stats.peerCount > 0
      ? "nobody gives the metadata of a private torrent: ask for the .torrent file"
      : "--peer HOST:PORT names a peer that has it";
  }

  /** @returns why it is time to give up */
  look(timeoutMs: number | undefined): string | undefined {
    const { peerCount, sourceCount, receivedBytes } = this.#task.fetch.stats;
    const now = this.#context.now();
    if (this.#sourceCount === 0 && sourceCount > 0) {
      this.#context.log(`fetching the metadata from ${formatCount(sourceCount, "peer")}`);
      this.#sourceCount = sourceCount;
    } else if (sourceCount === 0 && now - this.#toldAt >= tellMs) {
      this.#toldAt = now;
      this.#context.log(
        peerCount === 0
          ? "no peer was found yet; still looking"
          : `${formatCount(peerCount, "peer")} connected, none has the metadata yet`,
      );
    }
    if (receivedBytes !== this.#receivedBytes) this.#movedAt = now;
    this.#receivedBytes = receivedBytes;
    if (timeoutMs === undefined || now - this.#movedAt < timeoutMs) return undefined;
    const faults = this.#task.fetch.announcer.status.flatMap(({ lastError }) => lastError ?? []);
    const who = peerCount > 0 ? `${formatCount(peerCount, "peer")} connected` : faults[0] ?? "no peer was found";
    return `no metadata came for ${formatDuration(timeoutMs)} (${safeText(who)})`;
  }
}
