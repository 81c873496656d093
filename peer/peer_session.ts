/**
 * One peer: the order of its messages, its choke and interest flags, and bytes <-> messages.
 *
 * A session knows no piece table and no other peer: what a message means for the torrent is for Torrent, Downloader and
 * Uploader to say. Its outbox is emptied by Torrent, one write at a time.
 */
import { Bitfield } from "../lib/bitfield.ts";
import type { Bytes } from "../lib/bytes.ts";
import type { Endpoint } from "../lib/endpoint.ts";
import { ProtocolError } from "../lib/errors.ts";
import type { InfoHash, PeerId } from "../lib/ids.ts";
import { keepAliveMs, keepAliveRqbitMs } from "../lib/limits/transfer.ts";
import { outboxBytesMax, scarceOutboxBytesMax } from "../lib/limits/wire.ts";
import { RateMeter } from "../lib/rate_meter.ts";
import {
  decodeExtensionHandshake,
  encodeExtensionHandshake,
  type ExtensionHandshake,
  extensionHandshakeId,
  type ExtensionName,
  ownExtensionIds,
} from "../lib/wire/extended.ts";
import { bodyBytesMax, FrameReader } from "../lib/wire/frame.ts";
import { decodeHandshake, encodeHandshake, type Handshake } from "../lib/wire/handshake.ts";
import { BatchMemory } from "../lib/wire/batch_memory.ts";
import { decodeMessage, type Message, MessageId } from "../lib/wire/message.ts";
import { encodeDontHave } from "../lib/wire/partial_seed.ts";
import { MessageWriter } from "../lib/wire/message_writer.ts";
import { EarlyFrames, isTimeless } from "./early_frames.ts";
import type { ConnectionId } from "./events.ts";
import { costOf, Patience } from "./patience.ts";
import type { ActivePiece } from "./piece_table.ts";
import { RequestWindow } from "./request_window.ts";
import { UploadQueue } from "./upload_queue.ts";

/** Receives what a peer says, in order. */
export interface SessionSink {
  onHandshake(session: PeerSession, handshake: Handshake): void;
  onMessage(session: PeerSession, message: Message): void;
}

/** Ids of messages that only peers with the fast extension may send. */
const fastKinds: ReadonlySet<Message["kind"]> = new Set(["suggest", "haveAll", "haveNone", "reject", "allowedFast"]);
const extensionNames = Object.keys(ownExtensionIds) as ExtensionName[];

export class PeerSession {
  readonly connection: ConnectionId;
  readonly endpoint: Endpoint;
  readonly isOutgoing: boolean;
  readonly connectedAt: number;
  /** Where the peer can be dialled, as far as it is known. */
  listenEndpoint: Endpoint | undefined;
  /** What the peer called itself, unchecked. */
  client = "";
  peerId: PeerId | undefined;
  /** Both sides speak the fast extension (BEP 6). */
  supportsFast = false;

  /** Bytes of the metadata, as the peer says (BEP 9); not yet within any bound. */
  metadataSize: number | undefined;
  /** It wants nothing (BEP 21). */
  isUploadOnly = false;

  /** What the peer has; empty until it says so. */
  has: Bitfield;
  /** How many pieces it has that we lack. */
  wantedCount = 0;
  /** Losses that it told (BEP 54). */
  lostCount = 0;
  amChoking = true;
  amInterested = false;
  peerChoking = true;
  peerInterested = false;
  /** When `amChoking` changed last. */
  chokeChangedAt: number;
  /** When we last took its slot away. */
  chokedAt = -Infinity;
  /** Pieces that we may ask for while choked, and that it may (BEP 6). */
  readonly allowedFast = new Set<number>();
  readonly grantedFast = new Set<number>();
  /** Pieces that the peer proposed, the latest last. */
  readonly suggested: number[] = [];
  /** Pieces that we proposed to it and that it has not asked for yet. */
  readonly proposed = new Set<number>();

  readonly requests = new RequestWindow();
  readonly uploads = new UploadQueue();
  /** What it may still say that is of no use. */
  readonly patience: Patience;
  /** When a block passed last, in either direction. */
  usefulAt = -Infinity;
  /** Payload bytes that we sent it. */
  readonly upMeter = new RateMeter();
  /** A read of blocks for this peer is under way. */
  isReading = false;
  /** A write to this peer is under way. */
  isWriting = false;
  /** The piece that its next requests go to. */
  currentPiece: ActivePiece | undefined;
  /** Nothing was found to ask for, as of this state of Downloader. */
  exhaustedAt = -1;
  /** No request before this time: the peer rejected some. */
  quietUntil = 0;
  invalidRequestCount = 0;
  unwantedBytes = 0;

  /** Undefined while the metadata is fetched: nothing can be said about pieces then. */
  #pieceCount: number | undefined;
  #early: EarlyFrames | undefined;
  /** The ids under which the peer wants to receive extensions, of those that we speak. */
  readonly #theirIds = new Map<ExtensionName, number>();
  readonly #frames = new FrameReader();
  readonly #memory: BatchMemory;
  readonly #out: MessageWriter;
  readonly #unflushed: Set<PeerSession>;
  #receivedAt: number;
  #sentAt: number;
  #supportsExtensions = false;
  #isFirstOfPieces = true;
  /** Pieces that we lost before the peer said whether it wants to hear of that (BEP 54). */
  readonly #untoldLosses = new Set<number>();

  constructor(
    { connection, endpoint, isOutgoing, pieceCount, now, unflushed, memory = new BatchMemory() }: {
      connection: ConnectionId;
      endpoint: Endpoint;
      isOutgoing: boolean;
      /** Undefined while the metadata is fetched. */
      pieceCount: number | undefined;
      now: number;
      /** Where the session enters itself when it has something to write. */
      unflushed: Set<PeerSession>;
      memory?: BatchMemory;
    },
  ) {
    this.#unflushed = unflushed;
    this.#memory = memory;
    this.#out = new MessageWriter(memory);
    this.patience = new Patience(now);
    this.#frames.bodyBytesMax = bodyBytesMax(pieceCount);
    this.connection = connection;
    this.endpoint = endpoint;
    this.isOutgoing = isOutgoing;
    this.connectedAt = this.chokeChangedAt = now;
    this.#receivedAt = this.#sentAt = now;
    this.#pieceCount = pieceCount;
    this.has = Bitfield.empty(pieceCount ?? 0);
    if (isOutgoing) this.listenEndpoint = endpoint;
  }

  /** Whether both sides have said who they are. */
  get isEstablished(): boolean {
    return this.peerId !== undefined;
  }

  /** Bytes that wait to be written. */
  get outboxBytes(): number {
    return this.#out.length;
  }

  /** The peer does not take what it asked for: it is not read until it does. */
  get isCongested(): boolean {
    return this.#out.length > (this.#memory.isScarce ? scarceOutboxBytesMax : outboxBytesMax);
  }

  /** For so long a write has waited for the peer to take it, in milliseconds; 0 while none is under way. */
  stuckMs(now: number): number {
    return this.isWriting ? now - this.#sentAt : 0;
  }

  /** The outbox, to write into. */
  get #outbox(): MessageWriter {
    this.#unflushed.add(this);
    return this.#out;
  }

  /** Milliseconds since anything came. */
  silentMs(now: number): number {
    return now - this.#receivedAt;
  }

  /**
   * Takes bytes of the socket apart and hands on each message, in order.
   *
   * @throws ProtocolError when the peer breaks the protocol: the connection is to be closed
   */
  receive(bytes: Uint8Array, now: number, sink: SessionSink): void {
    this.#receivedAt = now;
    this.patience.refill(now);
    this.#frames.push(bytes, (buffer, start, end) => {
      if (this.peerId === undefined) this.#onHandshake(decodeHandshake(buffer.subarray(start, end)), sink);
      else if (this.#pieceCount === undefined) this.#onEarlyFrame(buffer, { start, end, sink });
      else this.#onMessage(decodeMessage(buffer, start, end), sink);
    });
  }

  /** The metadata is there: what the peer said about its pieces so far is taken in. @throws ProtocolError as `receive` */
  begin(pieceCount: number, sink: SessionSink): void {
    this.#pieceCount = pieceCount;
    this.#frames.bodyBytesMax = bodyBytesMax(pieceCount);
    this.has = Bitfield.empty(pieceCount);
    const early = this.#early;
    this.#early = undefined;
    early?.replay((buffer, start, end) => this.#onMessage(decodeMessage(buffer, start, end), sink));
  }

  #onHandshake(theirs: Handshake, sink: SessionSink): void {
    this.peerId = theirs.peerId;
    this.supportsFast = theirs.supportsFast;
    this.#supportsExtensions = theirs.supportsExtensions;
    sink.onHandshake(this, theirs);
  }

  /** A frame before the torrent is known: what is about pieces has to wait. */
  #onEarlyFrame(
    buffer: Uint8Array,
    { start, end, sink }: { start: number; end: number; sink: SessionSink },
  ): void {
    const message = decodeMessage(buffer, start, end);
    if (isTimeless(message)) this.#onMessage(message, sink);
    else (this.#early ??= new EarlyFrames()).push(buffer, start, end);
  }

  #onMessage(message: Message, sink: SessionSink): void {
    if (fastKinds.has(message.kind) && !this.supportsFast) {
      throw new ProtocolError(`${message.kind} without the fast extension`);
    }
    this.patience.spend(costOf(message, this.has.length));
    switch (message.kind) {
      case "choke":
      case "unchoke":
        this.peerChoking = message.kind === "choke";
        break;
      case "interested":
      case "notInterested":
        if (this.peerInterested === (message.kind === "interested")) return;
        this.peerInterested = message.kind === "interested";
        break;
      case "bitfield":
      case "haveAll":
      case "haveNone":
        return this.#onAllPieces(message, sink);
      case "extended":
        if (message.id === extensionHandshakeId) this.#onExtensionHandshake(decodeExtensionHandshake(message.payload));
        break;
      case "have":
        this.#isFirstOfPieces = false;
        break;
    }
    sink.onMessage(this, message);
  }

  /** The first one says what the peer has; aria2 sends more instead of many haves, and is taken at its word. */
  #onAllPieces(message: Message, sink: SessionSink): void {
    const pieceCount = this.has.length;
    let has = Bitfield.empty(pieceCount);
    if (message.kind === "bitfield") has = Bitfield.decode(message.payload, pieceCount);
    if (message.kind === "haveAll") has = Bitfield.full(pieceCount);
    if (this.#isFirstOfPieces) {
      this.#isFirstOfPieces = false;
      this.has = has;
      return sink.onMessage(this, message);
    }
    for (let piece = 0; piece < pieceCount; piece++) {
      if (has.has(piece) && !this.has.has(piece)) sink.onMessage(this, { kind: "have", piece });
    }
  }

  #onExtensionHandshake(handshake: ExtensionHandshake): void {
    if (handshake.client !== undefined) this.client = handshake.client;
    if (handshake.requestQueueMax !== undefined) this.requests.peerQueueMax = handshake.requestQueueMax;
    if (handshake.listenPort !== undefined) {
      this.listenEndpoint = { host: this.endpoint.host, port: handshake.listenPort };
    }
    if (handshake.metadataSize !== undefined) this.metadataSize = handshake.metadataSize;
    if (handshake.isUploadOnly !== undefined) this.isUploadOnly = handshake.isUploadOnly;
    for (const name of extensionNames) {
      const id = handshake.extensionIds.get(name);
      if (id !== undefined) this.#theirIds.set(name, id);
    }
    if (!this.speaks("lt_donthave")) return;
    for (const piece of this.#untoldLosses) this.sendDontHave(piece);
    this.#untoldLosses.clear();
  }

  /** Whether the peer wants to receive messages of the extension. */
  speaks(name: ExtensionName): boolean {
    return (this.#theirIds.get(name) ?? 0) > 0;
  }

  /** The first thing that is said, by each side once. */
  sendHandshake({ infoHash, peerId }: { infoHash: InfoHash; peerId: PeerId }): void {
    this.#outbox.bytes(encodeHandshake({ infoHash, peerId, supportsExtensions: true, supportsFast: true }));
  }

  /**
   * What follows both handshakes: the extension handshake, then what we have, in the form the peer understands; nothing
   * while the torrent is not known.
   */
  sendOpening({ have, extensions }: { have: Bitfield | undefined; extensions: ExtensionHandshake }): void {
    this.sendExtensionHandshake(extensions);
    if (have === undefined) {
      if (this.supportsFast) this.#outbox.bare(MessageId.haveNone);
    } else if (this.supportsFast && have.isFull) this.#outbox.bare(MessageId.haveAll);
    else if (this.supportsFast && have.isEmpty) this.#outbox.bare(MessageId.haveNone);
    else if (!have.isEmpty) this.#outbox.bitfield(have.encode());
  }

  /** Says what we can do, for the first time or anew (BEP 10). */
  sendExtensionHandshake(handshake: ExtensionHandshake): void {
    if (this.#supportsExtensions) this.#outbox.extended(extensionHandshakeId, encodeExtensionHandshake(handshake));
  }

  /** A message of an extension, to a peer that speaks it. */
  sendExtended(name: ExtensionName, payload: Uint8Array): void {
    if (this.speaks(name)) this.#outbox.extended(this.#theirIds.get(name)!, payload);
  }

  setChoking(choking: boolean, now: number): void {
    if (this.amChoking === choking) return;
    this.amChoking = choking;
    this.chokeChangedAt = now;
    if (choking) this.chokedAt = now;
    this.#outbox.bare(choking ? MessageId.choke : MessageId.unchoke);
  }

  setInterested(interested: boolean): void {
    if (this.amInterested === interested) return;
    this.amInterested = interested;
    this.#outbox.bare(interested ? MessageId.interested : MessageId.notInterested);
  }

  sendHave(piece: number): void {
    this.#untoldLosses.delete(piece);
    this.#untoldLosses.delete(piece);
    this.#outbox.piece(MessageId.have, piece);
  }

  /** We lost a piece; told at once, or as soon as the peer says that it wants to know (BEP 54). */
  sendDontHave(piece: number): void {
    if (this.speaks("lt_donthave")) this.sendExtended("lt_donthave", encodeDontHave(piece));
    else this.#untoldLosses.add(piece);
  }

  sendAllowedFast(piece: number): void {
    this.grantedFast.add(piece);
    this.#outbox.piece(MessageId.allowedFast, piece);
  }

  sendSuggest(piece: number): void {
    this.#outbox.piece(MessageId.suggest, piece);
  }

  sendRequest(piece: number, begin: number, length: number): void {
    this.#outbox.range(MessageId.request, piece, begin, length);
  }

  sendCancel(piece: number, begin: number, length: number): void {
    this.#outbox.range(MessageId.cancel, piece, begin, length);
  }

  /** Answers a request with a refusal; without the fast extension silence is the refusal. */
  sendReject(range: { piece: number; begin: number; length: number }): void {
    if (this.supportsFast) this.#outbox.range(MessageId.reject, range.piece, range.begin, range.length);
  }

  sendBlock(piece: number, begin: number, block: Uint8Array, now: number): void {
    this.#outbox.block(piece, begin, block);
    this.usefulAt = now;
    this.patience.passed(block.length);
    this.upMeter.add(block.length, now);
  }

  /** Says a word where the peer would else think that we are gone. */
  keepAlive(now: number): void {
    if (!this.isEstablished || this.#out.length > 0 || this.isWriting) return;
    const isRqbit = this.peerId!.startsWith("2d7251"); // "-rQ"
    if (now - this.#sentAt >= (isRqbit ? keepAliveRqbitMs : keepAliveMs)) this.#outbox.keepAlive();
  }

  /** Takes what is to be written; undefined while nothing waits or a write is under way. */
  takeOutbox(now: number): Bytes | undefined {
    if (this.isWriting || this.#out.length === 0) return undefined;
    this.isWriting = true;
    this.#sentAt = now;
    return this.#out.take();
  }

  /** The write is done; its memory can be used again. */
  written(bytes: Bytes): void {
    this.isWriting = false;
    if (this.#out.length > 0) this.#unflushed.add(this);
    this.#out.recycle(bytes);
  }

  /** The connection is closed: nothing of what waits is written any more. */
  discard(): void {
    this.#out.discard();
  }
}
