import { assert, assertEquals } from "@std/assert";
import type { DnsMessage, DnsRecord } from "../../lib/dns_message.ts";
import { parseInfoHash } from "../../lib/ids.ts";
import { allServices, serviceType, type ShareService } from "../../lib/share_service.ts";
import { ShareResponder } from "../../peer/share_responder.ts";
import { seededRandom } from "../lib/mutations.ts";

const hosts = ["10.0.0.1", "fd00::1"];
const none = { id: 0, isResponse: false, questions: [], answers: [], authorities: [], additionals: [] } as const;
const query = (name: string, type = "PTR"): DnsMessage => ({ ...none, questions: [{ name, type }] });

function shareOf(name: string): ShareService {
  const infoHash = parseInfoHash("ab".repeat(20))!;
  return { name, hostName: "laptop", infoHash, totalLength: 5, fileCount: 1, peerPort: 6881, index: 0 };
}

/** A responder whose clock jumps from one thing to do to the next. */
class Stage {
  readonly responder: ShareResponder;
  now = 1_000;

  constructor(names: readonly string[] = ["holiday"], hostId = "aaaaaaaa") {
    const shares = names.map(shareOf);
    this.responder = new ShareResponder({ shares, port: 6969, hostId, now: this.now, random: seededRandom(1) });
  }

  /** All that is sent until there is nothing more to do, or until this moment. */
  run(until = Infinity): DnsMessage[] {
    const sent: DnsMessage[] = [];
    while (this.responder.wakeAt <= until && this.responder.wakeAt < Infinity) {
      this.now = this.responder.wakeAt;
      sent.push(...this.responder.tick(this.now).map((message) => message(hosts)));
    }
    if (until !== Infinity) this.now = until;
    return sent;
  }

  /** The same, behind the probes and announcements. */
  static settled(names?: readonly string[]): Stage {
    const stage = new Stage(names);
    stage.run();
    stage.now += 10_000;
    return stage;
  }

  hear(message: DnsMessage): void {
    this.responder.hear(message, this.now);
  }
}

const placeOf = (message: DnsMessage) =>
  [...message.answers, ...message.additionals].find(({ type }) => type === "SRV");
const typesOf = (records: readonly DnsRecord[]) => records.map(({ type }) => type);

Deno.test("ShareResponder asks three times for its name, a quarter of a second apart, then announces twice", () => {
  const stage = new Stage();
  const times: number[] = [];
  const sent: DnsMessage[] = [];
  while (stage.responder.wakeAt < Infinity) {
    times.push(stage.responder.wakeAt);
    sent.push(...stage.responder.tick(stage.responder.wakeAt).map((message) => message(hosts)));
  }
  assertEquals(sent.map(({ isResponse }) => isResponse), [false, false, false, true, true]);
  assertEquals(times.slice(1).map((time, i) => Math.round(time - times[i])), [250, 250, 250, 1000]);
  const [probe, , , announcement] = sent;
  assertEquals(probe.questions, [{ name: "holiday on laptop._localbt._tcp.local", type: "ANY" }]);
  assertEquals(typesOf(probe.authorities), ["SRV"]);
  assertEquals(typesOf(announcement.answers), ["PTR"]);
  assertEquals(typesOf(announcement.additionals), ["SRV", "TXT", "A", "AAAA"]);
});

Deno.test("ShareResponder answers who browses, within 20 to 100 ms, and for all that ask meanwhile once", () => {
  const stage = Stage.settled(["holiday", "exams"]);
  const asked = stage.now;
  for (let i = 0; i < 500; i++) stage.hear(query(serviceType));
  const sent = stage.run();
  assertEquals(sent.length, 2);
  assert(stage.now - asked >= 20 && stage.now - asked <= 100, `${stage.now - asked} ms`);
});

Deno.test("ShareResponder repeats no record within a second, whoever asks how often", () => {
  const stage = Stage.settled();
  let count = 0;
  const start = stage.now;
  for (; stage.now < start + 10_000; stage.now += 10) {
    stage.hear(query(serviceType));
    while (stage.responder.wakeAt <= stage.now) count += stage.responder.tick(stage.now).length;
  }
  assert(count >= 8 && count <= 11, `${count} answers in 10 s`);
});

Deno.test("ShareResponder is silent to who knows its answer, for what is not its own, and to answers", () => {
  const stage = Stage.settled();
  const known = (ttl: number): DnsMessage => ({
    ...query(serviceType),
    answers: [{
      type: "PTR",
      name: serviceType,
      ttl,
      isUnique: false,
      target: "Holiday on laptop._localbt._tcp.local",
    }],
  });
  stage.hear(known(100));
  stage.hear(query("_http._tcp.local"));
  stage.hear(query("other on laptop._localbt._tcp.local", "SRV"));
  stage.hear({ ...query(serviceType), isResponse: true });
  assertEquals(stage.responder.wakeAt, Infinity);
  stage.hear(known(10)); // for too short a time
  assert(stage.responder.wakeAt < Infinity);
});

Deno.test("ShareResponder answers for its place, its text, its machine and the list of all types", () => {
  for (
    const [name, type] of [
      ["HOLIDAY on laptop._localbt._tcp.local", "SRV"],
      ["holiday on laptop._localbt._tcp.local", "TXT"],
      ["localbt-aaaaaaaa.local", "A"],
      ["localbt-aaaaaaaa.local", "AAAA"],
    ]
  ) {
    const stage = Stage.settled();
    stage.hear(query(name.toLowerCase(), type));
    assertEquals(stage.run().length, 1, `${name} ${type}`);
  }
  const stage = Stage.settled();
  stage.hear(query(allServices));
  assertEquals(stage.run().flatMap(({ answers }) => answers.map((record) => record.type === "PTR" && record.target)), [
    serviceType,
  ]);
});

Deno.test("ShareResponder takes the next name when another has its own, and asks again", () => {
  const stage = Stage.settled();
  const [before] = stage.responder.instanceNames;
  stage.hear({
    ...none,
    isResponse: true,
    answers: [{ type: "SRV", name: before, ttl: 120, isUnique: true, target: "other.local", port: 6969 }],
  });
  assertEquals(stage.responder.instanceNames, ["holiday on laptop (2)._localbt._tcp.local"]);
  assertEquals(stage.run().map(({ isResponse }) => isResponse), [false, false, false, true, true]);
});

Deno.test("ShareResponder keeps its name when it hears its own packets", () => {
  const stage = new Stage();
  const sent = stage.run();
  for (const message of sent) stage.hear(message);
  assertEquals(stage.responder.instanceNames, ["holiday on laptop._localbt._tcp.local"]);
  assertEquals(stage.responder.wakeAt, Infinity);
});

Deno.test("ShareResponder slows down when somebody disputes every name", () => {
  const stage = Stage.settled();
  let sentCount = 0;
  const end = stage.now + 60_000;
  while (stage.now < end) {
    const name = stage.responder.instanceNames[0];
    stage.hear({
      ...none,
      isResponse: true,
      answers: [{ type: "SRV", name, ttl: 120, isUnique: true, target: "evil.local", port: 1 }],
    });
    stage.now += 100;
    while (stage.responder.wakeAt <= stage.now) sentCount += stage.responder.tick(stage.now).length;
  }
  assert(sentCount < 60, `${sentCount} packets`);
});

Deno.test("two ShareResponders that want one name at one time end with two names", () => {
  const stages = [new Stage(["holiday"], "aaaaaaaa"), new Stage(["holiday"], "bbbbbbbb")];
  for (let now = 1_000; now < 20_000; now += 5) {
    for (const stage of stages) {
      stage.now = now;
      if (stage.responder.wakeAt > now) continue;
      const sent = stage.responder.tick(now).map((message) => message(hosts));
      for (const other of stages) for (const message of sent) other.responder.hear(message, now);
    }
  }
  const names = stages.map(({ responder }) => responder.instanceNames[0]);
  assertEquals(names.sort(), [
    "holiday on laptop (2)._localbt._tcp.local",
    "holiday on laptop._localbt._tcp.local",
  ]);
});

Deno.test("ShareResponder answers who asks from another port by himself, with his id, and ten times a second at most", () => {
  const stage = Stage.settled();
  const asked = { ...query(serviceType), id: 4711 };
  const answer = stage.responder.answerAlone(asked, { port: 40_000 }, stage.now)!(hosts);
  assertEquals([answer.id, answer.questions], [4711, asked.questions]);
  for (const record of [...answer.answers, ...answer.additionals]) {
    assertEquals([record.ttl, record.isUnique], [10, false]);
  }
  assertEquals(stage.responder.answerAlone(asked, { port: 5353 }, stage.now), undefined);
  assertEquals(stage.responder.answerAlone(query("x.local", "A"), { port: 40_000 }, stage.now), undefined);
  const count = (now: number) => {
    let count = 0;
    for (let i = 0; i < 1000; i++) if (stage.responder.answerAlone(asked, { port: 40_000 }, now)) count++;
    return count;
  };
  assertEquals([count(stage.now), count(stage.now + 1_000)], [9, 10]);
});

Deno.test("ShareResponder.goodbye() takes every record back, and nothing that was never said", () => {
  assertEquals(new Stage().responder.goodbye(), []);
  const [message] = Stage.settled().responder.goodbye().map((message) => message(hosts));
  assertEquals(typesOf(message.answers), ["PTR", "SRV", "TXT", "A", "AAAA"]);
  assert(message.answers.every(({ ttl }) => ttl === 0));
  assertEquals(placeOf(message)?.name, "holiday on laptop._localbt._tcp.local");
});
