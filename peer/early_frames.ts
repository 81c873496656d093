/**
 * What a peer says before we know the torrent, kept so that it can be taken in once the metadata is there (BEP 9).
 *
 * One run of bytes, bounded: each frame as on the wire, its length in front.
 */
import { type Bytes, readUint32, writeUint32 } from "../lib/bytes.ts";
import { ProtocolError } from "../lib/errors.ts";
import { earlyBytesMax } from "../lib/limits/wire.ts";
import { ownExtensionIds } from "../lib/wire/extended.ts";
import type { FrameSink } from "../lib/wire/frame.ts";
import type { Message } from "../lib/wire/message.ts";

/** Whether it means the same whether the torrent is known or not; that a piece was lost is to come after its `have`. */
export function isTimeless(message: Message): boolean {
  return message.kind === "keepAlive" || (message.kind === "extended" && message.id !== ownExtensionIds.lt_donthave);
}

export class EarlyFrames {
  #bytes: Bytes = new Uint8Array(0);
  #length = 0;

  /** Keeps a copy of a frame's body. @throws ProtocolError when the peer says more than is kept */
  push(buffer: Uint8Array, start: number, end: number): void {
    const length = this.#length + 4 + end - start;
    if (length > earlyBytesMax) throw new ProtocolError("it says too much before the metadata is known");
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.min(earlyBytesMax, Math.max(2 * length, 64)));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    writeUint32(this.#bytes, this.#length, end - start);
    this.#bytes.set(buffer.subarray(start, end), this.#length + 4);
    this.#length = length;
  }

  /** Hands on what was kept, in order. */
  replay(sink: FrameSink): void {
    for (let at = 0; at < this.#length;) {
      const end = at + 4 + readUint32(this.#bytes, at);
      sink(this.#bytes, at + 4, end);
      at = end;
    }
  }
}
