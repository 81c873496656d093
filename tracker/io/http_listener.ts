/**
 * The tracker on the network, over IPv4 and IPv6: HTTP with `/announce`, `/scrape`, `/stats` and `/health`, and UDP.
 *
 * Owns the listening sockets and the clockwork of the sweep; tracker.ts owns the rules, lib/announce the bytes,
 * udp_tracker.ts what is answered over UDP. A refused announce is still answered with 200 and a bencoded reason, since
 * clients show nothing else (BEP 3).
 */
import { decodeAddress, formatEndpoint } from "../../lib/endpoint.ts";
import { ProtocolError } from "../../lib/errors.ts";
import { hostName } from "../../lib/io/host_name.ts";
import type { HttpRefusal } from "../../lib/io/http_room.ts";
import { listenOnBoth } from "../../lib/io/listen.ts";
import { announceHosts, HostFinder } from "../../lib/io/local_interfaces.ts";
import {
  type HttpEnds,
  type HttpHandler,
  type HttpLimits,
  type HttpRequest,
  HttpServer,
} from "../../lib/io/http_server.ts";
import type { HttpReply } from "../../lib/http_response.ts";
import type { DatagramSocket, Network, SocketListener } from "../../lib/io/network.ts";
import type { InfoHash } from "../../lib/ids.ts";
import { httpConnectionsMax, httpConnectionsShare } from "../../lib/limits/http_server.ts";
import { trackerAskersMax } from "../../lib/limits/tracker.ts";
import { decodeAnnounceQuery, decodeScrapeQuery } from "../../lib/announce/http_query.ts";
import { encodeFailure, encodeScrape, ReplyEncoder } from "../../lib/announce/http_reply.ts";
import { type AnnounceAnswer, type AnnounceRequest, TrackerFailure } from "../../lib/announce/request.ts";
import { Refusals } from "../../lib/refusals.ts";
import { Asker } from "../asker.ts";
import { sipKeyLength } from "../sip_hash.ts";
import { Tracker, type TrackerRefusal, type TrackerStats } from "../tracker.ts";
import { type UdpRefusal, UdpTracker } from "../udp_tracker.ts";
import { aboutPage, healthy, isOwnName, notFound, statsPage, wrongHost } from "./tracker_pages.ts";
import { UdpListener } from "./udp_listener.ts";

export interface TrackerServerOptions {
  readonly network: Network;
  /** The address to listen on; all of IPv6 and IPv4 unless given. */
  readonly host?: string | undefined;
  /** 0 takes any free port. */
  readonly port: number;
  readonly intervalMs: number;
  readonly allow?: ReadonlySet<InfoHash> | undefined;
  /** Monotonic milliseconds. */
  now(): number;
  /** A number in [0, 1). */
  random(): number;
  /** Milliseconds after its last announce that a peer is forgotten; two and a half intervals unless given. */
  readonly lifetimeMs?: number;
  readonly limits?: Partial<HttpLimits>;
  /** Answers what is not the tracker's own: the page of `share`. Undefined where there is nothing. */
  site?(request: HttpRequest, ends: HttpEnds): HttpReply | undefined;
  /** Told of each announce that was answered; costs time, so only for those who print it. */
  onAnnounce?(announced: Announced): void;
  /** What the peer beside this tracker refused, by reason: told under `/stats`. */
  peersRefused?(): Readonly<Record<string, number>>;
  /** Told of our own faults. */
  onFault?(error: unknown): void;
}

/** One announce as a log shows it. */
export interface Announced {
  readonly infoHash: InfoHash;
  /** `10.0.0.2:6881`. */
  readonly peer: string;
  readonly kind: "started" | "completed" | "stopped" | "regular";
  readonly left: number;
  readonly complete: number;
  readonly incomplete: number;
}

/** What `/stats` tells. */
export interface ServerStats extends TrackerStats {
  /** Connections of HTTP that are open. */
  readonly connections: number;
  /** Connection ids given out over UDP. */
  readonly udpConnects: number;
  readonly uptimeSeconds: number;
  /** What was refused since the start, by part and reason. */
  readonly refused: ServerRefusals;
}

interface ServerRefusals {
  /** Connections and requests of HTTP, whatever they were about. */
  readonly http: Readonly<Record<HttpRefusal, number>>;
  /** Pages that were not given: by another name of this machine or without the PIN, not there, or too much at once. */
  readonly pages: Readonly<Record<PageRefusal, number>>;
  /** Announces and scrapes, and peers that are not listed; `malformed` over HTTP, that over UDP is below. */
  readonly announces: Readonly<Record<TrackerRefusal | "malformed", number>>;
  /** Packets that were met with silence. */
  readonly udp: Readonly<Record<UdpRefusal, number>>;
  /** Connections of peers, by why: of the peer that runs beside this tracker, where there is one. */
  readonly peers?: Readonly<Record<string, number>>;
}

const pageRefusals = ["denied", "notFound", "busy"] as const;
type PageRefusal = typeof pageRefusals[number];

/** Milliseconds between two sweeps: a million slots are looked at in 50 s. */
const sweepEveryMs = 50;
/** Milliseconds from the end of the table until the next round: a small tracker has little to do. */
const sweepRestMs = 2_000;
/** Slots looked at in one step of a sweep, and steps at most. */
const stepSlots = 50;
const stepsMax = 20;
/** Milliseconds after which a sweep takes no further step, so that it never stops the loop for long. */
const sweepMs = 1;

export class TrackerServer {
  readonly #options: TrackerServerOptions;
  readonly #tracker: Tracker;
  readonly #server: HttpServer;
  readonly #udpTracker: UdpTracker;
  readonly #udpListener: UdpListener;
  /** By the remote address, with the local one. */
  readonly #handlers = new Map<string, { local: string; handler: HttpHandler }>();
  readonly #encoder = new ReplyEncoder();
  readonly #pageRefusals = new Refusals<PageRefusal>(pageRefusals);
  readonly #hostName = hostName();
  #malformedCount = 0;
  #sweeper: ReturnType<typeof setTimeout>;
  readonly #startedAt: number;
  /** The port that was taken. */
  readonly port: number;
  /** The URLs that other machines can announce to, best first, or this one where there is no other. */
  readonly announceUrls: string[];
  /** The same for UDP. */
  readonly udpUrls: string[];

  private constructor(
    options: TrackerServerOptions,
    { listeners, sockets }: { listeners: readonly SocketListener[]; sockets: readonly DatagramSocket[] },
  ) {
    this.#options = options;
    this.#startedAt = options.now();
    this.port = listeners[0].addr.port;
    const places = announceHosts(options.host).map((host) => formatEndpoint({ host, port: this.port }));
    this.announceUrls = places.map((place) => `http://${place}/announce`);
    this.udpUrls = places.map((place) => `udp://${place}/announce`);
    this.#tracker = new Tracker(options);
    this.#server = new HttpServer({
      listeners,
      open: (ends) => this.#open(ends),
      onFault: (error) => options.onFault?.(error),
      limits: { connectionsMax: connectionsMaxOf(options.network), ...options.limits },
    });
    const hostFinder = new HostFinder(options.host && (sockets[0].addr as Deno.NetAddr).hostname, options.now);
    this.#udpTracker = new UdpTracker({
      tracker: this.#tracker,
      secret: crypto.getRandomValues(new Uint8Array(sipKeyLength)),
      hostFacing: (remote) => hostFinder.facing(remote),
      ...(options.onAnnounce && { onAnnounce: (...announced) => options.onAnnounce?.(announcedBy(...announced)) }),
    });
    this.#udpListener = new UdpListener({
      sockets,
      tracker: this.#udpTracker,
      now: options.now,
      onFault: (error) => options.onFault?.(error),
    });
    this.#sweeper = setTimeout(() => this.#sweep(), sweepRestMs);
  }

  /** @throws UserError when the port is in use or the address is not this machine's */
  static start(options: TrackerServerOptions): TrackerServer {
    return new TrackerServer(options, listenOnBoth(options.network, options.host, options.port));
  }

  get stats(): ServerStats {
    return {
      ...this.#tracker.stats,
      connections: this.#server.connectionCount,
      udpConnects: this.#udpTracker.connectCount,
      uptimeSeconds: Math.round((this.#options.now() - this.#startedAt) / 1000),
      refused: {
        http: this.#server.refused,
        pages: this.#pageRefusals.counts,
        announces: { ...this.#tracker.refused, malformed: this.#malformedCount },
        udp: this.#udpTracker.refused,
        ...(this.#options.peersRefused !== undefined && { peers: this.#options.peersRefused() }),
      },
    };
  }

  /** Stops listening and waits for the last replies. */
  async close(): Promise<void> {
    clearTimeout(this.#sweeper);
    await Promise.all([this.#server.close(), this.#udpListener.close()]);
  }

  #sweep(): void {
    const start = this.#options.now();
    let isAround = false;
    for (let i = 0; i < stepsMax && !isAround; i++) {
      isAround = this.#tracker.sweep(start, stepSlots);
      if (this.#options.now() - start > sweepMs) break;
    }
    this.#sweeper = setTimeout(() => this.#sweep(), isAround ? sweepRestMs : sweepEveryMs);
  }

  /** The handler for whoever asks from there; most come back, and many with a connection for each announce. */
  #open(ends: HttpEnds): HttpHandler {
    const known = this.#handlers.get(ends.remote);
    if (known !== undefined && known.local === ends.local) return known.handler;
    const handler = this.#handlerFor(new Asker(ends), ends);
    if (this.#handlers.size >= trackerAskersMax) this.#handlers.clear();
    this.#handlers.set(ends.remote, { local: ends.local, handler });
    return handler;
  }

  #handlerFor(asker: Asker, ends: HttpEnds): HttpHandler {
    return (request) => {
      const { path, query } = request;
      switch (path) {
        case "/announce":
          return this.#announce(query, asker);
        case "/scrape":
          return this.#scrape(query);
        case "/health":
          return healthy;
        default:
          return this.#page(request, ends);
      }
    };
  }

  #page(request: HttpRequest, ends: HttpEnds): HttpReply {
    const reply = this.#pageFor(request, ends);
    const refusal = pageRefusalOf(reply.status);
    if (refusal !== undefined) this.#pageRefusals.add(refusal);
    return reply;
  }

  #pageFor(request: HttpRequest, ends: HttpEnds): HttpReply {
    const { path, host } = request;
    if (!isOwnName(host, this.#hostName)) return wrongHost;
    if (path === "/stats") return statsPage(this.stats);
    return this.#options.site?.(request, ends) ?? (path === "/" ? aboutPage(this.stats) : notFound);
  }

  #announce(query: Uint8Array, asker: Asker): HttpReply {
    return this.#answered(() => {
      const request = decodeAnnounceQuery(query);
      const answer = this.#tracker.announce(request, asker, this.#options.now());
      if (this.#options.onAnnounce) this.#options.onAnnounce(announcedBy(request, asker, answer));
      return this.#encoder.encodeAnnounce(answer, request);
    });
  }

  #scrape(query: Uint8Array): HttpReply {
    return this.#answered(() => {
      const infoHashes = decodeScrapeQuery(query);
      // All swarms at once would tell a stranger what is shared here, at great length.
      if (infoHashes.length === 0) throw new TrackerFailure("a scrape must name its info_hash");
      return encodeScrape(this.#tracker.scrape(infoHashes));
    });
  }

  /** Runs one request; what the client did wrong becomes its failure reason. */
  #answered(run: () => Uint8Array): HttpReply {
    try {
      return { status: 200, contentType: "text/plain", body: run() };
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      const isOurs = error instanceof TrackerFailure;
      if (!isOurs) this.#malformedCount++;
      const body = encodeFailure(error.message, isOurs ? error.retryInMs : undefined);
      return { status: 200, contentType: "text/plain", body };
    }
  }
}

function pageRefusalOf(status: HttpReply["status"]): PageRefusal | undefined {
  if (status === 403) return "denied";
  if (status === 404) return "notFound";
  return status === 429 || status === 503 ? "busy" : undefined;
}

/** No more than the system has sockets for: at its limit nobody could be accepted, honest ones neither. */
function connectionsMaxOf({ socketsMax = Infinity }: Network): number {
  return Math.min(httpConnectionsMax, Math.floor(socketsMax * httpConnectionsShare));
}

function announcedBy(request: AnnounceRequest, asker: Asker, answer: AnnounceAnswer): Announced {
  return {
    infoHash: request.infoHash,
    peer: formatEndpoint({ host: decodeAddress(asker.address)!, port: request.port }),
    kind: request.event ?? "regular",
    left: request.left,
    complete: answer.complete,
    incomplete: answer.incomplete,
  };
}
