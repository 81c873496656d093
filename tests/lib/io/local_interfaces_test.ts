import { assertEquals } from "@std/assert";
import { announceHosts, HostFinder } from "../../../lib/io/local_interfaces.ts";

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

Deno.test("HostFinder.facing() knows what is listened on, and else looks at the interfaces anew after a while", () => {
  let now = 0;
  let reads = 0;
  let known = interfaces.slice(0, 1);
  const read = () => {
    reads++;
    return known;
  };
  const finder = new HostFinder("::", () => now, read);
  assertEquals(finder.facing("10.0.0.9"), undefined);
  known = interfaces;
  assertEquals([finder.facing("::ffff:10.0.0.9"), reads], [undefined, 1]);
  now = 10_000;
  assertEquals([finder.facing("::ffff:10.0.0.9"), finder.facing("fd00::9%4"), reads], ["10.0.0.5", "fd00::5", 2]);
  assertEquals(new HostFinder("10.0.0.7", () => now, read).facing("10.0.0.9"), "10.0.0.7");
});
