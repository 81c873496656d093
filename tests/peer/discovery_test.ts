import { assert, assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import { type InfoHash, parseInfoHash } from "../../lib/ids.ts";
import { localNeighboursMax, localPacketsPerSecondMax, localPacketsPerSenderMax } from "../../lib/limits/discovery.ts";
import { Discovery } from "../../peer/discovery.ts";

const networks = [{ host: "10.0.0.5", netmask: "255.255.255.0" }, {
  host: "fd00::5",
  netmask: "ffff:ffff:ffff:ffff::",
}];
const minute = 60_000;

function hashOf(number: number): InfoHash {
  return parseInfoHash(number.toString(16).padStart(40, "0"))!;
}

const ours = hashOf(1);

/** A discovery with some torrents, and what it does as time goes by. */
class Stage {
  readonly discovery = new Discovery({ random: () => 0.5 });
  readonly sent: { at: number; infoHash: InfoHash }[] = [];
  now = 0;

  constructor(torrentCount = 1) {
    for (let number = 1; number <= torrentCount; number++) this.discovery.add(hashOf(number), 0);
  }

  /** Lets time go by, as a timer would. */
  runTo(end: number): this {
    for (;;) {
      const at = this.discovery.wakeAt(this.now);
      if (at > end) break;
      this.now = Math.max(at, this.now);
      for (const infoHash of this.discovery.due(this.now)) this.sent.push({ at: this.now, infoHash });
    }
    this.now = end;
    return this;
  }

  /** Somebody says that it has a torrent. @returns the addresses that were found */
  hear(
    host: string,
    port = 6881,
    { infoHash = ours, cookie }: { infoHash?: InfoHash; cookie?: string } = {},
  ): string[] {
    return this.discovery.hear({ port, infoHashes: [infoHash], cookie }, host, this.now)
      .map(({ infoHash, endpoint }) => `${Number(`0x${infoHash}`)} ${endpoint.host} ${endpoint.port}`);
  }

  get times(): number[] {
    return this.sent.map(({ at }) => at);
  }
}

Deno.test("Discovery announces a torrent at 0, 2 and 6 s and then every 5 minutes", () => {
  assertEquals(new Stage().runTo(11 * minute).times, [0, 2_000, 6_000, 306_000, 606_000]);
});

Deno.test("Discovery is silent without torrents, and about one that was removed", () => {
  assertEquals(new Stage(0).discovery.wakeAt(0), Infinity);
  const stage = new Stage(2).runTo(1_000);
  stage.discovery.remove(ours);
  stage.runTo(10_000);
  assertEquals(stage.sent.filter(({ infoHash }) => infoHash === ours).length, 1);
  assertEquals(stage.hear("10.0.0.9"), []);
});

Deno.test("Discovery spreads many torrents so that Transmission, which drops above 10 a second, hears all", () => {
  const stage = new Stage(100).runTo(minute);
  assertEquals(new Set(stage.sent.map(({ infoHash }) => infoHash)).size, 100);
  assertEquals(stage.sent.length, 300);
  for (const { at } of stage.sent) {
    assertLessOrEqual(stage.times.filter((other) => other >= at && other < at + 500).length, 10);
  }
  // each is out once before any is out twice
  assertEquals(new Set(stage.sent.slice(0, 16).map(({ infoHash }) => infoHash)).size, 16);
});

Deno.test("Discovery tells the address of whoever has a torrent of ours", () => {
  const stage = new Stage().runTo(10);
  assertEquals(stage.hear("10.0.0.9", 7000), ["1 10.0.0.9 7000"]);
  assertEquals(stage.hear("fd00::9", 7000), ["1 fd00::9 7000"]);
  assertEquals(stage.hear("10.0.0.9", 7000, { infoHash: hashOf(9) }), []);
});

Deno.test("Discovery knows its own packets by their cookie", () => {
  const stage = new Stage();
  assertEquals(stage.hear("10.0.0.5", 6881, { cookie: stage.discovery.cookie }), []);
  assertEquals(stage.hear("10.0.0.5", 6882, { cookie: "ffffffff" }), ["1 10.0.0.5 6882"]);
});

Deno.test("Discovery answers a newcomer soon, and others within that minute at its end", () => {
  const stage = new Stage().runTo(100_000);
  stage.hear("10.0.0.9");
  stage.runTo(101_000).hear("10.0.0.10");
  stage.runTo(240_000);
  assertEquals(stage.times, [0, 2_000, 6_000, 100_200, 160_200]);
});

Deno.test("Discovery does not answer whom it has met", () => {
  const stage = new Stage().runTo(100_000);
  stage.hear("10.0.0.9");
  for (let at = 200_000; at < 500_000; at += 50_000) stage.runTo(at).hear("10.0.0.9");
  assertEquals(stage.times, [0, 2_000, 6_000, 100_200, 400_200]);
});

Deno.test("Discovery answers between its own first packets too, which are answers themselves", () => {
  const stage = new Stage().runTo(1_000);
  stage.hear("10.0.0.9");
  stage.runTo(1_500).hear("10.0.0.10");
  stage.runTo(3_000).hear("10.0.0.11");
  assertEquals(stage.runTo(2 * minute).times, [0, 1_200, 2_000, 6_000]);
});

Deno.test("Discovery lets an announce of the schedule be the answer", () => {
  const stage = new Stage().runTo(1_900);
  stage.hear("10.0.0.9");
  assertEquals(stage.runTo(minute).times, [0, 2_000, 6_000]);
});

Deno.test("Discovery starts anew in another network", () => {
  const stage = new Stage().runTo(100_000);
  stage.hear("10.0.0.9");
  stage.discovery.restart(150_000);
  stage.runTo(160_000);
  assertEquals(stage.times.slice(3), [150_000, 152_000, 156_000]);
});

Deno.test("Discovery starts anew at most once a minute, however often networks change", () => {
  const stage = new Stage().runTo(100_000);
  for (let at = 100_000; at < 200_000; at += 1_000) {
    stage.runTo(at).discovery.restart(at);
  }
  assertEquals(stage.runTo(200_000).times.slice(3), [100_000, 102_000, 106_000, 160_000, 162_000, 166_000]);
});

Deno.test("Discovery.accepts() takes neighbours only", () => {
  const { discovery } = new Stage();
  const senders = ["10.0.0.9", "10.0.1.9", "8.8.8.8", "127.0.0.1", "fd00::9", "fd01::9", "::1"];
  assertEquals(senders.filter((sender) => discovery.accepts(sender, networks, 0)), ["10.0.0.9", "fd00::9"]);
  assertEquals(discovery.accepts("10.0.0.9", [], 0), false);
});

Deno.test("Discovery.accepts() ends a flood: so many a second of one sender, and of all", () => {
  const { discovery } = new Stage();
  const accepted = (sender: string, now: number) => {
    let count = 0;
    for (let i = 0; i < 1000; i++) if (discovery.accepts(sender, networks, now)) count++;
    return count;
  };
  assertEquals(accepted("10.0.0.9", 0), localPacketsPerSenderMax);
  let all = 0;
  for (let host = 10; host < 250; host++) all += accepted(`10.0.0.${host}`, 500);
  assertEquals(all, localPacketsPerSecondMax - localPacketsPerSenderMax);
  assertEquals(accepted("10.0.0.9", 1_000), localPacketsPerSenderMax);
});

Deno.test("Discovery.accepts() strangers' floods do not count against neighbours", () => {
  const { discovery } = new Stage();
  for (let i = 0; i < 10_000; i++) discovery.accepts("8.8.8.8", networks, 0);
  assert(discovery.accepts("10.0.0.9", networks, 0));
});

Deno.test("Discovery believes no more than some ports of one host", () => {
  const stage = new Stage();
  let found = 0;
  for (let port = 1; port < 1000; port++) found += stage.hear("10.0.0.9", port).length;
  assertEquals(found, 16);
  assertEquals(stage.hear("10.0.0.10", 1000).length, 1);
});

Deno.test("Discovery forgets ports of a host that were not heard of for long", () => {
  const stage = new Stage();
  for (let port = 1; port < 100; port++) stage.hear("10.0.0.9", port);
  stage.runTo(12 * minute);
  assertEquals(stage.hear("10.0.0.9", 5000).length, 1);
});

Deno.test("Discovery under forged senders still takes newcomers, and announces no more than once a minute", () => {
  const stage = new Stage().runTo(100_000);
  const begunAt = stage.now;
  for (let number = 0; number < 3 * localNeighboursMax; number++) {
    stage.hear(`10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`, 1 + number);
    stage.runTo(stage.now + 50);
  }
  assertEquals(stage.hear("10.9.9.9").length, 1);
  const minutes = (stage.now - begunAt) / minute;
  assertLess(stage.sent.filter(({ at }) => at > begunAt).length, minutes + 2);
});
