/**
 * Cuts the stream of a peer connection into frames: one handshake of 68 bytes, then bodies with a 4-byte length (BEP 3).
 *
 * A frame that lies whole in the bytes of one read is handed on as a view of them; only what a read cuts off at its end
 * is copied and carried to the next. The length is checked before anything is kept for it, and what is kept grows with
 * what has come, not with what was announced.
 */
import { type Bytes, readUint32 } from "../bytes.ts";
import { ProtocolError } from "../errors.ts";
import { earlyBytesMax, extensionBytesMax, messageBytesMax } from "../limits/wire.ts";
import { checkHandshakeStart, handshakeLength } from "./handshake.ts";

/** Receives one frame: the bytes of `buffer` from `start` to `end` are valid until it returns. */
export type FrameSink = (buffer: Uint8Array, start: number, end: number) => void;

const lengthBytes = 4;

/**
 * Bytes of the longest body that makes sense in a torrent of so many pieces, undefined while that is not known: blocks come
 * as short as we ask for them, so that it is an extension or the bitfield.
 */
export function bodyBytesMax(pieceCount: number | undefined): number {
  return Math.max(extensionBytesMax + 2, pieceCount === undefined ? earlyBytesMax : 1 + Math.ceil(pieceCount / 8));
}

export class FrameReader {
  /** Bytes of the longest body that is taken. */
  bodyBytesMax = messageBytesMax;
  #carry: Bytes = new Uint8Array(0);
  #carried = 0;
  #awaitsHandshake = true;

  /** Bytes of an unfinished frame that are kept. */
  get carriedBytes(): number {
    return this.#carried;
  }

  /**
   * Hands on each frame that the bytes complete: first the handshake whole, then message bodies without their length
   * (a keep-alive is an empty body).
   *
   * @throws ProtocolError for a start that is no handshake and for a body above `bodyBytesMax`
   */
  push(bytes: Uint8Array, sink: FrameSink): void {
    let at = 0;
    while (this.#carried > 0 && at < bytes.length) {
      const missing = this.#frameLength(this.#carry, 0, this.#carried) - this.#carried;
      const taken = Math.min(missing, bytes.length - at);
      this.#keep(bytes.subarray(at, at + taken));
      at += taken;
      const frameLength = this.#frameLength(this.#carry, 0, this.#carried);
      if (this.#carried === frameLength) {
        this.#carried = 0;
        this.#emit(this.#carry, 0, frameLength, sink);
      }
    }
    while (at < bytes.length) {
      const available = bytes.length - at;
      const frameLength = this.#frameLength(bytes, at, available);
      if (available < frameLength) {
        this.#keep(bytes.subarray(at));
        return;
      }
      this.#emit(bytes, at, frameLength, sink);
      at += frameLength;
    }
  }

  /** Bytes that are needed in all to get further with the frame at `at`: its whole length, or that of its prefix. */
  #frameLength(bytes: Uint8Array, at: number, available: number): number {
    if (this.#awaitsHandshake) {
      checkHandshakeStart(bytes.subarray(at, at + available));
      return handshakeLength;
    }
    if (available < lengthBytes) return lengthBytes;
    const bodyLength = readUint32(bytes, at);
    if (bodyLength > this.bodyBytesMax) throw new ProtocolError(`a message of ${bodyLength} bytes`);
    return lengthBytes + bodyLength;
  }

  #emit(buffer: Uint8Array, start: number, frameLength: number, sink: FrameSink): void {
    if (this.#awaitsHandshake) {
      this.#awaitsHandshake = false;
      sink(buffer, start, start + frameLength);
    } else {
      sink(buffer, start + lengthBytes, start + frameLength);
    }
  }

  #keep(bytes: Uint8Array): void {
    const length = this.#carried + bytes.length;
    if (length > this.#carry.length) {
      const grown = new Uint8Array(
        Math.max(length, Math.min(2 * this.#carry.length, this.bodyBytesMax + lengthBytes), 64),
      );
      grown.set(this.#carry.subarray(0, this.#carried));
      this.#carry = grown;
    }
    this.#carry.set(bytes, this.#carried);
    this.#carried = length;
  }
}
