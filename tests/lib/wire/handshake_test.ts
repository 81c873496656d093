import { assertEquals, assertThrows } from "@std/assert";
import { concatBytes } from "../../../lib/bytes.ts";
import { ProtocolError } from "../../../lib/errors.ts";
import { infoHashFromBytes, peerIdFromBytes } from "../../../lib/ids.ts";
import {
  checkHandshakeStart,
  decodeHandshake,
  decodeHandshakeInfoHash,
  encodeHandshake,
} from "../../../lib/wire/handshake.ts";
import { isTaken, mutationsOf, truncationsOf } from "../mutations.ts";

const ascii = (text: string) => new TextEncoder().encode(text);

/** As BEP 3 has it, put together by hand; the reserved bits are those of BEP 10 and BEP 6. */
const golden = concatBytes([
  Uint8Array.of(19),
  ascii("BitTorrent protocol"),
  Uint8Array.of(0, 0, 0, 0, 0, 0x10, 0, 0x04),
  ascii("aaaaabbbbbcccccddddd"),
  ascii("-LB0100-0123456789ab"),
]);
const infoHash = infoHashFromBytes(ascii("aaaaabbbbbcccccddddd"));
const peerId = peerIdFromBytes(ascii("-LB0100-0123456789ab"));

Deno.test("encodeHandshake() writes the 68 bytes of BEP 3 with the bits of BEP 6 and BEP 10", () => {
  assertEquals(encodeHandshake({ infoHash, peerId, supportsExtensions: true, supportsFast: true }), golden);
});

Deno.test("encodeHandshake() leaves the bits unset that it is not told to set", () => {
  const bytes = encodeHandshake({ infoHash, peerId, supportsExtensions: false, supportsFast: false });
  assertEquals(bytes.subarray(20, 28), new Uint8Array(8));
});

Deno.test("decodeHandshake() reads the golden bytes", () => {
  assertEquals(decodeHandshake(golden), { infoHash, peerId, supportsExtensions: true, supportsFast: true });
  assertEquals(decodeHandshakeInfoHash(golden.subarray(0, 48)), infoHash);
});

Deno.test("decodeHandshake() ignores reserved bits that it does not know", () => {
  const bytes = golden.slice();
  bytes.fill(0xff, 20, 28);
  assertEquals(decodeHandshake(bytes), { infoHash, peerId, supportsExtensions: true, supportsFast: true });
  for (let i = 20; i < 28; i++) bytes[i] = i === 25 ? ~0x10 : i === 27 ? ~0x04 : 0xff;
  assertEquals(decodeHandshake(bytes), { infoHash, peerId, supportsExtensions: false, supportsFast: false });
});

Deno.test("decodeHandshake() refuses every truncation and one byte too many", () => {
  for (const bytes of truncationsOf(golden)) assertThrows(() => decodeHandshake(bytes), ProtocolError);
  assertThrows(() => decodeHandshake(concatBytes([golden, Uint8Array.of(0)])), ProtocolError, "69 bytes");
});

Deno.test("decodeHandshake() refuses another protocol name and lets nothing but ProtocolError out", () => {
  for (let i = 0; i < 20; i++) {
    const bytes = golden.slice();
    bytes[i] ^= 0x20;
    assertThrows(() => decodeHandshake(bytes), ProtocolError, "does not speak BitTorrent");
  }
  for (const bytes of mutationsOf(golden, { seed: 3, count: 2_000 })) isTaken(() => decodeHandshake(bytes), "mutated");
});

Deno.test("checkHandshakeStart() takes every beginning of a handshake and refuses garbage at its first wrong byte", () => {
  for (const bytes of truncationsOf(golden)) checkHandshakeStart(bytes);
  assertThrows(() => checkHandshakeStart(ascii("G")), ProtocolError);
  assertThrows(() => checkHandshakeStart(ascii("\x13BitTorrent pROTOCOL")), ProtocolError);
});
