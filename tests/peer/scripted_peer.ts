/** One Torrent under test, and peers that say exactly what the test makes them say. */
import { assert } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import type { Bytes } from "../../lib/bytes.ts";
import type { Endpoint } from "../../lib/endpoint.ts";
import { type PeerId, peerIdFromBytes, type PieceIndex } from "../../lib/ids.ts";
import { blockLength } from "../../lib/limits/wire.ts";
import { RateLimiter } from "../../lib/rate_limiter.ts";
import {
  encodeExtensionHandshake,
  type ExtensionHandshake,
  extensionHandshakeId,
  type ExtensionName,
  ownExtensionIds,
} from "../../lib/wire/extended.ts";
import { FrameReader } from "../../lib/wire/frame.ts";
import { encodeHandshake, type Handshake } from "../../lib/wire/handshake.ts";
import { type BlockRange, decodeMessage, type Message, MessageId } from "../../lib/wire/message.ts";
import { MessageWriter } from "../../lib/wire/message_writer.ts";
import { Announcer } from "../../peer/announcer.ts";
import type { ConnectionId, Effect, Input } from "../../peer/events.ts";
import { Torrent } from "../../peer/torrent.ts";
import type { TorrentOptions } from "../../peer/torrent_options.ts";
import { seededRandom } from "../lib/mutations.ts";
import { type Content, VirtualDisk } from "./virtual_disk.ts";

type EffectOf<Kind extends Effect["kind"]> = Extract<Effect, { kind: Kind }>;
/** The member of the union that has this kind, alone or among others. */
type MessageOf<Kind extends Message["kind"], M = Message> = M extends { kind: infer Kinds }
  ? Kind extends Kinds ? M & { kind: Kind } : never
  : never;

/** A peer id that says which test peer it is; `-TS0001-` unless another beginning is given. */
export function testPeerId(number: number, prefix = "-TS0001-"): PeerId {
  const bytes = new Uint8Array(20);
  new TextEncoder().encodeInto(prefix, bytes);
  bytes[19] = number;
  bytes[18] = number >>> 8;
  return peerIdFromBytes(bytes);
}

export class TorrentStage {
  readonly torrent: Torrent;
  readonly content: Content;
  readonly disk: VirtualDisk;
  /** Effects other than `send`, in order. */
  readonly effects: Effect[] = [];
  now = 10_000;
  /** When false, the test itself performs what the disk is asked for. */
  isDiskAutomatic = true;
  readonly #peers = new Map<ConnectionId, ScriptedPeer>();
  readonly #inputs: Input[] = [];
  #isApplying = false;
  #nextConnection = 1;

  constructor(
    content: Content,
    { have = Bitfield.empty(content.layout.pieceCount), ...options }:
      & Partial<Omit<TorrentOptions, "infoHash" | "layout" | "announcer">>
      & { announcer?: Announcer } = {},
  ) {
    this.content = content;
    this.disk = new VirtualDisk(content, have);
    const { infoHash, layout } = content;
    const random = options.random ?? seededRandom(1);
    const peerId = options.peerId ?? testPeerId(0, "-LB0100-");
    this.torrent = new Torrent({
      ...{ infoHash, layout, have, peerId, random, strategy: "rarest-first", listenPort: 6881, client: "test" },
      announcer: new Announcer({ tiers: [], infoHash, peerId, port: 6881, random, isComplete: have.isFull }),
      downloadLimiter: new RateLimiter(),
      uploadLimiter: new RateLimiter(),
      ...options,
    });
  }

  /** One input, and what follows from it at the same moment. */
  apply(input: Input): void {
    this.#inputs.push(input);
    if (this.#isApplying) return;
    this.#isApplying = true;
    for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
      for (const effect of this.torrent.apply(next, this.now)) this.#perform(effect);
    }
    this.#isApplying = false;
  }

  /** Time passes, with a tick whenever the torrent wants one. */
  pass(ms: number): void {
    const end = this.now + ms;
    for (let ticks = 0; this.now < end; ticks++) {
      assert(ticks < 100_000, "the torrent is woken again and again");
      this.now = Math.min(end, Math.max(this.now, this.torrent.wakeAt(this.now)));
      this.apply({ kind: "tick" });
    }
  }

  /** A connection to a peer of which nothing was heard yet. */
  connect({ number = this.#nextConnection, isOutgoing = false, ...options }: ScriptedPeerOptions = {}): ScriptedPeer {
    const connection = this.#nextConnection++;
    const endpoint = options.endpoint ?? { host: `10.1.0.${number}`, port: isOutgoing ? 6881 : 40_000 + number };
    const peer = new ScriptedPeer(this, connection, { ...options, number, endpoint });
    this.#peers.set(connection, peer);
    this.apply({ kind: "connected", connection, endpoint, isOutgoing });
    return peer;
  }

  /** A peer that has said its handshake and what it has. */
  join({ has, ...options }: ScriptedPeerOptions & { has?: Bitfield } = {}): ScriptedPeer {
    const peer = this.connect(options);
    peer.sayHandshake();
    if (has !== undefined) peer.say((out) => out.bitfield(has.encode()));
    return peer;
  }

  /** A seed that lets us ask. */
  joinSeed(options: ScriptedPeerOptions = {}): ScriptedPeer {
    const peer = this.join({ ...options, has: Bitfield.full(this.content.layout.pieceCount) });
    peer.say((out) => out.bare(MessageId.unchoke));
    return peer;
  }

  effectsOf<Kind extends Effect["kind"]>(kind: Kind): EffectOf<Kind>[] {
    return this.effects.filter((effect): effect is EffectOf<Kind> => effect.kind === kind);
  }

  #perform(effect: Effect): void {
    if (effect.kind === "send") return this.#peers.get(effect.connection)?.hear(effect.bytes);
    this.effects.push(effect);
    if (effect.kind === "close") {
      const peer = this.#peers.get(effect.connection)!;
      peer.closedBecause = effect.why;
    }
    if (!this.isDiskAutomatic) return;
    if (effect.kind === "readBlocks") this.read(effect);
    if (effect.kind === "storePiece") this.store(effect);
  }

  /** The disk gives the blocks. */
  read({ connection, ranges }: EffectOf<"readBlocks">): void {
    this.apply({ kind: "blocksRead", connection, ranges, blocks: ranges.map((range) => this.disk.read(range)) });
  }

  /** The disk takes the piece, or finds it wrong. */
  store({ piece, buffer: original }: EffectOf<"storePiece">): void {
    const buffer = new Uint8Array(original.buffer.transfer());
    this.apply({ kind: this.disk.store(piece, buffer) ? "pieceStored" : "pieceBad", piece, buffer });
  }
}

/** What a peer is connected to. */
export interface Stage {
  readonly content: Content;
  readonly torrent?: Torrent | undefined;
  apply(input: Input): void;
}

export interface ScriptedPeerOptions {
  readonly number?: number;
  readonly endpoint?: Endpoint;
  readonly isOutgoing?: boolean;
  readonly peerId?: PeerId;
  readonly supportsFast?: boolean;
  readonly supportsExtensions?: boolean;
}

export class ScriptedPeer {
  readonly connection: ConnectionId;
  readonly endpoint: Endpoint;
  readonly peerId: PeerId;
  /** It takes nothing from its socket, so our write does not end. */
  isStuck = false;
  closedBecause: string | undefined;
  /** All that the torrent said so far, without the handshake. */
  readonly heard: Message[] = [];
  handshakeBytes: Bytes | undefined;
  readonly #stage: Stage;
  readonly #handshake: Handshake;
  readonly #frames = new FrameReader();
  readonly #out = new MessageWriter();
  readonly #open = new Map<string, BlockRange>();
  #unsent: Bytes | undefined;
  /** Messages before this one were looked at. */
  #seen = 0;

  constructor(
    stage: Stage,
    connection: ConnectionId,
    { number, endpoint, peerId, supportsFast = true, supportsExtensions = false }: ScriptedPeerOptions & {
      number: number;
      endpoint: Endpoint;
    },
  ) {
    this.#stage = stage;
    this.connection = connection;
    this.endpoint = endpoint;
    this.peerId = peerId ?? testPeerId(number);
    const { infoHash } = stage.content;
    this.#handshake = { infoHash, peerId: this.peerId, supportsFast, supportsExtensions };
  }

  get isClosed(): boolean {
    return this.closedBecause !== undefined;
  }

  sayHandshake(changes: Partial<Handshake> = {}): void {
    this.sayBytes(encodeHandshake({ ...this.#handshake, ...changes }));
  }

  /** Messages, in one write. */
  say(write: (out: MessageWriter) => void): void {
    write(this.#out);
    this.sayBytes(this.#out.take());
  }

  sayBytes(bytes: Uint8Array): void {
    this.#stage.apply({ kind: "received", connection: this.connection, bytes });
  }

  /** Chokes; without the fast extension that voids what it was asked for. */
  sayChoke(): void {
    if (!this.#handshake.supportsFast) this.#open.clear();
    this.say((out) => out.bare(MessageId.choke));
  }

  /** A right block for the request. */
  sayBlock({ piece, begin, length }: BlockRange): void {
    this.say((out) => out.block(piece, begin, this.#bytesOf({ piece, begin, length })));
  }

  /** A block with one bit wrong. */
  sayWrongBlock({ piece, begin, length }: BlockRange): void {
    const block = this.#bytesOf({ piece, begin, length });
    block[0] ^= 1;
    this.say((out) => out.block(piece, begin, block));
  }

  sayReject({ piece, begin, length }: BlockRange): void {
    this.say((out) => out.range(MessageId.reject, piece, begin, length));
  }

  /** An extension handshake with the ids under which this peer wants to hear us. */
  sayExtensions(ids: Readonly<Record<string, number>>, rest: Partial<ExtensionHandshake> = {}): void {
    const payload = encodeExtensionHandshake({ ...rest, extensionIds: new Map(Object.entries(ids)) });
    this.say((out) => out.extended(extensionHandshakeId, payload));
  }

  /** A message of an extension, under the id that we gave. */
  sayExtended(name: ExtensionName, payload: Uint8Array): void {
    this.say((out) => out.extended(ownExtensionIds[name], payload));
  }

  /** Payloads that came under an id that this peer gave. */
  heardExtended(id: number): Uint8Array[] {
    return this.heardOf("extended").filter((message) => message.id === id).map(({ payload }) => payload);
  }

  sayRequest({ piece, begin = 0, length = blockLength }: { piece: number; begin?: number; length?: number }): void {
    this.say((out) => out.range(MessageId.request, piece, begin, length));
  }

  sayCancel({ piece, begin = 0, length = blockLength }: { piece: number; begin?: number; length?: number }): void {
    this.say((out) => out.range(MessageId.cancel, piece, begin, length));
  }

  /** It goes away. */
  leave(): void {
    this.closedBecause = "it left";
    this.#stage.apply({ kind: "closed", connection: this.connection });
  }

  /** Takes in what was written to it. */
  hear(bytes: Bytes): void {
    assert(!this.isClosed, "something was sent after the end");
    assert(this.#unsent === undefined, "a second write began before the first was over");
    this.#frames.push(bytes.slice(), (buffer, start, end) => {
      if (this.handshakeBytes === undefined) this.handshakeBytes = new Uint8Array(buffer.slice(start, end));
      else this.#hearMessage(decodeMessage(buffer.slice(start, end), 0, end - start));
    });
    if (this.isStuck) this.#unsent = bytes;
    else this.#stage.apply({ kind: "sent", connection: this.connection, bytes });
  }

  #hearMessage(message: Message): void {
    this.heard.push(message);
    if (message.kind === "cancel") this.#open.delete(keyOf(message));
    if (message.kind !== "request") return;
    const { piece, begin, length } = message;
    this.#open.set(keyOf(message), { piece, begin, length });
  }

  /** It takes from its socket again what stands there. */
  unstick(): void {
    this.isStuck = false;
    const bytes = this.#unsent;
    this.#unsent = undefined;
    if (bytes !== undefined) this.#stage.apply({ kind: "sent", connection: this.connection, bytes });
  }

  /** What the torrent said since the last call. */
  takeHeard(): Message[] {
    const messages = this.heard.slice(this.#seen);
    this.#seen = this.heard.length;
    return messages;
  }

  heardOf<Kind extends Message["kind"]>(kind: Kind): MessageOf<Kind>[] {
    return this.heard.filter((message) => message.kind === kind) as MessageOf<Kind>[];
  }

  /** Requests that are neither answered by this script nor cancelled, in order. */
  get openRequests(): BlockRange[] {
    return [...this.#open.values()];
  }

  /** Answers the requests that are open now, rightly unless told otherwise; returns how many. */
  answerAll(answer: (range: BlockRange) => void = (range) => this.sayBlock(range)): number {
    let count = 0;
    for (const [key, range] of [...this.#open]) {
      if (this.isClosed || !this.#open.delete(key)) continue; // cancelled by an answer before it
      answer(range);
      count++;
    }
    return count;
  }

  /** Leaves a request open after all. */
  keep(range: BlockRange): void {
    this.#open.set(keyOf(range), range);
  }

  /** Answers until nothing is asked any more. */
  serve(): void {
    while (!this.isClosed && this.answerAll() > 0);
  }

  /** The torrent's own view of this peer. */
  get session() {
    return this.#stage.torrent?.peers.find((session) => session.connection === this.connection);
  }

  #bytesOf({ piece, begin, length }: BlockRange): Bytes {
    const { bytes, layout } = this.#stage.content;
    const offset = layout.pieceOffset(piece as PieceIndex) + begin;
    return bytes.slice(offset, offset + length);
  }
}

function keyOf({ piece, begin, length }: BlockRange): string {
  return `${piece}/${begin}/${length}`;
}
