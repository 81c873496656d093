import { assertEquals } from "@std/assert";
import { MulticastSockets } from "../../../lib/io/multicast.ts";
import type { DatagramSocket } from "../../../lib/io/network.ts";
import { multicastPacketsPerSecondMax } from "../../../lib/limits/discovery.ts";

const groups = { 4: "239.192.152.143", 6: "ff15::efc0:988f" };
const interfaces = [
  { name: "eth0", address: "10.0.0.5", netmask: "255.255.255.0" },
  { name: "docker0", address: "172.17.0.1", netmask: "255.255.0.0" },
];

/** A socket that hands out what it was given, for as long as it is open, and tells what was done with it. */
class FakeSocket {
  readonly addr: Deno.NetAddr = { transport: "udp", hostname: "0.0.0.0", port: 1 };
  readonly joined: string[] = [];
  readCount = 0;
  isClosed = false;
  #fail = (_reason: Error) => {};
  readonly #packet: Uint8Array | undefined;
  readonly #badInterface: string | undefined;

  constructor({ packet, badInterface }: { packet?: Uint8Array; badInterface?: string }) {
    this.#packet = packet;
    this.#badInterface = badInterface;
  }

  joinMulticastV4(_group: string, host: string): Promise<void> {
    if (host === this.#badInterface) return Promise.reject(new Error("No such device (os error 19)"));
    this.joined.push(host);
    return Promise.resolve();
  }

  receive(): Promise<[Uint8Array, Deno.NetAddr]> {
    this.readCount++;
    if (this.#packet !== undefined && !this.isClosed) {
      return Promise.resolve([this.#packet, { transport: "udp", hostname: "10.0.0.9", port: 6771 }]);
    }
    return new Promise((_resolve, reject) => this.#fail = reject);
  }

  close(): void {
    this.isClosed = true;
    this.#fail(new Error("closed"));
  }
}

/** Opens the group on a fake socket. */
async function openOn(socket: FakeSocket, list = interfaces) {
  const faults: string[] = [];
  const changes: string[][] = [];
  let packetCount = 0;
  const told = Promise.withResolvers<void>();
  const sockets = await MulticastSockets.open({
    network: { listenDatagram: () => socket as unknown as DatagramSocket, interfaces: () => list },
    groups,
    port: 6771,
    host: undefined,
    onPacket: () => {
      if (++packetCount === multicastPacketsPerSecondMax) told.resolve();
    },
    onFault: (name, why) => faults.push(`${name}: ${why}`),
    onLinks: (links) => changes.push(links.map(({ name }) => name)),
  });
  return { sockets, faults, changes, flooded: told.promise, packetCount: () => packetCount };
}

Deno.test("MulticastSockets joins on every interface, and one that refuses is told and harms nobody", async () => {
  const socket = new FakeSocket({ badInterface: "10.0.0.5" });
  const { sockets, faults } = await openOn(socket);
  assertEquals(socket.joined, ["172.17.0.1"]);
  assertEquals(faults, ["eth0: multicast cannot be received: No such device"]);
  sockets.close();
  assertEquals(socket.isClosed, true);
});

Deno.test("MulticastSockets reads no more packets a second than its bound, whoever floods it", async () => {
  const socket = new FakeSocket({ packet: new Uint8Array(3) });
  const { sockets, flooded, packetCount } = await openOn(socket);
  await flooded;
  for (let turn = 0; turn < 1000; turn++) await Promise.resolve();
  assertEquals(packetCount(), multicastPacketsPerSecondMax);
  assertEquals(socket.readCount, multicastPacketsPerSecondMax);
  sockets.close();
});

Deno.test("MulticastSockets without a network opens nothing and complains of nothing", async () => {
  const socket = new FakeSocket({});
  const { sockets, faults } = await openOn(socket, []);
  assertEquals([sockets.links, faults, socket.readCount], [[], [], 0]);
  await sockets.send(() => [new Uint8Array(1)]);
  sockets.close();
});

Deno.test("MulticastSockets joins where a cable was plugged in, and tells of it", async () => {
  const socket = new FakeSocket({});
  const list = interfaces.slice(0, 1);
  const { sockets, changes } = await openOn(socket, list);
  await sockets.send(() => []);
  assertEquals([socket.joined, changes], [["10.0.0.5"], []]);
  list.push(interfaces[1]!);
  await sockets.send(() => []);
  assertEquals([socket.joined, changes], [["10.0.0.5", "10.0.0.5", "172.17.0.1"], [["eth0", "docker0"]]]);
  sockets.close();
});

Deno.test("MulticastSockets tells a link that cannot send when it fails again, and goes on", async () => {
  // addresses of no machine (RFC 5737): nothing leaves
  const list = [{ name: "eth9", address: "203.0.113.5", netmask: "255.255.255.0" }];
  const { sockets, faults } = await openOn(new FakeSocket({}), list);
  for (const wanted of [0, 1, 1]) {
    await sockets.send(() => [new Uint8Array(1)]);
    assertEquals(faults.length, wanted);
  }
  assertEquals(faults, ["eth9: multicast cannot be sent: EADDRNOTAVAIL"]);
  sockets.close();
});

Deno.test("MulticastSockets says once that another program keeps the port to itself", async () => {
  const faults: string[] = [];
  const sockets = await MulticastSockets.open({
    network: {
      listenDatagram: () => {
        throw new Deno.errors.AddrInUse("Address already in use (os error 98)");
      },
      interfaces: () => interfaces,
    },
    ...{ groups, port: 6771, host: undefined },
    onPacket: () => {},
    onFault: (name, why) => faults.push(`${name}: ${why}`),
  });
  await sockets.send(() => []);
  assertEquals(faults, ["IPv4: port 6771 cannot be had: Address already in use"]);
  sockets.close();
});
