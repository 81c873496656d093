import { assertEquals } from "@std/assert";
import { hostFacing, type LocalInterface, rankHosts } from "../../lib/local_addresses.ts";

const mask4 = "255.255.255.0";
const mask6 = "ffff:ffff:ffff:ffff::";

const on = (name: string, ...addresses: string[]): LocalInterface[] =>
  addresses.map((address) => ({ name, address, netmask: address.includes(":") ? mask6 : mask4 }));
const lo = on("lo", "127.0.0.1", "::1");

Deno.test("rankHosts() has the LAN's addresses first, IPv4 before IPv6, and no loopback", () => {
  const eth0 = on("eth0", "fe80::1", "2001:db8::5", "192.168.1.5", "10.1.0.5");
  assertEquals(rankHosts([...lo, ...eth0]), ["192.168.1.5", "10.1.0.5", "2001:db8::5"]);
});

Deno.test("rankHosts() has a VPN's addresses after the LAN's, those of the LAN's IPv6 too", () => {
  for (const vpn of ["tun0", "utun4", "wg0", "tailscale0", "ppp0", "OpenVPN TAP-Windows6", "Tailscale"]) {
    const interfaces = [...on(vpn, "100.64.0.5"), ...lo, ...on("wlan0", "fd00::5", "192.168.1.5")];
    assertEquals(rankHosts(interfaces), ["192.168.1.5", "fd00::5", "100.64.0.5"], vpn);
  }
});

Deno.test("rankHosts() leaves networks inside this machine out", () => {
  const names = ["docker0", "br-0123456789ab", "veth1a2b3c4", "virbr0", "vmnet8", "vEthernet (WSL (Hyper-V firewall))"];
  for (const name of [...names, "vEthernet (Default Switch)", "VirtualBox Host-Only Network", "cni0", "bridge100"]) {
    assertEquals(rankHosts([...on(name, "172.17.0.1"), ...on("Wi-Fi", "192.168.1.5")]), ["192.168.1.5"], name);
  }
});

Deno.test("rankHosts() takes bridges and switches of a real LAN for what they are", () => {
  for (const name of ["br0", "br-lan", "vmbr0", "bond0", "en0", "enp0s31f6", "Ethernet", "vEthernet (External)"]) {
    assertEquals(rankHosts([...on("docker0", "172.17.0.1"), ...on(name, "10.0.0.5")]), ["10.0.0.5"], name);
  }
});

Deno.test("rankHosts() makes do with a VPN, with containers, and with a cable between two machines", () => {
  const docker = on("docker0", "172.17.0.1");
  const cable = on("eth0", "169.254.7.7", "fe80::7");
  assertEquals(rankHosts([...lo, ...docker, ...on("wg0", "10.9.0.2")]), ["10.9.0.2"]);
  assertEquals(rankHosts([...lo, ...docker]), ["172.17.0.1"]);
  assertEquals(rankHosts([...lo, ...cable]), ["169.254.7.7"]);
  assertEquals(rankHosts([...lo, ...cable, ...on("eth1", "fd00::7")]), ["fd00::7"]);
  assertEquals(rankHosts(lo), []);
});

Deno.test("rankHosts() names each address once, and none that it cannot read", () => {
  const odd = [...on("eth0", "10.0.0.5", "::ffff:10.0.0.5", "nonsense"), ...on("eth1", "10.0.0.5", "fe80::2%eth1")];
  assertEquals(rankHosts(odd), ["10.0.0.5"]);
});

Deno.test("hostFacing() finds the address in the asker's network", () => {
  const interfaces = [
    ...lo,
    ...on("docker0", "172.17.0.1"),
    ...on("eth0", "192.168.1.5", "2001:db8::5", "fe80::5%eth0"),
    ...on("eth1", "10.0.0.5"),
  ];
  const table: [remote: string, local: string][] = [
    ["192.168.1.77", "192.168.1.5"],
    ["10.0.0.77", "10.0.0.5"],
    ["172.17.0.9", "172.17.0.1"],
    ["2001:db8::77", "2001:db8::5"],
    ["fe80::77", "fe80::5"],
    // through a router: whatever is best
    ["10.99.0.1", "192.168.1.5"],
    ["2001:db8:9::1", "2001:db8::5"],
    // this machine itself
    ["10.0.0.5", "10.0.0.5"],
    ["127.0.0.1", "127.0.0.1"],
    ["127.3.2.1", "127.3.2.1"],
    ["::1", "::1"],
  ];
  for (const [remote, local] of table) assertEquals(hostFacing(remote, interfaces), local, remote);
});

Deno.test("hostFacing() does not find an address of the other family, or by a mask that says nothing", () => {
  assertEquals(hostFacing("2001:db8::77", [...lo, ...on("eth0", "192.168.1.5")]), undefined);
  const maskless = { name: "eth1", address: "10.0.0.5", netmask: "0.0.0.0" };
  assertEquals(hostFacing("192.168.1.77", [maskless, ...on("eth0", "192.168.1.5")]), "192.168.1.5");
});
