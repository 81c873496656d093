import { assertEquals } from "@std/assert";
import { readRange } from "../../lib/http_range.ts";

Deno.test("readRange() gives the bytes that one range asks for", () => {
  assertEquals(readRange("bytes=0-", 10), { start: 0, end: 10 });
  assertEquals(readRange("bytes=4-6", 10), { start: 4, end: 7 });
  assertEquals(readRange("bytes=4-99", 10), { start: 4, end: 10 });
  assertEquals(readRange("bytes=-3", 10), { start: 7, end: 10 });
  assertEquals(readRange("bytes=-30", 10), { start: 0, end: 10 });
});

Deno.test("readRange() says that there are no bytes behind the end", () => {
  for (const range of ["bytes=10-", "bytes=99-100", "bytes=-0"]) assertEquals(readRange(range, 10), "unsatisfiable");
});

Deno.test("readRange() asks for all where the header is absent, of another unit, of several ranges or nonsense", () => {
  for (
    const range of [
      undefined,
      "",
      "bytes=",
      "bytes=-",
      "lines=1-2",
      "bytes=1-2,4-5",
      "bytes=6-4",
      "bytes=x-",
      "bytes=1",
    ]
  ) {
    assertEquals(readRange(range, 10), undefined, range);
  }
});
