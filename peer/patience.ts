/**
 * How much a peer may say that is of no use: keep-alives, changes of mind, news that is none, refusals of nothing.
 *
 * Each such message costs a little; time makes up for it, and so does every block that passes, so that whoever takes part
 * has plenty and a storm ends with its connection. What is of use (requests within the queue, blocks that were asked for,
 * pieces that are news) costs nothing and has bounds of its own.
 */
import { ProtocolError } from "../lib/errors.ts";
import { ownExtensionIds } from "../lib/wire/extended.ts";
import type { Message } from "../lib/wire/message.ts";
import { blockLength, patienceMax, patiencePerSecond, patienceStart } from "../lib/limits/wire.ts";

/** Costs of a change of mind, of a dictionary, and of all else. */
const flapCost = 4;
/** Bytes of a dictionary, and pieces of a bitfield, that cost as much as a message. */
const dictionaryUnit = 128;
const bitfieldUnit = 256;
/** A bitfield costs no more than this, however many pieces there are: aria2 sends more than one. */
const bitfieldCostMax = 250;

/** Bytes of a request below which it is a message of no use: the last block of a torrent may be so short, no other. */
const smallRequestBytes = 1024;

/** What a message costs when it comes. Those that are of use or not as the case may be are charged where that is known. */
export function costOf(message: Message, pieceCount: number): number {
  switch (message.kind) {
    case "request":
      return message.length < smallRequestBytes ? 1 : 0;
    case "piece":
    case "have":
    case "reject":
      return 0;
    case "choke":
    case "unchoke":
    case "interested":
    case "notInterested":
      return flapCost;
    case "bitfield":
    case "haveAll":
    case "haveNone":
      return Math.min(bitfieldCostMax, 1 + Math.floor(pieceCount / bitfieldUnit));
    case "extended":
      if (message.id === ownExtensionIds.lt_donthave) return 0;
      if (message.id === ownExtensionIds.ut_metadata) return 1;
      return flapCost + Math.floor(message.payload.length / dictionaryUnit);
    default:
      return 1;
  }
}

export class Patience {
  #left = patienceStart;
  #refilledAt: number;

  constructor(now: number) {
    this.#refilledAt = now;
  }

  /** Time has passed: to be called once a read, not once a message. */
  refill(now: number): void {
    this.#earn((now - this.#refilledAt) * patiencePerSecond / 1000);
    this.#refilledAt = now;
  }

  /** A block of so many bytes passed, in either direction. */
  passed(byteCount: number): void {
    this.#earn(byteCount / blockLength);
  }

  /** @throws ProtocolError when nothing is left */
  spend(cost: number): void {
    this.#left -= cost;
    if (this.#left < 0) throw new ProtocolError("it says too much that is of no use");
  }

  #earn(amount: number): void {
    this.#left = Math.min(patienceMax, this.#left + amount);
  }
}
