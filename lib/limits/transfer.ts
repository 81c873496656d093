/** Bounds of a torrent's transfer (peer/). */
import { KiB, MiB } from "./units.ts";

/** Bytes of pieces that are being received, checked or written; above it no new piece is begun. Two pieces at least. */
export const pieceBufferBytesMax = 32 * MiB;
/** The same, in pieces: with small ones their number costs more than their bytes. */
export const pieceBuffersMax = 1024;
/** Peers that may ask for the same block at once in the endgame. */
export const requestersPerBlockMax = 2;
/** The same of a block that peers which never gave anything hold: they cannot keep it from one that gives. */
export const requestersOfHeldMax = requestersPerBlockMax + 1;
/** Peers of one torrent that are connected or being dialled, unless the user says another number. */
export const peersMax = 600;
/** The part of these that only those whom we dial may have: incoming ones cannot shut us off from whom we know. */
export const dialledPart = 1 / 10;
/**
 * The part of them up to which we dial ourselves: a crowd of 60 with room for 20 each took 4.3 times as long as it had to
 * when all dialled until they were full, since those who came first were full of each other; now it takes 1.7 times.
 */
export const dialUpToPart = 1 / 2;
/** Connections up to which we dial whatever part of them that is: so few are no crowd. */
export const dialAlwaysUpTo = 10;
/** Milliseconds that a newcomer has before its place may go to another, when all are taken. */
export const admissionGraceMs = 1_000;
/** Milliseconds that one of a crowded address has to get its first turn: a crowd that wants nothing gives up 200 slots a second. */
export const turnWaitMs = 10_000;
/** Milliseconds without a block in either direction after which a place may go to another. */
export const idlePlaceMs = 30_000;
/** Connections of one address from which on it counts as crowded: its idle ones give way first. */
export const crowdedHostMin = 16;
/** Addresses, and peer ids, that are remembered as banned; the oldest is forgotten. */
export const bannedMax = 1_000;
/** Reasons that refusals are counted by. */
export const refusalReasonsMax = 50;
/** Addresses of one torrent that are remembered. */
export const knownPeersMax = 4000;
/** The same for what discovery tells and for what peers tell, each: the rest is for trackers and the user. */
export const hearsayPeersMax = 1000;
/** Dials under way at once for one torrent. */
export const dialsMax = 40;
/** Of these, dials to addresses that strangers told: forged ones keep no other waiting. */
export const hearsayDialsMax = 20;
/** Dials in one second to addresses that strangers told: nobody shall make us knock at thousands of doors. */
export const hearsayDialsPerSecond = 25;
/** Addresses of one host that are taken from strangers: more are a way to have it stormed. */
export const hearsayPerHostMax = 32;
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
/** Milliseconds after which a slot counts as free whose peer asks for nothing. */
export const slotIdleMs = 250;
/** Milliseconds that a write waits for its peer after which the slot counts as free: a slow link takes 16 KiB in less. */
export const slotStuckMs = 10_000;
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
/** Pieces that one peer takes at a time of which every block is remembered; of others it is the piece. */
export const sentPiecesOpenMax = 64;
/** Peers that are gone of which it is remembered what they were sent. */
export const sentRecordsMax = 64;
/** Bytes hashed for a peer that asks for the same again, above those that it was sent, before it is refused. */
export const recheckSlackBytes = 64 * MiB;
/** Pieces lost at once of which each peer is told one by one; beyond, the connections begin anew with what is there. */
export const toldLossesMax = 4096;
/** Bytes that one request may ask for: old clients go to 128 KiB, all of today's stay at 16 KiB. */
export const requestLengthMax = 128 * KiB;
/** Sockets of peers that are open or not given back yet; above it nobody more is let in. */
export const socketsMax = 4000;
/** Of these, sockets of one address: 600 peers of a torrent and as many again that come and go. */
export const socketsPerHostMax = 1500;
/** Incoming connections that have not named a torrent yet; the oldest makes room for the next. */
export const unroutedConnectionsMax = 1000;
/** Pieces that one peer may propose at a time; the oldest proposal gives way (BEP 6). */
export const suggestionsMax = 32;
/** Pieces that one peer may let us have while choked: others let go of 10 (BEP 6). */
export const allowedFastMax = 64;
