import { assertEquals } from "@std/assert";
import { Room } from "./tracker_room.ts";

Deno.test("ToldPeers tells others of a peer beside it under the address at which they reached it", () => {
  const room = new Room();
  room.announce("127.0.0.1", 6881, { left: 0 });
  assertEquals(room.told("10.0.0.2", 7000), ["10.0.0.1:6881"]);
  assertEquals(room.told("192.168.7.2", 7000, { local: "192.168.7.1" }), ["10.0.0.2:7000", "192.168.7.1:6881"]);
  assertEquals(room.told("fd00::2", 7000), ["10.0.0.2:7000", "192.168.7.2:7000", "[fd00::1]:6881"]);
});

Deno.test("ToldPeers tells peers on loopback of each other as they are", () => {
  const room = new Room();
  room.announce("127.0.0.1", 6881);
  room.announce("127.0.0.2", 6881);
  room.announce("::1", 6881);
  room.announce("10.0.0.2", 7000);
  assertEquals(room.told("127.0.0.3", 6881), ["10.0.0.2:7000", "127.0.0.1:6881", "127.0.0.2:6881", "[::1]:6881"]);
});

Deno.test("ToldPeers tells of a client beside it once that came over loopback and the network", () => {
  const room = new Room();
  room.announce("127.0.0.1", 6881, { id: "seeder" });
  room.announce("::1", 6881, { id: "seeder" });
  room.announce("10.0.0.1", 6881, { id: "seeder" });
  assertEquals(room.told("10.0.0.2", 7000), ["10.0.0.1:6881"]);
});

Deno.test("ToldPeers tells of link-local addresses only on a link", () => {
  const room = new Room();
  room.announce("fe80::5%2", 6881);
  assertEquals(room.told("fd00::2", 7000), []);
  assertEquals(room.told("fe80::6", 7000, { local: "fe80::1" }), ["[fd00::2]:7000", "[fe80::5]:6881"]);
});

Deno.test("ToldPeers has a peer beside the tracker where each asker reaches it, on several interfaces", () => {
  const room = new Room();
  // it announced to the tracker's address of the first network, from the same address
  room.announce("10.0.0.1", 6881, { left: 0 });
  assertEquals(room.told("10.0.0.2", 7000), ["10.0.0.1:6881"]);
  assertEquals(room.told("10.1.0.2", 7000, { local: "10.1.0.1" }), ["10.0.0.2:7000", "10.1.0.1:6881"]);
  // a container of that machine
  assertEquals(room.told("172.17.0.2", 7001, { local: "172.17.0.1" }).at(-1), "172.17.0.1:6881");
  // over loopback any address of the machine does
  assertEquals(room.told("127.0.0.1", 7002, { numWant: 1, left: 1 }).length, 1);
});

Deno.test("ToldPeers keeps the family of a peer beside the tracker that came over the network", () => {
  const room = new Room();
  room.announce("10.0.0.1", 6881, { left: 0 });
  room.announce("fd00::1", 6882, { left: 0 });
  assertEquals(room.told("fd00::2", 7000), ["10.0.0.1:6881", "[fd00::1]:6882"]);
  assertEquals(room.told("10.1.0.2", 7000, { local: "10.1.0.1" }), [
    "10.1.0.1:6881",
    "[fd00::1]:6882",
    "[fd00::2]:7000",
  ]);
});

Deno.test("ToldPeers tells two peers behind one address apart by their ports, of themselves and of others", () => {
  const room = new Room();
  room.announce("192.0.2.9", 6881);
  assertEquals(room.told("192.0.2.9", 6882), ["192.0.2.9:6881"]);
  assertEquals(room.told("10.0.0.2", 7000), ["192.0.2.9:6881", "192.0.2.9:6882"]);
  room.announce("192.0.2.9", 6881, { event: "stopped" });
  assertEquals(room.told("10.0.0.2", 7000), ["192.0.2.9:6882"]);
});

Deno.test("ToldPeers tells two peers beside the tracker apart by their ports", () => {
  const room = new Room();
  room.announce("127.0.0.1", 6881);
  room.announce("10.0.0.1", 6882);
  assertEquals(room.told("10.0.0.2", 7000), ["10.0.0.1:6881", "10.0.0.1:6882"]);
});

Deno.test("ToldPeers has a peer on the next link that has no other address, but nobody on another", () => {
  const room = new Room();
  room.announce("fe80::2", 6881, { local: "fe80::1" });
  room.announce("169.254.3.4", 6882, { local: "169.254.1.1" });
  assertEquals(room.told("fe80::3%4", 7000, { local: "fe80::1%4" }), ["169.254.3.4:6882", "[fe80::2]:6881"]);
  assertEquals(room.told("fd00::3", 7000).filter((endpoint) => endpoint.startsWith("[fe80")), []);
});
