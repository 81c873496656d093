import { assertEquals } from "@std/assert";
import { announceHosts } from "../../../lib/io/local_interfaces.ts";

const netmask = "255.255.255.0";
const interfaces = [
  { name: "lo", address: "127.0.0.1", netmask },
  { name: "eth0", address: "10.0.0.5", netmask },
  { name: "eth0", address: "fd00::5", netmask: "ffff:ffff:ffff:ffff::" },
];

Deno.test("announceHosts() names the host that was asked for, canonical where it is an address", () => {
  assertEquals(announceHosts("192.168.1.5", interfaces), ["192.168.1.5"]);
  assertEquals(announceHosts("FD00:0::1", interfaces), ["fd00::1"]);
  assertEquals(announceHosts("seeder.lan", interfaces), ["seeder.lan"]);
});

Deno.test("announceHosts() names the addresses of the families that are listened on", () => {
  assertEquals(announceHosts(undefined, interfaces), ["10.0.0.5", "fd00::5"]);
  assertEquals(announceHosts("::", interfaces), ["10.0.0.5", "fd00::5"]);
  assertEquals(announceHosts("0.0.0.0", interfaces), ["10.0.0.5"]);
});

Deno.test("announceHosts() names loopback where there is nothing else", () => {
  assertEquals(announceHosts(undefined, interfaces.slice(0, 1)), ["127.0.0.1"]);
  assertEquals(announceHosts("0.0.0.0", []), ["127.0.0.1"]);
});
