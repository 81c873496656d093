/**
 * What attackers are made of: many connections from many addresses, and floods that never wait for themselves.
 *
 * Nothing here is polite. Sockets come from node:net because it alone binds the near end, so that one machine can pretend
 * to be hundreds (127.0.0.0/8); the messages are those of tests/e2e/wire.ts.
 */
import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers";
import { connect as connectSocket, type Socket } from "node:net";
import { id, message } from "../e2e/wire.ts";
import type { Target } from "./attack.ts";

/** The address of the honest: attackers take it too, now and then. */
const honestAddress = "127.0.0.1";

/** The `index`th attacker's address; every eighth is that of the honest. */
export function addressOf(index: number): string {
  return index % 8 === 7 ? honestAddress : `127.0.${2 + (index >> 8) % 200}.${1 + (index & 0xff) % 254}`;
}

/** A connection that stands. @returns undefined when it was refused or lost before */
export function connectFrom(target: Target, localAddress: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connectSocket({ host: target.host, port: target.port, localAddress });
    socket.setNoDelay(true);
    socket.once("connect", () => resolve(socket));
    socket.on("error", () => socket.destroy());
    socket.once("close", () => resolve(undefined));
  });
}

let peerCount = 0;

/** A handshake for the target's torrent. @param reserved 16 hex digits: fast and extended by default */
export function handshake(target: Target, { reserved = "0000000000100004", peerId = "" } = {}): Buffer {
  const own = peerId || `-XX0001-${String(Deno.pid).padStart(6, "0")}${String(peerCount++).padStart(6, "0")}`;
  return Buffer.concat([
    Buffer.from("\x13BitTorrent protocol", "latin1"),
    Buffer.from(reserved, "hex"),
    Buffer.from(String(target.infoHash), "hex"),
    Buffer.from(own.padEnd(20).slice(0, 20), "latin1"),
  ]);
}

/** The bytes many times over, to be written in one go. */
export function manyOf(bytes: Uint8Array, count: number): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => bytes));
}

/** A message that asks for a block. */
export function requestFor(piece: number, begin = 0, length = 16_384): Buffer {
  return message(id.request, piece, begin, length);
}

/** An extended message (BEP 10). */
export function extended(extensionId: number, payload: string | Uint8Array): Buffer {
  const bytes = typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
  return message(20, Buffer.concat([Buffer.from([extensionId]), bytes]));
}

/** The pieces of the target's torrent. */
export function pieceCountOf({ totalLength, pieceLength }: Target): number {
  return Math.ceil(Number(totalLength) / Number(pieceLength));
}

/** Calls back for each message that comes, the handshake left out. */
export function onMessages(socket: Socket, hear: (messageId: number, body: Buffer) => void): void {
  let pending: Buffer = Buffer.alloc(0);
  let isGreeted = false;
  socket.on("data", (bytes: Buffer) => {
    pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes]);
    for (;;) {
      const length = isGreeted ? pending.length < 4 ? 4 : 4 + pending.readUInt32BE(0) : 68;
      if (pending.length < length || isGreeted && pending.length < 4) return;
      if (isGreeted && length > 4) hear(pending[4], pending.subarray(5, length));
      isGreeted = true;
      pending = pending.subarray(length);
    }
  });
}

/** Resolves at the first unchoke, or when the connection ends. */
export function untilUnchoked(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    onMessages(socket, (messageId) => messageId === id.unchoke && resolve());
    socket.once("close", () => resolve());
  });
}

/** Writes again and again, as fast as the other side takes it. Resolves when the connection ends. */
export async function flood(socket: Socket, bytes: Uint8Array | (() => Uint8Array)): Promise<void> {
  while (!socket.destroyed) {
    const next = typeof bytes === "function" ? bytes() : bytes;
    await new Promise<void>((resolve) => {
      const done = () => {
        socket.off("close", done);
        resolve();
      };
      socket.once("close", done);
      // a write that is taken at once calls back at once: without a turn of the loop nothing else would move
      socket.write(next, () => setImmediate(done));
    });
  }
}

/** Resolves when the connection has ended. What comes is read and dropped, unless the socket is left unread. */
export function ended(socket: Socket, { isRead = true } = {}): Promise<void> {
  if (isRead) socket.resume();
  return new Promise((resolve) => socket.destroyed ? resolve() : socket.once("close", () => resolve()));
}

/** What an act ends with that leaves its connection open, for the victim to keep. */
export const keepOpen = Symbol("keep open");

/** Milliseconds after which an attack counts as at its height, unless it needs all of its crowd for that. */
const heightMaxMs = 1_500;

/** How a crowd behaves. */
interface CrowdOptions {
  readonly count: number;
  /** Milliseconds before somebody who was thrown out comes again. */
  readonly againMs?: number;
  /** So many are connected when it is at its height; default: 100 or all. */
  readonly heightCount?: number;
  /** The connections of one address; default: every one has its own. */
  readonly perAddress?: number;
}

/**
 * Keeps `count` connections busy with `act`; each that ends is replaced, from another address.
 *
 * @returns when it is at its height; the rest goes on by itself
 */
export async function crowd(
  target: Target,
  { count, againMs = 20, perAddress = 1, heightCount }: CrowdOptions,
  act: (socket: Socket, index: number) => Promise<void | typeof keepOpen>,
): Promise<void> {
  let next = 0;
  const first: Promise<void>[] = [];
  const member = async (onFirst: () => void) => {
    for (;;) {
      const index = next++;
      const socket = await connectFrom(target, addressOf(Math.floor(index / perAddress)));
      onFirst();
      if (socket !== undefined) {
        const isKept = await act(socket, index) === keepOpen;
        if (!isKept) socket.destroy();
      }
      await new Promise((resolve) => setTimeout(resolve, againMs));
    }
  };
  const gather = async (until: number) => {
    while (first.length < until) {
      first.push(new Promise<void>((resolve) => void member(resolve)));
      if (first.length % 50 === 0) await Promise.all(first);
    }
    await Promise.all(first);
  };
  // an attack may be so busy that it hardly gets to connect: that is its height then
  const height = gather(heightCount ?? Math.min(100, count));
  if (heightCount !== undefined) await height;
  else await Promise.race([height, new Promise((resolve) => setTimeout(resolve, heightMaxMs))]);
  height.then(() => gather(count));
}
