/**
 * SHA-1 of one piece after another, fed in parts of any size.
 *
 * Zeros at the beginning of a piece are counted instead of hashed, so the holes of a sparse file cost a memory compare
 * (10 GiB/s) and no SHA-1 (1.6 GiB/s). Hashing is node:crypto's: WebCrypto copies its input and is half as fast.
 */
import { Buffer } from "node:buffer";
import { createHash, type Hash } from "node:crypto";
import type { Bytes } from "../bytes.ts";

const zeros = new Uint8Array(256 * 1024);

/** Whether every byte is zero. */
export function isZero(bytes: Uint8Array): boolean {
  // Data nearly always shows itself in the first or the last byte.
  if (bytes.length === 0) return true;
  if (bytes[0] !== 0 || bytes[bytes.length - 1] !== 0) return false;
  for (let at = 0; at < bytes.length; at += zeros.length) {
    const part = bytes.subarray(at, at + zeros.length);
    if (Buffer.compare(part, zeros.subarray(0, part.length)) !== 0) return false;
  }
  return true;
}

export class PieceHasher {
  #hash: Hash | undefined;
  /** Leading zero bytes that `#hash` has not seen. */
  #zeroCount = 0;
  /** Digests of all-zero pieces by their length: there are two lengths in a torrent at most. */
  readonly #zeroDigests = new Map<number, Bytes>();

  /** Takes the next bytes of the piece. */
  update(bytes: Uint8Array): void {
    if (this.#hash === undefined) {
      if (isZero(bytes)) {
        this.#zeroCount += bytes.length;
        return;
      }
      this.#hash = createHash("sha1");
      feedZeros(this.#hash, this.#zeroCount);
    }
    this.#hash.update(bytes);
  }

  /** The 20 bytes of the piece that ends here; the next one begins. */
  digest(): Bytes {
    const digest = this.#hash === undefined ? this.#zeroDigest(this.#zeroCount) : bytesOf(this.#hash.digest());
    this.reset();
    return digest;
  }

  /** Forgets the piece that was begun. */
  reset(): void {
    this.#hash = undefined;
    this.#zeroCount = 0;
  }

  #zeroDigest(length: number): Bytes {
    let digest = this.#zeroDigests.get(length);
    if (digest === undefined) {
      const hash = createHash("sha1");
      feedZeros(hash, length);
      digest = bytesOf(hash.digest());
      if (this.#zeroDigests.size > 8) this.#zeroDigests.clear();
      this.#zeroDigests.set(length, digest);
    }
    return digest;
  }
}

/** SHA-1 of the bytes. */
export function sha1(bytes: Uint8Array): Bytes {
  return bytesOf(createHash("sha1").update(bytes).digest());
}

function feedZeros(hash: Hash, length: number): void {
  for (let left = length; left > 0; left -= zeros.length) hash.update(zeros.subarray(0, Math.min(left, zeros.length)));
}

function bytesOf(digest: Uint8Array): Bytes {
  return new Uint8Array(digest);
}
