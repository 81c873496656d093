import { assert, assertEquals, assertFalse } from "@std/assert";
import { MiB } from "../../../lib/limits/units.ts";
import { DiskPace } from "../../../peer/io/disk_pace.ts";

/** Reads of 1 MiB one after the other, each taking `ms`, while they may be made at once; returns how many there were. */
function readAtOnce(pace: DiskPace, { start, ms, most }: { start: number; ms: number; most: number }): number {
  let count = 0;
  for (let now = start; count < most && pace.isFast(now); count++, now += ms) pace.took(MiB, now, now + ms);
  return count;
}

Deno.test("DiskPace lets a disk that answers from memory be read at once for ever", () => {
  assertEquals(readAtOnce(new DiskPace(1.5), { start: 0, ms: 0.1, most: 10_000 }), 10_000);
});

Deno.test("DiskPace forgives that a busy machine lets it wait now and then", () => {
  const pace = new DiskPace(1.5);
  for (let round = 0; round < 100; round++) {
    assert(pace.isFast(100 * round));
    pace.took(MiB, 100 * round, 100 * round + 40);
    assertEquals(readAtOnce(pace, { start: 100 * round + 40, ms: 0.1, most: 5 }), 5);
  }
});

Deno.test("DiskPace hands a slow disk to the workers after a few reads, and tries it again later", () => {
  const pace = new DiskPace(1.5);
  assertEquals(readAtOnce(pace, { start: 0, ms: 20, most: 100 }), 6);
  assertFalse(pace.isFast(120 + 50 * 120 - 1));
  assertEquals(readAtOnce(pace, { start: 120 + 50 * 120, ms: 2, most: 100 }), 6);
});

Deno.test("DiskPace hands a disk to the workers that is slow in two of three reads", () => {
  const pace = new DiskPace(1.5);
  let count = 0;
  for (let now = 0; pace.isFast(now); now += 20) pace.took(MiB, now, now + (count++ % 3 === 0 ? 0.1 : 10));
  assert(count < 20, `${count} reads`);
});
