import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import { ProtocolError } from "../../lib/errors.ts";
import { seededRandom } from "./mutations.ts";

Deno.test("Bitfield.encode() puts the first piece into the highest bit", () => {
  const bitfield = Bitfield.empty(10);
  bitfield.set(0);
  bitfield.set(9);
  assertEquals(bitfield.encode(), Uint8Array.of(0b1000_0000, 0b0100_0000));
});

Deno.test("Bitfield.full() leaves the spare bits zero", () => {
  assertEquals(Bitfield.full(8).encode(), Uint8Array.of(0xff));
  assertEquals(Bitfield.full(9).encode(), Uint8Array.of(0xff, 0x80));
  assertEquals(Bitfield.full(15).encode(), Uint8Array.of(0xff, 0xfe));
  assertEquals(Bitfield.full(9).count, 9);
});

Deno.test("Bitfield.decode() takes the exact length with zero spare bits", () => {
  const bitfield = Bitfield.decode(Uint8Array.of(0b1010_0000, 0b1000_0000), 9);
  assertEquals(Array.from({ length: 9 }, (_, i) => bitfield.has(i)).indexOf(false), 1);
  assertEquals(bitfield.count, 3);
  assertEquals(bitfield.encode(), Uint8Array.of(0b1010_0000, 0b1000_0000));
});

Deno.test("Bitfield.decode() rejects every spare bit that is set", () => {
  for (let length = 1; length <= 16; length++) {
    const byteLength = Math.ceil(length / 8);
    for (let spare = length; spare < 8 * byteLength; spare++) {
      const payload = new Uint8Array(byteLength);
      payload[spare >>> 3] = 0x80 >>> (spare & 7);
      assertThrows(() => Bitfield.decode(payload, length), ProtocolError, "spare");
    }
  }
});

Deno.test("Bitfield.decode() rejects a payload that is too short or too long", () => {
  for (const byteLength of [0, 1, 3, 100]) {
    assertThrows(() => Bitfield.decode(new Uint8Array(byteLength), 9), ProtocolError, "wanted 2");
  }
});

Deno.test("Bitfield.decode() copies its payload", () => {
  const payload = Uint8Array.of(0);
  const bitfield = Bitfield.decode(payload, 8);
  payload[0] = 0xff;
  assertFalse(bitfield.has(0));
});

Deno.test("Bitfield.set() and clear() keep the count and say whether anything changed", () => {
  const bitfield = Bitfield.empty(20);
  assert(bitfield.isEmpty);
  assert(bitfield.set(13));
  assertFalse(bitfield.set(13));
  assertEquals(bitfield.count, 1);
  assert(bitfield.clear(13));
  assertFalse(bitfield.clear(13));
  assertEquals(bitfield.count, 0);
});

Deno.test("Bitfield.has() is false outside, and set() and clear() throw there", () => {
  const bitfield = Bitfield.full(9);
  for (const index of [-1, 9, 15, 16, 4294967295]) {
    assertFalse(bitfield.has(index), String(index));
    assertThrows(() => bitfield.set(index), RangeError);
    assertThrows(() => bitfield.clear(index), RangeError);
  }
});

Deno.test("Bitfield.isFull is true once the last bit is set", () => {
  const bitfield = Bitfield.empty(9);
  for (let i = 0; i < 8; i++) bitfield.set(i);
  assertFalse(bitfield.isFull);
  bitfield.set(8);
  assert(bitfield.isFull);
});

Deno.test("Bitfield.clone() and encode() share nothing with the original", () => {
  const bitfield = Bitfield.empty(8);
  const copy = bitfield.clone();
  bitfield.encode()[0] = 0xff;
  copy.set(3);
  assertEquals([bitfield.count, bitfield.has(3), bitfield.has(0), copy.count], [0, false, false, 1]);
});

Deno.test("Bitfield.hasAnyMissingFrom() sees a single piece that the other lacks", () => {
  const ours = Bitfield.full(100);
  const theirs = Bitfield.full(100);
  assertFalse(theirs.hasAnyMissingFrom(ours));
  ours.clear(99);
  assert(theirs.hasAnyMissingFrom(ours));
  assertFalse(ours.hasAnyMissingFrom(theirs));
});

Deno.test("Bitfield.countMissingFrom() counts the pieces that the other lacks", () => {
  const ours = Bitfield.full(100);
  const theirs = Bitfield.full(100);
  for (const index of [0, 50, 99]) ours.clear(index);
  theirs.clear(50);
  theirs.clear(7);
  assertEquals([theirs.countMissingFrom(ours), ours.countMissingFrom(theirs), ours.countMissingFrom(ours)], [2, 1, 0]);
});

Deno.test("Bitfield agrees with a set of numbers over random changes", () => {
  const random = seededRandom(6);
  for (const length of [1, 7, 8, 9, 63, 64, 65, 1000]) {
    const bitfield = Bitfield.empty(length);
    const model = new Set<number>();
    for (let i = 0; i < 500; i++) {
      const index = Math.floor(random() * length);
      if (random() < 0.5) assertEquals(bitfield.set(index), model.size !== model.add(index).size);
      else assertEquals(bitfield.clear(index), model.delete(index));
    }
    const decoded = Bitfield.decode(bitfield.encode(), length);
    for (let i = 0; i < length; i++) assertEquals(decoded.has(i), model.has(i));
    assertEquals([bitfield.count, decoded.count], [model.size, model.size]);
  }
});
