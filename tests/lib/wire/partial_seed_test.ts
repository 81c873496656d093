import { assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../../lib/errors.ts";
import { decodeDontHave, decodeUploadOnly, encodeDontHave } from "../../../lib/wire/partial_seed.ts";

Deno.test("encodeDontHave() writes the piece as BEP 54 has it", () => {
  assertEquals(encodeDontHave(0x01020304), Uint8Array.of(1, 2, 3, 4));
  assertEquals(decodeDontHave(Uint8Array.of(0xff, 0xff, 0xff, 0xfe)), 0xfffffffe);
});

Deno.test("decodeDontHave() takes exactly four bytes", () => {
  for (const length of [0, 3, 5]) assertThrows(() => decodeDontHave(new Uint8Array(length)), ProtocolError, "wanted 4");
});

Deno.test("decodeUploadOnly() takes exactly one byte", () => {
  assertEquals([0, 1, 7].map((byte) => decodeUploadOnly(Uint8Array.of(byte))), [false, true, true]);
  for (const length of [0, 2]) assertThrows(() => decodeUploadOnly(new Uint8Array(length)), ProtocolError, "wanted 1");
});
