import { assertAlmostEquals, assertEquals } from "@std/assert";
import { RateMeter } from "../../lib/rate_meter.ts";

Deno.test("RateMeter.rate() is 0 before anything came", () => {
  const meter = new RateMeter();
  assertEquals([meter.rate(0), meter.rate(5_000), meter.total], [0, 0, 0]);
});

Deno.test("RateMeter.rate() is the bytes a second of a steady stream", () => {
  const meter = new RateMeter();
  for (let now = 0; now < 10_000; now += 10) meter.add(1_000, now);
  assertAlmostEquals(meter.rate(9_999), 100_000, 1_000);
  assertEquals(meter.total, 1_000_000);
});

Deno.test("RateMeter.rate() is taken over the time so far while the window is not full", () => {
  const meter = new RateMeter(2_000);
  for (let now = 50_000; now < 50_400; now += 10) meter.add(1_000, now);
  assertAlmostEquals(meter.rate(50_399), 100_000, 1_000);
});

Deno.test("RateMeter.rate() falls to 0 within its window when nothing comes any more", () => {
  const meter = new RateMeter(2_000);
  for (let now = 0; now < 4_000; now += 10) meter.add(1_000, now);
  assertAlmostEquals(meter.rate(4_999), 50_000, 1_000);
  assertEquals(meter.rate(6_100), 0);
  assertEquals(meter.rate(10_000_000), 0);
  assertEquals(meter.total, 400_000);
});

Deno.test("RateMeter comes back after a long silence as if nothing had been", () => {
  const meter = new RateMeter(2_000);
  meter.add(1_000_000, 0);
  for (let now = 3_600_000; now < 3_604_000; now += 10) meter.add(1_000, now);
  assertAlmostEquals(meter.rate(3_603_999), 100_000, 1_000);
});
