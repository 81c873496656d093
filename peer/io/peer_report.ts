/** What happens among the peers of a transfer, told alike by `seed` and `download`. */
import type { Context } from "../../lib/cli/context.ts";
import { safeText } from "../../lib/cli/text.ts";
import { formatEndpoint } from "../../lib/endpoint.ts";
import { reasonOf } from "../../lib/errors.ts";
import type { FileNews } from "./data_watch.ts";
import { trackerName } from "./tracker_error.ts";
import type { TransferEvent } from "./transfer.ts";

/** Web seeds whose faults are told without --verbose: a torrent may name hundreds. */
const failedWebSeedsMax = 10;
/** Lines about files that changed under a seeder without --verbose: a folder of 100,000 may be removed. */
const fileLinesMax = 20;

/** Tells of peers that come, go and are banned, of trackers that fail, and of what is not remembered. */
export class PeerReport {
  readonly #context: Context;
  /** Trackers whose fault was told: again only with --verbose. */
  readonly #failedTrackers = new Set<string>();
  /** The same for web seeds. */
  readonly #failedWebSeeds = new Set<string>();
  #fileLines = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  tell(event: TransferEvent): void {
    const context = this.#context;
    switch (event.kind) {
      case "peerJoined": {
        const client = safeText(event.client);
        context.event("peer", { state: "joined", address: formatEndpoint(event.endpoint), client });
        if (context.verbose) context.log(`peer ${formatEndpoint(event.endpoint)} joined`);
        return;
      }
      case "peerLeft":
        context.event("peer", { state: "left", address: formatEndpoint(event.endpoint), why: event.why });
        if (context.verbose) context.log(`peer ${formatEndpoint(event.endpoint)} left: ${event.why}`);
        return;
      case "peerBanned":
        context.event("peer", { state: "banned", address: formatEndpoint(event.endpoint), why: event.why });
        context.warn(`peer ${formatEndpoint(event.endpoint)} is banned: ${event.why}`);
        return;
      case "trackerFailed":
        if (this.#failedTrackers.has(event.url) && !context.verbose) return;
        this.#failedTrackers.add(event.url);
        context.warn(`tracker ${safeText(trackerName(event.url))}: ${safeText(event.why)}`);
        return;
      case "webSeedFailed":
        return this.#tellWebSeed(formatEndpoint(event.endpoint), event.why);
      case "fileWrong":
      case "fileRight":
        return this.#tellFile(event);
      case "diskPaused":
        context.event("disk", { state: "waiting", why: safeText(reasonOf(event.error)) });
        context.warn(`${safeText(reasonOf(event.error))}: it waits, and goes on by itself when that is over`);
        return;
      case "diskResumed":
        context.event("disk", { state: "ok" });
        context.warn("the disk takes data again: it goes on");
        return;
      case "resumeNotSaved":
        context.warn(`the next start checks all data again: ${safeText(event.why)}`);
        return;
      default:
        return;
    }
  }

  #tellFile(news: FileNews): void {
    if (++this.#fileLines > fileLinesMax && !this.#context.verbose) return;
    const path = safeText(news.path);
    const isLast = this.#fileLines === fileLinesMax && !this.#context.verbose ? "; more is told with --verbose" : "";
    if (news.kind === "fileRight") {
      this.#context.event("file", { state: "right", path });
      return this.#context.warn(`${path} is right again: others get it${isLast}`);
    }
    const why = safeText(news.why);
    this.#context.event("file", { state: "wrong", path, why });
    this.#context.warn(`${path}: ${why}; others get only what of it is still right${isLast}`);
  }

  #tellWebSeed(address: string, why: string): void {
    this.#context.event("peer", { state: "failed", address, why });
    const isKnown = this.#failedWebSeeds.has(address) || this.#failedWebSeeds.size >= failedWebSeedsMax;
    if (isKnown && !this.#context.verbose) return;
    this.#failedWebSeeds.add(address);
    this.#context.warn(`web seed ${address}: ${safeText(why)}`);
  }
}
