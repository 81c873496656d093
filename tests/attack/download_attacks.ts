/** Attacks on a downloader: peers that claim much and give nothing, too little, too slowly, or what is wrong. */
import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { fullBitfield } from "../e2e/wire_peer.ts";
import { id, message, uint32 } from "../e2e/wire.ts";
import type { Attack, Target } from "./attack.ts";
import { crowd, ended, extended, flood, handshake, manyOf, onMessages, pieceCountOf } from "./crowd.ts";

const never = new Promise<never>(() => {});
const stage = "download";

interface Request {
  readonly piece: number;
  readonly begin: number;
  readonly length: number;
}

/** A crowd that claims to have everything and unchokes; `answer` is called for each request. */
function byClaimants(
  name: string,
  count: number,
  answer: (socket: Socket, request: Request, target: Target) => void,
  more: Partial<Attack> & { afterwards?: (socket: Socket, target: Target) => Promise<void> } = {},
): Attack {
  const { afterwards = (socket) => ended(socket), ...attack } = more;
  return {
    ...{ name, stage, ...attack },
    async run(target, isReady) {
      await crowd(target, { count }, async (socket) => {
        const reserved = "0000000000100004";
        const all = message(id.bitfield, fullBitfield(pieceCountOf(target)));
        socket.write(Buffer.concat([handshake(target, { reserved }), all, message(id.unchoke)]));
        onMessages(socket, (messageId, body) => {
          if (messageId !== id.request) return;
          const [piece, begin, length] = [0, 4, 8].map((at) => body.readUInt32BE(at));
          answer(socket, { piece, begin, length }, target);
        });
        await afterwards(socket, target);
      });
      isReady();
      await never;
    },
  };
}

const junk = Buffer.alloc(16_384, 0x5a);
const corrupt = (socket: Socket, { piece, begin, length }: Request) =>
  void socket.write(message(id.piece, piece, begin, junk.subarray(0, length)));

export const downloadAttacks: readonly Attack[] = [
  byClaimants("claims all, gives nothing", 40, () => {}),
  byClaimants("corrupt blocks from one", 1, corrupt),
  byClaimants("corrupt blocks from many", 40, corrupt),
  byClaimants("one corrupt block in each piece", 20, (socket, { piece, begin, length }, target) => {
    if (begin % 65_536 === 0) return corrupt(socket, { piece, begin, length });
    using file = Deno.openSync(String(target.content));
    const block = new Uint8Array(length);
    file.seekSync(piece * Number(target.pieceLength) + begin, Deno.SeekMode.Start);
    file.readSync(block);
    socket.write(message(id.piece, piece, begin, block));
  }),
  byClaimants("blocks at a byte a second", 40, (socket, { piece, begin, length }) => {
    if (slow.has(socket)) return;
    slow.add(socket);
    const block = message(id.piece, piece, begin, junk.subarray(0, length));
    let at = 0;
    const timer = setInterval(() => socket.write(block.subarray(at, ++at)), 1_000);
    socket.once("close", () => clearInterval(timer));
  }),
  byClaimants("blocks that nobody asked for", 8, () => {}, {
    afterwards: (socket) => {
      const blocks = Array.from({ length: 16 }, (_, i) => message(id.piece, i, 0, junk));
      return flood(socket, Buffer.concat(blocks));
    },
  }),
  byClaimants("chokes and unchokes", 20, () => {}, {
    afterwards: (socket) => flood(socket, manyOf(Buffer.concat([message(id.choke), message(id.unchoke)]), 2_000)),
  }),
  byClaimants("has and has not", 20, () => {}, {
    afterwards: (socket, target) => {
      const pieces = Array.from({ length: pieceCountOf(target) }, (_, piece) => [
        extended(3, uint32(piece)),
        message(id.have, piece),
      ]);
      return flood(socket, Buffer.concat(pieces.flat()));
    },
  }),
  byClaimants("rejects everything", 20, (socket, { piece, begin, length }) => {
    socket.write(message(id.reject, piece, begin, length));
  }),
  byClaimants("comes and goes with all pieces", 20, (socket) => {
    socket.destroy();
  }),
  byClaimants("tells of peers that are not", 40, () => {}, {
    afterwards: async (socket) => {
      const told = Array.from({ length: 200 }, () => [
        ...[127, 66, Math.floor(Math.random() * 256), 1 + Math.floor(Math.random() * 250)],
        ...[0x40 + Math.floor(Math.random() * 64), Math.floor(Math.random() * 256)],
      ]);
      const bytes = Buffer.from(told.flat());
      socket.write(extended(0, "d1:md6:ut_pexi1eee"));
      socket.write(extended(1, Buffer.concat([Buffer.from(`d5:added${bytes.length}:`), bytes, Buffer.from("e")])));
      socket.resume();
      await new Promise((resolve) => setTimeout(resolve, 200));
    },
  }),
];

/** Those that are busy with one block for ever. */
const slow = new WeakSet<Socket>();
