/**
 * The ids that a UDP tracker gives out, so that only who receives packets at an address can announce from it (BEP 15).
 *
 * Nothing is stored: an id holds its own second and a keyed hash of that and of the address. The port is no part of it,
 * since a router may change that between two packets.
 *
 *     offset  bytes  field
 *          0      2  second of its birth, modulo 2^16
 *          2      6  first bytes of the hash of address and second
 */
import { type Bytes, readUint32, writeUint32 } from "../lib/bytes.ts";
import { udpIdAcceptedSeconds } from "../lib/limits/tracker.ts";
import { SipHash } from "./sip_hash.ts";

export class ConnectionIds {
  readonly #hash: SipHash;
  /** The second, then an address: of 4 or 16 bytes. */
  readonly #message4: Bytes = new Uint8Array(8);
  readonly #message6: Bytes = new Uint8Array(20);

  /** @param secret 16 bytes that nobody else knows */
  constructor(secret: Bytes) {
    this.#hash = new SipHash(secret);
  }

  /**
   * Makes the id for an address, as two halves of 32 bits.
   *
   * @param address 4 or 16 bytes
   * @param now monotonic milliseconds
   */
  mint(address: Bytes, now: number): { high: number; low: number } {
    const second = Math.floor(now / 1000);
    this.#hashOf(address, second);
    return { high: ((second << 16) | (this.#hash.high & 0xffff)) >>> 0, low: this.#hash.low };
  }

  /** Whether the first 8 bytes of a packet are an id that this address was given not too long ago. */
  isGood(packet: Uint8Array, address: Bytes, now: number): boolean {
    const high = readUint32(packet, 0);
    const nowSecond = Math.floor(now / 1000);
    const age = (nowSecond - (high >>> 16)) & 0xffff;
    if (age > udpIdAcceptedSeconds) return false;
    this.#hashOf(address, nowSecond - age);
    return ((high ^ this.#hash.high) & 0xffff | readUint32(packet, 4) ^ this.#hash.low) === 0;
  }

  #hashOf(address: Bytes, second: number): void {
    const message = address.length === 4 ? this.#message4 : this.#message6;
    writeUint32(message, 0, second);
    for (let i = 0; i < address.length; i++) message[4 + i] = address[i];
    this.#hash.hash(message);
  }
}
