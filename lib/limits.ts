/**
 * Every bound of localbt, with its unit and its reason. What comes from outside is checked against these before memory
 * or time is spent on it.
 */
export const KiB = 1024;
export const MiB = 1024 * KiB;

// Torrent files and bencode (lib/bencode.ts, lib/metainfo.ts)

/** Bytes of a .torrent file: 2^21 pieces need 40 MiB of hashes, but all known torrents fit here. */
export const torrentBytesMax = 64 * MiB;
/** Levels of nested lists and dictionaries; deeper input crashed recursive decoders (CVE-2020-8437). */
export const bencodeDepthMax = 100;
/** Values in one bencoded document. */
export const bencodeTokensMax = 3_000_000;
/** Digits of a bencoded integer or length. */
export const bencodeDigitsMax = 20;
/** Pieces of one torrent: libtorrent's bound too. */
export const pieceCountMax = 2 ** 21;
/** Bytes of one piece that a downloader is ready to hold in memory. */
export const pieceLengthMax = 256 * MiB;
/** Files of one torrent. */
export const fileCountMax = 1_000_000;
/** Folders above a file of a torrent. */
export const pathDepthMax = 100;
/** UTF-8 bytes of one name: most file systems take 255. */
export const nameBytesMax = 240;
/** Bytes of one dictionary key: file names are the longest that occur (BEP 52), and keys are held as strings. */
export const bencodeKeyBytesMax = 4 * KiB;
/** Tracker URLs, and web seed URLs, taken from one torrent or magnet link; the rest is left out. */
export const urlCountMax = 200;
/** Characters of one URL from outside. */
export const urlCharsMax = 2 * KiB;

// Magnet links and endpoints (lib/magnet.ts, lib/endpoint.ts)

/** Characters of a magnet link: room for every URL that is taken, percent-encoded; no shell takes longer arguments. */
export const magnetCharsMax = 128 * KiB;
/** Peers (`x.pe`) taken from one magnet link. */
export const magnetPeerCountMax = 100;
/** Characters of a host name (RFC 1035), and of an address with its zone. */
export const hostCharsMax = 253;

// The peer wire (lib/wire)

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
export const outboxBytesMax = 4 * MiB;
/** Bytes of blocks that are read from disk for one peer at a time and leave in one write. */
export const uploadBatchBytesMax = 512 * KiB;
/** Requests of one peer that we queue (our `reqq`, BEP 10); more are rejected or ignored. libtorrent's and Transmission's own. */
export const uploadQueueMax = 2000;
/** Requests in flight to a peer that named no `reqq`. */
export const requestsInFlightDefault = 250;
/** Requests in flight to one peer, whatever its `reqq`: 16 MiB of blocks, what 10 Gbit/s carry in 13 ms. */
export const requestsInFlightMax = 1024;
/** Requests in flight before a rate is known, and the least that is kept with a peer that delivers. */
export const requestsInFlightMin = 32;

// A torrent's transfer (peer/)

/** Bytes of pieces that are being received, checked or written; above it no new piece is begun. Two pieces at least. */
export const pieceBufferBytesMax = 32 * MiB;
/** The same, in pieces: with small ones their number costs more than their bytes. */
export const pieceBuffersMax = 1024;
/** Peers that may ask for the same block at once in the endgame. */
export const requestersPerBlockMax = 2;
/** Peers of one torrent that are connected or being dialled, unless the user says another number. */
export const peersMax = 600;
/** Addresses of one torrent that are remembered. */
export const knownPeersMax = 4000;
/** The same for what discovery tells and for what peers tell, each: the rest is for trackers and the user. */
export const hearsayPeersMax = 1000;
/** Dials under way at once for one torrent. */
export const dialsMax = 40;
/** Of these, dials to addresses that strangers told: forged ones keep no other waiting. */
export const hearsayDialsMax = 20;
/** Dials that fail in a row before an address of a stranger is forgotten; it will be told again if it is good. */
export const hearsayDialFailuresMax = 2;
/** Milliseconds for a dial, and for the handshake after it: anacrolix waits 4 s, libtorrent 10 s. */
export const dialTimeoutMs = 10_000;
export const handshakeTimeoutMs = 10_000;
/** Milliseconds before a failed address is dialled again; doubles with each failure up to the maximum. */
export const redialMinMs = 2_000;
export const redialMaxMs = 300_000;
/** Dials that fail in a row before an address is forgotten. */
export const dialFailuresMax = 8;
/** Milliseconds without a word from a peer before it is dropped: twice the nominal keep-alive of BEP 3 and some. */
export const silenceMaxMs = 250_000;
/** Milliseconds without a word to a peer before a keep-alive: libtorrent drops after 120 s. */
export const keepAliveMs = 90_000;
/** The same for rqbit (`-rQ`), which drops after 10 s. */
export const keepAliveRqbitMs = 8_000;
/** Milliseconds without a block, though some were asked for, before a peer counts as snubbing us. */
export const snubMs = 15_000;
/** Milliseconds that a snubbing peer is kept before it makes room for another. */
export const snubDropMs = 60_000;
/** Peers that are unchoked at once: a LAN's links carry all of them. */
export const unchokeSlots = 50;
/** Unchoke slots of these that go around by chance (BEP 3's optimistic unchoke). */
export const optimisticSlots = 5;
/** Milliseconds between two rounds of choking. */
export const chokeRoundMs = 10_000;
/** Milliseconds between two changes of one peer's choke at least: aria2 drops who makes two within 5 s. */
export const chokeFlipMs = 5_500;
/** Milliseconds that an optimistic slot stays with one peer. */
export const optimisticMs = 30_000;
/** Pieces in the allowed-fast set that we grant (BEP 6). */
export const allowedFastCount = 10;
/** Requests that we may not answer (choked, out of range, not had) before a peer is dropped: libtorrent's bound. */
export const invalidRequestsMax = 300;
/** Blocks that nobody asked for, in bytes, before a peer is dropped. */
export const unwantedBytesMax = 8 * MiB;
/** Pieces whose failed blocks are remembered so that the liar is found (peer/piece_inquest.ts). */
export const inquestsMax = 32;
/** Milliseconds between two saves of the resume file. */
export const resumeSaveMs = 10_000;

// Web seeds (peer/web_seed*.ts)

/** Requests under way to one web seed, and to all of a torrent: BEP 19 asks to be kind to servers, and three hide the way there. */
export const webSeedRequestsMax = 3;
export const webRequestsMax = 6;
/** Bytes of one request, if it is not a single larger block run: small beside `pieceBufferBytesMax`, large beside a request. */
export const webRunBytesMax = 4 * MiB;
/** Bytes of one request to a server whose speed is not known yet, or that is slow. */
export const webRunBytesMin = 512 * KiB;
/** Milliseconds that peers get to show what they can, before a web seed is asked for what they could give. */
export const webSeedGraceMs = 5_000;
/** A web seed helps peers that give less than one part in so many of what it gives. */
export const webSeedSlowFactor = 4;
/** Pieces that fail their hash until a web seed is not asked any more: one may be an unlucky moment of its disk. */
export const webSeedBadPiecesMax = 3;
/** Files that a web seed lacks until it is given up, if it has never delivered anything. */
export const webSeedMissingFilesMax = 16;
/** Milliseconds before a web seed that failed is asked again; doubles with each failure up to the maximum. */
export const webSeedRetryMinMs = 2_000;
export const webSeedRetryMaxMs = 300_000;
/** Milliseconds of a `Retry-After` that are obeyed. */
export const webSeedRetryAfterMaxMs = 600_000;
/** Milliseconds for a web seed's first word, and for each `webSeedPaceBytes` (or all that is left) after it. */
export const webSeedTimeoutMs = 15_000;
export const webSeedPaceBytes = 32 * KiB;
/** Bytes in front of what is wanted that are read and dropped, where a server sends a file from its beginning. */
export const webSeedSkipBytesMax = 1 * MiB;
/** Bytes between two missing pieces of different files that are read for nothing, from a server that knows no ranges. */
export const webStreamGapBytesMax = 16 * MiB;
/** Bytes of one read of a web seed's answer: at 64 KiB the runtime needs twice the time. */
export const webReadBytes = 1 * MiB;

// Trackers, seen from both sides (lib/announce, tracker, peer/announcer.ts)

/** Peers that a tracker hands out when the asker names no number, as opentracker and Transmission have it. */
export const numWantDefault = 50;
/** Peers that a tracker hands out at most: libtorrent asks for 200. */
export const numWantMax = 200;
/** Peers of one tracker reply that a client takes; the rest is dropped (a lying tracker). */
export const replyPeersMax = 2000;
/** Bytes of a tracker's reply after decompression: 2000 peers as dictionaries fit five times (CVE-2016-7164). */
export const trackerReplyBytesMax = 1 * MiB;
/** Characters of a tracker's failure or warning that are shown. */
export const trackerTextMax = 200;
/** Bytes of a `tracker id` that are kept and sent back. */
export const trackerIdBytesMax = 256;
/** Milliseconds between two announces at least, whatever a tracker says. */
export const announceIntervalMinMs = 10_000;
/** Milliseconds between two announces at most, whatever a tracker says. */
export const announceIntervalMaxMs = 2 * 60 * 60_000;
/** Milliseconds between two announces where the reply names none. */
export const announceIntervalDefaultMs = 5 * 60_000;
/** Milliseconds after the first failed announce until the next; doubled by each further failure. */
export const announceRetryMinMs = 5_000;
/** Milliseconds between two tries of a failing tracker at most. */
export const announceRetryMaxMs = 5 * 60_000;
/** Milliseconds until a tracker's reply is given up; over UDP this is also when BEP 15 would first ask again. */
export const announceTimeoutMs = 15_000;
/** Milliseconds that a tracker of two families has for its second answer, once the first is here. */
export const otherFamilyMs = 500;
/** Redirects followed for one request to a tracker or a web seed. */
export const httpRedirectsMax = 3;
/** Milliseconds for finding out whether a name that we are sent to stands for a private address. */
export const dnsTimeoutMs = 2_000;
/** Info hashes in one scrape: as many as a UDP scrape can hold (BEP 15). */
export const scrapeHashesMax = 74;
/** Bytes of a UDP reply to an announce: it passes every link unbroken (IPv6's least is 1,280), tunnels too: 200 peers of
 * IPv4, 67 of IPv6. */
export const udpReplyBytesMax = 1232;
/** Bytes of a UDP request that are read: an announce with a long URL (BEP 41); what is longer is cut and then refused. */
export const udpRequestBytesMax = 4 * KiB;
/** Seconds that a tracker takes an id of its own after it gave it out (BEP 15). */
export const udpIdAcceptedSeconds = 120;
/** Milliseconds that a client uses an id (BEP 15). */
export const udpIdUsedMs = 60_000;
/** Bytes of the longest datagram there is. */
export const datagramBytesMax = 64 * KiB;
/** Milliseconds that a client's socket stays open for the next announce: no longer than an id is used. */
export const udpIdleMs = udpIdUsedMs;
/** Replies of the UDP tracker that may wait for their socket; above it no further packet is read. */
export const udpRepliesMax = 64;

/** Swarms that a tracker keeps: above them a new info hash is refused. */
export const swarmsMax = 1_000_000;
/** Peers that a tracker keeps in all (about 70 bytes each): above them a newcomer is answered but not listed. */
export const trackerPeersMax = 4_000_000;
/** Peers of one swarm that are listed; 256,000 is four addresses with every port. */
export const swarmPeersMax = 500_000;
/** Peers of one address that are listed in one swarm: a room behind one router, but no flood of made-up ports. */
export const swarmPeersPerAddressMax = 128;
/** Peers of one address that are listed in all swarms: one machine cannot fill the tracker. */
export const trackerPeersPerAddressMax = 20_000;
/** Askers whose addresses a tracker keeps parsed for their next connection: more than one LAN has. */
export const trackerAskersMax = 4096;
/** Milliseconds that a silent peer stays listed at least: libtorrent never announces more often than every 300 s. */
export const peerLifetimeMinMs = 400_000;

// Multicast and local discovery (lib/io/multicast.ts, peer/discovery.ts)

/** Links that multicast is sent out of: a machine that runs containers has hundreds, few of them lead anywhere. */
export const multicastLinksMax = 32;
/** Bytes of a multicast packet that are read: the most that multicast DNS allows (RFC 6762, 17). */
export const multicastBytesMax = 9000;
/** Packets of a group that are read in a second, for each family; the rest is left to the system, which drops it. */
export const multicastPacketsPerSecondMax = 500;
/** Milliseconds between two looks at the interfaces of this machine: a laptop joins another Wi-Fi. */
export const interfacesLookMs = 60_000;
/** Bytes of a discovery packet: BEP 14's own bound, which keeps it in one Ethernet frame. */
export const localDiscoveryBytesMax = 1400;
/** Characters of a discovery packet's cookie; libtorrent's has 8. */
export const localDiscoveryCookieCharsMax = 256;
/** Milliseconds between two discovery packets for a torrent that nobody new asks for. BEP 14 */
export const localAnnounceIntervalMs = 5 * 60_000;
/** Milliseconds between two at least, once the first three are out. BEP 14 */
export const localAnnounceIntervalMinMs = 60_000;
/** Discovery packets that we send in a second on each link: Transmission drops above 10. */
export const localAnnouncesPerSecond = 8;
/** Discovery packets that are decoded in a second: a flash crowd of 200 hosts, each with a torrent. */
export const localPacketsPerSecondMax = 200;
/** The same of one sender: twice what ours sends, with some clients on one machine. */
export const localPacketsPerSenderMax = 32;
/** Addresses with a torrent that are remembered as met, so that an answer goes to newcomers only. */
export const localNeighboursMax = 2000;
/** Of these, ports of one host with one torrent: clients on one machine, but no flood of made-up ports. */
export const localPortsPerHostMax = 16;

// The HTTP server (lib/http_request.ts, lib/io/http_server.ts)

/** Bytes of a request line: 74 percent-encoded info hashes are 5.3 KB. */
export const httpLineBytesMax = 8 * KiB;
/** Bytes of a request line and its headers together. */
export const httpHeadBytesMax = 16 * KiB;
/** Header fields of one request. */
export const httpHeadersMax = 64;
/** Connections of the server in all. */
export const httpConnectionsMax = 2048;
/** Connections from one address; loopback is free of it, since a whole class may run on one machine. */
export const httpConnectionsPerAddressMax = 64;
/** Milliseconds from the first byte of a request (or the connection's start) to the end of its headers. */
export const httpHeadTimeoutMs = 10_000;
/** Milliseconds that a kept connection may stay silent between requests. */
export const httpIdleTimeoutMs = 20_000;
/** Milliseconds that a client may take to receive the replies of one turn. */
export const httpWriteTimeoutMs = 10_000;
/** Milliseconds that the server reads on after its last word, so that the client gets to see it. */
export const httpLingerMs = 1_000;
/** Bytes of replies gathered before they are written, when requests are pipelined. */
export const httpTurnBytesMax = 64 * KiB;

/** Bytes of a body that is read while it is sent, in memory at a time. */
export const httpBodyPieceBytes = 128 * KiB;

// Shares (lib/share_*.ts, peer/io/share_*.ts, peer/io/get_command.ts)

/** Files and folders of one `share`, and of one listing that is believed. */
export const listedSharesMax = 64;
/** Bytes of a listing: 64 names of 240 bytes, escaped, and some. */
export const listingBytesMax = 256 * KiB;
/** Milliseconds for one answer of a share's port. */
export const shareTimeoutMs = 10_000;
/** Copies of the program that are being fetched at once: each holds a file and 128 KiB. */
export const programSendsMax = 16;
/** Shares that a browser keeps: the rest of a flood is not looked at. */
export const browsedSharesMax = 256;
/** Addresses that are kept of one machine that shares. */
export const browsedHostsMax = 8;
/** Seconds that others may keep what a share tells them by multicast DNS: it may be gone without a word. */
export const shareTtlSeconds = 120;
/** Milliseconds between two answers with the same record (RFC 6762 section 6). */
export const mdnsRepeatMs = 1_000;
/** Answers a second to those who ask by unicast, and so cannot be told apart from forged senders. */
export const mdnsUnicastPerSecondMax = 10;
/** PINs that one address may try at once; each success gives its try back, and time does. */
export const pinTriesPerAddressMax = 5;
/** The same for everybody together. */
export const pinTriesMax = 20;
/** Milliseconds that give a try back: 4,320 a day, of a million PINs. */
export const pinTryMs = 20_000;
/** Addresses whose tries are counted; an address is a network of IPv6. */
export const pinAddressesMax = 1_000;
/** Exchanges that have begun and not ended, and the milliseconds that they may take. */
export const pinExchangesMax = 32;
export const pinExchangeMs = 15_000;
/** Bytes of the answer to the first request of an exchange: some 700 are usual. */
export const pinAnswerBytesMax = 4 * KiB;
/** Addresses that have shown that they know the PIN. */
export const pinAdmittedMax = 4_096;
/** Characters of a PIN: at least, so that guessing takes years, and at most. */
export const pinCharsMin = 4;
export const pinCharsMax = 100;
/** Files of a share that its page names. */
export const pageFilesMax = 100;
/** Visitors of a share that are remembered, so that each is told of once. */
export const visitorsMax = 10_000;
/** Files of a share above which no look is taken whether they changed: it would stop everything else for too long. */
export const watchedFilesMax = 20_000;

// The disk (lib/io, peer/io)

/** Files that one disk worker keeps open: thousands of small files pass through, and 8 workers stay far below 1,024. */
export const openFilesPerWorkerMax = 32;
/** Disk workers: one a core, but each takes some 15 MB, and 8 hash more (13 GiB/s) than disks deliver. */
export const diskWorkersMax = 8;
/** Bytes that a disk worker reads at a time while it hashes: they stay in a core's second-level cache. */
export const hashBufferBytes = 256 * KiB;
/** Bytes of one job of hashing: some 5 ms, so that progress, Ctrl-C and an even end of all workers come cheaply. */
export const hashJobBytes = 8 * MiB;
/** Bytes that a thread hashes between two looks at what is left: 2 ms, so that all of them end together. */
export const sweepPartBytes = 4 * MiB;
/** Bytes of hashing that are worth another thread: 50 ms of one, where half of it and a thread's start are 45. */
export const bytesWorthAWorker = 80 * MiB;
/** Bytes of a piece up to which the main thread hashes and writes it itself: its way to a worker and back costs 30 µs. */
export const pieceBytesStoredAtOnce = 64 * KiB;
/** Bytes of pieces that a disk worker gathers into one answer: a message costs as much as moving 64 KiB. */
export const resultBatchBytes = 4 * MiB;
/** Bytes that one request may ask for: old clients go to 128 KiB, all of today's stay at 16 KiB. */
export const requestLengthMax = 128 * KiB;
/** Sockets of peers that are open or not given back yet; above it nobody more is let in. */
export const socketsMax = 4000;
/** Incoming connections that have not named a torrent yet; the oldest makes room for the next. */
export const unroutedConnectionsMax = 1000;
/** Bytes of pieces that a storage keeps in memory for its uploads: dozens of peers' places in a torrent of 1 MiB pieces. */
export const pieceCacheBytes = 24 * MiB;
/** Milliseconds without any upload after which that memory is given back: a share waits all day. */
export const cacheRestMs = 10_000;
/** Bytes of reads for uploads that are under way at once: with the cache, the most memory that uploads take. */
export const pieceReadBytesMax = 8 * MiB;
/** Bytes of one read for an upload: large enough that a read costs little beside its bytes (1 MiB in 0.1 ms). */
export const extentBytesMax = 1 * MiB;
/** The same where hundreds of peers sit at different places and the cache cannot hold 1 MiB for each. */
export const extentBytesMin = 128 * KiB;
/** Bytes of a resume file: the bits of 2^21 pieces and 16 bytes for each of 10^6 files fit. */
export const resumeBytesMax = 20 * MiB;
/** Pieces that are hashed again although the resume file vouches for them. */
export const resumeSampleCount = 8;
/** Files that are flushed to the disk at the same time before a resume file is written. */
export const flushLanes = 4;
