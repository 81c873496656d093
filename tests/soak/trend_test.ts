import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { floorOf, medianOf, memoryTrend, type Sample, slopeOf } from "./trend.ts";

/** One sample a second. */
const samplesOf = (seconds: number, value: (second: number) => number): Sample[] =>
  Array.from({ length: seconds }, (_, at) => ({ at, value: value(at) }));

Deno.test("medianOf() is the middle, between two where their number is even, and 0 of nothing", () => {
  assertEquals([medianOf([5, 1, 3]), medianOf([4, 1, 3, 2]), medianOf([])], [3, 2.5, 0]);
});

Deno.test("slopeOf() of a line is its slope, whatever a quarter of the samples says", () => {
  const line = samplesOf(40, (at) => 7 + 3 * at);
  assertAlmostEquals(slopeOf(line), 3);
  const wild = line.map((sample, i) => i % 4 === 0 ? { ...sample, value: 1e6 * (i % 8 === 0 ? 1 : -1) } : sample);
  assertAlmostEquals(slopeOf(wild), 3, 0.5);
  assertEquals([slopeOf([]), slopeOf([{ at: 1, value: 9 }])], [0, 0]);
});

Deno.test("floorOf() keeps the lowest sample of each stretch, in order", () => {
  const saw = samplesOf(400, (at) => 100 + at % 17);
  const floor = floorOf(saw);
  assertEquals(floor.length, 20);
  assert(floor.every(({ value }) => value <= 103));
  assertEquals(floor.map(({ at }) => at), floor.map(({ at }) => at).toSorted((a, b) => a - b));
  assertEquals(floorOf([]), []);
});

Deno.test("memoryTrend() calls a leak what grows below the saw of its collections", () => {
  const minutes20 = 20 * 60;
  const saw = (at: number) => 60e6 + (at % 13) * 1e6;
  assertEquals(memoryTrend(samplesOf(minutes20, saw)).isLeak, false);
  const leaking = memoryTrend(samplesOf(minutes20, (at) => saw(at) + (at / 3600) * 30e6));
  assert(leaking.isLeak);
  assertAlmostEquals(leaking.slopeMB, 30, 2);
  assertAlmostEquals(leaking.growthMB, 10, 1);
});

Deno.test("memoryTrend() lets pass what is slow, and what is a small step of a short watch", () => {
  assertEquals(memoryTrend(samplesOf(40 * 60, (at) => 60e6 + (at / 3600) * 10e6)).isLeak, false);
  const short = memoryTrend(samplesOf(20, (at) => 60e6 + at * 100_000));
  assert(short.slopeMB > 300);
  assertEquals(short.isLeak, false);
});

Deno.test("memoryTrend() is not misled by a peak, and tells it", () => {
  const trend = memoryTrend(samplesOf(600, (at) => at > 500 && at < 530 ? 200e6 : 60e6));
  assertEquals([trend.isLeak, trend.slopeMB, trend.peakMB], [false, 0, 200]);
});
