import { assertEquals } from "@std/assert";
import { parseTrackerUrl, parseWebSeedUrl } from "../../lib/remote_url.ts";

Deno.test("parseTrackerUrl() takes http, https and udp in the URL's own words", () => {
  const urls = [
    "http://a.test/announce",
    "HTTPS://A.test:443/x?passkey=1&y=%ff",
    "udp://a.test:6969",
    "udp://[::1]:6969/announce",
    "http://10.0.0.1:6969/announce",
  ];
  for (const url of urls) assertEquals(parseTrackerUrl(url), url);
  assertEquals(parseTrackerUrl("  http://a.test/announce \n"), "http://a.test/announce");
});

Deno.test("parseTrackerUrl() refuses other schemes, control characters and what is no URL", () => {
  const schemes = ["wss://a.test/", "ftp://a.test/", "file:///etc/passwd", "javascript:alert(1)", "data:,x", "a.test"];
  const broken = ["", " ", "http://", "udp://:1", "http://a.test:99999/", "http://a b.test/", "http://[::1/"];
  const control = [
    "http://a.test/\r\nHost: b",
    "http://a.test/\tx",
    "http://a.test/\0",
    "ht\ntp://a.test/",
    "http://a.test/ x",
  ];
  for (const text of [...schemes, ...broken, ...control, `http://a.test/${"x".repeat(2048)}`]) {
    assertEquals(parseTrackerUrl(text), undefined, JSON.stringify(text));
  }
});

Deno.test("parseWebSeedUrl() takes http and https only", () => {
  assertEquals(parseWebSeedUrl("https://a.test/files/"), "https://a.test/files/");
  assertEquals(parseWebSeedUrl("udp://a.test:6969"), undefined);
  assertEquals(parseWebSeedUrl("ftp://a.test/"), undefined);
});
