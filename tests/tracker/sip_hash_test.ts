import { assertEquals } from "@std/assert";
import { SipHash } from "../../tracker/sip_hash.ts";

/** 0, 1, 2 … */
const counting = (length: number) => new Uint8Array(length).map((_, i) => i);

// Of the paper and of its reference implementation (vectors.h, as little-endian bytes there).
const vectors: [length: number, hash: string][] = [
  [0, "726fdb47dd0e0e31"],
  [1, "74f839c593dc67fd"],
  [7, "ab0200f58b01d137"],
  [8, "93f5f5799a932462"],
  [15, "a129ca6149be45e5"],
  [63, "958a324ceb064572"],
];

Deno.test("SipHash.hash() gives the hashes of the paper", () => {
  const hash = new SipHash(counting(16));
  for (const [length, wanted] of vectors) {
    hash.hash(counting(length));
    const got = [hash.high, hash.low].map((half) => half.toString(16).padStart(8, "0")).join("");
    assertEquals(got, wanted, `${length} bytes`);
  }
});
