import { assert, assertEquals, assertFalse } from "@std/assert";
import {
  bytesFromLatin1,
  concatBytes,
  equalBytes,
  formatHex,
  latin1FromBytes,
  parseHex,
  readUint16,
  readUint32,
  writeUint16,
  writeUint32,
} from "../../lib/bytes.ts";

const everyByte = Uint8Array.from({ length: 256 }, (_, i) => i);

Deno.test("readUint32() reads big-endian and unsigned", () => {
  assertEquals(readUint32(Uint8Array.of(9, 0x01, 0x02, 0x03, 0x04), 1), 0x01020304);
  assertEquals(readUint32(Uint8Array.of(0xff, 0xff, 0xff, 0xff), 0), 4294967295);
  assertEquals(readUint32(Uint8Array.of(0x80, 0, 0, 0), 0), 2147483648);
});

Deno.test("readUint16() reads big-endian and unsigned", () => {
  assertEquals(readUint16(Uint8Array.of(0, 0xff, 0xfe), 1), 0xfffe);
});

Deno.test("writeUint32() and writeUint16() write what the readers read, and nothing beside it", () => {
  for (const value of [0, 1, 255, 256, 65535, 65536, 2147483648, 4294967295]) {
    const bytes = new Uint8Array(6).fill(7);
    writeUint32(bytes, 1, value);
    assertEquals([bytes[0], readUint32(bytes, 1), bytes[5]], [7, value, 7]);
    writeUint16(bytes, 1, value & 0xffff);
    assertEquals([bytes[0], readUint16(bytes, 1), bytes[5]], [7, value & 0xffff, 7]);
  }
});

Deno.test("formatHex() and parseHex() turn each byte into two digits and back", () => {
  assertEquals(formatHex(Uint8Array.of(0, 0x0f, 0xf0, 0xff)), "000ff0ff");
  assertEquals(parseHex("000fF0Ff"), Uint8Array.of(0, 0x0f, 0xf0, 0xff));
  assertEquals(parseHex(formatHex(everyByte)), everyByte);
  assertEquals(parseHex(""), new Uint8Array());
});

Deno.test("parseHex() rejects odd runs and other characters", () => {
  for (const text of ["a", "0g", " 00", "0x00", "00\n", "-1", "٠٠"]) assertEquals(parseHex(text), undefined, text);
});

Deno.test("equalBytes() compares lengths and every byte", () => {
  assert(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2)));
  assert(equalBytes(new Uint8Array(), new Uint8Array()));
  assertFalse(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3)));
  assertFalse(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 3)));
});

Deno.test("concatBytes() joins in order, views and empty parts too", () => {
  assertEquals(concatBytes([Uint8Array.of(1), everyByte.subarray(5, 7), new Uint8Array()]), Uint8Array.of(1, 5, 6));
  assertEquals(concatBytes([]), new Uint8Array());
});

Deno.test("latin1FromBytes() and bytesFromLatin1() lose no byte", () => {
  assertEquals(bytesFromLatin1(latin1FromBytes(everyByte)), everyByte);
  assertEquals(latin1FromBytes(Uint8Array.of(0x80, 0xff)), "\u0080\u00ff");
});
