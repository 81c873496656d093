import { assert, assertEquals } from "@std/assert";
import type { AnnounceReply } from "../../lib/announce/request.ts";
import { bytesFromLatin1 } from "../../lib/bytes.ts";
import { parseInfoHash, peerIdFromBytes } from "../../lib/ids.ts";
import { type AnnounceCall, Announcer, type AnnouncerOptions } from "../../peer/announcer.ts";
import { seededRandom } from "../lib/mutations.ts";

const options: AnnouncerOptions = {
  tiers: [["http://a/announce"]],
  infoHash: parseInfoHash("ab".repeat(20))!,
  peerId: peerIdFromBytes(bytesFromLatin1("-LB0100-abcdefghijkl")),
  port: 6881,
  random: seededRandom(1),
  isComplete: false,
};

/** An announcer, the moment, and what it tells of us. */
class Client {
  readonly announcer: Announcer;
  now = 0;
  left = 100;
  wantsPeers = false;

  constructor(change: Partial<AnnouncerOptions> = {}) {
    this.announcer = new Announcer({ ...options, ...change });
  }

  due(): AnnounceCall[] {
    const { left, wantsPeers } = this;
    return this.announcer.due(this.now, { uploaded: 1, downloaded: 2, left, wantsPeers });
  }

  /** The only call that is due now. */
  call(): AnnounceCall {
    const calls = this.due();
    assertEquals(calls.length, 1, `at ${this.now}: ${JSON.stringify(calls.map(({ url }) => url))}`);
    return calls[0];
  }

  reply(call: AnnounceCall, change: Partial<AnnounceReply> = {}): void {
    const reply: AnnounceReply = {
      intervalMs: 60_000,
      minIntervalMs: undefined,
      complete: 1,
      incomplete: 2,
      peers: [],
      ...change,
    };
    this.announcer.replied(call.id, reply, this.now);
  }

  fail(call: AnnounceCall, retryInMs?: number): void {
    this.announcer.failed(call.id, "connection refused", this.now, retryInMs);
  }

  /** Moves on to the moment at which something is due. */
  skip(): number {
    this.now = this.announcer.nextDueAt();
    return this.now;
  }

  stop(): AnnounceCall[] {
    return this.announcer.stop(this.now, { uploaded: 1, downloaded: 2, left: this.left });
  }
}

const events = (calls: AnnounceCall[]) =>
  calls.map(({ url, request }) => `${new URL(url).host} ${request.event ?? "-"}`);

Deno.test("Announcer says started first, then nothing special at each interval", () => {
  const client = new Client();
  const first = client.call();
  assertEquals(first.url, "http://a/announce");
  const { key: _key, ...request } = first.request;
  assertEquals(request, {
    infoHash: options.infoHash,
    peerId: options.peerId,
    port: 6881,
    uploaded: 1,
    downloaded: 2,
    left: 100,
    event: "started",
    numWant: 50,
    compact: true,
  });
  assertEquals(client.announcer.nextDueAt(), Infinity);
  assertEquals(client.due(), []);
  client.reply(first);
  assertEquals(client.skip(), 60_000);
  assertEquals(events(client.due()), ["a -"]);
});

Deno.test("Announcer keeps one key and sends the tracker id back", () => {
  const client = new Client();
  const first = client.call();
  client.reply(first, { trackerId: "x\xff" });
  client.skip();
  const second = client.call();
  assertEquals([second.request.key, second.request.trackerId], [first.request.key, "x\xff"]);
  client.reply(second);
  client.skip();
  assertEquals(client.call().request.trackerId, "x\xff");
});

Deno.test("Announcer says started again until a tracker has answered it", () => {
  const client = new Client();
  client.fail(client.call());
  client.skip();
  assertEquals(client.call().request.event, "started");
});

Deno.test("Announcer backs off from a failing tracker: 5 s doubled up to 5 min", () => {
  const client = new Client();
  const waits = Array.from({ length: 9 }, () => {
    client.fail(client.call());
    const before = client.now;
    return (client.skip() - before) / 1000;
  });
  assertEquals(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
  client.reply(client.call());
  client.skip();
  client.fail(client.call());
  assertEquals(client.announcer.nextDueAt() - client.now, 5000);
});

Deno.test("Announcer asks a silent UDP tracker again 15 s · 2^n after each time that it asked, as BEP 15 has it", () => {
  const client = new Client({ tiers: [["udp://a:6969/announce"]] });
  const gaps: number[] = [];
  let askedAt = client.now;
  let call = client.call();
  for (let i = 0; i < 7; i++) {
    client.now += 15_000; // nothing came
    client.fail(call);
    gaps.push((client.skip() - askedAt) / 1000);
    askedAt = client.now;
    call = client.call();
  }
  // never sooner than 5 s after the failure, and never later than 5 min
  assertEquals(gaps, [20, 30, 60, 120, 240, 315, 315]);
});

Deno.test("Announcer leaves a tracker alone for as long as it says", () => {
  const client = new Client();
  client.fail(client.call(), 600_000);
  assertEquals(client.skip(), 600_000);
  client.fail(client.call(), Infinity);
  assertEquals(client.announcer.nextDueAt(), Infinity);
});

Deno.test("Announcer tries the trackers of a tier in turn, at once, and then the one that works first", () => {
  const client = new Client({ tiers: [["http://a/", "http://b/", "http://c/"]], random: () => 0.999 });
  const tried: string[] = [];
  for (const outcome of ["fail", "fail", "reply"] as const) {
    const call = client.call();
    tried.push(call.url);
    client[outcome](call);
  }
  assertEquals(tried, ["http://a/", "http://b/", "http://c/"]);
  client.skip();
  const call = client.call();
  assertEquals([call.url, call.request.event], ["http://c/", undefined]);
  assertEquals(client.announcer.status[0].url, "http://c/");
});

Deno.test("Announcer shuffles within a tier, never across tiers", () => {
  const tiers = [["http://a/", "http://b/", "http://c/", "http://d/"], ["http://e/"]];
  const orders = new Set<string>();
  for (let seed = 0; seed < 50; seed++) {
    const client = new Client({ tiers, random: seededRandom(seed) });
    const [first, second] = client.due();
    assertEquals(second.url, "http://e/");
    client.fail(first);
    client.fail(second);
    orders.add(`${first.url} ${client.call().url}`);
  }
  assert(orders.size >= 10, [...orders].join());
});

Deno.test("Announcer asks every tier, each by its own clock", () => {
  const client = new Client({ tiers: [["http://a/"], ["http://b/"]] });
  const [a, b] = client.due();
  assertEquals(events([a, b]), ["a started", "b started"]);
  client.reply(a, { intervalMs: 30_000 });
  client.fail(b);
  assertEquals(client.skip(), 5000);
  assertEquals(events(client.due()), ["b started"]);
  assertEquals(client.skip(), 30_000);
  assertEquals(events(client.due()), ["a -"]);
});

Deno.test("Announcer asks a tracker that is named twice once", () => {
  const client = new Client({ tiers: [["http://a/", "http://a/"], [], ["http://a/"]] });
  assertEquals(client.due().length, 1);
});

Deno.test("Announcer says completed once, at once", () => {
  const client = new Client();
  client.reply(client.call());
  client.now = 1000;
  client.left = 0;
  client.announcer.completed(client.now);
  assertEquals(client.announcer.nextDueAt(), 1000);
  const call = client.call();
  assertEquals([call.request.event, call.request.left], ["completed", 0]);
  client.reply(call);
  client.announcer.completed(client.now);
  client.skip();
  assertEquals(client.call().request.event, undefined);
});

Deno.test("Announcer says completed after a started that was still on its way", () => {
  const client = new Client();
  const started = client.call();
  client.left = 0;
  client.announcer.completed(0);
  assertEquals(client.due(), []);
  client.reply(started);
  assertEquals(events(client.due()), ["a completed"]);
});

Deno.test("Announcer says completed again when that did not arrive", () => {
  const client = new Client();
  client.reply(client.call());
  client.announcer.completed(0);
  client.fail(client.call());
  client.skip();
  assertEquals(client.call().request.event, "completed");
});

Deno.test("Announcer never says completed when it started complete, or the tracker never knew of the download", () => {
  const seed = new Client({ isComplete: true });
  seed.left = 0;
  seed.reply(seed.call());
  seed.announcer.completed(0);
  assertEquals(seed.announcer.nextDueAt(), 60_000);

  const late = new Client();
  late.fail(late.call());
  late.left = 0;
  late.announcer.completed(0);
  late.skip();
  const call = late.call();
  assertEquals([call.request.event, call.request.left], ["started", 0]);
  late.reply(call);
  assertEquals(events(late.due()), []);
});

Deno.test("Announcer says stopped to the trackers that know it, and nothing after", () => {
  const client = new Client({ tiers: [["http://a/"], ["http://b/"], ["http://c/"]] });
  const [a, b, c] = client.due();
  client.reply(a);
  client.fail(b);
  const calls = client.stop();
  assertEquals(events(calls), ["a stopped"]);
  assertEquals(calls[0].request.numWant, 0);
  client.reply(c);
  client.reply(calls[0]);
  client.now = 1e9;
  assertEquals([client.due(), client.announcer.nextDueAt(), client.stop()], [[], Infinity, []]);
});

Deno.test("Announcer comes early when peers are wanted, each time later, but not before the minimum", () => {
  const client = new Client();
  client.wantsPeers = true;
  const started = client.call();
  assertEquals(started.request.numWant, 200);
  client.reply(started, { intervalMs: 600_000, minIntervalMs: 15_000 });
  const waits = Array.from({ length: 6 }, () => {
    const before = client.now;
    const wait = (client.skip() - before) / 1000;
    client.reply(client.call(), { intervalMs: 600_000, minIntervalMs: 15_000 });
    return wait;
  });
  assertEquals(waits, [15, 30, 60, 120, 240, 480]);
});

Deno.test("Announcer comes early no sooner than after 10 s, and never later than the interval", () => {
  const client = new Client();
  client.wantsPeers = true;
  client.reply(client.call(), { intervalMs: 15_000 });
  assertEquals(client.skip(), 10_000);
  client.reply(client.call(), { intervalMs: 15_000 });
  assertEquals(client.skip(), 25_000);
});

Deno.test("Announcer waits for the interval when peers are not wanted", () => {
  const client = new Client();
  client.reply(client.call(), { intervalMs: 600_000 });
  client.now = 599_999;
  assertEquals(client.due(), []);
  client.wantsPeers = true;
  assertEquals(client.due().length, 1);
});

Deno.test("Announcer tells how each tier fares", () => {
  const client = new Client({ tiers: [["http://a/"], ["http://b/"]] });
  const [a, b] = client.due();
  client.reply(a, { warning: "soon full" });
  client.fail(b);
  assertEquals(client.announcer.status, [
    { url: "http://a/", nextAt: 60_000, warning: "soon full", seeders: 1, leechers: 2 },
    { url: "http://b/", nextAt: 5000, lastError: "connection refused" },
  ]);
});

Deno.test("Announcer without trackers is never due", () => {
  const client = new Client({ tiers: [] });
  assertEquals([client.due(), client.announcer.nextDueAt(), client.stop()], [[], Infinity, []]);
});
