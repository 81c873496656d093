/** What happened in a world, step by step: a hash of all of it, the last steps for reading, or all of them as they come. */
import { formatHex } from "../../../lib/bytes.ts";
import type { Effect, Input } from "../../../peer/events.ts";

/** One line of a trace, made only when somebody reads it. */
type Line = () => string;

const keptLines = 40;

export class Trace {
  readonly #lines: Line[] = [];
  #next = 0;
  #hash = 0x811c9dc5;
  readonly #tell: ((line: string) => void) | undefined;
  stepCount = 0;

  /** @param tell takes each line as it comes */
  constructor(tell?: (line: string) => void) {
    this.#tell = tell;
  }

  /** An input of a peer's core, before it is applied. */
  step(now: number, who: string, input: Input, said: readonly string[]): void {
    this.stepCount++;
    this.#mix(now * 1_000, input.kind.length, said.length, "connection" in input ? input.connection : 0);
    this.#add(() => `${clock(now)} ${who} <- ${describeInput(input)}${said.length > 0 ? `: ${said.join(", ")}` : ""}`);
  }

  /** What came of it. */
  effect(now: number, who: string, effect: Effect, said: readonly string[]): void {
    this.#mix(now, effect.kind.length, said.length, effect.kind === "send" ? effect.bytes.length : 0);
    this.#add(() =>
      `${clock(now)} ${who}    -> ${describeEffect(effect)}${said.length > 0 ? `: ${said.join(", ")}` : ""}`
    );
  }

  /** Something that is no input: a fault, a start. */
  event(now: number, what: string): void {
    this.#mix(now, what.length, 0, 0);
    this.#add(() => `${clock(now)} ${what}`);
  }

  /** The same for two runs that were the same. */
  get hash(): string {
    const hash = this.#hash;
    return formatHex(Uint8Array.of(hash >>> 24, hash >>> 16, hash >>> 8, hash));
  }

  /** The last lines, the latest at the end. */
  get tail(): string[] {
    const { length } = this.#lines;
    return Array.from({ length }, (_, i) => this.#lines[(this.#next + i) % length]());
  }

  #add(line: Line): void {
    if (this.#tell !== undefined) this.#tell(line());
    if (this.#lines.length < keptLines) this.#lines.push(line);
    else {
      this.#lines[this.#next] = line;
      this.#next = (this.#next + 1) % keptLines;
    }
  }

  #mix(...values: number[]): void {
    for (const value of values) this.#hash = Math.imul(this.#hash ^ (value & 0xffffff), 0x01000193) >>> 0;
  }
}

function clock(now: number): string {
  return `${(now / 1000).toFixed(4).padStart(9)}`;
}

function describeInput(input: Input): string {
  switch (input.kind) {
    case "received":
    case "sent":
      return `${input.kind} #${input.connection} ${input.bytes.length} bytes`;
    case "connected":
      return `connected #${input.connection} ${input.isOutgoing ? "to" : "from"} ${input.endpoint.host}`;
    case "closed":
      return `closed #${input.connection}`;
    case "blocksRead":
    case "readFailed":
      return `${input.kind} #${input.connection} ${rangesOf(input.ranges)}`;
    case "pieceStored":
    case "pieceBad":
    case "storeFailed":
    case "storeRefused":
      return `${input.kind} ${input.piece}`;
    case "announced":
      return `announced: ${input.reply.peers.map(({ host }) => host).join(" ")}`;
    case "dialFailed":
      return `dialFailed ${input.endpoint.host}`;
    default:
      return input.kind;
  }
}

function describeEffect(effect: Effect): string {
  switch (effect.kind) {
    case "send":
      return `send #${effect.connection} ${effect.bytes.length} bytes`;
    case "close":
      return `close #${effect.connection} (${effect.why})`;
    case "dial":
      return `dial ${effect.endpoint.host}:${effect.endpoint.port}`;
    case "readBlocks":
      return `read #${effect.connection} ${rangesOf(effect.ranges)}`;
    case "storePiece":
    case "pieceDone":
      return `${effect.kind} ${effect.piece}`;
    case "announce":
      return `announce ${effect.call.request.event ?? "-"}, ${effect.call.request.left} left`;
    case "peerLeft":
    case "peerBanned":
      return `${effect.kind} ${effect.endpoint.host} (${effect.why})`;
    case "peerJoined":
      return `peerJoined ${effect.endpoint.host}`;
    default:
      return effect.kind;
  }
}

function rangesOf(ranges: readonly { piece: number; begin: number }[]): string {
  return ranges.map(({ piece, begin }) => `${piece}+${begin}`).join(" ");
}
