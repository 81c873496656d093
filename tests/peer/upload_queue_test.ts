import { assert, assertEquals } from "@std/assert";
import type { PieceIndex } from "../../lib/ids.ts";
import { blockLength, uploadQueueMax } from "../../lib/limits/wire.ts";
import { UploadQueue } from "../../peer/upload_queue.ts";

const range = (piece: number, begin = 0, length = blockLength) => ({ piece: piece as PieceIndex, begin, length });

Deno.test("UploadQueue gives requests in the order they came", () => {
  const queue = new UploadQueue();
  for (const piece of [3, 1, 2]) assert(queue.push(range(piece)));
  assertEquals(queue.peek(), range(3));
  assertEquals([queue.shift(), queue.shift(), queue.shift(), queue.shift()], [
    range(3),
    range(1),
    range(2),
    undefined,
  ]);
});

Deno.test("UploadQueue.cancel() takes out the request that has the same piece, begin and length", () => {
  const queue = new UploadQueue();
  queue.push(range(1, 0));
  queue.push(range(1, blockLength));
  assertEquals(queue.cancel(range(1, blockLength, 100)), false);
  assertEquals(queue.cancel(range(2, blockLength)), false);
  assertEquals([queue.cancel(range(1, blockLength)), queue.cancel(range(1, blockLength))], [true, false]);
  assertEquals(queue.drain(), [range(1, 0)]);
});

Deno.test("UploadQueue refuses what is above its bound and keeps what it has", () => {
  const queue = new UploadQueue();
  for (let piece = 0; piece < uploadQueueMax; piece++) assert(queue.push(range(piece)));
  assertEquals(queue.push(range(uploadQueueMax)), false);
  assertEquals([queue.count, queue.shift()], [uploadQueueMax, range(0)]);
  assert(queue.push(range(uploadQueueMax)));
});

Deno.test("UploadQueue stays in order through takes and cancels, longer than its bound", () => {
  const queue = new UploadQueue();
  const taken: number[] = [];
  for (let piece = 0; piece < 3 * uploadQueueMax; piece++) {
    queue.push(range(piece));
    if (piece % 5 === 4) queue.cancel(range(piece - 1));
    if (piece % 3 === 2) taken.push(queue.shift()!.piece, queue.shift()!.piece);
  }
  taken.push(...queue.drain().map(({ piece }) => piece));
  assertEquals([queue.count, queue.peek(), queue.shift()], [0, undefined, undefined]);
  assertEquals(
    taken,
    Array.from({ length: 3 * uploadQueueMax }, (_, piece) => piece).filter((piece) => piece % 5 !== 3),
  );
});
