/**
 * Which torrent is announced on the local network when, and which announces of others are believed (BEP 14).
 *
 * A torrent is announced 0, 2 and 6 s after its start and then every 5 min. Whoever hears it dials at once, so a newcomer
 * meets all who can reach it by its first packet; for newcomers that can only dial out each hearer announces itself too,
 * a little later and at most once a minute. Floods end at two counters of the running second; what is remembered of
 * others is bounded. Owns no socket and no clock: `due` hands out what to send, `hear` takes what came.
 */
import { type Endpoint, formatEndpoint } from "../lib/endpoint.ts";
import type { InfoHash } from "../lib/ids.ts";
import {
  localAnnounceIntervalMinMs,
  localAnnounceIntervalMs,
  localAnnouncesPerSecond,
  localNeighboursMax,
  localPacketsPerSecondMax,
  localPacketsPerSenderMax,
  localPortsPerHostMax,
} from "../lib/limits/discovery.ts";
import { isInNetwork } from "../lib/local_addresses.ts";
import type { LocalAnnounce } from "../lib/local_discovery.ts";
import type { LocalNetwork } from "../lib/multicast_links.ts";

/** Milliseconds after a torrent's start of its first announces: the first packet after a link came up is often lost. */
const firstAnnouncesMs = [0, 2_000, 6_000];
/** Milliseconds over which the answers of all who hear a newcomer are spread. */
const answerSpreadMs = 400;
/** Milliseconds after which somebody who was heard is a newcomer again: two of its announces were missed. */
const neighbourLifetimeMs = 2 * localAnnounceIntervalMs + localAnnounceIntervalMinMs;

interface Announced {
  /** The next announce of the schedule. */
  plannedAt: number;
  /** Announces of the schedule that are out. */
  count: number;
  /** The answer to a newcomer; Infinity when none is wanted. */
  answerAt: number;
  /** No answer before this. */
  answerableAt: number;
}

/** An address found for one of our torrents. */
export interface Found {
  readonly infoHash: InfoHash;
  readonly endpoint: Endpoint;
}

export class Discovery {
  /** What our own packets are known by. */
  readonly cookie: string;
  readonly #random: () => number;
  readonly #torrents = new Map<InfoHash, Announced>();
  /** When somebody was last heard, by host, torrent and port; the one heard longest ago comes first. */
  readonly #neighbours = new Map<string, number>();
  readonly #portCounts = new Map<string, number>();
  /** When all torrents start anew; Infinity when nobody wants that. */
  #restartAt = Infinity;
  #restartableAt = -Infinity;
  readonly #sent = new SecondCounter();
  readonly #heard = new SecondCounter();

  /** @param random numbers in [0, 1) */
  constructor({ random }: { random: () => number }) {
    this.#random = random;
    this.cookie = Math.floor(random() * 2 ** 32).toString(16).padStart(8, "0");
  }

  add(infoHash: InfoHash, now: number): void {
    this.#torrents.set(infoHash, { plannedAt: now, count: 0, answerAt: Infinity, answerableAt: now });
  }

  remove(infoHash: InfoHash): void {
    this.#torrents.delete(infoHash);
  }

  /**
   * The machine is in another network: all torrents start anew, and everybody there is a newcomer.
   *
   * At most once a minute: where containers come and go, so do their networks.
   */
  restart(now: number): void {
    this.#neighbours.clear();
    this.#portCounts.clear();
    this.#restartAt = Math.min(this.#restartAt, this.#restartableAt);
    this.#restartIfDue(now);
  }

  #restartIfDue(now: number): void {
    if (now < this.#restartAt) return;
    this.#restartAt = Infinity;
    this.#restartableAt = now + localAnnounceIntervalMinMs;
    for (const infoHash of this.#torrents.keys()) this.add(infoHash, now);
  }

  /** The torrents to announce now: those that have waited longest, no more than the second has room for. */
  due(now: number): InfoHash[] {
    this.#restartIfDue(now);
    const waiting = [...this.#torrents].filter(([, announced]) => nextOf(announced) <= now)
      .sort(([, a], [, b]) => nextOf(a) - nextOf(b));
    const room = localAnnouncesPerSecond - this.#sent.count(now);
    return waiting.slice(0, Math.max(0, room)).map(([infoHash, announced]) => {
      this.#sent.add(now);
      plan(announced, now);
      return infoHash;
    });
  }

  /** When `due` has something: monotonic ms; Infinity for never. */
  wakeAt(now: number): number {
    let at = this.#restartAt;
    for (const announced of this.#torrents.values()) at = Math.min(at, nextOf(announced));
    return this.#sent.count(now) < localAnnouncesPerSecond ? at : Math.max(at, this.#sent.endsAt);
  }

  /** Whether a packet of this sender is worth decoding now; counts it. @param networks those this machine is in */
  accepts(sender: string, networks: readonly LocalNetwork[], now: number): boolean {
    if (this.#torrents.size === 0 || this.#heard.count(now) >= localPacketsPerSecondMax) return false;
    if (this.#heard.countOf(sender, now) >= localPacketsPerSenderMax) return false;
    if (!networks.some((network) => isInNetwork(sender, network))) return false;
    this.#heard.add(now, sender);
    return true;
  }

  /** What a packet that was accepted tells us: addresses for torrents of ours. @param host the sender's, canonical */
  hear({ port, infoHashes, cookie }: LocalAnnounce, host: string, now: number): Found[] {
    if (cookie === this.cookie) return [];
    const found: Found[] = [];
    for (const infoHash of infoHashes) {
      const torrent = this.#torrents.get(infoHash);
      if (torrent === undefined) continue;
      const meeting = this.#meet({ host, port, infoHash }, now);
      if (meeting === "refused") continue;
      if (meeting === "new" && torrent.answerAt === Infinity) {
        torrent.answerAt = Math.max(torrent.answerableAt, now + this.#random() * answerSpreadMs);
      }
      found.push({ infoHash, endpoint: { host, port } });
    }
    return found;
  }

  /** Remembers the sender for a while; whoever was heard longest ago makes room. */
  #meet({ host, port, infoHash }: Endpoint & { infoHash: InfoHash }, now: number): "new" | "known" | "refused" {
    for (const [key, heardAt] of this.#neighbours) {
      if (now - heardAt < neighbourLifetimeMs && this.#neighbours.size < localNeighboursMax) break;
      this.#forget(key);
    }
    const key = `${infoHash} ${formatEndpoint({ host, port })}`;
    const isKnown = this.#neighbours.delete(key);
    const portCount = this.#portCounts.get(placeOf(key)) ?? 0;
    if (!isKnown && portCount >= localPortsPerHostMax) return "refused";
    this.#neighbours.set(key, now);
    if (!isKnown) this.#portCounts.set(placeOf(key), portCount + 1);
    return isKnown ? "known" : "new";
  }

  #forget(key: string): void {
    this.#neighbours.delete(key);
    const left = (this.#portCounts.get(placeOf(key)) ?? 1) - 1;
    if (left > 0) this.#portCounts.set(placeOf(key), left);
    else this.#portCounts.delete(placeOf(key));
  }
}

function nextOf({ plannedAt, answerAt }: Announced): number {
  return Math.min(plannedAt, answerAt);
}

/** An announce goes out now, by the schedule or as an answer: when is the next? */
function plan(announced: Announced, now: number): void {
  const isPlanned = announced.plannedAt <= now;
  const isFirst = announced.count < firstAnnouncesMs.length;
  announced.answerAt = Infinity;
  // the first three neither count as answers nor wait for one
  if (!isPlanned || !isFirst) announced.answerableAt = now + localAnnounceIntervalMinMs;
  if (isFirst && !isPlanned) return;
  const sinceStart = firstAnnouncesMs[announced.count++];
  const next = firstAnnouncesMs[announced.count];
  announced.plannedAt = now + (next === undefined ? localAnnounceIntervalMs : next - sinceStart);
}

/** A neighbour's key without its port: one host with one torrent. */
function placeOf(key: string): string {
  return key.slice(0, key.lastIndexOf(":"));
}

/** Events of the running second, in all and by name. */
class SecondCounter {
  #startedAt = -Infinity;
  #total = 0;
  readonly #byName = new Map<string, number>();

  /** When the running second is over. */
  get endsAt(): number {
    return this.#startedAt + 1000;
  }

  count(now: number): number {
    this.#turn(now);
    return this.#total;
  }

  countOf(name: string, now: number): number {
    this.#turn(now);
    return this.#byName.get(name) ?? 0;
  }

  add(now: number, name?: string): void {
    const count = name === undefined ? 0 : this.countOf(name, now) + 1;
    this.#turn(now);
    this.#total++;
    if (name !== undefined) this.#byName.set(name, count);
  }

  #turn(now: number): void {
    if (now < this.endsAt) return;
    this.#startedAt = now;
    this.#total = 0;
    this.#byName.clear();
  }
}
