import { assert, assertEquals } from "@std/assert";
import type { DnsMessage, DnsRecord } from "../../lib/dns_message.ts";
import { type InfoHash, parseInfoHash } from "../../lib/ids.ts";
import { encodeShareText, serviceType } from "../../lib/share_service.ts";
import { ShareBrowser } from "../../peer/share_browser.ts";

interface Said {
  readonly name?: string;
  readonly hostName?: string;
  readonly host?: string;
  readonly instance?: string;
  readonly infoHash?: InfoHash | undefined;
  readonly ttl?: number;
}

const hash = (digits: string) => parseInfoHash(digits.repeat(20))!;

/** What a share tells of itself. */
function announcement(said: Said = {}): DnsMessage {
  const { name = "holiday", hostName = "laptop", host = "10.0.0.1", ttl = 120 } = said;
  const infoHash = "infoHash" in said ? said.infoHash : hash("ab");
  const instance = `${said.instance ?? `${name} on ${hostName}`}.${serviceType}`;
  const target = `${hostName}.local`;
  const entries = encodeShareText({ name, hostName, infoHash, totalLength: 5, fileCount: 1, peerPort: 6881, index: 0 });
  const additionals: DnsRecord[] = [
    { name: instance.toLowerCase(), type: "SRV", ttl, isUnique: true, target, port: 6969 },
    { name: instance.toLowerCase(), type: "TXT", ttl, isUnique: true, entries },
    { name: target, type: "A", ttl, isUnique: true, host },
  ];
  const answers: DnsRecord[] = [{ name: serviceType, type: "PTR", ttl, isUnique: false, target: instance }];
  return { id: 0, isResponse: true, questions: [], answers, authorities: [], additionals };
}

function browserOf(...messages: DnsMessage[]): ShareBrowser {
  const browser = new ShareBrowser();
  for (const message of messages) browser.hear(message, 0);
  return browser;
}

Deno.test("ShareBrowser finds a share with all that it tells", () => {
  assertEquals(browserOf(announcement()).shares(0), [{
    name: "holiday",
    infoHash: hash("ab"),
    totalLength: 5,
    fileCount: 1,
    sources: [{ hostName: "laptop", hosts: ["10.0.0.1"], port: 6969, peerPort: 6881, index: 0 }],
  }]);
});

Deno.test("ShareBrowser knows one share of two machines by its info hash, and two of one name apart", () => {
  const same = browserOf(announcement(), announcement({ hostName: "tower", host: "10.0.0.2" })).shares(0);
  assertEquals(same.map(({ sources }) => sources.map(({ hostName }) => hostName)), [["laptop", "tower"]]);
  const others = announcement({ hostName: "tower", host: "10.0.0.2", infoHash: hash("cd") });
  assertEquals(browserOf(announcement(), others).shares(0).length, 2);
  const pinned = [announcement({ infoHash: undefined }), announcement({ infoHash: undefined, hostName: "tower" })];
  assertEquals(browserOf(...pinned).shares(0).length, 2);
});

Deno.test("ShareBrowser gathers the addresses of a machine, eight at most", () => {
  const messages = Array.from({ length: 50 }, (_, i) => announcement({ host: `10.0.0.${i + 1}` }));
  assertEquals(browserOf(...messages).shares(0)[0].sources[0].hosts.length, 8);
});

Deno.test("ShareBrowser forgets what is taken back, and what nobody has said for two minutes", () => {
  const browser = browserOf(announcement());
  assertEquals(browser.shares(119_999).length, 1);
  assertEquals(browser.shares(120_000).length, 0);
  const long = browserOf(announcement({ ttl: 4500 }));
  assertEquals(long.shares(120_000).length, 0);
  browser.hear(announcement(), 130_000);
  assertEquals(browser.shares(130_000).length, 1);
  browser.hear(announcement({ ttl: 0 }), 130_001);
  assertEquals(browser.shares(130_001).length, 0);
});

Deno.test("ShareBrowser shows nothing of what is incomplete, of another service, or asked", () => {
  const whole = announcement();
  for (const type of ["PTR", "SRV", "TXT", "A"]) {
    const without = (records: readonly DnsRecord[]) => records.filter((record) => record.type !== type);
    const part = { ...whole, answers: without(whole.answers), additionals: without(whole.additionals) };
    assertEquals(browserOf(part).shares(0), [], `without ${type}`);
  }
  assertEquals(browserOf({ ...whole, isResponse: false }).shares(0), []);
  const answers = whole.answers.map((record) => ({ ...record, name: "_http._tcp.local" }));
  assertEquals(browserOf({ ...whole, answers }).shares(0), []);
});

Deno.test("ShareBrowser keeps no more than its bound of a flood, and what it knew before", () => {
  const browser = browserOf(announcement());
  const start = performance.now();
  for (let i = 0; i < 20_000; i++) {
    browser.hear(
      announcement({ name: `x${i}`, hostName: `h${i}`, infoHash: hash((i % 256).toString(16).padStart(2, "0")) }),
      1,
    );
  }
  assert(performance.now() - start < 20_000);
  const shares = browser.shares(1);
  assert(shares.length <= 256);
  assert(shares.some(({ name }) => name === "holiday"));
  browser.hear(announcement({ name: "late", infoHash: hash("ef"), hostName: "late" }), 130_000);
  assertEquals(browser.shares(130_000).map(({ name }) => name), ["late"]);
});

Deno.test("ShareBrowser asks for the service, in one question", () => {
  assertEquals(new ShareBrowser().query().questions, [{ name: serviceType, type: "PTR" }]);
});
