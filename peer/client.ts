/** All torrents of one program by info hash: says which of them an incoming handshake is for. */
import type { InfoHash } from "../lib/ids.ts";
import { checkHandshakeStart, decodeHandshakeInfoHash, handshakeHeadLength } from "../lib/wire/handshake.ts";

export class Client<Entry> {
  readonly #entries = new Map<InfoHash, Entry>();

  add(infoHash: InfoHash, entry: Entry): void {
    if (this.#entries.has(infoHash)) throw new Error(`the torrent ${infoHash} is here already`);
    this.#entries.set(infoHash, entry);
  }

  has(infoHash: InfoHash): boolean {
    return this.#entries.has(infoHash);
  }

  entries(): IterableIterator<Entry> {
    return this.#entries.values();
  }

  /**
   * The torrent that the first bytes of a connection ask for; "more" while they do not say it yet.
   *
   * @throws ProtocolError when they are no handshake
   */
  route(start: Uint8Array): Entry | "more" | undefined {
    checkHandshakeStart(start);
    return start.length < handshakeHeadLength ? "more" : this.#entries.get(decodeHandshakeInfoHash(start));
  }
}
