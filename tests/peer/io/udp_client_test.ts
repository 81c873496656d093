import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type AnnounceRequest, TrackerFailure } from "../../../lib/announce/request.ts";
import {
  decodeAnnounceRequest,
  decodeUrlData,
  isConnectRequest,
  requestAction,
  requestTransactionId,
  udpAction,
} from "../../../lib/announce/udp_request.ts";
import { type Bytes, bytesFromLatin1, concatBytes, formatHex, parseHex, writeUint32 } from "../../../lib/bytes.ts";
import { encodeCompact, formatEndpoint } from "../../../lib/endpoint.ts";
import { ProtocolError, UserError } from "../../../lib/errors.ts";
import { parseInfoHash, peerIdFromBytes } from "../../../lib/ids.ts";
import type { Network } from "../../../lib/io/network.ts";
import { AnnounceClient } from "../../../peer/io/announce_client.ts";
import { UdpClient } from "../../../peer/io/udp_client.ts";
import { TrackerServer } from "../../../tracker/io/http_listener.ts";
import { seededRandom } from "../../lib/mutations.ts";

const network: Network = {
  listen: (options) => Deno.listen(options),
  connect: ({ hostname, port }) => Deno.connect({ hostname, port }),
  listenDatagram: (options) => Deno.listenDatagram({ ...options, transport: "udp" }),
  interfaces: () => [],
};
const request: AnnounceRequest = {
  infoHash: parseInfoHash("ab".repeat(20))!,
  peerId: peerIdFromBytes(bytesFromLatin1("-LB0100-abcdefghijkl")),
  port: 6881,
  uploaded: 0,
  downloaded: 0,
  left: 1,
  event: "started",
  numWant: 50,
  key: 1,
  compact: true,
};
const never = new AbortController().signal;
const hex = (digits: string): Bytes => parseHex(digits.replaceAll(" ", ""))!;

function numbers(...values: number[]): Bytes {
  const bytes = new Uint8Array(4 * values.length);
  values.forEach((value, i) => writeUint32(bytes, 4 * i, value));
  return bytes;
}

/** What a tracker says to a packet; nothing where it is silent. */
type Answer = (packet: Uint8Array, from: Deno.NetAddr) => Bytes | undefined;

const connectionId = hex("0123456789abcdef");
const peers = encodeCompact({ host: "10.0.0.2", port: 6881 });
const connected: Answer = (packet) => concatBytes([numbers(0, requestTransactionId(packet)), connectionId]);
const announced: Answer = (packet) => concatBytes([numbers(1, requestTransactionId(packet), 60, 2, 1), peers]);
const friendly: Answer = (packet, from) => (isConnectRequest(packet) ? connected : announced)(packet, from);
const refusing: Answer = (packet) =>
  concatBytes([numbers(3, requestTransactionId(packet)), bytesFromLatin1("not today")]);

/** A UDP tracker that does what it is told, and remembers what it was asked. */
class RawTracker implements AsyncDisposable {
  readonly socket: Deno.DatagramConn;
  readonly packets: Uint8Array[] = [];
  readonly askers: string[] = [];
  readonly #serving: Promise<void>;

  constructor(answer: Answer, { hostname = "127.0.0.1", port = 0 } = {}) {
    this.socket = Deno.listenDatagram({ transport: "udp", hostname, port });
    this.#serving = this.#serve(answer);
  }

  get port(): number {
    return (this.socket.addr as Deno.NetAddr).port;
  }

  get url(): string {
    return `udp://127.0.0.1:${this.port}/announce`;
  }

  get kinds(): string {
    return this.packets.map((packet) => "cas"[requestAction(packet)]).join("");
  }

  async #serve(answer: Answer): Promise<void> {
    for await (const [packet, from] of this.socket) {
      this.packets.push(packet);
      this.askers.push((from as Deno.NetAddr).hostname);
      const reply = answer(packet, from as Deno.NetAddr);
      if (reply !== undefined) await this.socket.send(reply, from);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.close();
    await this.#serving;
  }
}

type ClientOptions = ConstructorParameters<typeof UdpClient>[0];

/** A client that goes with the test. */
class TestClient extends UdpClient implements Disposable {
  constructor(options: Partial<ClientOptions> = {}) {
    super({ network, now: () => 0, resolve: () => Promise.reject(new Error("not looked up")), ...options });
  }

  ask(url: string, timeoutMs = 10_000) {
    return this.announce({ url, request }, { signal: never, timeoutMs });
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

Deno.test("UdpClient.announce() connects, announces and decodes the answer", async () => {
  await using tracker = new RawTracker(friendly);
  using client = new TestClient();
  assertEquals(await client.ask(`${tracker.url}?passkey=secret`), {
    intervalMs: 60_000,
    minIntervalMs: undefined,
    complete: 1,
    incomplete: 2,
    peers: [{ host: "10.0.0.2", port: 6881 }],
  });
  assertEquals(tracker.kinds, "ca");
  const [, packet] = tracker.packets;
  assertEquals(formatHex(packet.subarray(0, 8)), formatHex(connectionId));
  assertEquals(decodeAnnounceRequest(packet), request);
  assertEquals(decodeUrlData(packet), "/announce?passkey=secret");
});

Deno.test("UdpClient uses an id for a minute, for all that it asks of a tracker", async () => {
  let now = 0;
  await using tracker = new RawTracker(friendly);
  using client = new TestClient({ now: () => now });
  for (now of [0, 59_999, 60_000, 60_001]) await client.ask(tracker.url);
  assertEquals(tracker.kinds, "caacaa");
});

Deno.test("UdpClient takes no answer that is not the tracker's, or to another question", async () => {
  await using stranger = new RawTracker(() => undefined);
  await using tracker = new RawTracker((packet, from) => {
    const forged = concatBytes([
      announced(packet, from)!.subarray(0, 20),
      encodeCompact({ host: "10.6.6.6", port: 6 }),
    ]);
    const evil = isConnectRequest(packet)
      ? concatBytes([numbers(0, requestTransactionId(packet)), hex("66".repeat(8))])
      : forged;
    void stranger.socket.send(evil, from);
    const other = friendly(packet, from)!;
    other[7] ^= 1;
    void tracker.socket.send(other, from);
    void tracker.socket.send(other.subarray(0, 7), from);
    return friendly(packet, from);
  });
  using client = new TestClient();
  for (let i = 0; i < 5; i++) {
    assertEquals((await client.ask(tracker.url)).peers.map(formatEndpoint), ["10.0.0.2:6881"]);
  }
  assertEquals(formatHex(tracker.packets[1].subarray(0, 8)), formatHex(connectionId));
});

Deno.test("UdpClient gives up on a tracker that is silent, to a connect or to an announce", async () => {
  for (
    const answer of [
      () => undefined,
      (packet, from) => isConnectRequest(packet) ? connected(packet, from) : undefined,
    ] satisfies Answer[]
  ) {
    await using tracker = new RawTracker(answer);
    using client = new TestClient();
    const error = await assertRejects(() => client.ask(`${tracker.url}?secret`, 100), UserError, "it gives no answer");
    assertStringIncludes(error.message, `udp://127.0.0.1:${tracker.port}/announce:`);
  }
});

Deno.test("UdpClient asks each question once: when to ask again is the announcer's business", async () => {
  await using tracker = new RawTracker(() => undefined);
  using client = new TestClient();
  await assertRejects(() => client.ask(tracker.url, 300), UserError);
  assertEquals(tracker.kinds, "c");
});

Deno.test("UdpClient.announce() says a refusal in the tracker's words", async () => {
  await using tracker = new RawTracker(refusing);
  using client = new TestClient();
  await assertRejects(() => client.ask(tracker.url), TrackerFailure, "not today");
});

Deno.test("UdpClient gets a new id where the tracker has forgotten the old one, and does so once", async () => {
  let isForgetful = false;
  await using tracker = new RawTracker((packet, from) => {
    if (isConnectRequest(packet)) return connected(packet, from);
    return isForgetful ? refusing(packet, from) : announced(packet, from);
  });
  using client = new TestClient();
  await client.ask(tracker.url);
  isForgetful = true;
  await assertRejects(() => client.ask(tracker.url), TrackerFailure, "not today");
  assertEquals(tracker.kinds, "caaca");
});

Deno.test("UdpClient.announce() refuses an answer that is none", async () => {
  await using tracker = new RawTracker((packet) =>
    concatBytes([numbers(9, requestTransactionId(packet)), connectionId])
  );
  using client = new TestClient();
  await assertRejects(() => client.ask(tracker.url), ProtocolError, "the answer is not a tracker's");
});

Deno.test("UdpClient asks the next address of a name when one is silent", async () => {
  await using tracker = new RawTracker(friendly);
  using client = new TestClient({ resolve: () => Promise.resolve(["127.0.0.9", "127.0.0.1"]) });
  const url = `udp://tracker.example:${tracker.port}`;
  await assertRejects(() => client.ask(url, 100), UserError, "it gives no answer");
  assertEquals((await client.ask(url)).peers.length, 1);
  assertEquals((await client.ask(url)).peers.length, 1);
});

Deno.test("UdpClient says why a tracker cannot be asked, without the passkey", async () => {
  const table: [url: string, why: string][] = [
    ["udp://127.0.0.1/secret", "its address names no port"],
    ["udp://127.0.0.1:0/secret", "its address names no port"],
    ["udp://nosuch.invalid:6969/secret", "there is no such host"],
    ["udp://239.192.152.143:6771/secret", "its address cannot be reached from here"],
    ["udp://255.255.255.255:6969/secret", "its address cannot be reached from here"],
    ["udp://0.0.0.0:6969/secret", "its address cannot be reached from here"],
    ["udp://[ff15::efc0:988f]:6771/secret", "its address cannot be reached from here"],
    ["udp://[::]:6771/secret", "its address cannot be reached from here"],
    ["udp://exa mple:6771/secret", "its address is not a valid one"],
  ];
  using client = new AnnounceClientOfTest();
  for (const [url, why] of table) {
    const error = await assertRejects(() => client.announce({ url, request }, { signal: never }), UserError, why, url);
    assert(!error.message.includes("secret"), error.message);
  }
});

Deno.test("UdpClient ends with the reason of its signal, also while a name is looked up", async () => {
  for (const url of ["udp://127.0.0.1:9/", "udp://tracker.example:9/"]) {
    const controller = new AbortController();
    using client = new TestClient({ resolve: () => new Promise(() => {}) });
    const asking = client.announce({ url, request }, { signal: controller.signal });
    controller.abort("SIGINT");
    assertEquals(await asking.catch((reason) => reason), "SIGINT");
    assertEquals(
      await client.announce({ url, request }, { signal: controller.signal }).catch((reason) => reason),
      "SIGINT",
    );
  }
});

Deno.test("UdpClient.close() ends what waits", async () => {
  await using tracker = new RawTracker(() => undefined);
  const client = new TestClient();
  const asking = client.ask(tracker.url);
  client.close();
  await assertRejects(() => asking, UserError, "it closed the connection");
});

Deno.test("UdpClient asks from the address that it was given", async () => {
  await using tracker = new RawTracker(friendly);
  using client = new TestClient({ host: "127.0.0.7" });
  await client.ask(tracker.url);
  assertEquals(tracker.askers, ["127.0.0.7", "127.0.0.7"]);
  await assertRejects(() => client.ask("udp://[::1]:6969"), UserError, "its address cannot be reached from here");
});

Deno.test("UdpClient asks many questions at once over one socket", async () => {
  const ports = new Set<number>();
  await using tracker = new RawTracker((packet, from) => {
    ports.add(from.port);
    return friendly(packet, from);
  });
  using client = new TestClient();
  await Promise.all(Array.from({ length: 50 }, () => client.ask(tracker.url)));
  assertEquals(ports.size, 1);
});

Deno.test("UdpClient.scrape() decodes the counters in the order that was asked", async () => {
  await using tracker = new RawTracker((packet, from) => {
    if (requestAction(packet) !== udpAction.scrape) return connected(packet, from);
    return numbers(2, requestTransactionId(packet), 1, 3, 2, 4, 6, 5);
  });
  using client = new TestClient();
  const infoHashes = [request.infoHash, parseInfoHash("cd".repeat(20))!];
  assertEquals(await client.scrape({ url: tracker.url, infoHashes }, { signal: never }), [
    { infoHash: infoHashes[0], complete: 1, downloaded: 3, incomplete: 2 },
    { infoHash: infoHashes[1], complete: 4, downloaded: 6, incomplete: 5 },
  ]);
});

/** The client of a program, its names looked up for real. */
class AnnounceClientOfTest extends AnnounceClient implements Disposable {
  constructor() {
    super({ network, now: () => performance.now() });
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

async function withServer(run: (server: TrackerServer) => Promise<void>): Promise<void> {
  const random = seededRandom(1);
  const now = () => performance.now();
  const server = TrackerServer.start({ network, port: 0, intervalMs: 60_000, now, random });
  try {
    await run(server);
  } finally {
    await server.close();
  }
}

/** Whether this machine has IPv6 at all. */
const hasIpv6 = (() => {
  try {
    Deno.listenDatagram({ transport: "udp", hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
})();

Deno.test("AnnounceClient announces to our own tracker by UDP and by HTTP, and scrapes it", async () => {
  await withServer(async ({ port, stats }) => {
    using client = new AnnounceClientOfTest();
    const options = { signal: never };
    for (const [i, scheme] of ["udp", "http", "udp"].entries()) {
      const url = `${scheme}://127.0.0.1:${port}/announce`;
      const peerId = peerIdFromBytes(bytesFromLatin1(`-LB0100-abcdefghijk${i}`));
      const reply = await client.announce({ url, request: { ...request, port: 7000 + i, peerId } }, options);
      assertEquals(reply.peers.length, i, scheme);
      const [{ incomplete }] = await client.scrape({ url, infoHashes: [request.infoHash] }, options);
      assertEquals(incomplete, i + 1);
    }
    assertEquals(stats.announces, 0); // of before
  });
});

Deno.test({
  name: "UdpClient announces over both families of a name, and joins what they say",
  ignore: !hasIpv6,
  async fn() {
    await withServer(async (server) => {
      using client = new TestClient({ resolve: () => Promise.resolve(["::1", "127.0.0.1"]) });
      const url = `udp://tracker.example:${server.port}`;
      await client.ask(url);
      assertEquals(server.stats.peers, 2);
      const peerId = peerIdFromBytes(bytesFromLatin1("-LB0100-another-----"));
      const { peers } = await client.announce({ url, request: { ...request, port: 7000, peerId } }, { signal: never });
      assertEquals(peers.map(formatEndpoint).sort(), ["127.0.0.1:6881", "[::1]:6881"]);
    });
  },
});

Deno.test({
  name: "UdpClient does not wait long for a family on which the tracker is silent",
  ignore: !hasIpv6,
  async fn() {
    await using tracker = new RawTracker(friendly);
    await using _silent = new RawTracker(() => undefined, { hostname: "::1", port: tracker.port });
    using client = new TestClient({ resolve: () => Promise.resolve(["::1", "127.0.0.1"]) });
    assertEquals((await client.ask(`udp://tracker.example:${tracker.port}`, 600_000)).peers.length, 1);
  },
});
