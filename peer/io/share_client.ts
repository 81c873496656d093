/** What `get` asks of a machine that shares: its list, and the torrents in it. Owns the words for what goes wrong. */
import { safeText } from "../../lib/cli/text.ts";
import { canonicalHost, formatEndpoint } from "../../lib/endpoint.ts";
import { ExitCode, ProtocolError, reasonOf, UserError } from "../../lib/errors.ts";
import { httpGet } from "../../lib/io/http_get.ts";
import type { Network } from "../../lib/io/network.ts";
import { listingBytesMax } from "../../lib/limits/shares.ts";
import { torrentBytesMax } from "../../lib/limits/torrent_file.ts";
import { decodeMetainfo, type Metainfo } from "../../lib/metainfo.ts";
import { listingPath, parseShareListing, type ShareListing } from "../../lib/share_listing.ts";
import { sharePort } from "../../lib/share_target.ts";
import type { FoundShare } from "../found_share.ts";

/** The ports on which a share is looked for when none is named: `share` takes the first that is free. */
const portsTried = [0, 1, 2, 3].map((offset) => sharePort + offset);

/** A machine that shares, reached and listed. */
export interface SharingHost {
  /** The address that the connection led to, and the port of the page. */
  readonly host: string;
  readonly port: number;
  readonly listing: ShareListing;
}

export interface ShareClientOptions {
  readonly network: Network;
  readonly signal: AbortSignal;
}

/**
 * Reaches a machine and asks what it shares.
 *
 * @param hosts its addresses or its name: all are tried at once, the first that answers counts
 * @param port undefined: the first few ports that `share` takes
 * @throws UserError when it cannot be reached or shares nothing
 */
export async function listShares(
  { hosts, port }: { hosts: readonly string[]; port: number | undefined },
  options: ShareClientOptions,
): Promise<SharingHost> {
  let failure: unknown;
  for (const tried of port === undefined ? portsTried : [port]) {
    try {
      return await askForList(hosts, tried, options);
    } catch (error) {
      options.signal.throwIfAborted();
      failure ??= error;
      // Only a closed door, or somebody else's, makes the next one worth a try.
      if (!(error instanceof Deno.errors.ConnectionRefused || error instanceof ProtocolError)) break;
    }
  }
  throw hostError(hosts[0], port, failure);
}

/** Reaches one of the machines that have a share. @throws UserError when none can be reached, or has it any more */
export async function reachSource(share: FoundShare, options: ShareClientOptions): Promise<SharingHost> {
  let failure: unknown;
  for (const { hosts, port, index } of share.sources) {
    try {
      const site = await listShares({ hosts, port }, options);
      const isThere = site.listing.shares.some(({ infoHash, index: place, name }) =>
        infoHash === share.infoHash && (infoHash !== undefined || (place === index && name === share.name))
      );
      if (isThere) return site;
      failure ??= new UserError(`get ${safeText(share.name)}`, "it is not shared any more");
    } catch (error) {
      options.signal.throwIfAborted();
      failure ??= error;
    }
  }
  throw failure;
}

async function askForList(
  hosts: readonly string[],
  port: number,
  { network, signal }: ShareClientOptions,
): Promise<SharingHost> {
  const answered = new AbortController();
  const either = AbortSignal.any([signal, answered.signal]);
  try {
    return await Promise.any(hosts.map(async (host) => {
      const answer = await httpGet(network, {
        host,
        port,
        path: listingPath,
        bytesMax: listingBytesMax,
        signal: either,
      });
      if (answer.status !== 200) throw new ProtocolError("it is no localbt share");
      const listing = parseShareListing(new TextDecoder().decode(answer.body));
      return { host: canonicalHost(answer.remote) ?? host, port, listing };
    }));
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  } finally {
    answered.abort();
  }
}

/**
 * Fetches the torrent of a share.
 *
 * @param pin for a share that needs one
 * @throws UserError when it is not what was listed, or the PIN is wrong
 */
export async function fetchShareTorrent(
  site: SharingHost,
  share: FoundShare,
  options: ShareClientOptions & { readonly pin: string | undefined },
): Promise<Metainfo> {
  const doing = `get ${safeText(share.name)}`;
  try {
    const metainfo = decodeMetainfo(await fetchTorrentBytes(site, share, options));
    if (share.infoHash === undefined || metainfo.infoHash === share.infoHash) return metainfo;
    throw new ProtocolError("its torrent is not the one that was announced");
  } catch (error) {
    options.signal.throwIfAborted();
    if (error instanceof UserError) throw error;
    throw new UserError(
      doing,
      wordsOf(error),
      error instanceof ProtocolError ? { exitCode: ExitCode.notATorrent } : {},
    );
  }
}

async function fetchTorrentBytes(
  { host, port }: SharingHost,
  { infoHash, sources: [{ index }] }: FoundShare,
  { network, signal, pin }: ShareClientOptions & { readonly pin: string | undefined },
): Promise<Uint8Array> {
  if (infoHash === undefined) {
    const { fetchSealedTorrent } = await import("./pin_client.ts");
    return await fetchSealedTorrent({ host, port, index, pin: pin ?? "" }, { network, signal });
  }
  const { status, body } = await httpGet(network, {
    host,
    port,
    path: `/${infoHash}.torrent`,
    bytesMax: torrentBytesMax,
    signal,
  });
  if (status !== 200) throw new ProtocolError("its torrent is not there any more");
  return body;
}

function hostError(host: string, port: number | undefined, error: unknown): UserError {
  const where = port === undefined ? host : formatEndpoint({ host, port });
  const isOther = error instanceof ProtocolError;
  return new UserError(`get from ${where}`, wordsOf(error), {
    hint: isOther
      ? "start localbt share there, or name its port: HOST:PORT"
      : "is localbt share running there, and may its port be reached?",
  });
}

const words: readonly (readonly [RegExp, string])[] = [
  [/connection refused|actively refused/i, "nobody shares anything there (connection refused)"],
  [/lookup|name or service not known|no such host|dns/i, "there is no such machine"],
  [/no route to host|unreachable/i, "the network cannot be reached"],
  [/timed? ?out/i, "it gives no answer"],
];

function wordsOf(error: unknown): string {
  const reason = reasonOf(error);
  return words.find(([pattern]) => pattern.test(reason))?.[1] ?? reason.toLowerCase();
}
