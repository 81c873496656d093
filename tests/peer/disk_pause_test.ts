import { assert, assertEquals, assertFalse } from "@std/assert";
import { pieceBufferBytesMax } from "../../lib/limits/transfer.ts";
import { storeRetryMaxMs, storeRetryMinMs } from "../../lib/limits/disk.ts";
import { blockLength } from "../../lib/limits/wire.ts";
import { Bitfield } from "../../lib/bitfield.ts";
import type { PieceIndex } from "../../lib/ids.ts";
import { DiskPause } from "../../peer/disk_pause.ts";
import type { Effect } from "../../peer/events.ts";
import { makeContent } from "./virtual_disk.ts";
import { VirtualSwarm } from "./torrent_harness.ts";

/** A pause and what it let through, as text: `store 3`. */
class Stage {
  readonly #effects: Effect[] = [];
  readonly pause = new DiskPause((effect) => this.#effects.push(effect));

  store(piece: number): void {
    this.pause.pass({ kind: "storePiece", piece: piece as PieceIndex, buffer: new Uint8Array([piece]) });
  }

  refuse(piece: number, now: number, isBrief = false): boolean {
    const error = new Error("full");
    const buffer = new Uint8Array([piece]);
    return this.pause.refused({ kind: "storeRefused", piece: piece as PieceIndex, buffer, error, isBrief }, now);
  }

  settle(piece: number, now: number): void {
    this.pause.settled(piece as PieceIndex, now);
  }

  /** What came since the last call. */
  heard(): string[] {
    return this.#effects.splice(0).map((effect) =>
      effect.kind === "storePiece" ? `store ${effect.buffer[0]}` : effect.kind
    );
  }
}

Deno.test("DiskPause lets pieces through until one is refused; that one and all that follow wait", () => {
  const stage = new Stage();
  stage.store(1);
  stage.store(2);
  assertEquals(stage.heard(), ["store 1", "store 2"]);
  assertEquals(stage.pause.wakeAt, Infinity);
  assert(stage.refuse(1, 0));
  assert(stage.refuse(2, 5)); // it was under way
  stage.store(3);
  assertEquals(stage.heard(), ["diskPaused"], "it is said once, and nothing is written");
  stage.pause.tick(storeRetryMinMs - 1);
  assertEquals(stage.heard(), []);
  assertEquals(stage.pause.wakeAt, storeRetryMinMs);
});

Deno.test("DiskPause tries one piece, each time after a longer while, up to a bound", () => {
  const stage = new Stage();
  stage.refuse(1, 0);
  stage.refuse(2, 0);
  stage.heard();
  const delays: number[] = [];
  for (let now = 0, piece = 1; delays.length < 9; piece = 3 - piece) {
    delays.push(stage.pause.wakeAt - now);
    now = stage.pause.wakeAt;
    stage.pause.tick(now);
    assertEquals(stage.heard(), [`store ${piece}`]);
    assertEquals(stage.pause.wakeAt, Infinity, "nothing else is tried while one is under way");
    assert(stage.refuse(piece, now));
  }
  assertEquals(delays.slice(0, 4), [1, 2, 4, 8].map((factor) => factor * storeRetryMinMs));
  assertEquals(delays.at(-1), storeRetryMaxMs);
  assertEquals(stage.heard(), []);
});

Deno.test("DiskPause stores all that waited once one was stored, more and more at a time, and says when it is over", () => {
  const stage = new Stage();
  for (let piece = 1; piece <= 7; piece++) stage.refuse(piece, 0);
  stage.heard();
  stage.pause.retry(10); // there is room: the delay need not pass
  assertEquals(stage.heard(), ["store 1"]);
  stage.settle(1, 11);
  assertEquals(stage.heard(), ["store 2", "store 3"]);
  stage.settle(2, 12);
  assertEquals(stage.heard(), ["store 4", "store 5", "store 6"]);
  stage.store(8); // it came meanwhile: behind the others
  for (const piece of [3, 4, 5, 6]) stage.settle(piece, 13);
  assertEquals(stage.heard(), ["store 7", "store 8"]);
  stage.settle(7, 14);
  assertEquals(stage.heard(), []);
  stage.settle(8, 15);
  assertEquals(stage.heard(), ["diskResumed"]);
  stage.store(9);
  assertEquals(stage.heard(), ["store 9"]);
});

Deno.test("DiskPause waits again when a piece is refused among those that follow", () => {
  const stage = new Stage();
  for (let piece = 1; piece <= 4; piece++) stage.refuse(piece, 0);
  stage.pause.retry(10);
  stage.settle(1, 11);
  stage.heard();
  stage.refuse(2, 12);
  stage.settle(3, 13);
  assertEquals(stage.heard(), [], "one refusal says that all wait");
  assertEquals(stage.pause.wakeAt, 12 + 2 * storeRetryMinMs);
});

Deno.test("DiskPause gives up a fault that should be over soon, and one that comes now and then is none", () => {
  const stage = new Stage();
  let now = 0;
  for (let tries = 0; tries <= 5; tries++) {
    assertEquals(stage.refuse(1, now, true), tries < 5, `try ${tries}`);
    now = stage.pause.wakeAt;
    stage.pause.tick(now);
  }
  const other = new Stage();
  for (let time = 0; time < 20; time++) {
    assert(other.refuse(1, time * 10_000, true));
    other.pause.retry(time * 10_000 + 1);
    other.settle(1, time * 10_000 + 2);
  }
});

Deno.test("DiskPause tries nothing after its stop", () => {
  const stage = new Stage();
  stage.refuse(1, 0);
  stage.heard();
  stage.pause.stop();
  stage.pause.tick(1e9);
  stage.pause.retry(1e9);
  assertEquals([stage.heard(), stage.pause.wakeAt], [[], Infinity]);
});

Deno.test("Torrent asks for no more than memory holds while its disk is full, and fetches nothing twice", () => {
  const pieceLength = 16 * blockLength;
  const content = makeContent({ totalLength: 2 * pieceBufferBytesMax, pieceLength });
  const swarm = new VirtualSwarm(content, { seed: 5 });
  const seeder = swarm.join({ have: Bitfield.full(content.layout.pieceCount) });
  let isFull = false;
  const leecher = swarm.join({ refusesToStore: () => isFull && "now" });
  swarm.introduceAll();
  swarm.runUntil(() => leecher.disk.stored.count >= 8, { maxMs: 10_000 });
  isFull = true;
  swarm.runFor(90_000);
  const unstored = seeder.sentBytes - leecher.disk.writtenBytes;
  assert(unstored <= pieceBufferBytesMax, `${unstored} bytes were sent for nothing`);
  assertEquals(leecher.torrent.peers.length, 1, "the seeder was lost");
  assertFalse(leecher.torrent.isComplete);
  isFull = false;
  swarm.runUntil(() => leecher.torrent.isComplete, { maxMs: storeRetryMaxMs + 10_000 });
  assertEquals(seeder.sentBytes, content.layout.totalLength);
  assertEquals(["diskPaused", "diskResumed"].map((kind) => leecher.eventsOf(kind as "diskPaused").length), [1, 1]);
});
