/**
 * Torrents joined by a queue in memory: a network, disks and a clock that exist only as numbers.
 *
 * Unkind where the real world is: bytes handed over are scribbled on as soon as they may be used again, a stored
 * buffer is detached while the disk has it, a receiver that is not to be read holds up its sender.
 */
import { assert, fail } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import type { Bytes } from "../../lib/bytes.ts";
import { type Endpoint, formatEndpoint } from "../../lib/endpoint.ts";
import { makePeerId, type PieceIndex } from "../../lib/ids.ts";
import { RateLimiter } from "../../lib/rate_limiter.ts";
import { FrameReader } from "../../lib/wire/frame.ts";
import { decodeMessage, type Message } from "../../lib/wire/message.ts";
import { Announcer } from "../../peer/announcer.ts";
import type { ConnectionId, Effect, Input } from "../../peer/events.ts";
import { Torrent } from "../../peer/torrent.ts";
import { seededRandom } from "../lib/mutations.ts";
import { EventQueue } from "./event_queue.ts";
import { type Content, VirtualDisk } from "./virtual_disk.ts";
import { type Pipe, VirtualPeer, type VirtualPeerOptions, type VirtualTracker } from "./virtual_peer.ts";

export type { VirtualPeer, VirtualPeerOptions };

/** Is told each message as it is put on the wire. */
export type Tap = (from: VirtualPeer, to: VirtualPeer, message: Message) => void;

/** Ticks of one torrent at one moment above which it is said to spin. */
const ticksPerMomentMax = 1_000;

export class VirtualSwarm {
  readonly content: Content;
  readonly peers: VirtualPeer[] = [];
  readonly random: () => number;
  now = 1_000;
  tap: Tap | undefined;
  /** Called after each input: the place for invariants. */
  onStep: ((peer: VirtualPeer) => void) | undefined;
  readonly #latencyMs: number;
  /** Reads are cut into parts of up to so many bytes. */
  readonly #readBytesMax: number;
  readonly #queue = new EventQueue();
  readonly #byEndpoint = new Map<string, VirtualPeer>();
  readonly #tracker: VirtualTracker | undefined;
  #nextConnection = 1;
  #ticksAtMoment = 0;
  #tickMoment = -1;

  constructor(
    content: Content,
    { seed = 1, latencyMs = 0.1, readBytesMax = Infinity, tracker }: {
      seed?: number;
      latencyMs?: number;
      readBytesMax?: number;
      tracker?: VirtualTracker;
    } = {},
  ) {
    this.content = content;
    this.random = seededRandom(seed);
    this.#latencyMs = latencyMs;
    this.#readBytesMax = readBytesMax;
    this.#tracker = tracker;
  }

  join(options: VirtualPeerOptions = {}): VirtualPeer {
    const number = this.peers.length + 1;
    const endpoint = { host: `10.0.${number >>> 8}.${number & 255}`, port: 6881 };
    const { infoHash, layout } = this.content;
    const have = options.have ?? Bitfield.empty(layout.pieceCount);
    const peerId = options.peerId ?? makePeerId(this.random);
    const torrent = new Torrent({
      infoHash,
      layout,
      have,
      peerId,
      announcer: new Announcer({
        ...{
          tiers: this.#tracker ? [["http://10.0.0.0/announce"]] : [],
          infoHash,
          peerId,
          port: endpoint.port,
          random: this.random,
          isComplete: have.isFull,
        },
      }),
      downloadLimiter: new RateLimiter(options.downloadLimit),
      uploadLimiter: new RateLimiter(options.uploadLimit),
      strategy: options.strategy ?? "rarest-first",
      listenPort: endpoint.port,
      client: `test ${number}`,
      random: this.random,
      ...(options.maxPeers !== undefined && { maxPeers: options.maxPeers }),
      ...(options.isSeedOnly !== undefined && { isSeedOnly: options.isSeedOnly }),
      ...(options.selection !== undefined && { selection: options.selection }),
    });
    const peer = new VirtualPeer({ torrent, disk: new VirtualDisk(this.content, have), endpoint, peerId, options });
    this.peers.push(peer);
    this.#byEndpoint.set(formatEndpoint(endpoint), peer);
    this.apply(peer, { kind: "tick" });
    return peer;
  }

  seed(options: VirtualPeerOptions = {}): VirtualPeer {
    return this.join({ have: Bitfield.full(this.content.layout.pieceCount), ...options });
  }

  /** Tells the first of the others. */
  introduce(peer: VirtualPeer, others: readonly VirtualPeer[]): void {
    this.apply(peer, { kind: "peersFound", endpoints: others.map(({ endpoint }) => endpoint), source: "user" });
  }

  /** Each pair is connected once. */
  introduceAll(): void {
    this.peers.forEach((peer, index) => this.introduce(peer, this.peers.slice(index + 1)));
  }

  /** Lets things happen until `isDone`; fails when that takes longer than `maxMs` of virtual time. */
  runUntil(isDone: () => boolean, { maxMs = 600_000 } = {}): void {
    const deadline = this.now + maxMs;
    while (!isDone()) {
      if (this.#queue.nextAt > deadline) fail(`not done after ${maxMs} ms: ${this.#describe()}`);
      this.#step();
    }
  }

  runFor(ms: number): void {
    const end = this.now + ms;
    while (this.#queue.nextAt <= end) this.#step();
    this.now = end;
  }

  /** Until every peer has everything. */
  runUntilAllHave({ maxMs = 600_000 } = {}): void {
    this.runUntil(() => this.peers.every(({ torrent }) => torrent.isComplete), { maxMs });
  }

  /** The connection breaks: both ends hear of it. */
  cut(peer: VirtualPeer, connection: ConnectionId): void {
    const pipe = peer.pipes.get(connection);
    if (pipe === undefined) return;
    this.#closeEnd(peer, connection);
    this.apply(peer, { kind: "closed", connection });
  }

  /** The peer is there no more: its machine was switched off. */
  leave(peer: VirtualPeer): void {
    peer.isListening = false;
    for (const connection of [...peer.pipes.keys()]) this.cut(peer, connection);
  }

  apply(peer: VirtualPeer, input: Input): void {
    for (const effect of peer.torrent.apply(input, this.now)) this.#perform(peer, effect);
    for (const pipe of peer.unread) this.#readHeld(pipe);
    const wakeAt = peer.torrent.wakeAt(this.now);
    if (wakeAt < peer.tickAt) {
      peer.tickAt = wakeAt;
      this.#queue.add(Math.max(wakeAt, this.now), () => this.#tick(peer, wakeAt));
    }
    this.onStep?.(peer);
  }

  #step(): void {
    this.now = Math.max(this.now, this.#queue.nextAt);
    this.#queue.take()();
  }

  #tick(peer: VirtualPeer, at: number): void {
    if (peer.tickAt !== at) return; // an earlier one came in between
    peer.tickAt = Infinity;
    this.#ticksAtMoment = this.#tickMoment === this.now ? this.#ticksAtMoment + 1 : 0;
    this.#tickMoment = this.now;
    assert(this.#ticksAtMoment < ticksPerMomentMax, `${peer.name} is woken again and again at ${this.now}`);
    this.apply(peer, { kind: "tick" });
  }

  #perform(peer: VirtualPeer, effect: Effect): void {
    switch (effect.kind) {
      case "dial":
        return this.#queue.add(this.now + this.#latencyMs, () => this.#connect(peer, effect.endpoint));
      case "send":
        return this.#send(peer, effect);
      case "readBlocks":
        return this.#queue.add(this.now, () => this.#read(peer, effect));
      case "storePiece": {
        const buffer = new Uint8Array(effect.buffer.buffer.transfer());
        return this.#queue.add(this.now, () => this.#store(peer, effect.piece, buffer));
      }
      case "announce": {
        const reply = this.#tracker!.answer(peer, effect.call);
        return this.#queue.add(this.now, () => this.apply(peer, { kind: "announced", id: effect.call.id, reply }));
      }
      case "close":
        this.#closeEnd(peer, effect.connection);
        break;
      case "checkPiece":
        return this.#queue.add(this.now, () => this.apply(peer, { ...effect, kind: "pieceChecked", ok: true }));
      case "complete":
        peer.completedAt = this.now;
    }
    peer.events.push(effect);
  }

  #connect(peer: VirtualPeer, endpoint: Endpoint): void {
    const other = this.#byEndpoint.get(formatEndpoint(endpoint));
    if (other === undefined || !other.isListening || !peer.isListening) {
      return this.apply(peer, { kind: "dialFailed", endpoint });
    }
    const near = this.#nextConnection++;
    const far = this.#nextConnection++;
    peer.pipes.set(near, this.#pipe(peer, other, near, far));
    other.pipes.set(far, this.#pipe(other, peer, far, near));
    this.apply(peer, { kind: "connected", connection: near, endpoint, isOutgoing: true });
  }

  #pipe(from: VirtualPeer, to: VirtualPeer, fromConnection: ConnectionId, toConnection: ConnectionId): Pipe {
    return {
      ...{ from, to, fromConnection, toConnection, frames: new FrameReader(), isHandshakeOver: false },
      ...{ held: [], arrivesAt: 0, isClosed: false, isDelivering: false },
    };
  }

  #send(peer: VirtualPeer, { connection, bytes: original }: Extract<Effect, { kind: "send" }>): void {
    const pipe = peer.pipes.get(connection);
    if (pipe === undefined) return;
    const bytes = original.slice();
    if (this.tap !== undefined) this.#tapBytes(pipe, bytes);
    // A slow link carries a large write bit by bit; the write is over when its last byte has arrived.
    const uplink = peer.options.uplink ?? Infinity;
    const partLength = uplink === Infinity ? bytes.length : Math.max(1_500, Math.floor(uplink / 100));
    for (let at = 0; at < bytes.length; at += partLength) {
      const part = bytes.subarray(at, at + partLength);
      const isLast = at + part.length === bytes.length;
      peer.uplinkFreeAt = Math.max(this.now, peer.uplinkFreeAt) + (part.length / uplink) * 1000;
      pipe.arrivesAt = Math.max(pipe.arrivesAt, peer.uplinkFreeAt + this.#latencyMs);
      this.#queue.add(
        pipe.arrivesAt,
        () => this.#arrive(pipe, { bytes: part, original: isLast ? original : undefined }),
      );
    }
  }

  /** Bytes have come to the receiver's link, which may be busy with others'. */
  #arrive(pipe: Pipe, part: { bytes: Bytes; original: Bytes | undefined }): void {
    const { to } = pipe;
    const take = () => {
      pipe.held.push(part);
      this.#readHeld(pipe);
    };
    if (to.options.downlink === undefined) return take();
    to.downlinkFreeAt = Math.max(this.now, to.downlinkFreeAt) + (part.bytes.length / to.options.downlink) * 1000;
    this.#queue.add(to.downlinkFreeAt, take);
  }

  #tapBytes(pipe: Pipe, bytes: Bytes): void {
    pipe.frames.push(bytes, (buffer, start, end) => {
      if (pipe.isHandshakeOver) this.tap!(pipe.from, pipe.to, decodeMessage(buffer, start, end));
      pipe.isHandshakeOver = true;
    });
  }

  /** The receiver takes what has arrived, if it is to be read. */
  #readHeld(pipe: Pipe): void {
    const { to, toConnection } = pipe;
    if (pipe.isDelivering) return;
    pipe.isDelivering = true;
    while (pipe.held.length > 0 && !to.isFrozen && to.torrent.mayRead(toConnection)) {
      const { bytes, original } = pipe.held.shift()!;
      if (original !== undefined) this.#endWrite(pipe, original);
      this.#deliver(pipe, bytes);
    }
    pipe.isDelivering = false;
    if (pipe.held.length > 0) to.unread.add(pipe);
    else to.unread.delete(pipe);
  }

  /** The memory of a write is its sender's again. */
  #endWrite({ from, fromConnection, isClosed }: Pipe, original: Bytes): void {
    original.fill(0xee);
    if (isClosed) return;
    this.#queue.add(this.now, () => this.apply(from, { kind: "sent", connection: fromConnection, bytes: original }));
  }

  #deliver(pipe: Pipe, bytes: Bytes): void {
    const { to, toConnection } = pipe;
    if (!to.pipes.has(toConnection)) return;
    this.#accept(pipe);
    for (let at = 0; at < bytes.length;) {
      const cut = this.#readBytesMax === Infinity ? bytes.length : 1 + Math.floor(this.random() * this.#readBytesMax);
      const part = bytes.subarray(at, at + cut);
      at += part.length;
      this.apply(to, { kind: "received", connection: toConnection, bytes: part });
      part.fill(0xee);
    }
  }

  /** The accepting side hears of a connection with its first bytes: they say which torrent it is for. */
  readonly #accepted = new Set<ConnectionId>();
  #accept({ from, to, fromConnection, toConnection }: Pipe): void {
    if (toConnection < fromConnection || this.#accepted.has(toConnection)) return;
    this.#accepted.add(toConnection);
    const endpoint = { host: from.endpoint.host, port: 40_000 + (fromConnection % 20_000) };
    this.apply(to, { kind: "connected", connection: toConnection, endpoint, isOutgoing: false });
  }

  #closeEnd(peer: VirtualPeer, connection: ConnectionId): void {
    const pipe = peer.pipes.get(connection);
    if (pipe === undefined) return;
    peer.pipes.delete(connection);
    pipe.isClosed = true;
    this.#queue.add(Math.max(this.now + this.#latencyMs, pipe.arrivesAt), () => {
      if (!pipe.to.pipes.delete(pipe.toConnection)) return;
      this.apply(pipe.to, { kind: "closed", connection: pipe.toConnection });
    });
  }

  #read(peer: VirtualPeer, { connection, ranges }: Extract<Effect, { kind: "readBlocks" }>): void {
    const lost = ranges.map(({ piece }) => piece).filter((piece) => !peer.disk.stored.has(piece));
    if (lost.length > 0) return this.apply(peer, { kind: "readFailed", connection, ranges, lost, why: "lost" });
    const blocks = ranges.map((range) => {
      const block = peer.disk.read(range);
      if (peer.options.spoils?.(range.piece, range.begin)) block[7] ^= 1;
      peer.sentBytes += block.length;
      return block;
    });
    this.apply(peer, { kind: "blocksRead", connection, ranges, blocks });
    for (const block of blocks) block.fill(0xee);
  }

  #store(peer: VirtualPeer, piece: PieceIndex, buffer: Bytes): void {
    const [refusal, error] = [peer.options.refusesToStore?.(piece), new Error("the disk is full")];
    if (refusal === "now") return this.apply(peer, { kind: "storeRefused", piece, buffer, error, isBrief: false });
    if (refusal) return this.apply(peer, { kind: "storeFailed", piece, error });
    const kind = peer.disk.store(piece, buffer) ? "pieceStored" : "pieceBad";
    this.apply(peer, { kind, piece, buffer });
  }

  #describe(): string {
    return this.peers.map(({ name, torrent }) => {
      const { havePieces, pieceCount, peerCount } = torrent.stats(this.now);
      const sessions = torrent.peers.map((s) =>
        `${s.requests.count}${s.amInterested ? "i" : "-"}${s.peerChoking ? "c" : "-"}`
      );
      return `${name}: ${havePieces}/${pieceCount}, ${peerCount} peers [${sessions.join(" ")}]`;
    }).join("; ");
  }
}
