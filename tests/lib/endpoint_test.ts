import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import {
  canonicalHost,
  decodeAddress,
  decodeCompact,
  encodeAddress,
  encodeCompact,
  formatEndpoint,
  isIpv6,
  isLoopback,
  parseEndpoint,
  parseHostPort,
} from "../../lib/endpoint.ts";
import { ProtocolError } from "../../lib/errors.ts";
import { seededRandom } from "./mutations.ts";

Deno.test("canonicalHost() writes addresses as RFC 5952 does", () => {
  const table: [string, string][] = [
    ["10.0.0.2", "10.0.0.2"],
    ["255.255.255.255", "255.255.255.255"],
    ["::", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["2001:DB8::0001", "2001:db8::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"], // the first of two equal runs
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"], // the longer run
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"], // a single zero group stays
    ["fe80::", "fe80::"],
    ["[::1]", "::1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:c000:0201", "192.0.2.1"],
    ["64:ff9b::192.0.2.1", "64:ff9b::c000:201"],
  ];
  for (const [text, canonical] of table) assertEquals(canonicalHost(text), canonical, text);
});

Deno.test("canonicalHost() rejects what is no address", () => {
  const table = [
    "",
    "localhost",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "01.2.3.4",
    "1.2.3.4 ",
    "0x7f.0.0.1",
    "2130706433",
  ];
  const table6 = [":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "12345::", "g::"];
  const odd = ["::1%eth0", "1.2.3.4::", "::1.2.3", "::1.2.3.4:1", "[::1", "::1]", "1:2:3:4:5:6:7:1.2.3.4", "-1.2.3.4"];
  for (const text of [...table, ...table6, ...odd]) assertEquals(canonicalHost(text), undefined, text);
});

Deno.test("parseEndpoint() reads addresses with their ports and nothing else", () => {
  assertEquals(parseEndpoint("10.0.0.2:6881"), { host: "10.0.0.2", port: 6881 });
  assertEquals(parseEndpoint("[::1]:6881"), { host: "::1", port: 6881 });
  assertEquals(parseEndpoint("[::FFFF:10.0.0.2]:1"), { host: "10.0.0.2", port: 1 });
  const bad = ["", "10.0.0.2", "10.0.0.2:", "10.0.0.2:0", "10.0.0.2:65536", "10.0.0.2:+1", "localhost:1"];
  const bad6 = ["::1:6881", "[::1]", "[10.0.0.2]:1", "[::1]:6881x", " 10.0.0.2:1"];
  for (const text of [...bad, ...bad6]) assertEquals(parseEndpoint(text), undefined, text);
});

Deno.test("parseHostPort() reads names, addresses and zones", () => {
  assertEquals(parseHostPort("Seeder.LAN:6881"), { host: "seeder.lan", port: 6881 });
  assertEquals(parseHostPort("my-pc_2:80"), { host: "my-pc_2", port: 80 });
  assertEquals(parseHostPort("münchen.local:99"), { host: "münchen.local", port: 99 });
  assertEquals(parseHostPort("[2001:DB8::1]:65535"), { host: "2001:db8::1", port: 65535 });
  assertEquals(parseHostPort("[fe80::1%eth0]:1"), { host: "fe80::1%eth0", port: 1 });
  const bad = ["a", "a:0", "a b:1", "-a:1", "a/b:1", "user@a:1", "1.2.3:80", "999.1.1.1:80", "a\n:1", "[a]:1", ":1"];
  for (const text of [...bad, `${"a".repeat(254)}:1`, "[fe80::1%]:1", "[fe80::1%a b]:1"]) {
    assertEquals(parseHostPort(text), undefined, text);
  }
});

Deno.test("formatEndpoint() puts IPv6 in brackets, and parseEndpoint() takes it back", () => {
  for (const text of ["10.0.0.2:6881", "[::1]:6881", "[2001:db8::1]:1"]) {
    assertEquals(formatEndpoint(parseEndpoint(text)!), text);
  }
});

Deno.test("isIpv6() and isLoopback() tell the kinds of addresses apart", () => {
  assert(isIpv6("::1"));
  assertFalse(isIpv6("127.0.0.1"));
  for (const host of ["127.0.0.1", "127.255.0.3", "::1"]) assert(isLoopback(host), host);
  for (const host of ["128.0.0.1", "::2", "127.0.0.1.example.com", "10.0.0.1"]) assertFalse(isLoopback(host), host);
});

Deno.test("encodeCompact() writes 6 bytes for IPv4 and 18 for IPv6, big-endian", () => {
  assertEquals(encodeCompact({ host: "10.0.0.2", port: 6881 }), Uint8Array.of(10, 0, 0, 2, 0x1a, 0xe1));
  assertEquals(
    encodeCompact({ host: "2001:db8::1", port: 80 }),
    Uint8Array.of(0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 80),
  );
  assertThrows(() => encodeCompact({ host: "localhost", port: 80 }), RangeError);
});

Deno.test("decodeCompact() reads endpoints and leaves out port 0", () => {
  const bytes = Uint8Array.of(10, 0, 0, 2, 0x1a, 0xe1, 10, 0, 0, 3, 0, 0, 127, 0, 0, 1, 0xff, 0xff);
  assertEquals(decodeCompact(bytes, 4), [{ host: "10.0.0.2", port: 6881 }, { host: "127.0.0.1", port: 65535 }]);
  assertEquals(decodeCompact(new Uint8Array(), 4), []);
  assertEquals(decodeCompact(new Uint8Array(), 6), []);
});

Deno.test("decodeCompact() rejects a length that is no multiple of an endpoint", () => {
  for (const length of [1, 5, 7, 11]) assertThrows(() => decodeCompact(new Uint8Array(length), 4), ProtocolError);
  for (const length of [6, 17, 19]) assertThrows(() => decodeCompact(new Uint8Array(length), 6), ProtocolError);
});

Deno.test("decodeCompact() gives canonical hosts back to encodeCompact()", () => {
  const random = seededRandom(3);
  for (const family of [4, 6] as const) {
    for (let i = 0; i < 300; i++) {
      // Many zeros, so that runs of them occur.
      const bytes = Uint8Array.from(
        { length: family === 4 ? 6 : 18 },
        () => random() < 0.6 ? 0 : Math.floor(random() * 256),
      );
      bytes[bytes.length - 1] |= 1;
      const [endpoint] = decodeCompact(bytes, family);
      assertEquals(canonicalHost(endpoint.host), endpoint.host);
      assertEquals(encodeCompact(endpoint), bytes);
      assertEquals(parseEndpoint(formatEndpoint(endpoint)), endpoint);
    }
  }
});

Deno.test("encodeAddress() and decodeAddress() unwrap IPv4 in IPv6", () => {
  assertEquals(encodeAddress("::ffff:1.2.3.4"), Uint8Array.of(1, 2, 3, 4));
  assertEquals(decodeAddress(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 1, 2, 3, 4)), "1.2.3.4");
  assertEquals(decodeAddress(new Uint8Array(5)), undefined);
});
