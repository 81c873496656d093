/**
 * One torrent's transfer as a pure state machine: `apply(input, now)` gives the effects to perform.
 *
 * Torrent wires its parts and keeps their turns: PeerRoster has the sessions and addresses, MessageRouter leads each message
 * to the half that it is for, Downloader takes, Uploader gives, PieceTable says what is there. It knows no socket, disk,
 * clock or dice.
 */
import { ProtocolError } from "../lib/errors.ts";
import type { InfoHash } from "../lib/ids.ts";
import { peersMax, snubDropMs } from "../lib/limits/transfer.ts";
import { type ExtensionHandshake, extensionHandshakeId } from "../lib/wire/extended.ts";
import type { Handshake } from "../lib/wire/handshake.ts";
import { Availability } from "./availability.ts";
import type { Announcer } from "./announcer.ts";
import { DiskPause } from "./disk_pause.ts";
import { Downloader } from "./downloader.ts";
import { Extensions } from "./extensions.ts";
import type { ConnectionId, Effect, Input } from "./events.ts";
import { MessageRouter } from "./message_router.ts";
import { PeerRoster, type RosterOwner } from "./peer_roster.ts";
import { PeerSearch } from "./peer_search.ts";
import type { PeerSession, SessionSink } from "./peer_session.ts";
import { PieceOutcomes } from "./piece_outcomes.ts";
import { PiecePicker } from "./piece_picker.ts";
import { PieceTable } from "./piece_table.ts";
import type { TorrentOptions } from "./torrent_options.ts";
import type { TorrentView } from "./torrent_view.ts";
import { gatherStats, type TransferStats } from "./transfer_stats.ts";
import { Uploader } from "./uploader.ts";
import { WebSeeds } from "./web_seeds.ts";

/** Milliseconds between two looks at deadlines, addresses and turns. */
const upkeepMs = 500;
/** The same while nobody is here and nothing is missing: a share waits all day. */
const restUpkeepMs = 2_000;

export class Torrent {
  readonly infoHash: InfoHash;
  readonly #options: TorrentOptions;
  readonly #table: PieceTable;
  readonly #picker: PiecePicker;
  readonly #availability: Availability;
  readonly #downloader: Downloader;
  readonly #pause: DiskPause;
  readonly #uploader: Uploader;
  readonly #webSeeds: WebSeeds;
  readonly #router: MessageRouter;
  readonly #outcomes: PieceOutcomes;
  readonly #roster: PeerRoster;
  readonly #announcer: Announcer;
  readonly #extensions: Extensions;
  readonly #search: PeerSearch;
  #effects: Effect[] = [];
  #now = 0;
  #upkeepAt = 0;
  #isStopped = false;

  constructor(options: TorrentOptions) {
    this.#options = options;
    this.infoHash = options.infoHash;
    this.#announcer = options.announcer;
    const { layout, have, random, strategy } = options;
    this.#table = new PieceTable(layout, have, options.selection);
    const picker = this.#picker = new PiecePicker({
      pieceCount: layout.pieceCount,
      strategy,
      random,
      isMissing: (piece) => this.#table.isToFetch(piece),
    });
    const { infoBytes, client, listenPort, isPrivate = false } = options;
    const wantsNothing = options.isSeedOnly === true || this.#table.isComplete;
    this.#availability = new Availability({ table: this.#table, picker, wantsNothing });
    const emit = (effect: Effect) => void this.#effects.push(effect);
    const { pieceCount } = layout;
    const { peerId: ownPeerId, sendMemory: memory, maxPeers: sessionsMax = peersMax } = options;
    const owner: RosterOwner = { pieceCount, isPrivate, emit, onGone: (session) => this.#onGone(session) };
    this.#roster = options.roster ?? new PeerRoster({ ownPeerId, sessionsMax, owner, memory });
    options.roster?.handTo(owner);
    this.#search = new PeerSearch({
      ...{ roster: this.#roster, announcer: options.announcer, emit, stats: () => this.#announceStats() },
    });
    this.#extensions = new Extensions({
      ...{ infoBytes, isPrivate, client, listenPort, random, sessions: this.#roster.sessions },
      learn: (endpoints) => this.#search.learn(endpoints, "exchange", this.#now),
      wantsNoSeeds: () => this.#availability.wantsNothing,
      onDontHave: (session, index) => this.#outcomes.onDontHave(session, index),
    });
    const shared = { table: this.#table, sessions: this.#roster.sessions, emit };
    this.#pause = new DiskPause(emit);
    const taking = {
      ...shared,
      emit: (effect: Effect) => this.#pause.pass(effect),
      picker,
      limiter: options.downloadLimiter,
    };
    const uploading = { ...shared, picker, limiter: options.uploadLimiter, random, memory: this.#roster.memory };
    this.#downloader = new Downloader(taking);
    const urls = wantsNothing ? [] : options.webSeeds ?? [];
    this.#webSeeds = new WebSeeds({ ...taking, urls, downloader: this.#downloader, random });
    this.#uploader = new Uploader(uploading);
    this.#outcomes = new PieceOutcomes({
      table: this.#table,
      downloader: this.#downloader,
      pause: this.#pause,
      webSeeds: this.#webSeeds,
      availability: this.#availability,
      roster: this.#roster,
      emit,
    });
    this.#router = new MessageRouter({
      availability: this.#availability,
      downloader: this.#downloader,
      uploader: this.#uploader,
      onNews: (session) => this.#partSeeds(session),
      onExtended: (session, message) => {
        if (message.id === extensionHandshakeId) this.#roster.learnListenPort(session);
        this.#extensions.onMessage(session, message, this.#now);
        this.#partSeeds(session);
      },
    });
  }

  /** Everything that is wanted is there. */
  get isComplete(): boolean {
    return this.#table.isComplete;
  }

  /** Every piece of the torrent is there. */
  get isWhole(): boolean {
    return this.#table.isWhole;
  }

  /** Connected peers that have said who they are. */
  get peers(): PeerSession[] {
    return this.#roster.established;
  }

  /** Whether the connection may be read: its peer takes what it asked for. */
  mayRead(connection: ConnectionId): boolean {
    return !this.#roster.sessions.get(connection)?.isCongested;
  }

  /** Whether the answer to a `fetchWeb` may be read on. */
  mayReadWeb(request: number, now: number): boolean {
    return this.#webSeeds.mayRead(request, now);
  }

  /** When (monotonic ms) the next tick has something to do; Infinity after the stop. */
  wakeAt(now: number): number {
    if (this.#isStopped) return Infinity;
    const takeAt = Math.min(this.#downloader.wakeAt(now), this.#webSeeds.wakeAt(now));
    return Math.min(this.#upkeepAt, this.#uploader.wakeAt(now), takeAt, this.#pause.wakeAt);
  }

  stats(now: number): TransferStats {
    const [table, downloader, uploader] = [this.#table, this.#downloader, this.#uploader];
    return gatherStats({ table, downloader, uploader, roster: this.#roster, webSeeds: this.#webSeeds }, now);
  }

  /** What says how it stands, to look at. */
  get view(): TorrentView {
    const { sessions, addressCounts, refusals } = this.#roster;
    const [table, picker, availability] = [this.#table, this.#picker, this.#availability];
    return { table, picker, availability, sessions, addressCounts, refusals };
  }

  /** What the trackers said last. */
  get trackerStatus(): Announcer["status"] {
    return this.#announcer.status;
  }

  /** What went wrong last with each web seed that is not well. */
  get webSeedErrors(): string[] {
    return this.#webSeeds.errors;
  }

  /**
   * Takes one input in.
   *
   * @param now monotonic ms, never less than before
   * @returns what is to be done, in this order
   */
  apply(input: Input, now: number): Effect[] {
    this.#now = now;
    this.#applyInput(input);
    this.#roster.flush(this.#now);
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #applyInput(input: Input): void {
    switch (input.kind) {
      case "received":
        return this.#onReceived(input.connection, input.bytes);
      case "sent":
        return this.#onSent(input);
      case "blocksRead":
        return this.#withSession(input.connection, (session) => this.#uploader.onBlocksRead(session, input, this.#now));
      case "readFailed":
        this.#outcomes.onLost(input.lost, this.#now);
        return this.#withSession(
          input.connection,
          (session) => this.#uploader.onReadFailed(session, input.ranges, this.#now),
        );
      case "piecesLost":
        return this.#outcomes.onLost(input.pieces, this.#now);
      case "piecesFound":
        return this.#outcomes.onFound(input.pieces);
      case "pieceChecked":
        if (!input.ok) this.#outcomes.onLost([input.piece], this.#now);
        return this.#uploader.onPieceChecked(input.piece, this.#now);
      case "pieceStored":
        return this.#onPieceStored(input);
      case "pieceBad":
        return this.#outcomes.onBad(input, this.#now);
      case "storeRefused":
        return this.#outcomes.onStoreRefused(input, this.#now);
      case "diskHasRoom":
        return this.#pause.retry(this.#now);
      case "storeFailed":
        return this.#outcomes.onStoreFailed(input);
      case "connected":
        return this.#onConnected(input);
      case "closed":
        return this.#withSession(input.connection, (session) => this.#roster.forget(session, "it left", this.#now));
      case "announced":
      case "announceFailed":
      case "peersFound":
      case "dialFailed":
        return this.#search.apply(input, this.#now);
      case "handedOver":
        return this.#onHandedOver();
      case "webBytes":
      case "webSkipped":
      case "webEnded":
        return this.#webSeeds.apply(input, this.#now);
      case "tick":
        return this.#onTick();
      case "stop":
        return this.#onStop();
    }
  }

  // Connections

  #onConnected(input: Extract<Input, { kind: "connected" }>): void {
    this.#upkeepAt = Math.min(this.#upkeepAt, this.#now + upkeepMs);
    const session = this.#roster.admit(input, this.#now);
    if (this.#isStopped && session !== undefined) this.#roster.part(session, "the transfer ends", this.#now);
    else session?.sendHandshake(this.#options);
  }

  /** The peers that gave us the metadata: they were told that we have nothing, and spoke of pieces before we could tell. */
  #onHandedOver(): void {
    if (this.#options.isPrivate) this.#roster.closeStrangers(this.#now);
    for (const session of [...this.#roster.sessions.values()]) {
      if (session.isEstablished) {
        session.sendExtensionHandshake(this.#extensionHandshakeFor(session));
        const { have } = this.#table;
        for (let piece = 0; piece < have.length; piece++) if (have.has(piece)) session.sendHave(piece);
      }
      this.#listen(session, (sink) => session.begin(this.#table.layout.pieceCount, sink));
    }
  }

  #onReceived(connection: ConnectionId, bytes: Uint8Array): void {
    this.#withSession(connection, (session) => {
      this.#listen(session, (sink) => session.receive(bytes, this.#now, sink));
    });
  }

  /** Takes in what the session hands on, and answers. */
  #listen(session: PeerSession, hear: (sink: SessionSink) => void): void {
    const isHere = () => this.#roster.sessions.has(session.connection);
    try {
      hear({
        onHandshake: (_, handshake) => this.#onHandshake(session, handshake),
        onMessage: (_, message) => {
          if (isHere()) this.#router.route(session, message, this.#now);
        },
      });
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return this.#close(session, error.message);
    }
    if (!isHere()) return;
    this.#downloader.fill(session, this.#now);
    this.#uploader.serve(session, this.#now);
  }

  #onHandshake(session: PeerSession, handshake: Handshake): void {
    if (handshake.infoHash !== this.infoHash) throw new ProtocolError("a handshake for another torrent");
    this.#roster.identify(session, handshake.peerId, this.#now);
    session.sendOpening({ have: this.#table.have, extensions: this.#extensionHandshakeFor(session) });
    const { endpoint, supportsFast } = session;
    if (supportsFast) this.#uploader.grantAllowedFast(session, { endpoint, infoHash: this.infoHash });
  }

  #extensionHandshakeFor(session: PeerSession): ExtensionHandshake {
    return this.#extensions.handshakeFor(session, { isUploadOnly: this.#availability.wantsNothing });
  }

  #close(session: PeerSession, why: string): void {
    this.#roster.close(session, why, this.#now);
  }

  /** The peer was taken out: what it was asked for and what it has are to be had elsewhere. */
  #onGone(session: PeerSession): void {
    this.#downloader.releaseAll(session);
    this.#uploader.onClosed(session, this.#now);
    this.#availability.onGone(session);
    this.#extensions.onGone(session);
    if (!this.#isStopped) this.#downloader.fillAll(this.#now);
  }

  /** Parts from who wants nothing, unless it has something that we want (BEP 21). */
  #partSeeds(session: PeerSession): void {
    if (this.#availability.isOfNoUse(session)) this.#roster.part(session, "neither wants anything", this.#now);
  }

  // Disk

  #onPieceStored(input: Extract<Input, { kind: "pieceStored" }>): void {
    this.#outcomes.onStored(input, this.#now);
    if (this.isComplete) this.#onComplete();
  }

  #onComplete(): void {
    this.#webSeeds.stop();
    this.#availability.wantNothing();
    if (this.isWhole) this.#announcer.completed(this.#now);
    this.#effects.push({ kind: "complete" });
    this.#search.announce(this.#now);
    for (const session of [...this.#roster.sessions.values()]) {
      // Who has not all pieces has to say that it wants nothing more (BEP 21).
      if (session.isEstablished && !this.isWhole) session.sendExtensionHandshake(this.#extensionHandshakeFor(session));
      this.#partSeeds(session);
    }
  }

  #onSent({ connection, bytes }: Extract<Input, { kind: "sent" }>): void {
    const session = this.#roster.sessions.get(connection);
    if (session === undefined) return this.#roster.giveBack(bytes);
    session.written(bytes);
    this.#extensions.onSent(session);
    this.#uploader.serve(session, this.#now);
  }

  // Time

  #onTick(): void {
    this.#pause.tick(this.#now);
    this.#uploader.serveThrottled(this.#now);
    if (this.#downloader.wakeAt(this.#now) <= this.#now) this.#downloader.fillAll(this.#now);
    if (this.#webSeeds.wakeAt(this.#now) <= this.#now) this.#webSeeds.fill(this.#now);
    if (this.#now < this.#upkeepAt || this.#isStopped) return;
    const isAtRest = this.isComplete && this.#roster.sessions.size === 0;
    this.#upkeepAt = this.#now + (isAtRest ? restUpkeepMs : upkeepMs);
    this.#checkDeadlines();
    this.#uploader.runRound(this.#now, this.#availability.wantsNothing);
    this.#downloader.fillAll(this.#now);
    this.#webSeeds.upkeep(this.#now);
    this.#extensions.tick(this.#now);
    this.#search.upkeep(this.#now);
  }

  #checkDeadlines(): void {
    for (const session of this.#downloader.checkStalled(this.#now, snubDropMs)) this.#close(session, "it stalls");
    this.#roster.dropSilent(this.#now);
  }

  #announceStats() {
    return {
      uploaded: this.#uploader.meter.total,
      downloaded: this.#downloader.meter.total,
      // A partial seed is told from a seed by this alone: many trackers refuse the event `paused` that BEP 21 has for it.
      left: this.#table.lackingBytes,
      wantsPeers: !this.#availability.wantsNothing && this.#roster.establishedCount < fewPeers,
    };
  }

  #onStop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#pause.stop();
    this.#downloader.stop();
    this.#webSeeds.stop();
    this.#search.stop(this.#now);
    this.#roster.closeAll("the transfer ends", this.#now);
  }

  #withSession(connection: ConnectionId, act: (session: PeerSession) => void): void {
    const session = this.#roster.sessions.get(connection);
    if (session !== undefined) act(session);
  }
}

/** With fewer peers than this a downloader asks its trackers for more. */
const fewPeers = 4;
