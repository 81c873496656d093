/** Bounds of the peer wire (lib/wire). */
import { KiB, MiB } from "./units.ts";

/** Bytes of a block: every client asks for this much and most drop who asks for more. */
export const blockLength = 16 * KiB;
/** Bytes of one wire message, without its length prefix; checked before anything is allocated. */
export const messageBytesMax = 1 * MiB;
/** Bytes of an extension message's payload that we send or decode. */
export const extensionBytesMax = 64 * KiB;
/** Bytes of one part of the metadata (BEP 9); the last one may be shorter. */
export const metadataPartLength = 16 * KiB;
/** Bytes of metadata that are fetched from peers: 2 GB and negative sizes were seen, and known torrents fit. */
export const metadataBytesMax = 4 * MiB;
/** Peers added, and peers dropped, in one message of peer exchange that we send (BEP 11). */
export const pexEntriesMax = 50;
/** Peers of each list of such a message that are looked at: the first one of a peer may have more. */
export const pexTakenMax = 200;
/** Milliseconds between two messages of peer exchange to one peer: libtorrent drops who sends more than 6 a minute. */
export const pexIntervalMs = 61_000;
/** Milliseconds before the first one, in which others may come: a newcomer shall know the swarm soon. */
export const pexFirstDelayMs = 1_000;
/** Milliseconds between two messages that are taken from one peer: a minute, with room for the way they have to go. */
export const pexReceiveMinMs = 50_000;
/** Peers that one peer was told of and that are still here. */
export const pexToldMax = 200;
/** New addresses that are taken from one connection: forged ones are of no more harm than these. */
export const pexAddressesPerPeerMax = 200;
/** Times that one peer may change what metadata it says it has, while we fetch it. */
export const metadataChangesMax = 16;
/** Requests for parts of the metadata that are on their way to one peer. */
export const metadataRequestsInFlightMax = 4;
/** Milliseconds that a part may take before its peer is left in peace for a while. */
export const metadataRequestTimeoutMs = 10_000;
/** Milliseconds without an answer after which a part is asked of another peer too. */
export const metadataAskAgainMs = 2_000;
/** Milliseconds for which a peer that rejected a part, or let one time out, is asked nothing. */
export const metadataPauseMs = 10_000;
/** Milliseconds without a part after which one form of the metadata makes room for others that wait. */
export const metadataStallMs = 3_000;
/** Forms of the metadata that are put together at once, where peers disagree: so many times its bytes at most. */
export const metadataAssembliesMax = 4;
/** Requests for parts of the metadata that wait for one peer; 256 are all parts of the largest that is fetched. */
export const metadataRequestsMax = 512;
/** Bytes of what one peer says before the metadata is there: the bitfield of the largest that is fetched has 26 KiB. */
export const earlyBytesMax = 64 * KiB;
/** Times that one connection is given the whole metadata; after that its requests are rejected. */
export const metadataServingsMax = 4;
/** Bytes in a peer's outbox up to which further parts of the metadata are put there. */
export const metadataOutboxBytesMax = 256 * KiB;
/** Bytes of sent `piece` messages, requests and all else that may wait in one peer's outbox before it is not read any more. */
export const outboxBytesMax = 1 * MiB;
/** The same while memory for what is sent is scarce. */
export const scarceOutboxBytesMax = 32 * KiB;
/** Bytes of blocks that are read from disk for one peer at a time and leave in one write. */
export const uploadBatchBytesMax = 512 * KiB;
/** The same while memory for what is sent is scarce: hundreds that read nothing cost little each. */
export const scarceBatchBytesMax = 64 * KiB;
/** Bytes of the buffers that all connections read into, beyond the least that each has. */
export const readMemoryBytesMax = 24 * MiB;
/** Bytes that an idle connection reads at once; hundreds of them are connected. */
export const connectionReadBytesMin = 8 * KiB;
/** Bytes on their way out to all peers, those included that have gone and never read it; above it memory is scarce. */
export const sendMemoryBytesMax = 32 * MiB;
/** Requests of one peer that we queue (our `reqq`, BEP 10); more are rejected or ignored. libtorrent's and Transmission's own. */
export const uploadQueueMax = 2000;
/** Messages of no use (peer/patience.ts) that a peer may send at once when it comes, and at most when it was patient. */
export const patienceStart = 1_000;
export const patienceMax = 8_000;
/** Such messages a second that are put up with for ever: a keep-alive a second is a nervous peer, a hundred is a storm. */
export const patiencePerSecond = 100;
/** Requests in flight to a peer that named no `reqq`. */
export const requestsInFlightDefault = 250;
/** Requests in flight to one peer, whatever its `reqq`: 16 MiB of blocks, what 10 Gbit/s carry in 13 ms. */
export const requestsInFlightMax = 1024;
/** Requests in flight before a rate is known: on a LAN they are answered before ten more could be thought of. */
export const requestsInFlightFirst = 8;
/**
 * The least that is kept with a peer that delivers, and what is added to that which follows from its rate. With 32, a
 * crowd of 60 has a slow source of 1 MB/s booked out for half a minute, and it sends 1.8 copies instead of 1.07.
 */
export const requestsInFlightMin = 4;
/** Cancelled requests of one peer whose answers are still told from those of the same requests made anew. */
export const calledOffMax = 4 * requestsInFlightMax;
