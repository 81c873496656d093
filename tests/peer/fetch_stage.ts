/** One MetadataFetch under test with scripted peers, and the Torrent that goes on with its connections. */
import { assert } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import type { Bytes } from "../../lib/bytes.ts";
import { infoHashFromBytes } from "../../lib/ids.ts";
import { metadataPartLength } from "../../lib/limits/wire.ts";
import { RateLimiter } from "../../lib/rate_limiter.ts";
import {
  decodeMetadataMessage,
  encodeMetadataData,
  encodeMetadataReject,
  type MetadataMessage,
} from "../../lib/wire/ut_metadata.ts";
import { Announcer } from "../../peer/announcer.ts";
import type { ConnectionId, Effect, Input } from "../../peer/events.ts";
import { MetadataFetch } from "../../peer/metadata_fetch.ts";
import { Torrent } from "../../peer/torrent.ts";
import { seededRandom } from "../lib/mutations.ts";
import { ScriptedPeer, type ScriptedPeerOptions, type Stage, testPeerId } from "./scripted_peer.ts";
import { type Content, makeContent, sha1, VirtualDisk } from "./virtual_disk.ts";

/** Under which the scripted peers want to hear ut_metadata. */
const metadataId = 5;

/** A torrent whose info hash is that of these bytes, which are no real info dictionary. */
export function contentOf(infoBytes: Uint8Array): Content {
  return {
    ...makeContent({ totalLength: 100_000, pieceLength: 20_000 }),
    infoHash: infoHashFromBytes(sha1(infoBytes)),
  };
}

export function makeInfo(length: number): Bytes {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + (index >>> 8)) & 0xff);
}

export class FetchStage implements Stage {
  readonly infoBytes: Bytes;
  readonly content: Content;
  readonly fetch: MetadataFetch;
  readonly announcer: Announcer;
  readonly effects: Effect[] = [];
  torrent: Torrent | undefined;
  now = 10_000;
  #disk: VirtualDisk | undefined;
  readonly #peers = new Map<ConnectionId, ScriptedPeer>();
  readonly #inputs: Input[] = [];
  #isApplying = false;
  #nextConnection = 1;

  constructor({ size = 40_000, tiers = [] }: { size?: number; tiers?: string[][] } = {}) {
    this.infoBytes = makeInfo(size);
    this.content = contentOf(this.infoBytes);
    const { infoHash } = this.content;
    const peerId = testPeerId(0, "-LB0100-");
    this.announcer = new Announcer({
      ...{ tiers, infoHash, peerId, port: 6881, random: seededRandom(1), isComplete: false },
    });
    this.fetch = new MetadataFetch({
      ...{ infoHash, peerId, announcer: this.announcer, listenPort: 6881, client: "test" },
      random: seededRandom(2),
    });
    this.apply({ kind: "tick" });
  }

  apply(input: Input): void {
    this.#inputs.push(input);
    if (this.#isApplying) return;
    this.#isApplying = true;
    for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
      for (const effect of (this.torrent ?? this.fetch).apply(next, this.now)) this.#perform(effect);
    }
    this.#isApplying = false;
  }

  pass(ms: number): void {
    for (const end = this.now + ms; this.now < end;) {
      this.now = Math.min(end, this.now + 500);
      this.apply({ kind: "tick" });
    }
  }

  connect({ number = this.#nextConnection, isOutgoing = true, ...options }: ScriptedPeerOptions = {}): ScriptedPeer {
    const connection = this.#nextConnection++;
    const endpoint = options.endpoint ?? { host: `10.1.0.${number}`, port: isOutgoing ? 6881 : 40_000 + number };
    const peer = new ScriptedPeer(this, connection, { supportsExtensions: true, ...options, number, endpoint });
    this.#peers.set(connection, peer);
    this.apply({ kind: "connected", connection, endpoint, isOutgoing });
    return peer;
  }

  /** A peer that says it has metadata of this size. */
  join({ metadataSize = this.infoBytes.length, ...options }: ScriptedPeerOptions & { metadataSize?: number } = {}) {
    const peer = this.connect(options);
    peer.sayHandshake();
    peer.sayExtensions({ ut_metadata: metadataId }, { metadataSize });
    return peer;
  }

  /** Parts that the peer was asked for since the last call. */
  takeRequests(peer: ScriptedPeer): number[] {
    return this.#takeMessages(peer).filter(({ kind }) => kind === "request").map(({ part }) => part);
  }

  /** Answers to what the peer asked of us, since the last call. */
  takeAnswers(peer: ScriptedPeer): MetadataMessage[] {
    return this.#takeMessages(peer).filter(({ kind }) => kind !== "request");
  }

  #takeMessages(peer: ScriptedPeer): MetadataMessage[] {
    return peer.takeHeard().flatMap((message) =>
      message.kind === "extended" && message.id === metadataId ? decodeMetadataMessage(message.payload)! : []
    );
  }

  /** Answers what is asked now and because of that, with these bytes; returns the parts. */
  serve(peer: ScriptedPeer, metadata: Uint8Array = this.infoBytes): number[] {
    const parts: number[] = [];
    for (let asked = this.takeRequests(peer); asked.length > 0; asked = peer.isClosed ? [] : this.takeRequests(peer)) {
      for (const part of asked) if (!peer.isClosed) peer.sayExtended("ut_metadata", encodeMetadataData(metadata, part));
      parts.push(...asked);
    }
    return parts;
  }

  reject(peer: ScriptedPeer, part: number): void {
    peer.sayExtended("ut_metadata", encodeMetadataReject(part));
  }

  effectsOf<Kind extends Effect["kind"]>(kind: Kind): Extract<Effect, { kind: Kind }>[] {
    return this.effects.filter((effect): effect is Extract<Effect, { kind: Kind }> => effect.kind === kind);
  }

  /** The metadata that was fetched. */
  get metadata(): Bytes | undefined {
    return this.effectsOf("metadata")[0]?.infoBytes;
  }

  /** The torrent goes on with the peers of the fetch. */
  handOver({ have = Bitfield.empty(this.content.layout.pieceCount), isPrivate = false } = {}): Torrent {
    const { infoHash, layout } = this.content;
    const random = seededRandom(1);
    this.#disk = new VirtualDisk(this.content, have);
    this.torrent = new Torrent({
      ...{ infoHash, layout, have, random, isPrivate, infoBytes: this.infoBytes, announcer: this.announcer },
      ...{ peerId: testPeerId(0, "-LB0100-"), strategy: "rarest-first", listenPort: 6881, client: "test" },
      downloadLimiter: new RateLimiter(),
      uploadLimiter: new RateLimiter(),
      roster: this.fetch.roster,
    });
    this.apply({ kind: "handedOver" });
    return this.torrent;
  }

  #perform(effect: Effect): void {
    if (effect.kind === "send") return this.#peers.get(effect.connection)?.hear(effect.bytes);
    this.effects.push(effect);
    if (effect.kind === "close") this.#peers.get(effect.connection)!.closedBecause = effect.why;
    if (effect.kind === "storePiece") {
      const buffer = new Uint8Array(effect.buffer.buffer.transfer());
      assert(this.#disk!.store(effect.piece, buffer));
      this.apply({ kind: "pieceStored", piece: effect.piece, buffer });
    }
  }
}

/** The metadata with one bit wrong in one of its parts. */
export function spoil(metadata: Uint8Array, part: number): Bytes {
  const spoiled = metadata.slice() as Bytes;
  spoiled[part * metadataPartLength] ^= 1;
  return spoiled;
}
