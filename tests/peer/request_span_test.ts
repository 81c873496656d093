import { assert, assertEquals } from "@std/assert";
import { RequestSpan } from "../../peer/request_span.ts";

/** Looks ten times a second for `seconds`; the rate may depend on the span. */
function run(
  span: RequestSpan,
  { from, seconds, rate }: { from: number; seconds: number; rate: () => number },
): number {
  const end = from + seconds * 1000;
  for (let now = from; now < end; now += 100) span.look(rate(), now);
  return end;
}

Deno.test("RequestSpan begins with a second", () => {
  assertEquals(new RequestSpan().seconds, 1);
});

Deno.test("RequestSpan shrinks to a quarter of a second while the rate holds", () => {
  const span = new RequestSpan();
  run(span, { from: 0, seconds: 10, rate: () => 5e6 });
  assertEquals(span.seconds, 0.25);
});

Deno.test("RequestSpan stays while the rate still grows", () => {
  const span = new RequestSpan();
  let rate = 1e6;
  run(span, { from: 0, seconds: 5, rate: () => (rate *= 1.05) });
  assertEquals(span.seconds, 1);
});

Deno.test("RequestSpan is not misled by the first seconds, in which nothing came yet", () => {
  const span = new RequestSpan();
  let now = run(span, { from: 0, seconds: 3, rate: () => 0 });
  assertEquals(span.seconds, 1);
  now = run(span, { from: now, seconds: 1.2, rate: () => 3e6 });
  assertEquals(span.seconds, 1);
  run(span, { from: now, seconds: 10, rate: () => 2e6 });
  assertEquals(span.seconds, 0.25);
});

Deno.test("RequestSpan goes back to a second when less costs rate, and leaves it at that for a while", () => {
  const span = new RequestSpan();
  const pulsing = () => 16e6 * span.seconds;
  let now = 0;
  while (span.seconds === 1) now = run(span, { from: now, seconds: 0.1, rate: pulsing });
  while (span.seconds < 1) now = run(span, { from: now, seconds: 0.1, rate: pulsing });
  let cutCount = 0;
  for (const end = now + 15_000; now < end; now += 100) {
    span.look(pulsing(), now);
    if (span.seconds < 1) cutCount++;
  }
  assertEquals(cutCount, 0);
  now = run(span, { from: now, seconds: 40, rate: () => 5e6 });
  assert(span.seconds < 1, "after the rest it tries again");
});

Deno.test("RequestSpan is short from the beginning for a peer that proposes pieces, until that costs rate", () => {
  const span = new RequestSpan();
  span.shorten();
  assertEquals(span.seconds, 0.5);
  span.shorten();
  const pulsing = () => 16e6 * span.seconds;
  run(span, { from: 0, seconds: 5, rate: pulsing });
  assertEquals(span.seconds, 1);
});
