/**
 * How a torrent comes by its peers, whether its metadata is known or not: trackers are asked, addresses are learned, and
 * dialled as far as there is room.
 *
 * Keeps nothing but that it was stopped: Announcer knows the trackers, PeerRoster the addresses.
 */
import type { Endpoint } from "../lib/endpoint.ts";
import type { Announcer, AnnounceStats } from "./announcer.ts";
import type { Effect, Input } from "./events.ts";
import type { AddressSource } from "./peer_pool.ts";
import type { PeerRoster } from "./peer_roster.ts";

/** What comes of a search. */
type SearchInput = Extract<Input, { kind: "announced" | "announceFailed" | "peersFound" | "dialFailed" }>;

export interface PeerSearchOptions {
  readonly roster: PeerRoster;
  readonly announcer: Announcer;
  emit(effect: Effect): void;
  /** What trackers are told. */
  stats(): AnnounceStats & { readonly wantsPeers: boolean };
}

export class PeerSearch {
  readonly #options: PeerSearchOptions;
  #isStopped = false;

  constructor(options: PeerSearchOptions) {
    this.#options = options;
  }

  apply(input: SearchInput, now: number): void {
    const { roster, announcer } = this.#options;
    switch (input.kind) {
      case "announced":
        announcer.replied(input.id, input.reply, now);
        this.learn(input.reply.peers, "tracker", now);
        return;
      case "announceFailed":
        return announcer.failed(input.id, input.why, now, input.retryInMs);
      case "peersFound":
        this.learn(input.endpoints, input.source, now);
        return;
      case "dialFailed":
        return roster.dialFailed(input.endpoint, now);
    }
  }

  /** @returns how many of the addresses were new */
  learn(endpoints: readonly Endpoint[], source: AddressSource, now: number): number {
    const count = this.#options.roster.addAddresses(endpoints, source);
    this.#dial(now);
    return count;
  }

  /** Asks the trackers that are due, and dials whom it is time to dial. */
  upkeep(now: number): void {
    this.announce(now);
    this.#dial(now);
  }

  /** Asks the trackers that are due. */
  announce(now: number): void {
    const { announcer, stats, emit } = this.#options;
    for (const call of announcer.due(now, stats())) emit({ kind: "announce", call });
  }

  /** Says goodbye to the trackers; nobody is dialled any more. */
  stop(now: number): void {
    const { announcer, stats, emit } = this.#options;
    this.#isStopped = true;
    for (const call of announcer.stop(now, stats())) emit({ kind: "announce", call });
  }

  #dial(now: number): void {
    if (!this.#isStopped) this.#options.roster.dial(now);
  }
}
