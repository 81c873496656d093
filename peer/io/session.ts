/**
 * One run of `seed` or `download`: the engine, the disk workers and the torrents that the command line named.
 *
 * Owns their beginning and their end; what is shown to the person is the commands' own.
 */
import type { Bitfield } from "../../lib/bitfield.ts";
import type { Context } from "../../lib/cli/context.ts";
import { ProgressLine } from "../../lib/cli/progress.ts";
import { safeText } from "../../lib/cli/text.ts";
import { canonicalHost, type Endpoint, isLoopback, parseHostPort } from "../../lib/endpoint.ts";
import { ExitCode, reasonOf, UserError } from "../../lib/errors.ts";
import { makePeerId, type PeerId } from "../../lib/ids.ts";
import { PiecePool } from "../../lib/io/piece_pool.ts";
import type { Magnet } from "../../lib/magnet.ts";
import type { Metainfo } from "../../lib/metainfo.ts";
import { RateLimiter } from "../../lib/rate_limiter.ts";
import { RateMeter } from "../../lib/rate_meter.ts";
import { BatchMemory } from "../../lib/wire/batch_memory.ts";
import { Announcer } from "../announcer.ts";
import type { FileSelection } from "../file_selection.ts";
import { MetadataFetch } from "../metadata_fetch.ts";
import { Refusals } from "../refusals.ts";
import type { PickStrategy } from "../piece_picker.ts";
import { Torrent } from "../torrent.ts";
import { Engine } from "./engine.ts";
import { LocalDiscovery } from "./local_discovery.ts";
import type { MetadataTask } from "./metadata_task.ts";
import { Storage } from "./storage.ts";
import type { SwarmLink } from "./swarm_link.ts";
import type { Transfer, TransferEvent } from "./transfer.ts";
import { WebSeedClient } from "./web_seed_client.ts";

export interface SessionOptions {
  readonly context: Context;
  readonly host: string | undefined;
  /** Undefined: 6881 or the next free one. */
  readonly port: number | undefined;
  /** Bytes a second; undefined is no limit. */
  readonly uploadLimit: number | undefined;
  readonly downloadLimit: number | undefined;
  readonly maxPeers: number | undefined;
  /** Neither sends to nor listens on the groups of local discovery. */
  readonly noDiscovery: boolean;
}

/** A torrent and its data, opened and checked, not yet at work. */
export interface OpenTorrent {
  readonly metainfo: Metainfo;
  readonly storage: Storage;
  /** What is wanted; all of it without one. */
  readonly selection?: FileSelection | undefined;
}

/** Milliseconds of checking that are not worth a line. */
const checkSilentMs = 500;

export class Session {
  readonly engine: Engine;
  readonly #options: SessionOptions;
  readonly #peerId: PeerId;
  readonly #pool: PiecePool;
  readonly #sendMemory = new BatchMemory();
  readonly #uploadLimiter: RateLimiter;
  readonly #downloadLimiter: RateLimiter;
  readonly #storages: Storage[] = [];
  #discovery: LocalDiscovery | undefined;

  /** @throws UserError when the port cannot be had */
  constructor(options: SessionOptions) {
    this.#options = options;
    const { network, now, random } = options.context;
    this.#peerId = makePeerId(random);
    this.#uploadLimiter = new RateLimiter(options.uploadLimit);
    this.#downloadLimiter = new RateLimiter(options.downloadLimit);
    this.engine = new Engine({ network, host: options.host, port: options.port, now });
    this.#pool = new PiecePool();
  }

  /**
   * Opens the data of a torrent and finds out, with progress, which pieces are there.
   *
   * @param isTrusted what is there is taken to be right
   */
  async open(
    metainfo: Metainfo,
    { directory, paths, mode, selection, resume = true, isTrusted = false }: {
      directory: string;
      paths?: readonly string[];
      mode: "seed" | "download";
      selection?: FileSelection;
      resume?: boolean;
      isTrusted?: boolean;
    },
  ): Promise<OpenTorrent & { have: Bitfield }> {
    if (metainfo.isPrivate) this.#discovery?.remove(metainfo.infoHash);
    const storage = await Storage.open({ metainfo, directory, paths, mode, selection, pool: this.#pool, resume });
    this.#storages.push(storage);
    if (isTrusted) return { metainfo, storage, selection, have: storage.assumeWhole() };
    const { context } = this.#options;
    const progress = new ProgressLine(context, { afterMs: checkSilentMs });
    const meter = new RateMeter();
    let checkedBytes = 0;
    const have = await storage.check((bytesChecked) => {
      meter.add(bytesChecked - checkedBytes, context.now());
      checkedBytes = bytesChecked;
      const bytesPerSecond = meter.rate(context.now());
      progress.update({
        label: `checking ${safeText(metainfo.name)}`,
        bytes: bytesChecked,
        totalBytes: metainfo.totalLength,
        bytesPerSecond,
        etaSeconds: (metainfo.totalLength - bytesChecked) / bytesPerSecond,
      });
    }, context.stop);
    progress.finish();
    return { metainfo, storage, selection, have };
  }

  /** Looks for peers of a magnet link and gets its metadata from them; `start` goes on with its connections. */
  fetchMetadata(magnet: Magnet, onEvent: (event: TransferEvent) => void): MetadataTask {
    const { infoHash, trackers } = magnet;
    const announcer = this.#announcerFor({ infoHash, announce: trackers.map((url) => [url]), isComplete: false });
    const task = this.engine.fetch(new MetadataFetch({ infoHash, announcer, ...this.#self }), onEvent);
    this.#discover(task.link);
    return task;
  }

  /** Puts a torrent to work. @param fetched how its metadata came, if that was by a magnet link */
  start({ metainfo, storage, selection, have, strategy, isSeedOnly, fetched, onEvent }: OpenTorrent & {
    have: Bitfield;
    strategy: PickStrategy;
    isSeedOnly: boolean;
    fetched?: MetadataTask | undefined;
    onEvent: (event: TransferEvent) => void;
  }): Transfer {
    const { infoHash, layout, infoBytes, isPrivate, webSeeds } = metainfo;
    const torrent = new Torrent({
      ...{ infoHash, layout, have, strategy, isSeedOnly, infoBytes, isPrivate, webSeeds },
      ...this.#self,
      announcer: fetched?.fetch.announcer ?? this.#announcerFor({ ...metainfo, isComplete: have.isFull }),
      downloadLimiter: this.#downloadLimiter,
      uploadLimiter: this.#uploadLimiter,
      ...(fetched !== undefined && { roster: fetched.fetch.roster }),
      ...(selection !== undefined && { selection }),
    });
    const link = fetched?.link;
    const transfer = this.engine.add({ torrent, storage, webSeeds: new WebSeedClient(metainfo), link, onEvent });
    if (!isPrivate && fetched === undefined) this.#discover(transfer.link);
    return transfer;
  }

  /** What we are to every peer. */
  get #self() {
    const { context, maxPeers } = this.#options;
    return {
      peerId: this.#peerId,
      listenPort: this.engine.port,
      client: `localbt ${context.version}`,
      random: context.random,
      sendMemory: this.#sendMemory,
      ...(maxPeers !== undefined && { maxPeers }),
    };
  }

  #announcerFor(
    { infoHash, announce, isComplete }: Pick<Metainfo, "infoHash" | "announce"> & { isComplete: boolean },
  ): Announcer {
    const { random } = this.#options.context;
    return new Announcer({
      ...{ tiers: announce, infoHash, isComplete, random },
      peerId: this.#peerId,
      port: this.engine.port,
    });
  }

  /** Announces it on the local network and dials whoever is heard there; who listens on loopback wants no network. */
  #discover(link: SwarmLink): void {
    const { context, noDiscovery } = this.#options;
    if (noDiscovery || isLoopback(this.engine.host)) return;
    this.#discovery ??= new LocalDiscovery({ context, host: this.engine.host, port: this.engine.port });
    this.#discovery.add(link.infoHash, (endpoints) => {
      link.apply({ kind: "peersFound", endpoints, source: "discovery" });
    });
  }

  /** What was refused, by reason. @param transfers those of this run */
  refused(transfers: readonly Transfer[]): Record<string, number> {
    return Refusals.sum([this.engine.refusals, ...transfers.map(({ torrent }) => torrent.view.refusals)]);
  }

  /** Says goodbye and ends everything, also what was opened and never started. */
  async close(): Promise<void> {
    try {
      await this.#discovery?.close();
      await this.engine.stop();
      for (const storage of this.#storages) await storage.close();
    } finally {
      await this.#pool.close();
    }
  }
}

/**
 * The addresses that `--peer` names.
 *
 * @throws UserError for what is no HOST:PORT (2) and for names that cannot be found (1)
 */
export async function resolvePeers(texts: readonly string[]): Promise<Endpoint[]> {
  const endpoints: Endpoint[] = [];
  for (const text of texts) {
    const peer = parseHostPort(text);
    if (peer === undefined || peer.port === 0) {
      throw new UserError(`connect to ${text}`, "that is no HOST:PORT", {
        exitCode: ExitCode.usage,
        hint: "write it like --peer 192.168.1.20:6881",
      });
    }
    for (const host of await resolveHost(peer.host)) endpoints.push({ host, port: peer.port });
  }
  return endpoints;
}

/** The addresses of a name. @throws UserError where it is not known */
export async function resolveHost(host: string): Promise<string[]> {
  const literal = canonicalHost(host);
  if (literal !== undefined) return [literal];
  if (host.toLowerCase() === "localhost") return ["127.0.0.1", "::1"];
  try {
    const found = await Promise.allSettled([Deno.resolveDns(host, "A"), Deno.resolveDns(host, "AAAA")]);
    const hosts = found.flatMap((result) => result.status === "fulfilled" ? result.value : []);
    if (hosts.length > 0) return hosts;
    throw new Error("the name is not known");
  } catch (error) {
    throw new UserError(`find ${host}`, reasonOf(error), { hint: "give its address instead of its name" });
  }
}
