import { assertEquals, assertMatch, assertNotEquals, assertThrows } from "@std/assert";
import { formatHex } from "../../lib/bytes.ts";
import { idBytes, infoHashFromBytes, makePeerId, parseInfoHash, peerIdFromBytes } from "../../lib/ids.ts";
import { seededRandom } from "./mutations.ts";

Deno.test("parseInfoHash() takes 40 hex digits in either case and gives them in lower case", () => {
  assertEquals(
    String(parseInfoHash("ABCDEF0123456789abcdef0123456789ABCDEF01")),
    "abcdef0123456789abcdef0123456789abcdef01",
  );
  for (
    const text of ["", "ab".repeat(19), "ab".repeat(21), "zz".repeat(20), ` ${"ab".repeat(20)}`, `${"ab".repeat(20)}\n`]
  ) {
    assertEquals(parseInfoHash(text), undefined, text);
  }
});

Deno.test("infoHashFromBytes() and idBytes() turn 20 bytes into an info hash and back", () => {
  const bytes = Uint8Array.from({ length: 20 }, (_, i) => i * 13);
  assertEquals(idBytes(infoHashFromBytes(bytes)), bytes);
  assertEquals(String(infoHashFromBytes(bytes)), formatHex(bytes));
});

Deno.test("infoHashFromBytes() and peerIdFromBytes() take 20 bytes only", () => {
  for (const length of [0, 19, 21, 32]) {
    assertThrows(() => infoHashFromBytes(new Uint8Array(length)), RangeError);
    assertThrows(() => peerIdFromBytes(new Uint8Array(length)), RangeError);
  }
});

Deno.test("makePeerId() names the program and is random in the other 12 bytes", () => {
  const random = seededRandom(5);
  const first = makePeerId(random);
  assertMatch(new TextDecoder().decode(idBytes(first).subarray(0, 8)), /^-LB0100-$/);
  assertNotEquals(makePeerId(random), first);
  assertEquals(makePeerId(() => 0.999999).slice(16), "ff".repeat(12));
  assertEquals(makePeerId(() => 0).slice(16), "00".repeat(12));
});
