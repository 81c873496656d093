/** A seeder that gives so many blocks and then no more, and keeps book of what it was asked, gave and was told. */
import { id, type Wire } from "../../e2e/wire.ts";
import { fullBitfield, honestBlock, type SeederData, WirePeer } from "../../e2e/wire_peer.ts";

/** One run of a downloader, as its only seeder sees it. */
export class RunBook {
  /** Begins of the blocks that were given, by piece. */
  readonly given = new Map<number, Set<number>>();
  givenBytes = 0;
  givenCount = 0;
  /** Pieces that the downloader says it has. */
  readonly claimed = new Set<number>();
  /** Blocks that were asked for a second time. */
  readonly repeated: string[] = [];
  readonly #asked = new Set<string>();

  asks(piece: number, begin: number): void {
    const name = `${piece}:${begin}`;
    if (this.#asked.has(name)) this.repeated.push(name);
    this.#asked.add(name);
  }

  gives(piece: number, begin: number, length: number): void {
    const begins = this.given.get(piece) ?? new Set();
    this.given.set(piece, begins.add(begin));
    this.givenBytes += length;
    this.givenCount++;
  }

  /** Pieces that any block was asked of. */
  get askedPieces(): Set<number> {
    return new Set(Array.from(this.#asked, (name) => Number(name.split(":")[0])));
  }
}

export class CountingSeeder implements AsyncDisposable {
  book = new RunBook();
  /** Told after each block that is on its way. */
  onGiven: (count: number) => void = () => {};
  readonly #data: SeederData;
  readonly #peer: WirePeer;
  #blocksLeft = 0;
  #blockMs = 0;

  constructor(data: SeederData) {
    this.#data = data;
    this.#peer = new WirePeer((wire) => this.#serve(wire));
  }

  get endpoint(): string {
    return this.#peer.endpoint;
  }

  /** A new run begins, in which it gives so many blocks. @param blockMs milliseconds before each at least */
  begin(
    { blocks, blockMs = 0, onGiven = () => {} }: {
      blocks: number;
      blockMs?: number;
      onGiven?: (count: number) => void;
    },
  ): RunBook {
    this.#blocksLeft = blocks;
    this.#blockMs = blockMs;
    this.onGiven = onGiven;
    return this.book = new RunBook();
  }

  async #serve(wire: Wire): Promise<void> {
    const book = this.book;
    if (await wire.greeting() === undefined) return;
    await wire.greet(this.#data.infoHash);
    await wire.send(id.bitfield, fullBitfield(Math.ceil(this.#data.content.length / this.#data.pieceLength)));
    await wire.send(id.unchoke);
    for (let next = await wire.next(); next !== undefined; next = await wire.next()) {
      if (next.id === id.have) book.claimed.add(next.body.readUInt32BE(0));
      if (next.id === id.bitfield) noteBits(next.body, book.claimed);
      if (next.id !== id.request) continue;
      const [piece, begin, length] = [0, 4, 8].map((at) => next.body.readUInt32BE(at));
      book.asks(piece, begin);
      if (this.#blockMs > 0) await new Promise((resolve) => setTimeout(resolve, this.#blockMs));
      if (book !== this.book || this.#blocksLeft === 0) continue;
      this.#blocksLeft--;
      book.gives(piece, begin, length);
      await wire.send(id.piece, piece, begin, honestBlock(this.#data, { piece, begin, length }));
      this.onGiven(book.givenCount);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#peer[Symbol.asyncDispose]();
  }
}

function noteBits(bits: Uint8Array, into: Set<number>): void {
  bits.forEach((byte, at) => {
    for (let bit = 0; bit < 8; bit++) if (byte & (0x80 >> bit)) into.add(8 * at + bit);
  });
}
