/** Attacks on a seeder by peers that have greeted: storms of messages, requests without end, memory that is never read. */
import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { id, message, uint32 } from "../e2e/wire.ts";
import type { Attack, Target } from "./attack.ts";
import {
  crowd,
  ended,
  extended,
  flood,
  handshake,
  keepOpen,
  manyOf,
  pieceCountOf,
  requestFor,
  untilUnchoked,
} from "./crowd.ts";

const never = new Promise<never>(() => {});
const stage = "seed";

/** An attack of `count` peers that greet and then do the same thing. */
function byCrowd(
  name: string,
  count: number,
  act: (socket: Socket, target: Target) => Promise<void | typeof keepOpen>,
  { againMs = 20, heightCount, ...more }: Partial<Attack> & { readonly againMs?: number; heightCount?: number } = {},
): Attack {
  return {
    ...{ name, stage, ...more },
    async run(target, isReady) {
      await crowd(target, { count, againMs, ...(heightCount && { heightCount }) }, (socket) => {
        socket.write(handshake(target));
        return act(socket, target);
      });
      isReady();
      await never;
    },
  };
}

/** A crowd that reads what comes and floods the same bytes. */
function storm(name: string, bytes: (target: Target) => Uint8Array, count = 8): Attack {
  return byCrowd(name, count, (socket, target) => {
    socket.resume();
    return flood(socket, bytes(target));
  });
}

const interested = message(id.interested);
const flaps = Buffer.concat([message(id.notInterested), interested]);

/** Requests for every block of a piece. */
function requestsFor(target: Target, piece: number): Buffer {
  const count = Number(target.pieceLength) / 16_384;
  return Buffer.concat(Array.from({ length: count }, (_, block) => requestFor(piece, block * 16_384)));
}

export const stormAttacks: readonly Attack[] = [
  storm("keep-alive storm", () => Buffer.alloc(65_536)),
  storm("have storm", () => manyOf(message(id.have, 0), 8_000)),
  storm("interest flapping", () => manyOf(flaps, 6_000)),
  storm("choke flapping", () => manyOf(Buffer.concat([message(id.choke), message(id.unchoke)]), 6_000)),
  storm("unknown messages", () => manyOf(message(99, new Uint8Array(11)), 4_000)),
  storm("bitfields again and again", (target) => {
    const bits = Buffer.alloc(Math.ceil(pieceCountOf(target) / 8));
    return manyOf(message(id.bitfield, bits), 500);
  }),
  storm("extension handshakes without end", () => manyOf(extended(0, "d1:md6:ut_pexi1e11:ut_metadatai2eee"), 1_000)),
  storm("unknown extensions", () => manyOf(extended(77, "x".repeat(20)), 2_000)),
  storm("allowed-fast, suggest and reject storm", () => {
    return manyOf(Buffer.concat([message(17, 0), message(13, 0), message(id.reject, 0, 0, 16_384)]), 1_000);
  }),
  storm("cancels of nothing", () => manyOf(message(id.cancel, 0, 0, 16_384), 3_000)),
  storm("lost and found again", () => manyOf(Buffer.concat([message(id.have, 0), extended(3, uint32(0))]), 3_000)),
  storm("peer exchange storm", () => {
    const peers = Buffer.concat(Array.from({ length: 200 }, (_, i) => Buffer.from([127, 9, i, 1, 0x1a, 0xe1])));
    const head = `d5:added${peers.length}:`;
    return manyOf(extended(1, Buffer.concat([Buffer.from(head), peers, Buffer.from("e")])), 40);
  }),
  byCrowd("giant lengths", 50, async (socket) => {
    const lengths = [0xffff_ffff, 0x7fff_ffff, 0x0002_0001, 0x0010_0000, 0x8000_0000];
    socket.write(Buffer.concat([uint32(lengths[Math.floor(Math.random() * lengths.length)]), Buffer.alloc(40_000, 7)]));
    await ended(socket);
  }),
  byCrowd("half of the longest message", 590, async (socket) => {
    socket.write(Buffer.concat([uint32(0x0010_0000), Buffer.from([20, 0]), Buffer.alloc(0x000f_ff00)]));
    await ended(socket);
  }),
  byCrowd("a message at a byte a second", 500, async (socket) => {
    const bytes = requestFor(0);
    socket.resume();
    for (let at = 0; !socket.destroyed; at++) {
      socket.write(bytes.subarray(at % bytes.length, at % bytes.length + 1));
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
  }),
];

export const greedAttacks: readonly Attack[] = [
  byCrowd("requests, nothing read", 100, async (socket, target) => {
    socket.write(interested);
    const count = pieceCountOf(target);
    await flood(socket, () => requestsFor(target, Math.floor(Math.random() * count)));
    await ended(socket, { isRead: false });
  }),
  byCrowd("allowed-fast requests, nothing read", 590, async (socket, target) => {
    // granted to the choked: the crowd cannot know which, and asks for each in turn
    for (let piece = 0; piece < pieceCountOf(target) && !socket.destroyed; piece++) {
      socket.write(requestsFor(target, piece));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await ended(socket, { isRead: false });
  }),
  byCrowd("the same block for ever", 8, (socket) => {
    socket.write(interested);
    socket.resume();
    return flood(socket, manyOf(requestFor(0), 500));
  }),
  byCrowd("ranges that cannot be", 8, (socket, target) => {
    socket.write(interested);
    socket.resume();
    const odd = [[0, 1, 0], [0xffff_ffff, 0xffff_ffff, 0xffff_ffff], [0, 0, 1 << 20], [
      pieceCountOf(target),
      0,
      16_384,
    ]];
    return flood(socket, manyOf(Buffer.concat(odd.map((numbers) => message(id.request, ...numbers))), 200));
  }),
  byCrowd("requests, then nonsense, nothing read", 100, async (socket, target) => {
    socket.write(interested);
    await untilUnchoked(socket);
    socket.pause();
    for (let i = 0; i < 100; i++) socket.write(requestsFor(target, i % pieceCountOf(target)));
    await new Promise((resolve) => setTimeout(resolve, 300));
    socket.write(Buffer.from("ffffffffffff", "hex"));
    // it is never closed by us: what the victim still has to send stays with it
    await new Promise((resolve) => setTimeout(resolve, 200));
    return keepOpen;
  }),
  byCrowd("metadata without end, nothing read", 300, (socket) => {
    socket.write(extended(0, "d1:md11:ut_metadatai2eee"));
    const asks = Array.from({ length: 100 }, () => extended(2, "d8:msg_typei0e5:piecei0ee"));
    return flood(socket, Buffer.concat(asks));
  }),
  byCrowd("half-closed", 300, async (socket) => {
    socket.end();
    await ended(socket);
  }),
  byCrowd("reset", 100, async (socket) => {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
    socket.resetAndDestroy();
  }),
];

export const slotAttacks: readonly Attack[] = [
  byCrowd("all places taken by the silent", 800, async (socket) => {
    await ended(socket);
  }, { honestComes: "during", againMs: 500, heightCount: 800 }),
  byCrowd("all places taken by the interested", 800, async (socket) => {
    socket.write(interested);
    await ended(socket);
  }, { honestComes: "during", againMs: 500, heightCount: 800 }),
  byCrowd("interested crowd", 500, async (socket) => {
    socket.write(interested);
    await ended(socket);
  }),
  {
    ...{ name: "handshakes for other torrents", stage },
    async run(target, isReady) {
      await crowd(target, { count: 50 }, async (socket, index) => {
        socket.write(handshake({ ...target, infoHash: String(index).padStart(40, "0") }));
        await ended(socket);
      });
      isReady();
      await never;
    },
  },
  {
    ...{ name: "one peer id for all", stage },
    async run(target, isReady) {
      await crowd(target, { count: 200 }, async (socket) => {
        socket.write(handshake(target, { peerId: "-XX0001-aaaaaaaaaaaa" }));
        await ended(socket);
      });
      isReady();
      await never;
    },
  },
];
