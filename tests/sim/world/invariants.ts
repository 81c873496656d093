/**
 * What holds of every honest peer after every step, whatever the world does to it. Each rule says itself in a sentence; the
 * rules of single messages are witness.ts's.
 */
import { assert } from "@std/assert";
import type { PieceIndex } from "../../../lib/ids.ts";
import { knownPeersMax, peersMax, pieceBufferBytesMax, pieceBuffersMax } from "../../../lib/limits/transfer.ts";
import { dialsMax, requestersOfHeldMax, requestLengthMax } from "../../../lib/limits/transfer.ts";
import {
  blockLength,
  messageBytesMax,
  outboxBytesMax,
  requestsInFlightMax,
  uploadQueueMax,
} from "../../../lib/limits/wire.ts";
import type { Input } from "../../../peer/events.ts";
import type { PeerSession } from "../../../peer/peer_session.ts";
import type { ActivePiece } from "../../../peer/piece_table.ts";
import type { Torrent } from "../../../peer/torrent.ts";
import type { TorrentView } from "../../../peer/torrent_view.ts";
import type { WorldContent } from "./content.ts";
import type { Machine } from "./machine.ts";
import { type Link, Program } from "./program.ts";
import type { TrackerHost } from "./tracker_host.ts";

/** Holds all rules against a program whose core has just taken an input in. */
function checkInvariants(program: Program): void {
  checkConnections(program);
  const { torrent } = program;
  if (torrent === undefined) return;
  const { view } = torrent;
  checkPieces(view);
  checkStored(program, view);
  checkActive(view);
  checkMemory(view);
  checkPicker(view);
  for (const session of view.sessions.values()) {
    checkSession(program, view, session);
    checkAnswers(program, view, session);
    checkRequests(view, session);
    checkQueues(view, session);
  }
}

/** Every open connection has its session and every session its connection; neither they nor dials exceed their bounds. */
function checkConnections({ links, core, torrent, fetch, dialCount, machine }: Program): void {
  if (core === undefined) return;
  const sessions = torrent?.view.sessions ?? fetch!.roster.sessions;
  const { known, dialing } = torrent?.view.addressCounts ?? fetch!.roster.addressCounts;
  assert(links.size === sessions.size, `${links.size} connections are open, and there are ${sessions.size} sessions`);
  for (const id of links.keys()) assert(sessions.has(id), `connection #${id} is open and has no session`);
  assert(sessions.size <= (machine.plan.maxPeers ?? peersMax), `there are ${sessions.size} sessions`);
  assert(dialing <= dialCount, `${dialing} addresses wait for a dial, and ${dialCount} dials are under way`);
  assert(dialCount <= dialsMax, `${dialCount} dials are under way`);
  assert(known <= knownPeersMax, `${known} addresses are known`);
}

/** A piece is in exactly one state, and the counts are those of the states. */
function checkPieces({ table }: TorrentView): void {
  const { layout, selection } = table;
  let [haveCount, missingCount, haveBytes, lackingBytes] = [0, 0, 0, 0];
  for (let index = 0; index < layout.pieceCount; index++) {
    const piece = index as PieceIndex;
    const isActive = table.active(piece) !== undefined;
    const stateCount = Number(table.isHave(piece)) + Number(table.isMissing(piece)) + Number(isActive) +
      Number(table.isChecking(piece));
    assert(stateCount === 1, `piece ${piece} is in ${stateCount} states`);
    assert(table.have.has(piece) === table.isHave(piece), `piece ${piece} is had by one account only`);
    assert(selection.pieces.has(piece) || !isActive && !table.isChecking(piece), `piece ${piece} is fetched unwanted`);
    if (!table.isHave(piece)) lackingBytes += layout.lengthOfPiece(piece);
    if (!selection.pieces.has(piece)) continue;
    if (table.isHave(piece)) haveCount++;
    if (table.isHave(piece)) haveBytes += selection.bytesIn(piece);
    if (table.isMissing(piece)) missingCount++;
  }
  assert(haveCount === table.haveCount, `${table.haveCount} pieces are counted as had, and ${haveCount} are`);
  assert(missingCount === table.missingCount, `${table.missingCount} counted as missing, and ${missingCount} are`);
  assert(haveBytes === table.haveBytes, `${table.haveBytes} bytes are counted as had, and ${haveBytes} are`);
  assert(
    lackingBytes === table.lackingBytes,
    `${table.lackingBytes} bytes are counted as lacking, ${lackingBytes} are`,
  );
  assert(table.isComplete === (haveCount === selection.pieces.count), "complete and lacking something, or neither");
}

/** A piece counts as had only while all its bytes are right on the disk, or somebody spoiled them behind our back. */
function checkStored({ machine: { drive } }: Program, { table }: TorrentView): void {
  for (let piece = 0; piece < table.have.length; piece++) {
    if (!table.have.has(piece)) continue;
    assert(drive.right.has(piece) || drive.spoiled.has(piece), `piece ${piece} is had, and the disk has it not`);
  }
}

/** Of each block of a piece under way it is known how many peers are asked for it, and whether it is open. */
function checkActive({ table, sessions }: TorrentView): void {
  const { layout } = table;
  const open = new Set(table.openPieces());
  let activeCount = 0;
  for (const active of table.activePieces()) {
    activeCount++;
    let [openCount, receivedCount] = [0, 0];
    for (let block = 0; block < active.blockCount; block++) {
      const askedCount = countAsked(sessions, active.piece * layout.blocksPerPiece + block);
      const requesters = active.requesters[block];
      const what = `block ${block} of piece ${active.piece}`;
      assert(requesters === askedCount, `${what} is asked of ${askedCount} peers, and ${requesters} are counted`);
      assert(requesters <= requestersOfHeldMax, `${what} is asked of ${requesters} peers`);
      assert(requesters === 0 || !active.isReceived(block), `${what} is here, and still asked for`);
      if (active.isReceived(block)) receivedCount++;
      else if (requesters === 0) openCount++;
    }
    checkCounts(active, { openCount, receivedCount, isOpen: open.has(active) });
    assert(active.owner === undefined || sessions.has(active.owner), `piece ${active.piece} is owned by who is gone`);
  }
  for (const active of open) {
    assert(table.active(active.piece) === active, `piece ${active.piece} is open and not active`);
  }
  assert(open.size <= activeCount, "more pieces are open than active");
}

function countAsked(sessions: TorrentView["sessions"], key: number): number {
  let count = 0;
  for (const { requests } of sessions.values()) if (requests.has(key)) count++;
  return count;
}

function checkCounts(
  active: ActivePiece,
  { openCount, receivedCount, isOpen }: { openCount: number; receivedCount: number; isOpen: boolean },
): void {
  const what = `piece ${active.piece}`;
  assert(active.openCount === openCount, `${what} has ${openCount} open blocks, and ${active.openCount} are counted`);
  assert(active.receivedCount === receivedCount, `${what} has ${receivedCount} blocks, not ${active.receivedCount}`);
  assert(receivedCount < active.blockCount, `${what} is whole, and not checked`);
  assert(
    isOpen === openCount > 0,
    `${what} has ${openCount} open blocks, and is listed as ${isOpen ? "" : "not "}open`,
  );
}

/** The memory of pieces stays within its bound, and no two pieces are put together in the same. */
function checkMemory({ table }: TorrentView): void {
  const { pieceLength } = table.layout;
  const used = [...table.activePieces(), ...table.checkingPieces()].map(({ buffer }) => buffer);
  assert(used.length <= pieceBuffersMax, `${used.length} pieces are under way`);
  assert(used.length <= 2 || used.length * pieceLength <= pieceBufferBytesMax, `${used.length} pieces are under way`);
  const active = [...table.activePieces()].map(({ buffer }) => buffer);
  const buffers = new Set([...active, ...table.spareBuffers].map(({ buffer }) => buffer));
  assert(buffers.size === active.length + table.spareBuffers.length, "two pieces share their memory");
  for (const { byteLength } of buffers) assert(byteLength > 0, "memory is in use that was given away");
}

/** Those pieces can be picked that are to be fetched, and each is held by as many peers as have said so. */
function checkPicker({ table, picker, availability, sessions }: TorrentView): void {
  let count = 0;
  for (let index = 0; index < table.layout.pieceCount; index++) {
    const piece = index as PieceIndex;
    const isPickable = picker.isPickable(piece);
    if (isPickable) count++;
    if (!availability.wantsNothing) {
      assert(isPickable === table.isToFetch(piece), `piece ${piece} can ${isPickable ? "" : "not "}be picked`);
    } else assert(!isPickable || table.isToFetch(piece), `piece ${piece} can be picked`);
    let holderCount = 0;
    for (const session of sessions.values()) {
      if (session.has.has(piece) && availability.isCounted(session)) holderCount++;
    }
    const counted = picker.availabilityOf(piece);
    assert(counted === holderCount, `piece ${piece} is held by ${holderCount} peers, and ${counted} are counted`);
  }
  assert(count === picker.count, `${picker.count} pieces are counted as pickable, and ${count} are`);
}

/** What we believe of a peer is what it said, what it was told is what we have, and interest follows from both. */
function checkSession({ links }: Program, { table, availability }: TorrentView, session: PeerSession): void {
  const { witness } = links.get(session.connection)!;
  const who = `#${session.connection}`;
  assert(!witness.isBroken, `${who} broke the protocol, and is still connected`);
  const wantedCount = countWanted(table, session);
  assert(session.wantedCount === wantedCount, `${who} has ${wantedCount} wanted, ${session.wantedCount} are counted`);
  assert(
    session.amInterested === (wantedCount > 0 && !availability.wantsNothing),
    `${who} has ${wantedCount} pieces that we want, and interest is ${session.amInterested}`,
  );
  for (let piece = 0; piece < table.have.length; piece++) {
    assert(session.has.has(piece) === witness.theirs.has(piece), `${who} is wrongly believed about piece ${piece}`);
    if (session.outboxBytes > 0 || !session.isEstablished) continue;
    const isTold = witness.told.has(piece);
    assert(isTold || !table.have.has(piece), `${who} was not told that we have piece ${piece}`);
    assert(table.have.has(piece) || !isTold || witness.dontHaveId === 0, `${who} was told that we have piece ${piece}`);
  }
}

/**
 * What the peer asked for is queued, being read or answered; what we wait for was asked. An answer that crosses a cancel may
 * serve for a request that is made anew and has not left yet: that one leaves in vain.
 */
function checkAnswers({ links }: Program, { table: { layout } }: TorrentView, session: PeerSession): void {
  const { witness } = links.get(session.connection)!;
  const who = `#${session.connection}`;
  if (session.outboxBytes > 0 || !session.isEstablished) return;
  for (const key of session.requests.keys()) {
    const piece = Math.floor(key / layout.blocksPerPiece) as PieceIndex;
    const block = key % layout.blocksPerPiece;
    const range = { piece, begin: block * blockLength, length: layout.lengthOfBlock(piece, block) };
    assert(witness.isAsked(range), `block ${block} of piece ${piece} is waited for, and ${who} was not asked for it`);
  }
  const { owedCount, supportsFast } = witness;
  if (!supportsFast || session.isReading) return;
  assert(owedCount === session.uploads.count, `${who} waits for ${owedCount} answers, ${session.uploads.count} wait`);
}

function countWanted(table: TorrentView["table"], session: PeerSession): number {
  let count = 0;
  for (let piece = 0; piece < table.have.length; piece++) {
    if (session.has.has(piece) && table.isLacking(piece as PieceIndex)) count++;
  }
  return count;
}

/** A peer is asked for blocks of pieces that it has and that are under way, for no more than it queues. */
function checkRequests({ table }: TorrentView, session: PeerSession): void {
  const { requests } = session;
  const { blocksPerPiece } = table.layout;
  const most = Math.min(requestsInFlightMax, Math.max(requests.peerQueueMax, 1));
  assert(requests.count <= most, `#${session.connection} is asked for ${requests.count} blocks, and takes ${most}`);
  for (const key of requests.keys()) {
    const piece = Math.floor(key / blocksPerPiece) as PieceIndex;
    const what = `#${session.connection} is asked for piece ${piece}`;
    assert(session.has.has(piece), `${what}, which it has not`);
    const active = table.active(piece);
    assert(active !== undefined, `${what}, which is not under way`);
    assert(!active.isExclusive || active.owner === session.connection, `${what}, which is another's alone`);
  }
}

/** What waits for a peer, or came from it, is bounded. */
function checkQueues({ table }: TorrentView, session: PeerSession): void {
  const who = `#${session.connection}`;
  assert(session.uploads.count <= uploadQueueMax, `${session.uploads.count} requests of ${who} wait`);
  // One read's worth of answers may come on top: as much as a read can ask for.
  const outboxMax = outboxBytesMax + messageBytesMax;
  assert(session.outboxBytes <= outboxMax, `${session.outboxBytes} bytes wait for ${who}`);
  assert(session.suggested.length <= 32 && session.proposed.size <= 32, `too many proposals from or to ${who}`);
  assert(session.allowedFast.size <= table.layout.pieceCount, `${session.allowedFast.size} allowed pieces of ${who}`);
  assert(session.grantedFast.size <= 10, `${session.grantedFast.size} pieces are granted to ${who}`);
}

/** The rules that need a memory of what was. */
interface Past {
  /** Pieces that could be picked after the last step. */
  pickableCount: number;
  /** Blocks that two peers were asked for then. */
  doubled: ReadonlySet<number>;
  /** Ticks without any effect, one after the other. */
  idleTicks: number;
  isStopped: boolean;
  readonly upload: Rate;
  readonly download: Rate;
}

/** Ticks in a row, none of them of any use and each at once, after which a torrent is said to spin. */
const idleTicksMax = 2_000;

export class Rules {
  readonly #content: WorldContent;
  readonly #past = new WeakMap<Program, Past>();

  constructor(content: WorldContent) {
    this.#content = content;
  }

  /** Holds all rules against a program whose core has just taken an input in. */
  checkStep(program: Program, input: Input, now: number): void {
    checkInvariants(program);
    const { torrent } = program;
    if (torrent === undefined) return;
    const past = this.#pastOf(program, now);
    checkDoubled(torrent.view, past);
    past.upload.check(program.uploadLimiter.passedBytes, now);
    past.download.check(program.downloadLimiter.passedBytes, now);
    past.isStopped ||= input.kind === "stop";
    if (past.isStopped) checkStopped(torrent, now);
    past.idleTicks = input.kind === "tick" && torrent.wakeAt(now) <= now ? past.idleTicks + 1 : 0;
    assert(past.idleTicks < idleTicksMax, "it is woken again and again");
  }

  #pastOf(program: Program, now: number): Past {
    let past = this.#past.get(program);
    if (past === undefined) {
      const { uploadLimit, downloadLimit } = program.machine.plan;
      const { pieceLength } = this.#content.metainfo;
      past = {
        ...{ pickableCount: Infinity, doubled: new Set(), idleTicks: 0, isStopped: false },
        upload: new Rate("uploads", uploadLimit, pieceLength, now),
        download: new Rate("downloads", downloadLimit, pieceLength, now),
      };
      this.#past.set(program, past);
    }
    return past;
  }

  /** Connections of honest peers that only one end knows of, or over which an answer is owed. */
  *unsettled(machines: readonly Machine[]): Generator<{ readonly link: Link; readonly what: string }> {
    for (const { name, program } of machines) {
      for (const link of program?.links.values() ?? []) {
        const { socket, witness } = link;
        const far = socket.other.owner;
        if (socket.isSilent || !(far instanceof Program)) continue;
        const what = `${name} #${socket.id}`;
        if (!far.links.has(socket.other.id)) yield { link, what: `${what}: its other end is gone` };
        if (witness.supportsFast && witness.owedCount > 0) {
          yield { link, what: `${what}: it owes ${witness.owedCount} answers` };
        }
        if (witness.supportsFast && witness.asked.size > 0) {
          yield { link, what: `${what}: it waits for ${witness.asked.size} answers` };
        }
      }
    }
  }

  /** What was not settled when all had come to rest is settled soon after. */
  checkSettled(machines: readonly Machine[], before: ReadonlySet<Link>): void {
    for (const { link, what } of this.unsettled(machines)) assert(!before.has(link), what);
  }

  /** After the stop nobody is left anywhere. */
  checkEnd(machines: readonly Machine[], trackers: readonly TrackerHost[]): void {
    for (const { name, program } of machines) assert(program === undefined, `${name} does not end`);
    for (const { url, tracker } of trackers) {
      const { announces, peers } = tracker.stats;
      assert(announces >= 0 && peers >= 0, `${url} still lists ${peers}`);
    }
  }
}

/** Once it was told to stop, a torrent holds no connection and wants to be woken no more. */
function checkStopped(torrent: Torrent, now: number): void {
  const { size } = torrent.view.sessions;
  assert(size === 0, `it was stopped, and holds ${size} connections`);
  assert(torrent.wakeAt(now) === Infinity, "it was stopped, and wants to be woken");
}

/** A block is asked for of a second peer only in the endgame, when no piece is left to begin. */
function checkDoubled({ table, picker }: TorrentView, past: Past): void {
  const doubled = new Set<number>();
  for (const active of table.activePieces()) {
    for (let block = 0; block < active.blockCount; block++) {
      if (active.requesters[block] > 1) doubled.add(active.piece * table.layout.blocksPerPiece + block);
    }
  }
  if (picker.count > 0 && past.pickableCount > 0) {
    for (const key of doubled) assert(past.doubled.has(key), `block ${key} is asked for twice before the end`);
  }
  past.doubled = doubled;
  past.pickableCount = picker.count;
}

/** What passes a limiter in any span of time is no more than its rate, a quarter second made up for, and one block. */
class Rate {
  readonly #what: string;
  readonly #bytesPerSecond: number;
  readonly #levelMax: number;
  #level = 0;
  #total = 0;
  #at: number;

  constructor(what: string, bytesPerSecond: number, pieceLength: number, now: number) {
    this.#what = what;
    this.#bytesPerSecond = bytesPerSecond;
    this.#levelMax = Math.max(32 * 1024, bytesPerSecond / 4) + Math.min(requestLengthMax, pieceLength);
    this.#at = now;
  }

  check(total: number, now: number): void {
    if (this.#bytesPerSecond === Infinity) return;
    this.#level = Math.max(0, this.#level - ((now - this.#at) / 1_000) * this.#bytesPerSecond) + total - this.#total;
    this.#total = total;
    this.#at = now;
    assert(this.#level <= this.#levelMax, `${this.#what} ${this.#level} bytes above ${this.#bytesPerSecond} a second`);
  }
}
