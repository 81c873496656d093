/** A peer made of `Wire` that takes pieces from a seeder and keeps what it hears: it speaks fast, and knows lost pieces. */
import { Buffer } from "node:buffer";
import { id, uint32, Wire } from "../e2e/wire.ts";

/** Ids of BEP 10, and ours for the extension of BEP 54. */
const extendedId = 20;
const dontHaveId = 7;
/** The bits of BEP 6 and BEP 10. */
const reserved = "0000000000100004";
const blockLength = 16_384;

export class Taker {
  readonly #wire: Wire;
  readonly #pieceLength: number;
  readonly #watchers = new Set<() => void>();
  /** Blocks as they came, the answers to requests: undefined is a reject. */
  readonly #answers: { piece: number; begin: number; block: Uint8Array | undefined }[] = [];
  /** What the seeder offers, as far as it said. */
  readonly offered = new Set<number>();
  isClosed = false;
  #isUnchoked = false;

  private constructor(wire: Wire, pieceLength: number) {
    this.#wire = wire;
    this.#pieceLength = pieceLength;
  }

  /** @param listenPort where it says to listen, by which a peer is known when it comes again */
  static async join(
    endpoint: string,
    { infoHash, pieceLength, pieceCount, listenPort = 1 }: {
      infoHash: string;
      pieceLength: number;
      pieceCount: number;
      listenPort?: number;
    },
  ): Promise<Taker> {
    const wire = await Wire.connect(endpoint);
    const taker = new Taker(wire, pieceLength);
    await wire.greet(infoHash, { reserved });
    if (await wire.greeting() === undefined) throw new Error("the seeder closed");
    const handshake = Buffer.from(`d1:md11:lt_donthavei${dontHaveId}ee1:pi${listenPort}ee`);
    await wire.send(extendedId, Buffer.concat([Buffer.from([0]), handshake]));
    await wire.send(id.haveNone);
    await wire.send(id.interested);
    taker.#listen(pieceCount);
    await taker.until("an unchoke", () => taker.#isUnchoked);
    return taker;
  }

  /** Asks for all of a piece; undefined when any block of it is refused. */
  async take(piece: number, length = this.#pieceLength): Promise<Uint8Array | undefined> {
    this.#answers.length = 0;
    for (let begin = 0; begin < length; begin += blockLength) {
      await this.#wire.send(id.request, piece, begin, Math.min(blockLength, length - begin));
    }
    const count = Math.ceil(length / blockLength);
    await this.until(`piece ${piece}`, () => this.#answers.filter((answer) => answer.piece === piece).length === count);
    if (this.#answers.some(({ block }) => block === undefined)) return undefined;
    const bytes = new Uint8Array(length);
    for (const { begin, block } of this.#answers) bytes.set(block!, begin);
    return bytes;
  }

  /** Waits until something that it hears makes it so. */
  async until(what: string, isSo: () => boolean, deadlineMs = 20_000): Promise<void> {
    if (isSo()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error(`${what}: not within ${deadlineMs} ms`)), deadlineMs);
    const look = () => {
      if (isSo()) resolve();
      else if (this.isClosed) reject(new Error(`the seeder closed before ${what}`));
    };
    this.#watchers.add(look);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#watchers.delete(look);
    }
  }

  close(): void {
    this.#wire.close();
  }

  async #listen(pieceCount: number): Promise<void> {
    for (let next = await this.#wire.next(); next !== undefined; next = await this.#wire.next()) {
      this.#hear(next.id, next.body, pieceCount);
      for (const look of [...this.#watchers]) look();
    }
    this.isClosed = true;
    for (const look of [...this.#watchers]) look();
  }

  #hear(messageId: number, body: Buffer, pieceCount: number): void {
    if (messageId === id.unchoke) this.#isUnchoked = true;
    if (messageId === id.haveAll) { for (let piece = 0; piece < pieceCount; piece++) this.offered.add(piece); }
    if (messageId === id.have) this.offered.add(body.readUInt32BE(0));
    if (messageId === id.bitfield) {
      for (let piece = 0; piece < pieceCount; piece++) {
        if (body[piece >> 3] & (128 >> (piece & 7))) this.offered.add(piece);
      }
    }
    if (messageId === extendedId && body[0] === dontHaveId) this.offered.delete(body.readUInt32BE(1));
    if (messageId !== id.piece && messageId !== id.reject) return;
    const block = messageId === id.piece ? Uint8Array.from(body.subarray(8)) : undefined;
    this.#answers.push({ piece: body.readUInt32BE(0), begin: body.readUInt32BE(4), block });
  }
}

/** Four bytes that no test's data has at this place. */
export const wrongBytes = uint32(0xdeadbeef);
