/**
 * A torrent of which only the info hash is known: finds peers as Torrent does, and gets its metadata from them (BEP 9).
 *
 * Ends with the effect `metadata`, whose hash matches. Its peers, addresses and announces then go to the Torrent
 * (`roster`, `announcer`), connections and all: a peer that can only dial out would not come again.
 */
import { ProtocolError } from "../lib/errors.ts";
import type { InfoHash, PeerId } from "../lib/ids.ts";
import { peersMax } from "../lib/limits/transfer.ts";
import { extensionHandshakeId, ownExtensionIds } from "../lib/wire/extended.ts";
import type { Handshake } from "../lib/wire/handshake.ts";
import type { Message } from "../lib/wire/message.ts";
import type { BatchMemory } from "../lib/wire/batch_memory.ts";
import type { Announcer } from "./announcer.ts";
import type { ConnectionId, Effect, Input } from "./events.ts";
import { Extensions } from "./extensions.ts";
import { MetadataRequests } from "./metadata_requests.ts";
import { PeerRoster } from "./peer_roster.ts";
import { PeerSearch } from "./peer_search.ts";
import type { PeerSession } from "./peer_session.ts";

export interface MetadataFetchOptions {
  readonly infoHash: InfoHash;
  readonly peerId: PeerId;
  readonly announcer: Announcer;
  /** Our TCP port, 0 for none. */
  readonly listenPort: number;
  /** What we call ourselves to peers. */
  readonly client: string;
  readonly maxPeers?: number;
  /** For what is sent to peers, shared by all torrents of the program. */
  readonly sendMemory?: BatchMemory;
  readonly random: () => number;
}

/** Numbers of a fetch for people. */
export interface MetadataStats {
  /** Connected peers. */
  readonly peerCount: number;
  /** Those that say they have the metadata. */
  readonly sourceCount: number;
  readonly receivedBytes: number;
  /** 0 while nobody has said it. */
  readonly totalBytes: number;
}

/** Milliseconds between two looks at deadlines and addresses. */
const upkeepMs = 500;
/** What trackers are told to be left where it is not known: something, or we would pass for a seed; libtorrent says so too. */
const unknownLeft = 16_384;

export class MetadataFetch {
  readonly infoHash: InfoHash;
  readonly announcer: Announcer;
  readonly roster: PeerRoster;
  readonly #options: MetadataFetchOptions;
  readonly #extensions: Extensions;
  readonly #requests: MetadataRequests;
  readonly #search: PeerSearch;
  #effects: Effect[] = [];
  #now = 0;
  #upkeepAt = 0;
  #isStopped = false;

  constructor(options: MetadataFetchOptions) {
    this.#options = options;
    const { infoHash, announcer, client, listenPort, random } = options;
    this.infoHash = infoHash;
    this.announcer = announcer;
    this.#requests = new MetadataRequests(infoHash, {
      onMetadata: (infoBytes) => this.#effects.push({ kind: "metadata", infoBytes }),
      onLiars: (liars) => {
        for (const liar of liars) this.roster.ban(liar, "it sent metadata that fails its hash", this.#now);
      },
    });
    const emit = (effect: Effect) => void this.#effects.push(effect);
    this.roster = new PeerRoster({
      ownPeerId: options.peerId,
      sessionsMax: options.maxPeers ?? peersMax,
      memory: options.sendMemory,
      owner: {
        pieceCount: undefined,
        isPrivate: false,
        emit,
        onGone: (session) => this.#requests.onGone(session),
      },
    });
    const stats = () => ({ uploaded: 0, downloaded: 0, left: unknownLeft, wantsPeers: true });
    this.#search = new PeerSearch({ roster: this.roster, announcer, emit, stats });
    // Whom others know is learned here already; to tell them ourselves there is time once the torrent is known.
    this.#extensions = new Extensions({
      ...{ infoBytes: undefined, isPrivate: false, client, listenPort, random, sessions: this.roster.sessions },
      learn: (endpoints) => this.#search.learn(endpoints, "exchange", this.#now),
      wantsNoSeeds: () => false,
      onDontHave: () => {}, // what anybody has is no topic yet
    });
  }

  get stats(): MetadataStats {
    const { sourceCount, progress } = this.#requests;
    return { peerCount: this.roster.establishedCount, sourceCount, ...progress };
  }

  /** Whether somebody is asked, connected to, or could still be: a tracker has not answered, an address was not tried. */
  get hasHope(): boolean {
    return this.roster.sessions.size > 0 || this.roster.hasUntried || !this.announcer.isAnswered;
  }

  mayRead(connection: ConnectionId): boolean {
    return !this.roster.sessions.get(connection)?.isCongested;
  }

  wakeAt(): number {
    return this.#isStopped ? Infinity : this.#upkeepAt;
  }

  /** As Torrent.apply; what is of pieces or disk means nothing here. */
  apply(input: Input, now: number): Effect[] {
    this.#now = now;
    this.#applyInput(input);
    this.roster.flush(now);
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #applyInput(input: Input): void {
    switch (input.kind) {
      case "connected":
        return this.#onConnected(input);
      case "received":
        return this.#onReceived(input);
      case "sent":
        return this.#onSent(input);
      case "closed": {
        const session = this.roster.sessions.get(input.connection);
        return session && this.roster.forget(session, "it left", this.#now);
      }
      case "announced":
      case "announceFailed":
      case "peersFound":
      case "dialFailed":
        return this.#search.apply(input, this.#now);
      case "tick":
        return this.#onTick();
      case "stop":
        return this.#onStop();
      default:
    }
  }

  #onConnected(input: Extract<Input, { kind: "connected" }>): void {
    const session = this.roster.admit(input, this.#now);
    if (this.#isStopped && session !== undefined) this.roster.part(session, "the fetch ends", this.#now);
    else session?.sendHandshake(this.#options);
  }

  #onSent({ connection, bytes }: Extract<Input, { kind: "sent" }>): void {
    const session = this.roster.sessions.get(connection);
    if (session === undefined) this.roster.giveBack(bytes);
    else session.written(bytes);
  }

  #onReceived({ connection, bytes }: Extract<Input, { kind: "received" }>): void {
    const session = this.roster.sessions.get(connection);
    try {
      session?.receive(bytes, this.#now, {
        onHandshake: (_, handshake) => this.#onHandshake(session, handshake),
        onMessage: (_, message) => {
          if (this.roster.sessions.has(connection)) this.#onMessage(session, message);
        },
      });
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.roster.close(session!, error.message, this.#now);
    }
  }

  #onHandshake(session: PeerSession, handshake: Handshake): void {
    if (handshake.infoHash !== this.infoHash) throw new ProtocolError("a handshake for another torrent");
    this.roster.identify(session, handshake.peerId, this.#now);
    const extensions = this.#extensions.handshakeFor(session, { isUploadOnly: false });
    session.sendOpening({ have: undefined, extensions });
  }

  /** Only what means something without the torrent gets here; the session keeps the rest. */
  #onMessage(session: PeerSession, message: Message): void {
    if (message.kind !== "extended") return;
    if (message.id === extensionHandshakeId) {
      this.roster.learnListenPort(session);
      this.#requests.onHandshake(session, this.#now);
    } else if (message.id === ownExtensionIds.ut_metadata) {
      this.#requests.onMessage(session, message.payload, this.#now);
    } else this.#extensions.onMessage(session, message, this.#now);
  }

  #onTick(): void {
    if (this.#now < this.#upkeepAt || this.#isStopped) return;
    this.#upkeepAt = this.#now + upkeepMs;
    this.roster.dropSilent(this.#now);
    this.#requests.tick(this.#now);
    this.#search.upkeep(this.#now);
  }

  #onStop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#search.stop(this.#now);
    this.roster.closeAll("the fetch ends", this.#now);
  }
}
