import { assert, assertEquals, assertFalse } from "@std/assert";
import { createHash } from "node:crypto";
import { formatHex } from "../../../lib/bytes.ts";
import { isZero, PieceHasher } from "../../../lib/io/piece_hasher.ts";

function hexOf(parts: readonly Uint8Array[]): string {
  const hash = createHash("sha1");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

function hashed(hasher: PieceHasher, parts: readonly Uint8Array[]): string {
  for (const part of parts) hasher.update(part);
  return formatHex(hasher.digest());
}

const zeros = new Uint8Array(300_000);
const data = new Uint8Array(1000).fill(7);

Deno.test("PieceHasher gives the SHA-1 of a piece with zeros before, in and after its data", () => {
  const hasher = new PieceHasher();
  for (const parts of [[data], [zeros, data], [zeros, data, zeros], [data, zeros], [zeros, zeros, data, data]]) {
    assertEquals(hashed(hasher, parts), hexOf(parts));
  }
});

Deno.test("PieceHasher gives the SHA-1 of pieces that are all zeros, of each length", () => {
  const hasher = new PieceHasher();
  for (const length of [1, 16384, 262144, 300_000]) {
    assertEquals(hashed(hasher, [zeros.subarray(0, length)]), hexOf([zeros.subarray(0, length)]));
  }
});

Deno.test("PieceHasher.reset() forgets what the piece began with", () => {
  const hasher = new PieceHasher();
  hasher.update(data);
  hasher.reset();
  hasher.update(zeros);
  hasher.reset();
  assertEquals(hashed(hasher, [data]), hexOf([data]));
});

Deno.test("isZero() sees a single byte at any place", () => {
  assert(isZero(zeros));
  assert(isZero(zeros.subarray(0, 0)));
  for (const place of [0, 1, 150_000, 262_144, 299_999]) {
    const bytes = zeros.slice();
    bytes[place] = 1;
    assertFalse(isZero(bytes), `byte ${place}`);
  }
});
