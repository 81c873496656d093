import { assert, assertEquals, assertGreater, assertGreaterOrEqual, assertLess, assertLessOrEqual } from "@std/assert";
import {
  blockLength,
  requestsInFlightDefault,
  requestsInFlightFirst,
  requestsInFlightMax,
  requestsInFlightMin,
} from "../../lib/limits/wire.ts";
import { RequestWindow } from "../../peer/request_window.ts";

/** Keeps the window full while blocks come at a rate, for `seconds`; returns the time at the end. */
function deliver(window: RequestWindow, { bytesPerSecond, seconds = 3 }: { bytesPerSecond: number; seconds?: number }) {
  let now = 0;
  let next = 0;
  const open: number[] = [];
  const msPerBlock = (1_000 * blockLength) / bytesPerSecond;
  for (; now < seconds * 1_000; now += msPerBlock) {
    while (window.room(now) > 0) window.add(open[open.push(next++) - 1], now);
    assert(window.delivered(open.shift()!, blockLength, now));
  }
  return now;
}

Deno.test("RequestWindow begins with a small window and never stops and waits", () => {
  const window = new RequestWindow();
  assertEquals(window.room(0), requestsInFlightFirst);
  for (let key = 0; key < requestsInFlightFirst; key++) window.add(key, 0);
  assertEquals(window.room(0), 0);
  window.delivered(0, blockLength, 10);
  assertGreater(window.room(10), requestsInFlightFirst / 2, "who delivers at once is asked for more at once");
});

Deno.test("RequestWindow has no room before an eighth of it is free, and then all of it", () => {
  const window = new RequestWindow();
  window.peerQueueMax = 32 + 2;
  window.add(99, 0);
  window.delivered(99, 1e6, 0);
  for (let key = 0; key < 32; key++) window.add(key, 0);
  const rooms = Array.from({ length: 4 }, (_, key) => {
    window.delivered(key, blockLength, 0);
    return window.room(0);
  });
  assertEquals(rooms.pop(), 4);
  assert(rooms.every((room) => room === 0));
});

Deno.test("RequestWindow follows the peer's rate: some tenths of a second's worth are in flight, never more than a second's", () => {
  for (const blocksPerSecond of [400, 800, 1_600]) {
    const window = new RequestWindow();
    window.peerQueueMax = 1e6;
    deliver(window, { bytesPerSecond: blocksPerSecond * blockLength });
    assertGreater(window.count, blocksPerSecond * 0.2);
    assertLess(window.count, blocksPerSecond * 1.1 + requestsInFlightMin);
  }
});

Deno.test("RequestWindow of a slow peer keeps hardly more in flight than a second's worth: others want it too", () => {
  for (const blocksPerSecond of [1, 4]) {
    const window = new RequestWindow();
    deliver(window, { bytesPerSecond: blocksPerSecond * blockLength, seconds: 20 });
    assertLessOrEqual(window.count, blocksPerSecond + requestsInFlightMin);
    assertGreaterOrEqual(window.count, requestsInFlightMin - 1);
  }
});

Deno.test("RequestWindow stays within the peer's reqq, its own default and its maximum", () => {
  const fast = { bytesPerSecond: 10_000 * blockLength, seconds: 2 };
  const window = (reqq?: number) => {
    const made = new RequestWindow();
    if (reqq !== undefined) made.peerQueueMax = reqq;
    deliver(made, fast);
    return made.count;
  };
  assertLessOrEqual(window(), requestsInFlightDefault);
  assertGreater(window(), requestsInFlightDefault * 7 / 8 - 3);
  assertEquals([window(6), window(2), window(1)], [3, 0, 0], "two below it, where one is answered at the end");
  assertLessOrEqual(window(1_000_000), requestsInFlightMax);
  assertGreater(window(1_000_000), requestsInFlightDefault);
});

Deno.test("RequestWindow.delivered() knows what was asked for, once", () => {
  const window = new RequestWindow();
  window.add(7, 0);
  assertEquals([window.delivered(8, 1, 0), window.delivered(7, 5, 0), window.delivered(7, 5, 0)], [false, true, false]);
  assertEquals(window.receivedBytes, 5);
});

Deno.test("RequestWindow.callOff() and drain() take requests back", () => {
  const window = new RequestWindow();
  for (const key of [1, 2, 3]) window.add(key, 0);
  assertEquals([window.callOff(2), window.callOff(2), window.has(1), window.has(2)], [true, false, true, false]);
  assertEquals(window.drain(), [1, 3]);
  assertEquals(window.count, 0);
});

Deno.test("RequestWindow.stalledMs() counts from the last block, and from the first request after a rest", () => {
  const window = new RequestWindow();
  assertEquals(window.stalledMs(5_000), 0);
  window.add(1, 5_000);
  window.add(2, 6_000);
  assertEquals(window.stalledMs(7_000), 2_000);
  window.delivered(1, blockLength, 8_000);
  assertEquals(window.stalledMs(8_500), 500);
  window.delivered(2, blockLength, 8_500);
  assertEquals(window.stalledMs(60_000), 0);
  window.add(3, 60_000);
  assertEquals(window.stalledMs(60_100), 100);
});

Deno.test("RequestWindow.snub() leaves the oldest request and asks for no more until a block comes", () => {
  const window = new RequestWindow();
  for (const key of [4, 5, 6]) window.add(key, 0);
  assertEquals(window.snub(), [5, 6]);
  assertEquals([window.count, window.has(4), window.room(1), window.isSnubbed], [1, true, 0, true]);
  window.delivered(4, blockLength, 20_000);
  assertEquals([window.isSnubbed, window.room(20_000) > 1], [false, true]);
});

Deno.test("RequestWindow of a snubbed peer has room for one request when it owes nothing", () => {
  const window = new RequestWindow();
  window.add(1, 0);
  window.snub();
  window.callOff(1);
  assertEquals(window.room(0), 1);
});

Deno.test("RequestWindow.rejected() tells the answer to a request that was called off from that to the same made anew", () => {
  const window = new RequestWindow();
  window.add(1, 0);
  window.callOff(1);
  window.add(1, 10);
  assertEquals([window.rejected(1), window.has(1)], ["called off", true]);
  assertEquals([window.rejected(1), window.has(1), window.rejected(1)], ["under way", false, "none"]);
  for (let time = 0; time < 2; time++) {
    window.add(3, time);
    window.callOff(3);
  }
  window.add(3, 15);
  const answers = [window.rejected(3), window.rejected(3), window.rejected(3)];
  assertEquals(answers, ["called off", "called off", "under way"], "one answer for each request");
  window.add(2, 20);
  window.callOff(2);
  // It crossed the cancel, so no reject will come for it.
  assertEquals([window.delivered(2, blockLength, 30), window.rejected(2)], [false, "none"]);
});
