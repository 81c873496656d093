/**
 * A magnet link at work: its MetadataFetch on a SwarmLink, until the metadata is there or the session ends.
 *
 * The Transfer of the torrent takes the link over, with every connection.
 */
import type { Bytes } from "../../lib/bytes.ts";
import type { MetadataFetch } from "../metadata_fetch.ts";
import { type LinkHost, type LinkOwner, type OwnEffect, SwarmLink } from "./swarm_link.ts";
import type { TransferEvent } from "./transfer.ts";

export class MetadataTask implements LinkOwner {
  readonly fetch: MetadataFetch;
  readonly link: SwarmLink;
  readonly #onEvent: (event: TransferEvent) => void;
  readonly #metadata = Promise.withResolvers<Bytes>();

  constructor({ fetch, host, onEvent }: {
    fetch: MetadataFetch;
    host: LinkHost;
    onEvent: (event: TransferEvent) => void;
  }) {
    this.fetch = fetch;
    this.#onEvent = onEvent;
    this.#metadata.promise.catch(() => {});
    this.link = new SwarmLink(host, fetch, this);
  }

  /** The info dictionary, its hash compared; waits for it as long as it takes. */
  get metadata(): Promise<Bytes> {
    return this.#metadata.promise;
  }

  // For the link

  perform(effect: OwnEffect): void {
    switch (effect.kind) {
      case "metadata":
        return this.#metadata.resolve(effect.infoBytes);
      case "peerJoined":
      case "peerLeft":
      case "peerBanned":
        return this.#onEvent(effect);
      default: // a fetch knows no pieces
    }
  }

  onFault(error: unknown): void {
    this.#metadata.reject(error);
  }

  onTrackerFailed(failure: { url: string; why: string }): void {
    this.#onEvent({ kind: "trackerFailed", ...failure });
  }

  onTick(): void {}

  drain(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
