import { assertEquals } from "@std/assert";
import { type MulticastInterface, multicastLinks } from "../../lib/multicast_links.ts";

const mask4 = "255.255.255.0";
const mask6 = "ffff:ffff:ffff:ffff::";

const interfaces: MulticastInterface[] = [
  { name: "lo", address: "127.0.0.1", netmask: "255.0.0.0", scopeid: null },
  { name: "lo", address: "::1", netmask: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", scopeid: 0 },
  { name: "eth0", address: "10.0.0.5", netmask: mask4, scopeid: null },
  { name: "eth0", address: "10.9.0.5", netmask: mask4, scopeid: null },
  { name: "eth0", address: "fe80::5", netmask: mask6, scopeid: 2 },
  { name: "eth0", address: "2001:db8::5", netmask: mask6, scopeid: 0 },
  { name: "eth0", address: "fd00::5", netmask: mask6, scopeid: 0 },
  { name: "wlan0", address: "192.168.1.5", netmask: mask4, scopeid: null },
  { name: "wlan0", address: "fe80::6%wlan0", netmask: mask6, scopeid: 3 },
  { name: "wg0", address: "fd99::1", netmask: mask6, scopeid: 0 },
];

function shown(host?: string): string[] {
  return multicastLinks(interfaces, host).map(({ name, host, index }) =>
    `${name} ${host}${index > 0 ? `%${index}` : ""}`
  );
}

Deno.test("multicastLinks() has each IPv4 address and each IPv6 interface, but no loopback", () => {
  assertEquals(shown(), [
    "eth0 10.0.0.5%2",
    "eth0 10.9.0.5%2",
    "wlan0 192.168.1.5%3",
    "eth0 fd00::5%2",
    "wlan0 fe80::6%3",
  ]);
});

Deno.test("multicastLinks() keeps to the address that is listened on", () => {
  assertEquals(shown("10.9.0.5"), ["eth0 10.9.0.5%2"]);
  assertEquals(shown("2001:DB8::5"), ["eth0 2001:db8::5%2"]);
  assertEquals(shown("192.168.1.77"), []);
});

Deno.test("multicastLinks() takes 0.0.0.0 for all of IPv4 and :: for everything", () => {
  assertEquals(shown("0.0.0.0"), ["eth0 10.0.0.5%2", "eth0 10.9.0.5%2", "wlan0 192.168.1.5%3"]);
  assertEquals(shown("::"), shown());
});

Deno.test("multicastLinks() stays on loopback for who listens there", () => {
  assertEquals(shown("127.0.0.1"), ["lo 127.0.0.1"]);
  assertEquals(shown("::1"), []);
});

Deno.test("multicastLinks() tells every network of the interface in the link's family", () => {
  const [first] = multicastLinks(interfaces);
  assertEquals(first.networks, [{ host: "10.0.0.5", netmask: mask4 }, { host: "10.9.0.5", netmask: mask4 }]);
});

Deno.test("multicastLinks() leaves out what is no address", () => {
  assertEquals(multicastLinks([{ name: "x", address: "0.0.0.0", netmask: mask4 }]), []);
  assertEquals(multicastLinks([{ name: "x", address: "junk", netmask: mask4 }]), []);
});

Deno.test("multicastLinks() tells an interface that was put back from the one before", () => {
  const linksOf = (scopeid: number) =>
    multicastLinks([
      { name: "wlan0", address: "192.168.1.5", netmask: mask4, scopeid: null },
      { name: "wlan0", address: "fe80::6", netmask: mask6, scopeid },
    ]);
  assertEquals(linksOf(3).map(({ index }) => index), [3, 3]);
  assertEquals(linksOf(7).map(({ index }) => index), [7, 7]);
});
