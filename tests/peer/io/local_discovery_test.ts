import { assertEquals, assertStringIncludes } from "@std/assert";
import { type InfoHash, parseInfoHash } from "../../../lib/ids.ts";
import type { DatagramSocket, Network } from "../../../lib/io/network.ts";
import { encodeLocalAnnounce } from "../../../lib/local_discovery.ts";
import { LocalDiscovery } from "../../../peer/io/local_discovery.ts";
import { makeContext, type TestContext } from "../../cli/test_context.ts";

const infoHash = parseInfoHash("730087c20f344803d3fcb34c0eca6c9a1d4882b2")!;
/** Of no machine (RFC 5737), so that nothing can leave from it. */
const interfaces = [{ name: "eth0", address: "203.0.113.5", netmask: "255.255.255.0" }];

/** A group's socket whose packets come from the test. */
class FakeSocket {
  readonly #waiting: ((packet: [Uint8Array, Deno.NetAddr]) => void)[] = [];
  /** Settled while a packet is wanted. */
  #reading = Promise.withResolvers<void>();
  #fail = (_reason: Error) => {};

  joinMulticastV4(): Promise<void> {
    return Promise.resolve();
  }

  receive(): Promise<[Uint8Array, Deno.NetAddr]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(resolve);
      this.#fail = reject;
      this.#reading.resolve();
    });
  }

  /** Hands over a packet and waits until the next is wanted. */
  async deliver(hostname: string, bytes: Uint8Array): Promise<void> {
    await this.#reading.promise;
    this.#reading = Promise.withResolvers();
    this.#waiting.shift()!([bytes, { transport: "udp", hostname, port: 6771 }]);
    await this.#reading.promise;
  }

  close(): void {
    this.#fail(new Error("closed"));
  }
}

function contextOn(socket: FakeSocket, list = interfaces, options: { clock?: () => number } = {}): TestContext {
  const network = { listenDatagram: () => socket as unknown as DatagramSocket, interfaces: () => list };
  return makeContext({ network: network as unknown as Network, ...options });
}

/** A packet from a peer on this port. */
function announce(port: number, of: InfoHash = infoHash): Uint8Array {
  return encodeLocalAnnounce({ family: 4, port, infoHash: of, cookie: "0badcafe" });
}

/** Runs a discovery of one torrent. @returns the addresses found, as they come */
function discoverOn(context: TestContext) {
  const found: string[] = [];
  const discovery = new LocalDiscovery({ context, host: "::", port: 6881 });
  discovery.add(infoHash, (endpoints) => found.push(...endpoints.map(({ host, port }) => `${host} ${port}`)));
  return { discovery, found };
}

Deno.test("LocalDiscovery tells where others have the torrent, and of nobody else", async () => {
  const socket = new FakeSocket();
  const { discovery, found } = discoverOn(contextOn(socket));
  await socket.deliver("203.0.113.9", announce(7000));
  await socket.deliver("203.0.113.9", announce(7000, parseInfoHash("b".repeat(40))));
  await socket.deliver("198.51.100.9", announce(7000)); // from another network
  await socket.deliver("203.0.113.9", new TextEncoder().encode("BT-SEARCH * HTTP/1.1\r\nPort: 0\r\n\r\n"));
  await socket.deliver("203.0.113.9", new Uint8Array(9000));
  await socket.deliver("203.0.113.10", announce(7001));
  assertEquals(found, ["203.0.113.9 7000", "203.0.113.10 7001"]);
  discovery.remove(infoHash);
  await socket.deliver("203.0.113.11", announce(7002));
  assertEquals(found.length, 2);
  await discovery.close();
});

Deno.test("LocalDiscovery goes on with a flood behind it, and found little in it", async () => {
  let now = 0;
  const socket = new FakeSocket();
  const { discovery, found } = discoverOn(contextOn(socket, interfaces, { clock: () => now }));
  for (let port = 1; port <= 300; port++) await socket.deliver("203.0.113.9", announce(port));
  assertEquals(found.length, 16);
  now += 1000;
  await socket.deliver("203.0.113.10", announce(7001));
  assertEquals(found.at(-1), "203.0.113.10 7001");
  await discovery.close();
});

Deno.test("LocalDiscovery without a network says so once", async () => {
  const context = contextOn(new FakeSocket(), []);
  const { discovery } = discoverOn(context);
  await discovery.close();
  assertEquals(context.stderr().match(/\n/g)?.length ?? 0, 0, "nothing is said to who has left");
  const second = contextOn(new FakeSocket(), []);
  const running = discoverOn(second);
  while (second.stderr() === "") await new Promise((resolve) => setTimeout(resolve, 0));
  assertStringIncludes(second.stderr(), "local discovery finds no network");
  assertEquals(second.stderr().trim().split("\n").length, 1);
  await running.discovery.close();
});
