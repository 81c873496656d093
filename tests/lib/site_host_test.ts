import { assertEquals } from "@std/assert";
import { isLocalName, originOf, readSiteHost } from "../../lib/site_host.ts";

const read = (header: string) => readSiteHost(header, { hostName: "Laptop" });

Deno.test("readSiteHost() lets in addresses, since only names can be turned to another machine", () => {
  assertEquals(read("192.168.1.5:6969"), { host: "192.168.1.5", port: 6969 });
  assertEquals(read("192.168.1.5"), { host: "192.168.1.5", port: 80 });
  assertEquals(read("[fd00::5]:6969"), { host: "fd00::5", port: 6969 });
  assertEquals(read("[fd00::5]"), { host: "fd00::5", port: 80 });
});

Deno.test("readSiteHost() lets in the names that no stranger can own", () => {
  for (const name of ["localhost", "laptop", "LAPTOP", "laptop.local", "other.local.", "laptop.lan", "x.home.arpa"]) {
    assertEquals(read(`${name}:6969`)?.port, 6969, name);
  }
});

Deno.test("readSiteHost() refuses every other name, as DNS rebinding uses it", () => {
  const strangers = [
    ...[
      "evil.example",
      "evil.example:6969",
      "laptop.evil.example",
      "local",
      "localhost.evil.example",
      "xlocalhost",
      "other",
    ],
    ...[
      "",
      ":80",
      "192.168.1.5.evil.example",
      "1.2.3.4.5",
      "192.168.1.05",
      "a b.local",
      "<x>.local",
      'x".local',
      "x.local:0",
    ],
  ];
  for (const host of strangers) assertEquals(read(host), undefined, host);
});

Deno.test("originOf() leaves the default port out", () => {
  assertEquals(originOf({ host: "fd00::5", port: 80 }), "http://[fd00::5]");
  assertEquals(originOf({ host: "10.0.0.1", port: 8080 }), "http://10.0.0.1:8080");
  assertEquals([isLocalName("A.Local"), isLocalName("a.example")], [true, false]);
});
