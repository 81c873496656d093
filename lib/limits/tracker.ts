/** Bounds of trackers, seen from both sides (lib/announce, tracker, peer/announcer.ts). */
import { KiB, MiB } from "./units.ts";

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
/** Swarms of one HTTP scrape reply that are looked at: a tracker may answer with all that it has. */
export const scrapeRepliesMax = 5000;
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

/** Swarms that a tracker keeps (about 800 bytes each): above them a new info hash needs another's place, or is refused. */
export const swarmsMax = 65_536;
/** Peers that a tracker keeps in all (130 to 170 bytes each): above them a newcomer needs another's place, or is answered
 * without being listed. With all of both the program stays below 300 MB. */
export const trackerPeersMax = 1_000_000;
/** Peers that are drawn when the tracker is full, to find one whose address has more than its share. */
export const trackerDrawnForRoom = 8;
/** Peers of one swarm that are listed; 256,000 is four addresses with every port. */
export const swarmPeersMax = 500_000;
/** Peers of one address that are listed in one swarm: a room behind one router, but no flood of made-up ports, in which
 * the honest would not be found. */
export const swarmPeersPerAddressMax = 32;
/** The same of one network of IPv6 (/64), in which one machine has as many addresses as it likes. */
export const swarmPeersPerNetworkMax = 512;
/** Peers of one address that are listed in all swarms: one machine cannot fill the tracker. */
export const trackerPeersPerAddressMax = 4_000;
/** The same of one network of IPv6. */
export const trackerPeersPerNetworkMax = 32_000;
/** Askers whose addresses a tracker keeps parsed for their next connection: more than one LAN has. */
export const trackerAskersMax = 4096;
/** Milliseconds that a silent peer stays listed at least: libtorrent never announces more often than every 300 s. */
export const peerLifetimeMinMs = 400_000;
