/** A Torrent under test with web seeds that answer as the test makes them. */
import type { Effect } from "../../peer/events.ts";
import type { WebSeedFault } from "../../peer/web_seed.ts";
import type { TorrentStage } from "./scripted_peer.ts";

export type FetchWeb = Extract<Effect, { kind: "fetchWeb" }>;

export class WebStage {
  readonly #stage: TorrentStage;
  readonly #ended = new Set<number>();
  /** By request: bytes of its answer that came. */
  readonly #sent = new Map<number, number>();

  constructor(stage: TorrentStage) {
    this.#stage = stage;
  }

  /** All requests so far. */
  get all(): FetchWeb[] {
    return this.#stage.effectsOf("fetchWeb");
  }

  /** Requests that are neither answered nor cancelled. */
  get open(): FetchWeb[] {
    const cancelled = new Set(this.#stage.effectsOf("cancelWeb").map(({ request }) => request));
    return this.all.filter(({ request }) => !this.#ended.has(request) && !cancelled.has(request));
  }

  /** The next bytes of an answer; all that are left without `count`. */
  send(
    { request, offset, length }: FetchWeb,
    { count = Infinity, isSpoiled = false }: { count?: number; isSpoiled?: boolean } = {},
  ): void {
    const from = this.#sent.get(request) ?? 0;
    const end = Math.min(length, from + count);
    this.#sent.set(request, end);
    const bytes = this.#stage.content.bytes.slice(offset + from, offset + end);
    if (isSpoiled) { for (let at = 0; at < bytes.length; at += 1000) bytes[at] ^= 1; }
    for (let at = 0; at < bytes.length; at += partLength) {
      this.#stage.apply({ kind: "webBytes", request, bytes: bytes.subarray(at, at + partLength) });
    }
    bytes.fill(0xee);
  }

  end({ request }: FetchWeb, fault?: WebSeedFault): void {
    this.#ended.add(request);
    this.#stage.apply({ kind: "webEnded", request, fault });
  }

  /** Answers the open requests until there are none, wrongly where it is told so. */
  serve({ isSpoiled = () => false }: { isSpoiled?: (request: FetchWeb) => boolean } = {}): void {
    for (let open = this.open; open.length > 0; open = this.open) {
      this.send(open[0], { isSpoiled: isSpoiled(open[0]) });
      this.end(open[0]);
    }
  }
}

/** Bytes of one read: neither a block nor a piece. */
const partLength = 50_000;
