import { assert, assertEquals, assertThrows } from "@std/assert";
import { encodeBencode } from "../../../lib/bencode.ts";
import { concatBytes } from "../../../lib/bytes.ts";
import { ProtocolError } from "../../../lib/errors.ts";
import { extensionBytesMax } from "../../../lib/limits/wire.ts";
import { decodeExtensionHandshake, encodeExtensionHandshake } from "../../../lib/wire/extended.ts";
import { isTaken, mutationsOf, truncationsOf } from "../mutations.ts";

const ascii = (text: string) => new TextEncoder().encode(text);

Deno.test("encodeExtensionHandshake() writes a canonical dictionary and leaves out what is not known", () => {
  const handshake = {
    extensionIds: new Map([["ut_pex", 2], ["ut_metadata", 1]]),
    client: "localbt 0.1",
    listenPort: 6881,
  };
  assertEquals(
    encodeExtensionHandshake({ ...handshake, requestQueueMax: 2000 }),
    ascii("d1:md11:ut_metadatai1e6:ut_pexi2ee1:pi6881e4:reqqi2000e1:v11:localbt 0.1e"),
  );
  assertEquals(encodeExtensionHandshake({ extensionIds: new Map() }), ascii("d1:mdee"));
});

Deno.test("decodeExtensionHandshake() reads the example of BEP 10", () => {
  assertEquals(decodeExtensionHandshake(ascii("d1:md11:LT_metadatai1e7:µT_PEXi2ee1:pi6881e1:v13:µTorrent 1.2e")), {
    extensionIds: new Map([["LT_metadata", 1], ["ÂµT_PEX", 2]]),
    client: "µTorrent 1.2",
    listenPort: 6881,
  });
});

Deno.test("decodeExtensionHandshake() takes back what encodeExtensionHandshake() wrote", () => {
  const handshake = {
    extensionIds: new Map([["ut_metadata", 0], ["ut_pex", 255]]),
    client: "localbt",
    requestQueueMax: 1,
    listenPort: 65_535,
    metadataSize: 40_000,
    isUploadOnly: true,
    yourIp: "2001:db8::1",
  };
  assertEquals(decodeExtensionHandshake(encodeExtensionHandshake(handshake)), handshake);
});

Deno.test("decodeExtensionHandshake() takes unsorted keys, as some clients send them, and what follows the dictionary", () => {
  assertEquals(decodeExtensionHandshake(ascii("d1:v1:x1:mdee trailing")), { extensionIds: new Map(), client: "x" });
});

Deno.test("decodeExtensionHandshake() reads what libtorrent and Transmission tell beside it", () => {
  const payload = ascii("d1:mde13:metadata_sizei1234e11:upload_onlyi1e6:yourip4:\x7f\x00\x00\x01e");
  assertEquals(decodeExtensionHandshake(payload), {
    extensionIds: new Map(),
    metadataSize: 1234,
    isUploadOnly: true,
    yourIp: "127.0.0.1",
  });
});

for (
  const [what, payload] of [
    ["yourip of 5 bytes", "d6:yourip5:12345e"],
    ["yourip as a number", "d6:youripi1ee"],
    ["metadata_size as text", "d13:metadata_size1:1e"],
    ["upload_only as text", "d11:upload_only1:1e"],
    ["m that is a list", "d1:mlee"],
    ["m that is a number", "d1:mi1ee"],
    ["an id that is text", "d1:md6:ut_pex1:2ee"],
    ["a negative id", "d1:md6:ut_pexi-1eee"],
    ["an id above 255", "d1:md6:ut_pexi256eee"],
    ["p 0", "d1:pi0ee"],
    ["p above 65535", "d1:pi65536ee"],
    ["a negative p", "d1:pi-1ee"],
    ["p as text", "d1:p4:6881e"],
    ["reqq 0", "d4:reqqi0ee"],
    ["a negative reqq", "d4:reqqi-1ee"],
    ["an absurd reqq", "d4:reqqi9007199254740991ee"],
    ["v as a number", "d1:vi7ee"],
    ["nothing", "de"],
  ] as const
) {
  Deno.test(`decodeExtensionHandshake() takes ${what} as absent`, () => {
    assertEquals(decodeExtensionHandshake(ascii(payload)), { extensionIds: new Map() });
  });
}

Deno.test("decodeExtensionHandshake() keeps the first 64 bytes of a client's name, broken UTF-8 replaced", () => {
  assertEquals(decodeExtensionHandshake(encodeBencode({ v: "x".repeat(1000) })).client, "x".repeat(64));
  assertEquals(decodeExtensionHandshake(encodeBencode({ v: Uint8Array.of(0x61, 0xff, 0x62) })).client, "a\ufffdb");
});

for (const payload of ["", "i1e", "le", "4:spam", "d", "d1:m", "x", "d1:mde"]) {
  Deno.test(`decodeExtensionHandshake() refuses ${JSON.stringify(payload)}`, () => {
    assertThrows(() => decodeExtensionHandshake(ascii(payload)), ProtocolError);
  });
}

Deno.test("decodeExtensionHandshake() refuses more than extensionBytesMax before it looks at it", () => {
  const payload = concatBytes([ascii("de"), new Uint8Array(extensionBytesMax - 1)]);
  assertThrows(() => decodeExtensionHandshake(payload), ProtocolError, `${extensionBytesMax + 1} bytes`);
});

Deno.test("decodeExtensionHandshake() refuses deep nesting instead of running out of stack", () => {
  assertThrows(() => decodeExtensionHandshake(ascii("d1:m" + "l".repeat(60_000))), ProtocolError);
});

Deno.test("decodeExtensionHandshake() refuses every truncation and lets nothing but ProtocolError out of mutations", () => {
  const bytes = encodeBencode({ m: { ut_metadata: 1, ut_pex: 2 }, p: 6881, reqq: 500, v: "localbt 0.1" });
  for (const part of truncationsOf(bytes)) assertThrows(() => decodeExtensionHandshake(part), ProtocolError);
  let takenCount = 0;
  for (const mutated of mutationsOf(bytes, { seed: 5, count: 5_000 })) {
    if (isTaken(() => decodeExtensionHandshake(mutated), "mutated")) takenCount++;
  }
  assert(takenCount > 100);
});
