import { assert, assertEquals } from "@std/assert";
import type { Endpoint } from "../../lib/endpoint.ts";
import {
  bannedMax,
  dialFailuresMax,
  dialsMax,
  hearsayDialFailuresMax,
  hearsayDialsMax,
  hearsayDialsPerSecond,
  hearsayPeersMax,
  hearsayPerHostMax,
  knownPeersMax,
  redialMaxMs,
  redialMinMs,
} from "../../lib/limits/transfer.ts";
import { PeerPool } from "../../peer/peer_pool.ts";

const at = (number: number): Endpoint => ({ host: `10.0.${number >>> 8}.${number & 255}`, port: 6881 });
const range = (count: number) => Array.from({ length: count }, (_, index) => at(index));

function poolOf(...endpoints: Endpoint[]): PeerPool {
  const pool = new PeerPool();
  pool.add(endpoints, "tracker");
  return pool;
}

Deno.test("PeerPool dials each address once, in the order they were told", () => {
  const pool = poolOf(at(1), at(2), at(1));
  assertEquals(pool.takeDialable(0, 10), [at(1), at(2)]);
  assertEquals(pool.takeDialable(0, 10), []);
});

Deno.test("PeerPool gives as many as are wanted", () => {
  const pool = poolOf(at(1), at(2), at(3));
  assertEquals(pool.takeDialable(0, 0), []);
  assertEquals(pool.takeDialable(0, -5), []);
  assertEquals(pool.takeDialable(0, 2), [at(1), at(2)]);
});

Deno.test("PeerPool bounds the dials under way", () => {
  const pool = new PeerPool();
  pool.add(range(dialsMax + 5), "tracker");
  assertEquals(pool.takeDialable(0, 1_000).length, dialsMax);
  assertEquals(pool.takeDialable(0, 1_000), []);
  pool.connected(at(0));
  pool.dialFailed(at(1), 0);
  pool.ban(at(2));
  assertEquals(pool.takeDialable(0, 1_000).length, 3);
});

Deno.test("PeerPool waits twice as long after each failure, up to a maximum", () => {
  const pool = poolOf();
  pool.add([at(1)], "user");
  let now = 0;
  for (let failure = 0; failure < 15; failure++) {
    assertEquals(pool.takeDialable(now, 1), [at(1)]);
    pool.dialFailed(at(1), now);
    const waitMs = Math.min(redialMaxMs, redialMinMs * 2 ** failure);
    assertEquals(pool.takeDialable(now + waitMs - 1, 1), [], `failure ${failure}`);
    now += waitMs;
  }
});

Deno.test("PeerPool forgets an address that fails again and again, but not one that the user named", () => {
  const pool = poolOf(at(1));
  pool.add([at(2)], "user");
  for (let failure = 0; failure <= dialFailuresMax; failure++) {
    assertEquals(pool.takeDialable(failure * redialMaxMs, 2), [at(1), at(2)]);
    for (const endpoint of [at(1), at(2)]) pool.dialFailed(endpoint, failure * redialMaxMs);
  }
  assertEquals(pool.takeDialable(1e9, 2), [at(2)]);
});

Deno.test("PeerPool starts again with a short wait after a connection that was of use", () => {
  const pool = poolOf(at(1));
  for (let failure = 0; failure < 5; failure++) {
    pool.takeDialable(failure * redialMaxMs, 1);
    pool.dialFailed(at(1), failure * redialMaxMs);
  }
  const now = 10 * redialMaxMs;
  pool.takeDialable(now, 1);
  pool.connected(at(1));
  pool.closed(at(1), now, false);
  assertEquals(pool.takeDialable(now + redialMinMs - 1, 1), []);
  assertEquals(pool.takeDialable(now + redialMinMs, 1), [at(1)]);
});

Deno.test("PeerPool does not dial who is connected", () => {
  const pool = poolOf(at(1));
  pool.connected(at(1));
  pool.add([at(1)], "tracker");
  assertEquals(pool.takeDialable(1e9, 1), []);
});

Deno.test("PeerPool never dials a banned address and forgets no ban", () => {
  const pool = poolOf(at(1));
  pool.ban(at(1));
  pool.ban(at(2));
  pool.add([at(1), at(2)], "tracker");
  pool.closed(at(1), 0, true);
  pool.connected(at(2));
  pool.dialFailed(at(2), 0);
  assertEquals(pool.takeDialable(1e9, 2), []);
  assertEquals([pool.isBanned(at(1)), pool.isBanned(at(2)), pool.isBanned(at(3))], [true, true, false]);
});

Deno.test("PeerPool tells peers behind one address apart by their ports", () => {
  const pool = poolOf({ host: "10.0.0.1", port: 1 }, { host: "10.0.0.1", port: 2 });
  pool.ban({ host: "10.0.0.1", port: 1 });
  assertEquals(pool.takeDialable(0, 5), [{ host: "10.0.0.1", port: 2 }]);
});

Deno.test("PeerPool remembers a bounded number of addresses, and those that the user names in any case", () => {
  const pool = new PeerPool();
  pool.add(range(knownPeersMax + 10), "tracker");
  assertEquals(pool.count, knownPeersMax);
  pool.add([{ host: "192.168.0.1", port: 1 }], "user");
  assertEquals(pool.count, knownPeersMax + 1);
});

Deno.test("PeerPool ignores what it is told of addresses that it does not know", () => {
  const pool = poolOf();
  pool.connected(at(1));
  pool.closed(at(1), 0, true);
  pool.dialFailed(at(1), 0);
  assert(pool.count === 0);
});

Deno.test("PeerPool dials what strangers told after all else, whoever was told first", () => {
  const pool = new PeerPool();
  pool.add([at(1)], "exchange");
  pool.add([at(2)], "tracker");
  pool.add([at(3)], "discovery");
  pool.add([at(4)], "user");
  assertEquals(pool.takeDialable(0, 10), [at(2), at(4), at(1), at(3)]);
});

Deno.test("PeerPool keeps room and dials free from addresses that strangers made up", () => {
  const pool = new PeerPool();
  assertEquals(pool.add(range(hearsayPeersMax + 50), "exchange"), hearsayPeersMax);
  assertEquals(pool.takeDialable(0, 1_000).length, hearsayDialsMax);
  const good = { host: "192.168.0.1", port: 1 };
  assertEquals(pool.add([good], "tracker"), 1);
  assertEquals(pool.takeDialable(0, 1_000), [good]);
});

Deno.test("PeerPool forgets an address of a stranger after few failures, and its room is free again", () => {
  const pool = new PeerPool();
  pool.add(range(hearsayPeersMax), "exchange");
  for (let failure = 0; failure <= hearsayDialFailuresMax; failure++) {
    const dialled = pool.takeDialable(failure * redialMaxMs, 1);
    assertEquals(dialled, [at(0)], `failure ${failure}`);
    pool.dialFailed(at(0), failure * redialMaxMs);
  }
  assertEquals(pool.count, hearsayPeersMax - 1);
  assertEquals(pool.add([at(60_000)], "exchange"), 1);
});

Deno.test("PeerPool takes the word of who is better placed: an address told by a tracker too is hearsay no more", () => {
  const pool = new PeerPool();
  pool.add([at(1)], "exchange");
  assertEquals(pool.add([at(1)], "tracker"), 0);
  assertEquals(pool.sourceOf(at(1)), "tracker");
  pool.add([at(1)], "discovery");
  assertEquals(pool.sourceOf(at(1)), "tracker");
  pool.forgetHearsay();
  assertEquals(pool.takeDialable(0, 1), [at(1)]);
});

Deno.test("PeerPool.forgetHearsay() leaves trackers' and the user's addresses, and bans", () => {
  const pool = new PeerPool();
  pool.add([at(1)], "exchange");
  pool.add([at(2)], "discovery");
  pool.add([at(3)], "tracker");
  pool.add([at(4)], "exchange");
  pool.ban(at(4));
  pool.forgetHearsay();
  assertEquals(pool.takeDialable(0, 10), [at(3)]);
  assert(pool.isBanned(at(4)));
});

Deno.test("PeerPool forgets the oldest ban, and bans take no room from addresses", () => {
  const pool = new PeerPool();
  for (let port = 1; port <= 5 * knownPeersMax; port++) pool.ban({ host: "10.9.9.9", port });
  assertEquals(pool.isBanned({ host: "10.9.9.9", port: 1 }), false);
  assert(pool.isBanned({ host: "10.9.9.9", port: 5 * knownPeersMax - bannedMax + 1 }));
  assertEquals(pool.add(range(knownPeersMax), "tracker"), knownPeersMax);
});

Deno.test("PeerPool never dials a banned address, told before or after the ban", () => {
  const pool = poolOf(at(1), at(2));
  pool.ban(at(1));
  pool.add([at(1)], "user");
  assertEquals(pool.takeDialable(0, 10), [at(2)]);
});

Deno.test("PeerPool takes few addresses of one host from strangers: nobody has it stormed", () => {
  const pool = new PeerPool();
  const ports = Array.from({ length: 500 }, (_, port) => ({ host: "10.5.5.5", port: port + 1 }));
  assertEquals(pool.add(ports, "exchange"), hearsayPerHostMax);
  assertEquals(pool.add(ports, "tracker"), 500 - hearsayPerHostMax);
  assertEquals(pool.add(range(10), "exchange"), 10);
});

Deno.test("PeerPool takes other addresses of a host from strangers when those it had are forgotten", () => {
  const pool = new PeerPool();
  const ports = (first: number) =>
    Array.from({ length: hearsayPerHostMax }, (_, i) => ({ host: "h", port: first + i }));
  pool.add(ports(1), "exchange");
  for (let failure = 0; failure <= hearsayDialFailuresMax; failure++) {
    for (const endpoint of ports(1)) pool.dialFailed(endpoint, 0);
  }
  assertEquals(pool.add(ports(1_000), "exchange"), hearsayPerHostMax);
});

Deno.test("PeerPool dials so many addresses of strangers a second, however fast they fail", () => {
  const pool = new PeerPool();
  pool.add(range(hearsayPeersMax), "exchange");
  let count = 0;
  for (let now = 0; now < 10_000; now += 10) {
    for (const endpoint of pool.takeDialable(now, 1_000)) {
      count++;
      pool.dialFailed(endpoint, now);
    }
  }
  assertEquals(count, 10 * hearsayDialsPerSecond);
});
