import { assert, assertEquals, assertFalse, assertNotEquals } from "@std/assert";
import type { AnnounceRequest } from "../../../lib/announce/request.ts";
import { decodeAnnounceReply, decodeConnectReply } from "../../../lib/announce/udp_reply.ts";
import { encodeAnnounceRequest, encodeConnectRequest } from "../../../lib/announce/udp_request.ts";
import { type Bytes, bytesFromLatin1, writeUint32 } from "../../../lib/bytes.ts";
import { formatEndpoint } from "../../../lib/endpoint.ts";
import { parseInfoHash, peerIdFromBytes } from "../../../lib/ids.ts";
import type { Network } from "../../../lib/io/network.ts";
import { udpRepliesMax } from "../../../lib/limits/tracker.ts";
import { type Announced, TrackerServer, type TrackerServerOptions } from "../../../tracker/io/http_listener.ts";
import { UdpListener } from "../../../tracker/io/udp_listener.ts";
import { Tracker } from "../../../tracker/tracker.ts";
import { UdpTracker } from "../../../tracker/udp_tracker.ts";
import { seededRandom } from "../../lib/mutations.ts";

const network: Network = {
  listen: (options) => Deno.listen(options),
  connect: ({ hostname, port }) => Deno.connect({ hostname, port }),
  listenDatagram: (options) => Deno.listenDatagram({ ...options, transport: "udp" }),
  interfaces: () => [],
};
const infoHash = parseInfoHash("ab".repeat(20))!;

async function withServer(
  change: Partial<TrackerServerOptions>,
  run: (server: TrackerServer) => Promise<void>,
): Promise<void> {
  const server = TrackerServer.start({
    network,
    host: "127.0.0.1",
    port: 0,
    intervalMs: 60_000,
    now: () => performance.now(),
    random: seededRandom(1),
    onFault: (error) => {
      throw error;
    },
    ...change,
  });
  try {
    await run(server);
  } finally {
    await server.close();
  }
}

/** One client's socket. */
class Client implements Disposable {
  readonly #socket: Deno.DatagramConn;
  readonly #to: Deno.NetAddr;

  constructor(port: number, { host = "127.0.0.1", from }: { host?: string; from?: string } = {}) {
    this.#socket = Deno.listenDatagram({ transport: "udp", hostname: from ?? host, port: 0 });
    this.#to = { transport: "udp", hostname: host, port };
  }

  async send(packet: Bytes): Promise<void> {
    await this.#socket.send(packet, this.#to);
  }

  async ask(packet: Bytes): Promise<Uint8Array> {
    await this.send(packet);
    return (await this.#socket.receive())[0];
  }

  async announce(port: number, family: 4 | 6 = 4, change: Partial<AnnounceRequest> = {}): Promise<string[]> {
    const connectionId = decodeConnectReply(await this.ask(encodeConnectRequest(1)));
    const request: AnnounceRequest = {
      infoHash,
      peerId: peerIdFromBytes(bytesFromLatin1(`-XX0000-${port}`.padEnd(20, "-"))),
      port,
      uploaded: 0,
      downloaded: 0,
      left: 1,
      event: "started",
      numWant: 50,
      key: 0,
      compact: true,
      ...change,
    };
    const reply = await this.ask(encodeAnnounceRequest(request, "", { connectionId, transactionId: 2 }));
    return decodeAnnounceReply(reply, family).peers.map(formatEndpoint).sort();
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

Deno.test("TrackerServer serves UDP on the port of HTTP, and the same swarms", async () => {
  await withServer({}, async (server) => {
    using client = new Client(server.port);
    assertEquals(await client.announce(10001), []);
    const url = `http://127.0.0.1:${server.port}`;
    const query = `info_hash=${"%AB".repeat(20)}&peer_id=-XX0000-abcdefghijkl&port=10002&left=0`;
    assert((await (await fetch(`${url}/announce?${query}`)).text()).includes("10:incompletei1e"));
    assertEquals(await client.announce(10001), ["127.0.0.1:10002"]);
    const { announces, peers, udpConnects, refused: { udp } } = await (await fetch(`${url}/stats`)).json();
    assertEquals({ announces, peers, udpConnects, udp }, {
      announces: 3,
      peers: 2,
      udpConnects: 2,
      udp: { short: 0, unproven: 0, malformed: 0 },
    });
  });
});

Deno.test("TrackerServer hears UDP on both families when no host is named", async () => {
  await withServer({ host: undefined }, async (server) => {
    using client4 = new Client(server.port);
    assertEquals(await client4.announce(10001), []);
    assertEquals(await client4.announce(10002), ["127.0.0.1:10001"]);
    let client6: Client;
    try {
      client6 = new Client(server.port, { host: "::1" });
    } catch {
      return; // this machine has no IPv6
    }
    using _ = client6;
    assertEquals(await client6.announce(10003, 6), []);
    assertEquals(await client6.announce(10004, 6), ["[::1]:10003"]);
    assertEquals(server.stats.peers, 4);
  });
});

Deno.test("TrackerServer listens to UDP on the named host alone", async () => {
  await withServer({ host: "127.0.0.3" }, async (server) => {
    using client = new Client(server.port, { host: "127.0.0.3", from: "127.0.0.1" });
    assertEquals(await client.announce(10001), []);
    // the port is free at every other address, for UDP too
    Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: server.port }).close();
  });
});

Deno.test("TrackerServer takes a port that is free for both TCP and UDP", async () => {
  const refused = new Set<number>();
  const listenDatagram: Network["listenDatagram"] = (options) => {
    if (refused.size < 3) {
      refused.add(options.port);
      throw new Deno.errors.AddrInUse("in use");
    }
    return network.listenDatagram(options);
  };
  await withServer({ network: { ...network, listenDatagram } }, async (server) => {
    assert(!refused.has(server.port));
    using client = new Client(server.port);
    assertEquals(await client.announce(10001), []);
    for (const port of refused) Deno.listen({ hostname: "127.0.0.1", port }).close();
  });
});

Deno.test("TrackerServer goes on after packets of every length and nonsense, and counts them", async () => {
  await withServer({}, async (server) => {
    using client = new Client(server.port);
    for (const length of [0, 1, 15, 97, 4096, 60_000]) await client.send(new Uint8Array(length).fill(length));
    assertEquals(await client.announce(10001), []);
    assertEquals(server.stats.refused.udp, { short: 3, unproven: 3, malformed: 0 });
  });
});

Deno.test("TrackerServer answers many clients at once, each its own question", async () => {
  await withServer({}, async (server) => {
    using first = new Client(server.port);
    await first.announce(9999, 4, { left: 0 });
    await Promise.all(Array.from({ length: 100 }, async (_, i) => {
      using client = new Client(server.port);
      for (let transactionId = i * 1000; transactionId < i * 1000 + 20; transactionId++) {
        const reply = await client.ask(encodeConnectRequest(transactionId));
        const wanted = new Uint8Array(4);
        writeUint32(wanted, 0, transactionId);
        assertEquals(reply.slice(4, 8), wanted);
      }
      assertNotEquals(await client.announce(10_000 + i), []);
    }));
    assertEquals(server.stats.peers, 101);
  });
});

Deno.test("TrackerServer goes on when an answer cannot be sent, and when a socket reports an error", async () => {
  let faults = 0;
  const listenDatagram: Network["listenDatagram"] = (options) => {
    const socket = network.listenDatagram(options);
    return new Proxy(socket, {
      get(target, name) {
        if (name === "send" && faults === 0) return () => Promise.reject(new Error(`fault ${++faults}`));
        if (name === "receive" && faults === 1) return () => Promise.reject(new Error(`fault ${++faults}`));
        const value = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };
  await withServer({ network: { ...network, listenDatagram } }, async (server) => {
    using client = new Client(server.port);
    await client.send(encodeConnectRequest(1));
    assertEquals(await client.announce(10001), []);
    assertEquals(faults, 2);
  });
});

/** Packets that a stuck socket has: more than may be read. */
const packetsMax = 3 * udpRepliesMax;

/** A socket that is asked for connection ids again and again, and sends nothing until it is told to. */
class StuckSocket {
  readonly addr: Deno.NetAddr = { transport: "udp", hostname: "127.0.0.1", port: 1 };
  readonly sending: { packet: Uint8Array; sent: () => void }[] = [];
  /** Called whenever a packet is wanted, with its number. */
  onReceive = (_count: number): void => {};
  #received = 0;
  #close = (_error: Error): void => {};

  receive(): Promise<[Bytes, Deno.Addr]> {
    this.onReceive(++this.#received);
    const { promise, resolve, reject } = Promise.withResolvers<[Bytes, Deno.Addr]>();
    this.#close = reject;
    if (this.#received <= packetsMax) resolve([encodeConnectRequest(this.#received), this.addr]);
    return promise;
  }

  send(packet: Uint8Array): Promise<number> {
    return new Promise((resolve) => this.sending.push({ packet, sent: () => resolve(packet.length) }));
  }

  close(): void {
    this.#close(new Error("closed"));
  }

  joinMulticastV4(): never {
    throw new Error("not here");
  }

  joinMulticastV6(): never {
    throw new Error("not here");
  }
}

Deno.test("UdpListener leaves an answer alone until it is sent, and reads no more than it can answer", async () => {
  const socket = new StuckSocket();
  const tracker = new UdpTracker({
    tracker: new Tracker({ intervalMs: 60_000, random: seededRandom(1) }),
    secret: new Uint8Array(16),
    hostFacing: () => undefined,
  });
  const { promise: isAtWork, resolve } = Promise.withResolvers<void>();
  socket.onReceive = (count) => count === udpRepliesMax && resolve();
  const listener = new UdpListener({
    sockets: [socket],
    tracker,
    now: () => 0,
    onFault: (error) => assertFalse(error),
  });
  await isAtWork;
  for (let turns = 0; turns < 100; turns++) await Promise.resolve(); // it would go on now if it could
  const idOf = ({ packet }: { packet: Uint8Array }) => packet[7] + 256 * packet[6];
  assertEquals(socket.sending.map(idOf), Array.from({ length: udpRepliesMax }, (_, i) => i + 1));

  const { promise: goesOn, resolve: wentOn } = Promise.withResolvers<void>();
  socket.onReceive = (count) => count === udpRepliesMax + 2 && wentOn();
  for (const { sent } of socket.sending.splice(0, 2)) sent();
  await goesOn;
  assertEquals(idOf(socket.sending[0]), 3);
  socket.onReceive = () => {};
  await listener.close();
});

Deno.test("TrackerServer tells of announces over UDP as of others", async () => {
  const seen: Announced[] = [];
  await withServer({ onAnnounce: (announced) => seen.push(announced) }, async (server) => {
    using client = new Client(server.port);
    await client.announce(10001, 4, { event: "completed", left: 0 });
  });
  assertEquals(seen, [
    { infoHash, peer: "127.0.0.1:10001", kind: "completed", left: 0, complete: 1, incomplete: 0 },
  ]);
});
