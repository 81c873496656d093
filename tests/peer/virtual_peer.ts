/** One machine of the virtual network: a Torrent, its disk, and the connections that it has. */
import type { Bitfield } from "../../lib/bitfield.ts";
import type { Bytes } from "../../lib/bytes.ts";
import { type Endpoint, formatEndpoint } from "../../lib/endpoint.ts";
import type { PeerId, PieceIndex } from "../../lib/ids.ts";
import type { FrameReader } from "../../lib/wire/frame.ts";
import type { AnnounceReply } from "../../lib/announce/request.ts";
import type { AnnounceCall } from "../../peer/announcer.ts";
import type { ConnectionId, Effect } from "../../peer/events.ts";
import type { FileSelection } from "../../peer/file_selection.ts";
import type { PickStrategy } from "../../peer/piece_picker.ts";
import type { Torrent } from "../../peer/torrent.ts";
import type { VirtualDisk } from "./virtual_disk.ts";

export interface VirtualPeerOptions {
  readonly name?: string;
  /** What is on its disk; nothing if left out. */
  readonly have?: Bitfield;
  readonly peerId?: PeerId;
  readonly strategy?: PickStrategy;
  /** Bytes a second by our own limiters. */
  readonly uploadLimit?: number;
  readonly downloadLimit?: number;
  /** Bytes a second that its link carries outward. */
  readonly uplink?: number;
  /** Bytes a second that its link carries inward. */
  readonly downlink?: number;
  readonly maxPeers?: number;
  readonly isSeedOnly?: boolean;
  /** What it wants; everything if left out. */
  readonly selection?: FileSelection;
  /** Whether it spoils the block that it sends: a liar. */
  readonly spoils?: (piece: PieceIndex, begin: number) => boolean;
  /** Whether its disk refuses to write the piece: for good, or just now. */
  readonly refusesToStore?: (piece: PieceIndex) => boolean | "now";
}

/** One direction of a connection. */
export interface Pipe {
  readonly from: VirtualPeer;
  readonly to: VirtualPeer;
  readonly fromConnection: ConnectionId;
  readonly toConnection: ConnectionId;
  readonly frames: FrameReader;
  isHandshakeOver: boolean;
  /** Writes that the receiver has not read, with what the sender waits for. */
  readonly held: { bytes: Bytes; original: Bytes | undefined }[];
  /** Bytes leave in order. */
  arrivesAt: number;
  isClosed: boolean;
  /** The receiver is taking a write in, part by part: the next one waits. */
  isDelivering: boolean;
}

export class VirtualPeer {
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly peerId: PeerId;
  readonly options: VirtualPeerOptions;
  readonly torrent: Torrent;
  readonly disk: VirtualDisk;
  /** All that is not bytes, in order. */
  readonly events: Effect[] = [];
  /** Where bytes of a connection go; gone once it is closed. */
  readonly pipes = new Map<ConnectionId, Pipe>();
  /** What has come to it and was not read yet. */
  readonly unread = new Set<Pipe>();
  /** It reads nothing and so takes nothing in: its machine hangs. */
  isFrozen = false;
  isListening = true;
  /** Bytes of blocks that it put on the wire. */
  sentBytes = 0;
  uplinkFreeAt = 0;
  downlinkFreeAt = 0;
  tickAt = Infinity;
  completedAt: number | undefined;

  constructor({ torrent, disk, endpoint, peerId, options }: {
    torrent: Torrent;
    disk: VirtualDisk;
    endpoint: Endpoint;
    peerId: PeerId;
    options: VirtualPeerOptions;
  }) {
    this.torrent = torrent;
    this.disk = disk;
    this.endpoint = endpoint;
    this.peerId = peerId;
    this.options = options;
    this.name = options.name ?? formatEndpoint(endpoint);
  }

  /** Addresses of effects of one kind. */
  eventsOf<Kind extends Effect["kind"]>(kind: Kind): Extract<Effect, { kind: Kind }>[] {
    return this.events.filter((effect): effect is Extract<Effect, { kind: Kind }> => effect.kind === kind);
  }
}

/** Where all peers of a swarm announce themselves. */
export interface VirtualTracker {
  answer(peer: VirtualPeer, call: AnnounceCall): AnnounceReply;
}
