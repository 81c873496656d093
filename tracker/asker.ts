/** Who asks the tracker, by the socket alone: what a client says about its own address is never believed. */
import { type Bytes, equalBytes, writeUint16 } from "../lib/bytes.ts";
import { encodeAddress } from "../lib/endpoint.ts";
import { addressKey, peerFlag } from "./peer_table.ts";

/** One connection to the tracker, or one address that packets come from, made once for all its announces. */
export class Asker {
  /** The asker's address and, after {@linkcode setPort}, its port: 6 or 18 bytes. */
  readonly endpoint: Bytes;
  /** The address under which the asker reached the tracker, 4 or 16 bytes; undefined where nothing tells (UDP). */
  readonly trackerAddress: Bytes | undefined;
  /** The asker's address alone: 4 or 16 bytes. */
  readonly address: Bytes;
  /** Who is bounded together with it: {@linkcode addressKey}. */
  readonly addressKey: number | string;
  /** Bits of {@linkcode peerFlag}: loopback, beside and link-local. */
  readonly flags: number;
  /** Peers of the other family are of no use to it: an answer over UDP has room for one family (BEP 15). */
  readonly isUdp: boolean;

  /**
   * @param remote the socket's source, as the system tells it: `192.168.1.7`, `::ffff:10.0.0.2`, `fe80::1%2`
   * @param local the address of the tracker's end of the connection
   * @throws RangeError when they are no IP addresses
   */
  constructor({ remote, local, isUdp = false }: { remote: string; local: string | undefined; isUdp?: boolean }) {
    const address = addressOf(remote);
    this.endpoint = new Uint8Array(address.length + 2);
    this.endpoint.set(address);
    this.address = this.endpoint.subarray(0, address.length);
    this.trackerAddress = local === undefined ? undefined : addressOf(local);
    this.addressKey = addressKey(this.endpoint);
    this.isUdp = isUdp;
    const isLoopback = isLoopbackAddress(address);
    const isBeside = isLoopback || (this.trackerAddress !== undefined && equalBytes(address, this.trackerAddress));
    this.flags = (isLoopback ? peerFlag.isLoopback : 0) | (isBeside ? peerFlag.isBeside : 0) |
      (isLinkLocal(address) ? peerFlag.isLinkLocal : 0);
  }

  /** Of the asker's address. */
  get family(): 4 | 6 {
    return this.address.length === 4 ? 4 : 6;
  }

  get isLoopback(): boolean {
    return (this.flags & peerFlag.isLoopback) !== 0;
  }

  get isLinkLocal(): boolean {
    return (this.flags & peerFlag.isLinkLocal) !== 0;
  }

  setPort(port: number): void {
    writeUint16(this.endpoint, this.endpoint.length - 2, port);
  }
}

/**
 * The bytes of an address that the system tells, without the zone that some write behind a link-local one.
 *
 * @throws RangeError when it is no IP address
 */
export function addressOf(text: string): Bytes {
  return encodeAddress(text.split("%", 1)[0]);
}

/** 127.0.0.0/8 and ::1. */
function isLoopbackAddress(address: Bytes): boolean {
  if (address.length === 4) return address[0] === 127;
  return address[15] === 1 && address.every((byte, i) => byte === 0 || i === 15);
}

/** fe80::/10: such an address means nothing on another link, and in the compact form its zone is lost. */
function isLinkLocal(address: Bytes): boolean {
  return address.length === 16 && address[0] === 0xfe && (address[1] & 0xc0) === 0x80;
}
