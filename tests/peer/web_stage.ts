/** A Torrent under test with web seeds that answer as the test makes them. */
import { blockLength } from "../../lib/limits/wire.ts";
import type { Effect } from "../../peer/events.ts";
import type { WebSeedFault } from "../../peer/web_seed.ts";
import { TorrentStage } from "./scripted_peer.ts";
import { type Content, makeContent } from "./virtual_disk.ts";

export const url = "http://web.test/d/";
export const pieceLength = 4 * blockLength;

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

  /** Whether all of its bytes came. */
  isSent({ request, length }: FetchWeb): boolean {
    return this.#sent.get(request) === length;
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

/** A torrent of 12 pieces, if nothing else is said, with one web seed. */
export function stageOf(
  content: Content = makeContent({ totalLength: 12 * pieceLength - 5, pieceLength }),
  options: ConstructorParameters<typeof TorrentStage>[1] = {},
) {
  const stage = new TorrentStage(content, { webSeeds: [url], ...options });
  return { stage, web: new WebStage(stage), content };
}

/** The pieces that the request's bytes lie in. */
export function piecesOf({ offset, length }: FetchWeb): number[] {
  const first = Math.floor(offset / pieceLength);
  return Array.from({ length: Math.ceil((offset + length) / pieceLength) - first }, (_, i) => first + i);
}
