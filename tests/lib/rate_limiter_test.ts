import { assert, assertAlmostEquals, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import { RateLimiter } from "../../lib/rate_limiter.ts";
import { seededRandom } from "./mutations.ts";

const block = 16_384;

/** Bytes that pass in `ms` when somebody always has a block to send and wakes up `lateMs` late. */
function passIn(limiter: RateLimiter, { ms, lateMs }: { ms: number; lateMs: () => number }): number {
  let passed = 0;
  for (let now = 5_000; now < 5_000 + ms;) {
    while (limiter.take(block, now)) passed += block;
    const readyAt = limiter.readyAt(now);
    assertGreater(readyAt, now);
    now = readyAt + lateMs();
  }
  return passed;
}

Deno.test("RateLimiter without a limit lets everything pass at once", () => {
  const limiter = new RateLimiter();
  for (let i = 0; i < 1_000; i++) assert(limiter.take(1e9, 0));
  assertEquals(limiter.readyAt(7), 7);
});

for (const rate of [10_000, 100_000, 1_000_000, 20_000_000, 1_000_000_000]) {
  Deno.test(`RateLimiter lets ${rate} bytes a second pass, within 5 %, also when it is asked late`, () => {
    const random = seededRandom(rate);
    for (const lateMs of [() => 0, () => random() * 20, () => random() * 200]) {
      const seconds = Math.max(20, (20 * 32_768) / rate);
      const passed = passIn(new RateLimiter(rate), { ms: seconds * 1_000, lateMs });
      assertAlmostEquals(passed / seconds, rate, rate * 0.05 + block / seconds);
    }
  });
}

Deno.test("RateLimiter lets no more than its burst and a block pass at once after a pause", () => {
  const limiter = new RateLimiter(1_000_000, 50_000);
  limiter.take(block, 0);
  let passed = 0;
  while (limiter.take(block, 3_600_000)) passed += block;
  assertLessOrEqual(passed, 50_000 + block);
});

Deno.test("RateLimiter makes up for a quarter of a second at most, when who was refused comes late", () => {
  const limiter = new RateLimiter(1_000_000);
  while (limiter.take(block, 0));
  let passed = 0;
  while (limiter.take(block, 10_000)) passed += block;
  assertLessOrEqual(passed, 250_000 + block);
  assertGreater(passed, 250_000 - block);
});

Deno.test("RateLimiter.readyAt() is the moment from which take() succeeds", () => {
  const limiter = new RateLimiter(16_384, 16_384);
  assert(limiter.take(block, 0));
  assert(!limiter.take(block, 0));
  const readyAt = limiter.readyAt(0);
  assert(readyAt > 0 && readyAt <= 1_000, `ready at ${readyAt}`);
  assert(limiter.take(block, readyAt));
});

Deno.test("RateLimiter lets a block pass that is larger than a second's worth, and pays it off", () => {
  const limiter = new RateLimiter(1_000, 1_000);
  assert(limiter.take(block, 0));
  assertAlmostEquals(limiter.readyAt(0), 15_386, 2);
});
