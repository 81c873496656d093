/** What a Torrent is made of: its identity, its data, its limits, and what the person wants of it. */
import type { Bitfield } from "../lib/bitfield.ts";
import type { InfoHash, PeerId } from "../lib/ids.ts";
import type { Layout } from "../lib/layout.ts";
import type { RateLimiter } from "../lib/rate_limiter.ts";
import type { BatchMemory } from "../lib/wire/batch_memory.ts";
import type { Announcer } from "./announcer.ts";
import type { FileSelection } from "./file_selection.ts";
import type { PeerRoster } from "./peer_roster.ts";
import type { PickStrategy } from "./piece_picker.ts";

export interface TorrentOptions {
  readonly infoHash: InfoHash;
  readonly layout: Layout;
  /** What is on disk and verified; Torrent works on it from here on. */
  readonly have: Bitfield;
  readonly peerId: PeerId;
  readonly announcer: Announcer;
  /** Shared by all torrents of the program. */
  readonly downloadLimiter: RateLimiter;
  readonly uploadLimiter: RateLimiter;
  readonly strategy: PickStrategy;
  /** Our TCP port, 0 for none. */
  readonly listenPort: number;
  /** What we call ourselves to peers. */
  readonly client: string;
  readonly maxPeers?: number;
  /** For what is sent to peers, shared by all torrents of the program; its own if left out. */
  readonly sendMemory?: BatchMemory;
  /** Raw bytes of `info`, to be given to who has only the info hash (BEP 9). */
  readonly infoBytes?: Uint8Array;
  /** The peers of the MetadataFetch before it; they are taken in by the input `handedOver`. */
  readonly roster?: PeerRoster;
  /** Peers come from the user and the trackers only; nothing is told to strangers (BEP 27). */
  readonly isPrivate?: boolean;
  /** Only seeds: a torrent that is not whole stays so. */
  readonly isSeedOnly?: boolean;
  /** What is wanted; everything without it. */
  readonly selection?: FileSelection;
  readonly random: () => number;
  /** URLs of web seeds, http and https: asked only where peers do not give enough. */
  readonly webSeeds?: readonly string[];
}
