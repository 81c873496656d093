import { assertEquals } from "@std/assert";
import { parseInfoHash } from "../../../lib/ids.ts";
import { allowedFastPieces } from "../../../lib/wire/allowed_fast.ts";

const infoHash = parseInfoHash("aa".repeat(20))!;
const base = { host: "80.4.4.200", infoHash, pieceCount: 1313 };

Deno.test("allowedFastPieces() gives the vectors of BEP 6", () => {
  const seven = [1059, 431, 808, 1217, 287, 376, 1188];
  assertEquals(allowedFastPieces({ ...base, count: 7 }), seven);
  assertEquals(allowedFastPieces({ ...base, count: 9 }), [...seven, 353, 508]);
});

Deno.test("allowedFastPieces() looks at the first three numbers of the address only", () => {
  const own = allowedFastPieces({ ...base, count: 10 });
  assertEquals(allowedFastPieces({ ...base, host: "80.4.4.1", count: 10 }), own);
  assertEquals(allowedFastPieces({ ...base, host: "80.4.5.200", count: 10 }).join() === own.join(), false);
});

Deno.test("allowedFastPieces() gives every piece once where there are fewer than were wanted", () => {
  for (const pieceCount of [1, 2, 9]) {
    const pieces = allowedFastPieces({ ...base, pieceCount, count: 10 });
    assertEquals(pieces.toSorted((a, b) => a - b), Array.from({ length: pieceCount }, (_, i) => i));
  }
});

Deno.test("allowedFastPieces() is empty for IPv6, which BEP 6 does not define", () => {
  for (const host of ["::1", "fe80::1", "1.2.3", "1.2.3.4.5", "a.b.c.d", "1.2.3.256"]) {
    assertEquals(allowedFastPieces({ ...base, host, count: 5 }), []);
  }
});
