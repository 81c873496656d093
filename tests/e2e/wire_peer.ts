/** Peers made of `Wire`: an honest seeder whose every answer a test may bend, and a listener that runs them. */
import { Buffer } from "node:buffer";
import { id, Wire } from "./wire.ts";

/** A listening peer that runs `serve` for each connection. */
export class WirePeer implements AsyncDisposable {
  readonly endpoint: string;
  /** Connections so far. */
  connectionCount = 0;
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Wire>();
  readonly #accepting: Promise<void>;

  constructor(serve: (wire: Wire) => Promise<void>, hostname = "127.0.0.1") {
    this.#listener = Deno.listen({ hostname, port: 0 });
    this.endpoint = `${hostname}:${this.#listener.addr.port}`;
    this.#accepting = this.#accept(serve);
  }

  async #accept(serve: (wire: Wire) => Promise<void>): Promise<void> {
    const serving: Promise<void>[] = [];
    for await (const connection of this.#listener) {
      const wire = new Wire(connection);
      this.connectionCount++;
      this.#open.add(wire);
      serving.push(serve(wire).finally(() => wire.close()));
    }
    await Promise.all(serving);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const wire of this.#open) wire.close();
    await this.#accepting;
  }
}

/** A block as a peer asks for it. */
export interface BlockRequest {
  readonly piece: number;
  readonly begin: number;
  readonly length: number;
}

/** What an otherwise honest seeder does differently. */
export interface SeederBends {
  /** Answers a request; undefined says nothing. Default: the right block. */
  block?(request: BlockRequest): Uint8Array | undefined;
  /** Called once the other side is unchoked, before any request. */
  afterUnchoke?(wire: Wire): Promise<void>;
}

/** What a seeder has. */
export interface SeederData {
  readonly infoHash: string;
  /** All of the torrent's bytes in order. */
  readonly content: Uint8Array;
  readonly pieceLength: number;
}

/** The block that a request is for. */
export function honestBlock(data: SeederData, request: BlockRequest): Uint8Array {
  const at = request.piece * data.pieceLength + request.begin;
  return data.content.subarray(at, at + request.length);
}

/** Serves one incoming connection as a seeder of bare BEP 3. @param peerId another's, perhaps; its own without one */
export async function serveAsSeeder(
  wire: Wire,
  data: SeederData,
  bends: SeederBends = {},
  peerId?: string,
): Promise<void> {
  if (await wire.greeting() === undefined) return;
  await wire.greet(data.infoHash, peerId === undefined ? {} : { peerId });
  await wire.send(id.bitfield, fullBitfield(Math.ceil(data.content.length / data.pieceLength)));
  for (let next = await wire.next(); next !== undefined; next = await wire.next()) {
    if (next.id === id.interested) {
      await wire.send(id.unchoke);
      await bends.afterUnchoke?.(wire);
    }
    if (next.id !== id.request) continue;
    const request = {
      piece: next.body.readUInt32BE(0),
      begin: next.body.readUInt32BE(4),
      length: next.body.readUInt32BE(8),
    };
    const block = bends.block ? bends.block(request) : honestBlock(data, request);
    if (block) await wire.send(id.piece, request.piece, request.begin, block);
  }
}

/** A bitfield with every piece and no spare bit. */
export function fullBitfield(pieceCount: number): Buffer {
  const bytes = Buffer.alloc(Math.ceil(pieceCount / 8), 0xff);
  if (pieceCount % 8 > 0) bytes[bytes.length - 1] = 0xff << (8 - pieceCount % 8);
  return bytes;
}
