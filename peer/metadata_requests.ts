/**
 * Which peer is asked for which part of the metadata, and who lied when the hash does not match (BEP 9).
 *
 * Peers that name the same size fill one assembly together. When its hash is wrong and one peer sent all of it, that is the
 * liar; if several did, each of them is asked for the whole by itself from then on. So many assemblies are filled at once
 * that a few stalling liars hold nobody up, and no more.
 */
import { createHash } from "node:crypto";
import type { Bytes } from "../lib/bytes.ts";
import { ProtocolError } from "../lib/errors.ts";
import { type InfoHash, infoHashFromBytes } from "../lib/ids.ts";
import { unwantedBytesMax } from "../lib/limits/transfer.ts";
import {
  metadataAssembliesMax,
  metadataBytesMax,
  metadataChangesMax,
  metadataPauseMs,
  metadataRequestsInFlightMax,
  metadataRequestTimeoutMs,
  metadataStallMs,
} from "../lib/limits/wire.ts";
import { decodeMetadataMessage, encodeMetadataRequest, type MetadataMessage } from "../lib/wire/ut_metadata.ts";
import type { ConnectionId } from "./events.ts";
import { MetadataAssembly } from "./metadata_assembly.ts";
import { rejectMetadataRequest } from "./metadata_share.ts";
import type { PeerSession } from "./peer_session.ts";

/** A peer that says it has the metadata. */
interface Source {
  readonly session: PeerSession;
  assembly: MetadataAssembly;
  /** Parts that it was asked for -> when. */
  readonly asked: Map<number, number>;
  /** Nothing is asked before: it rejected a part, or let one time out. */
  pausedUntil: number;
  unwantedBytes: number;
}

export interface MetadataOutcome {
  /** The hash matches. */
  onMetadata(infoBytes: Bytes): void;
  /** These sent what fails the hash. */
  onLiars(connections: Iterable<ConnectionId>): void;
}

export class MetadataRequests {
  readonly #infoHash: InfoHash;
  readonly #outcome: MetadataOutcome;
  readonly #sources = new Map<PeerSession, Source>();
  /** Times that peers changed what they say they have. */
  readonly #changeCounts = new Map<PeerSession, number>();
  /** Assemblies that several peers fill, by size. */
  readonly #shared = new Map<number, MetadataAssembly>();
  /** Sizes at which several peers together were wrong, with what they sent: each is asked by itself. */
  readonly #spoiled = new Map<number, MetadataAssembly>();
  /** Assemblies whose parts are asked for. */
  readonly #active = new Set<MetadataAssembly>();
  #isDone = false;

  constructor(infoHash: InfoHash, outcome: MetadataOutcome) {
    this.#infoHash = infoHash;
    this.#outcome = outcome;
  }

  /** Peers that say they have the metadata. */
  get sourceCount(): number {
    return this.#sources.size;
  }

  /** Bytes of the assembly that has come furthest, and of its whole. */
  get progress(): { receivedBytes: number; totalBytes: number } {
    let best = { receivedBytes: 0, totalBytes: 0 };
    for (const assembly of this.#active) {
      const { receivedBytes, size } = assembly;
      if (receivedBytes >= best.receivedBytes) best = { receivedBytes, totalBytes: size };
    }
    return best;
  }

  /** The peer said what it can do, for the first time or anew. @throws ProtocolError when it does so again and again */
  onHandshake(session: PeerSession, now: number): void {
    if (this.#isDone) return;
    const known = this.#sources.get(session);
    const size = session.metadataSize;
    const isUsable = session.speaks("ut_metadata") && size !== undefined && size >= 1 && size <= metadataBytesMax;
    if (isUsable ? known?.assembly.size === size : known === undefined) return;
    const changeCount = (this.#changeCounts.get(session) ?? 0) + 1;
    if (changeCount > metadataChangesMax) throw new ProtocolError("it says again and again what metadata it has");
    this.#changeCounts.set(session, changeCount);
    this.#forget(session);
    if (isUsable) {
      const assembly = this.#assemblyFor(size);
      this.#sources.set(session, { session, assembly, asked: new Map(), pausedUntil: -Infinity, unwantedBytes: 0 });
    }
    this.fill(now);
  }

  /** @throws ProtocolError when what the peer sends cannot be */
  onMessage(session: PeerSession, payload: Uint8Array, now: number): void {
    const message = decodeMetadataMessage(payload);
    if (message?.kind === "request") return rejectMetadataRequest(session, message.part);
    const source = this.#sources.get(session);
    if (message === undefined || source === undefined || this.#isDone) return;
    const isNews = message.kind === "reject"
      ? this.#onReject(source, message.part, now)
      : this.#onData(source, message, now);
    if (isNews) this.fill(now);
  }

  onGone(session: PeerSession): void {
    this.#changeCounts.delete(session);
    this.#forget(session);
  }

  #forget(session: PeerSession): void {
    const source = this.#sources.get(session);
    if (source === undefined) return;
    this.#release(source);
    this.#sources.delete(session);
    this.#dropIfUnused(source.assembly);
  }

  /** Takes requests back that were not answered in time, and asks for what is open. */
  tick(now: number): void {
    for (const source of this.#sources.values()) {
      if (![...source.asked.values()].some((askedAt) => now - askedAt >= metadataRequestTimeoutMs)) continue;
      this.#release(source);
      source.pausedUntil = now + metadataPauseMs;
    }
    this.fill(now);
  }

  fill(now: number): void {
    if (this.#isDone) return;
    this.#chooseActive(now);
    for (const source of this.#sources.values()) {
      if (!this.#active.has(source.assembly) || source.pausedUntil > now) continue;
      while (source.asked.size < metadataRequestsInFlightMax) {
        const part = source.assembly.nextPart(now, (part) => !source.asked.has(part));
        if (part === undefined) break;
        source.assembly.asked(part, now);
        source.asked.set(part, now);
        source.session.sendExtended("ut_metadata", encodeMetadataRequest(part));
      }
    }
  }

  /** @returns whether that changes what is to be asked */
  #onReject(source: Source, part: number, now: number): boolean {
    if (!source.asked.delete(part)) return false;
    source.assembly.released(part);
    source.pausedUntil = now + metadataPauseMs;
    return true;
  }

  /** @returns whether that changes what is to be asked */
  #onData(
    source: Source,
    { part, block, totalSize }: Extract<MetadataMessage, { kind: "data" }>,
    now: number,
  ): boolean {
    const { session, assembly, asked } = source;
    if (!assembly.fits(part, block.length) || (totalSize ?? assembly.size) !== assembly.size) {
      throw new ProtocolError(`a part of ${block.length} bytes of metadata that cannot be`);
    }
    // What comes after its time is welcome still.
    const wasAsked = asked.delete(part);
    if (!this.#active.has(assembly) || !assembly.received(part, block, { sender: session.connection, now })) {
      if (!wasAsked) source.unwantedBytes += block.length;
      if (source.unwantedBytes > unwantedBytesMax) throw new ProtocolError("too much metadata that nobody asked for");
      return wasAsked;
    }
    if (assembly.isWhole) this.#onWhole(assembly);
    return true;
  }

  #onWhole(assembly: MetadataAssembly): void {
    const metadata = assembly.bytes();
    if (infoHashFromBytes(createHash("sha1").update(metadata).digest()) === this.#infoHash) {
      this.#isDone = true;
      for (const spoiled of this.#spoiled.values()) this.#outcome.onLiars(spoiled.liars(metadata));
      this.#forgetAll();
      return this.#outcome.onMetadata(metadata);
    }
    this.#active.delete(assembly);
    this.#shared.delete(assembly.size);
    const { senders } = assembly;
    if (senders.size > 1) this.#onSpoiled(assembly);
    for (const source of this.#sources.values()) {
      if (source.assembly !== assembly) continue;
      source.asked.clear();
      source.assembly = this.#assemblyFor(assembly.size);
    }
    if (senders.size === 1) this.#outcome.onLiars(senders);
  }

  /** What was sent is kept, so that the liars are known once the right metadata is there; of few sizes only. */
  #onSpoiled(assembly: MetadataAssembly): void {
    if (this.#spoiled.size >= metadataAssembliesMax) assembly.clear();
    this.#spoiled.set(assembly.size, assembly);
  }

  #assemblyFor(size: number): MetadataAssembly {
    const shared = this.#shared.get(size);
    if (shared !== undefined) return shared;
    const assembly = new MetadataAssembly(size);
    if (!this.#spoiled.has(size)) this.#shared.set(size, assembly);
    return assembly;
  }

  /**
   * Fills the places for assemblies: those that move stay, then come those that stalled least, and of these those that most
   * peers speak for.
   */
  #chooseActive(now: number): void {
    const votes = new Map<MetadataAssembly, number>();
    for (const { assembly, pausedUntil } of this.#sources.values()) {
      if (pausedUntil <= now) votes.set(assembly, (votes.get(assembly) ?? 0) + 1);
    }
    if (votes.size > metadataAssembliesMax) {
      for (const assembly of this.#active) {
        if (!votes.has(assembly) || now - assembly.movedAt >= metadataStallMs) this.#deactivate(assembly);
      }
    }
    const waiting = [...votes].filter(([assembly]) => !this.#active.has(assembly))
      .sort(([a, votesForA], [b, votesForB]) => a.stallCount - b.stallCount || votesForB - votesForA);
    for (const [assembly] of waiting.slice(0, Math.max(0, metadataAssembliesMax - this.#active.size))) {
      this.#active.add(assembly);
      assembly.movedAt = now;
    }
  }

  #deactivate(assembly: MetadataAssembly): void {
    this.#active.delete(assembly);
    assembly.clear();
    assembly.stallCount++;
  }

  #release(source: Source): void {
    for (const part of source.asked.keys()) source.assembly.released(part);
    source.asked.clear();
  }

  #dropIfUnused(assembly: MetadataAssembly): void {
    const sources = [...this.#sources.values()];
    if (!sources.some((source) => source.assembly === assembly)) this.#active.delete(assembly);
    if (sources.some((source) => source.assembly.size === assembly.size)) return;
    this.#shared.delete(assembly.size);
    this.#spoiled.delete(assembly.size);
  }

  #forgetAll(): void {
    this.#active.clear();
    this.#shared.clear();
    this.#spoiled.clear();
    this.#sources.clear();
    this.#changeCounts.clear();
  }
}
