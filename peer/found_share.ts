/** What `get` knows of a share before it asks: what it is called, and which machines have it. */
import type { InfoHash } from "../lib/ids.ts";

/** A share and the machines that have it. */
export interface FoundShare {
  /** As the other side has it: not safe to print. */
  readonly name: string;
  /** Undefined where a PIN is needed to learn it. */
  readonly infoHash: InfoHash | undefined;
  /** Bytes. */
  readonly totalLength: number;
  readonly fileCount: number;
  /** One at least, in the order in which they were found. */
  readonly sources: readonly ShareSource[];
}

/** A machine that shares, and how it is reached. */
export interface ShareSource {
  /** The machine's own name for itself: not safe to print. */
  readonly hostName: string;
  /** Addresses of the one machine, each of them to be tried; one at least. */
  readonly hosts: readonly string[];
  /** TCP ports of the page and of the peer. */
  readonly port: number;
  readonly peerPort: number;
  /** The share's place in the machine's list. */
  readonly index: number;
}
