/** What every BitTorrent client under test can do, ours and the foreign ones. */
import type { Host } from "./host.ts";
import type { Scene } from "./scene.ts";

/** How a client is started. */
export interface StartOptions {
  /** "seed" holds the whole data in `directory`; "download" fetches into it, resuming what is there. */
  readonly mode: "seed" | "download";
  /** Path of the .torrent file, or to download a magnet link; its announce URLs are used. */
  readonly torrent: string;
  readonly directory: string;
  /** Peers to dial, as "host:port"; only clients that `canDial` take them. */
  readonly peers?: readonly string[];
  /** Bytes a second. */
  readonly uploadLimit?: number;
  /** Bytes a second. */
  readonly downloadLimit?: number;
  /** Exchanges peers (BEP 11); ours always does, of the others only libtorrent can be told. */
  readonly usesPex?: boolean;
  /** For measurements: set up for speed, and without the logs that `protocolErrors` and `fetchedBytes` read. */
  readonly isBench?: boolean;
  /** The 0-based number of the one file that is wanted; only libtorrent and ours can be told. */
  readonly onlyFile?: number;
  /** Blocks that it asks one peer for at once at most, for measurements; only libtorrent can be told. */
  readonly requestQueueMax?: number;
  /** Looks for peers on the local network (BEP 14); only for hosts of a `Lan`. */
  readonly discovery?: boolean;
  /** Its trackers are of UDP; aria2 asks those by its DHT's socket alone. */
  readonly udpTracker?: boolean;
  /** Where it lives; default: 127.0.0.1 of this machine. */
  readonly host?: Host;
}

/** A running client with one torrent. */
export interface Peer {
  /** "aria2 (download)". */
  readonly name: string;
  readonly pid: number;
  /** Where it accepts peers, as "host:port". */
  readonly endpoint: string;
  /** Waits until it says that every piece is there and checked; goes on seeding afterwards. */
  finished(deadlineMs: number): Promise<void>;
  /** Bytes of pieces that it has received from others since it started: what a resumed download did not save. */
  fetchedBytes(): Promise<number>;
  /** What it logged that means "the other side broke the protocol". */
  protocolErrors(): string[];
  /** Ends it in the orderly way, so that what it has is on disk. */
  stop(): Promise<void>;
}

/** A client program. */
export interface Client {
  readonly name: string;
  /** True if it can be told peers; the others have to be dialled or use a tracker. */
  readonly canDial: boolean;
  /** True if it takes peers in 127.0.0.0/8 from a tracker. */
  readonly takesLoopbackPeers: boolean;
  /** False if it leaves out files without bytes. */
  readonly makesEmptyFiles: boolean;
  /** Whether the program is on this machine. */
  isInstalled(): boolean;
  start(scene: Scene, options: StartOptions): Promise<Peer>;
}
