/**
 * What passed over one connection of an honest peer, read off the wire and kept apart from what the peer itself believes.
 *
 * Says at once when a message must not have been sent: a request made twice, an answer to no request, a wrong block.
 */
import { assert } from "@std/assert";
import { Bitfield } from "../../../lib/bitfield.ts";
import { type Bytes, equalBytes } from "../../../lib/bytes.ts";
import { ProtocolError } from "../../../lib/errors.ts";
import { decodeExtensionHandshake, extensionHandshakeId, ownExtensionIds } from "../../../lib/wire/extended.ts";
import { FrameReader } from "../../../lib/wire/frame.ts";
import { decodeHandshake } from "../../../lib/wire/handshake.ts";
import { type BlockRange, decodeMessage, type Message } from "../../../lib/wire/message.ts";
import { decodeDontHave } from "../../../lib/wire/partial_seed.ts";
import { bytesOf, type WorldContent } from "./content.ts";

export class Witness {
  /** What the peer said that it has. */
  readonly theirs: Bitfield;
  /** What it was told that we have. */
  readonly told: Bitfield;
  /** Requests of ours without an answer. */
  readonly asked = new Set<number>();
  /** Requests of ours that were cancelled, without an answer. */
  readonly #calledOff = new Map<number, number>();
  /** Requests of the peer without an answer, how many of each and of all. */
  readonly owed = new Map<number, number>();
  owedCount = 0;
  /** The peer broke the protocol: what it says from then on means nothing. */
  isBroken = false;
  supportsFast = false;
  /** The id under which the peer hears that a piece was lost; 0 while it does not want to. */
  dontHaveId = 0;
  readonly #content: WorldContent;
  readonly #in = new FrameReader();
  readonly #out = new FrameReader();
  #hasHeardHandshake = false;
  #hasSaidHandshake = false;

  constructor(content: WorldContent) {
    this.#content = content;
    const { pieceCount } = content.metainfo;
    this.theirs = Bitfield.empty(pieceCount);
    this.told = Bitfield.empty(pieceCount);
  }

  /** Whether the peer was asked for the range, and has not answered. */
  isAsked(range: BlockRange): boolean {
    return this.asked.has(keyOf(range));
  }

  /** Bytes come from the peer. Returns what they say. */
  hear(bytes: Uint8Array): string[] {
    const said: string[] = [];
    if (this.isBroken) return said;
    try {
      this.#in.push(bytes, (buffer, start, end) => {
        if (this.#hasHeardHandshake) said.push(this.#onHeard(decodeMessage(buffer, start, end)));
        else this.supportsFast = decodeHandshake(buffer.subarray(start, end)).supportsFast;
        this.#hasHeardHandshake = true;
      });
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.isBroken = true;
      said.push(`(${error.message})`);
    }
    return said;
  }

  /** Bytes go to the peer. Returns what they say. */
  say(bytes: Bytes): string[] {
    const said: string[] = [];
    this.#out.push(bytes.slice(), (buffer, start, end) => {
      if (this.#hasSaidHandshake) said.push(this.#onSaid(decodeMessage(buffer, start, end)));
      this.#hasSaidHandshake = true;
    });
    return said;
  }

  #onHeard(message: Message): string {
    const { pieceCount } = this.#content.metainfo;
    switch (message.kind) {
      case "request":
        this.owed.set(keyOf(message), (this.owed.get(keyOf(message)) ?? 0) + 1);
        this.owedCount++;
        break;
      case "piece":
        this.#onBlock(keyOf({ ...message, length: message.block.length }));
        break;
      case "reject":
        // It answers the oldest of several.
        if (!this.#answerCalledOff(keyOf(message))) this.asked.delete(keyOf(message));
        break;
      case "choke":
        if (!this.supportsFast) this.asked.clear();
        break;
      case "have":
        if (message.piece < pieceCount) this.theirs.set(message.piece);
        break;
      case "bitfield":
        this.#onAllPieces(Bitfield.decode(message.payload, pieceCount));
        break;
      case "haveAll":
        this.#onAllPieces(Bitfield.full(pieceCount));
        break;
      case "haveNone":
        this.#onAllPieces(Bitfield.empty(pieceCount));
        break;
      case "extended":
        this.#onHeardExtended(message);
        break;
      default:
    }
    return describe(message);
  }

  /** The first says what the peer has, others can only add to it. */
  #onAllPieces(has: Bitfield): void {
    for (let piece = 0; piece < has.length; piece++) if (has.has(piece)) this.theirs.set(piece);
  }

  #onBlock(key: number): void {
    if (!this.asked.delete(key)) this.#answerCalledOff(key);
  }

  #callOff(key: number): void {
    if (this.asked.delete(key)) this.#calledOff.set(key, (this.#calledOff.get(key) ?? 0) + 1);
  }

  /** False when the block was not called off, or each of its requests was answered. */
  #answerCalledOff(key: number): boolean {
    const count = this.#calledOff.get(key) ?? 0;
    this.#calledOff.set(key, Math.max(0, count - 1));
    return count > 0;
  }

  #onHeardExtended({ id, payload }: { id: number; payload: Uint8Array }): void {
    if (id === extensionHandshakeId) {
      this.dontHaveId = decodeExtensionHandshake(payload).extensionIds.get("lt_donthave") ?? this.dontHaveId;
    }
    if (id !== ownExtensionIds.lt_donthave) return;
    const piece = decodeDontHave(payload);
    if (piece >= this.theirs.length || !this.theirs.clear(piece)) return;
    for (const key of this.asked) {
      if (pieceOf(key) !== piece) continue;
      this.#callOff(key);
    }
  }

  #onSaid(message: Message): string {
    switch (message.kind) {
      case "request": {
        const key = keyOf(message);
        assert(!this.asked.has(key), `the block ${describe(message)} is asked for twice of one peer`);
        this.asked.add(key);
        break;
      }
      case "cancel":
        this.#callOff(keyOf(message));
        break;
      case "piece": {
        const { piece, begin, block } = message;
        const wanted = bytesOf(this.#content, piece, begin, block.length);
        assert(equalBytes(block, wanted), `the block ${piece}+${begin} that is sent is wrong`);
        this.#answer({ piece, begin, length: block.length });
        break;
      }
      case "reject":
        this.#answer(message);
        break;
      case "have":
        this.told.set(message.piece);
        break;
      case "bitfield":
      case "haveAll":
        this.#tellAll(message);
        break;
      case "extended":
        if (this.dontHaveId > 0 && message.id === this.dontHaveId) this.told.clear(decodeDontHave(message.payload));
        break;
      default:
    }
    return describe(message);
  }

  #tellAll(message: Message): void {
    const { pieceCount } = this.#content.metainfo;
    const has = message.kind === "bitfield" ? Bitfield.decode(message.payload, pieceCount) : Bitfield.full(pieceCount);
    for (let piece = 0; piece < pieceCount; piece++) if (has.has(piece)) this.told.set(piece);
  }

  /** With the fast extension each request has one answer (BEP 6). */
  #answer(range: BlockRange): void {
    if (!this.supportsFast) return;
    const key = keyOf(range);
    const count = this.owed.get(key) ?? 0;
    assert(count > 0, `${range.piece}+${range.begin} is answered, and nobody asked for it`);
    this.owedCount--;
    if (count === 1) this.owed.delete(key);
    else this.owed.set(key, count - 1);
  }
}

/** A range as a number; ranges that cannot be may share one. */
function keyOf({ piece, begin, length }: BlockRange): number {
  return (piece * 2 ** 18 + begin) * 2 ** 18 + length;
}

function pieceOf(key: number): number {
  return Math.floor(key / 2 ** 36);
}

function describe(message: Message): string {
  switch (message.kind) {
    case "request":
    case "cancel":
    case "reject":
    case "piece":
      return `${message.kind} ${message.piece}+${message.begin}`;
    case "have":
    case "suggest":
    case "allowedFast":
      return `${message.kind} ${message.piece}`;
    case "extended":
    case "unknown":
      return `${message.kind} ${message.id}`;
    default:
      return message.kind;
  }
}
