/** Who asks the tracker, by the socket alone: what a client says about its own address is never believed. */
import { type Bytes, readUint32, writeUint16 } from "../lib/bytes.ts";
import { canonicalHost, encodeAddress, isLoopback } from "../lib/endpoint.ts";
import { addressKey, peerFlag } from "./peer_table.ts";

/** One connection to the tracker, made once for all its announces. */
export class Asker {
  /** The asker's address and, after {@linkcode setPort}, its port: 6 or 18 bytes. */
  readonly endpoint: Bytes;
  /** The address under which the asker reached the tracker: 4 or 16 bytes. */
  readonly trackerAddress: Bytes;
  /** The same as a signed number if it is IPv4. */
  readonly trackerIpv4: number | undefined;
  /** The asker's address alone: 4 or 16 bytes. */
  readonly address: Bytes;
  /** The asker's address as a Map key. */
  readonly addressKey: number | string;
  /** Bits of {@linkcode peerFlag}: loopback and link-local. */
  readonly flags: number;

  /**
   * @param remote the socket's source, as the system tells it: `192.168.1.7`, `::ffff:10.0.0.2`, `fe80::1%2`
   * @param local the address of the tracker's end of the connection
   * @throws RangeError when they are no IP addresses
   */
  constructor({ remote, local }: { remote: string; local: string }) {
    const host = hostOf(remote);
    const address = encodeAddress(host);
    this.endpoint = new Uint8Array(address.length + 2);
    this.endpoint.set(address);
    this.address = this.endpoint.subarray(0, address.length);
    this.trackerAddress = encodeAddress(hostOf(local));
    this.trackerIpv4 = this.trackerAddress.length === 4 ? readUint32(this.trackerAddress, 0) | 0 : undefined;
    this.addressKey = addressKey(this.endpoint);
    this.flags = (isLoopback(host) ? peerFlag.isLoopback : 0) | (isLinkLocal(address) ? peerFlag.isLinkLocal : 0);
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

/** Canonical, without the zone that some systems write behind a link-local address. */
function hostOf(text: string): string {
  const host = canonicalHost(text.split("%", 1)[0]);
  if (host === undefined) throw new RangeError(`"${text}" is not an IP address`);
  return host;
}

/** fe80::/10: such an address means nothing on another link, and in the compact form its zone is lost. */
function isLinkLocal(address: Bytes): boolean {
  return address.length === 16 && address[0] === 0xfe && (address[1] & 0xc0) === 0x80;
}
