import { assertEquals } from "@std/assert";
import { parseShareTarget } from "../../lib/share_target.ts";

const site = (host: string, port: number | undefined, path = "/") => ({ kind: "site", host, port, path } as const);

Deno.test("parseShareTarget() tells machines by their addresses, with a port or without", () => {
  assertEquals(parseShareTarget("192.168.1.5"), site("192.168.1.5", undefined));
  assertEquals(parseShareTarget(" 192.168.1.5:7000 "), site("192.168.1.5", 7000));
  assertEquals(parseShareTarget("::1"), site("::1", undefined));
  assertEquals(parseShareTarget("[fd00::5]:6969"), site("fd00::5", 6969));
  assertEquals(parseShareTarget("fe80::1%eth0"), site("fe80::1%eth0", undefined));
  assertEquals(parseShareTarget("laptop.local:6969"), site("laptop.local", 6969));
  assertEquals(parseShareTarget("localhost"), site("localhost", undefined));
});

Deno.test("parseShareTarget() reads the addresses of pages and torrents, and no other protocol's", () => {
  assertEquals(parseShareTarget("http://192.168.1.5:6969/"), site("192.168.1.5", 6969));
  assertEquals(parseShareTarget("HTTP://[fd00::5]:6969/x.torrent"), site("fd00::5", 6969, "/x.torrent"));
  assertEquals(parseShareTarget("http://laptop/"), site("laptop", 80));
  for (const url of ["https://laptop/", "file:///etc/passwd", "http://", "javascript://x"]) {
    assertEquals(parseShareTarget(url), undefined, url);
  }
});

Deno.test("parseShareTarget() leaves magnet links and torrent files to download, and takes the rest for names", () => {
  assertEquals(parseShareTarget("magnet:?xt=urn:btih:00")?.kind, "torrent");
  assertEquals(parseShareTarget("./x.Torrent"), { kind: "torrent", operand: "./x.Torrent" });
  assertEquals(parseShareTarget("holiday"), { kind: "name", name: "holiday" });
  assertEquals(parseShareTarget("Photos of May"), { kind: "name", name: "Photos of May" });
  assertEquals(parseShareTarget("1.2.3"), { kind: "name", name: "1.2.3" });
  assertEquals(parseShareTarget("  "), undefined);
});
