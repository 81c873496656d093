import { assert, assertEquals, assertThrows } from "@std/assert";
import { concatBytes } from "../../../lib/bytes.ts";
import { ProtocolError } from "../../../lib/errors.ts";
import { extensionBytesMax, metadataPartLength } from "../../../lib/limits/wire.ts";
import {
  decodeMetadataMessage,
  encodeMetadataData,
  encodeMetadataReject,
  encodeMetadataRequest,
  metadataPartCount,
} from "../../../lib/wire/ut_metadata.ts";
import { isTaken, mutationsOf, truncationsOf } from "../mutations.ts";

const ascii = (text: string) => new TextEncoder().encode(text);

// The examples of BEP 9, to the byte.
const request = ascii("d8:msg_typei0e5:piecei0ee");
const data = ascii("d8:msg_typei1e5:piecei0e10:total_sizei34256eexxxxxxxx");
const reject = ascii("d8:msg_typei2e5:piecei0ee");

Deno.test("encodeMetadataRequest() and encodeMetadataReject() write the examples of BEP 9", () => {
  assertEquals(encodeMetadataRequest(0), request);
  assertEquals(encodeMetadataReject(0), reject);
});

Deno.test("encodeMetadataData() writes the dictionary, then the raw bytes of the part", () => {
  const metadata = new Uint8Array(34_256);
  metadata.fill(0x78, 0, metadataPartLength).fill(0x79, metadataPartLength).fill(0x7a, 2 * metadataPartLength);
  const head = (part: number) => ascii(`d8:msg_typei1e5:piecei${part}e10:total_sizei34256ee`);
  for (const [part, length] of [[0, 16_384], [1, 16_384], [2, 1_488]]) {
    assertEquals(
      encodeMetadataData(metadata, part),
      concatBytes([head(part), new Uint8Array(length).fill(0x78 + part)]),
    );
  }
});

Deno.test("metadataPartCount() counts the last part however short", () => {
  assertEquals([1, 16_384, 16_385, 34_256].map(metadataPartCount), [1, 1, 2, 3]);
});

Deno.test("decodeMetadataMessage() reads the examples of BEP 9", () => {
  assertEquals(decodeMetadataMessage(request), { kind: "request", part: 0 });
  assertEquals(decodeMetadataMessage(reject), { kind: "reject", part: 0 });
  assertEquals(decodeMetadataMessage(data), { kind: "data", part: 0, totalSize: 34_256, block: ascii("xxxxxxxx") });
});

Deno.test("decodeMetadataMessage() takes data without total_size and an empty block: what it is worth is for others to say", () => {
  assertEquals(decodeMetadataMessage(ascii("d8:msg_typei1e5:piecei7ee")), {
    ...{ kind: "data", part: 7, totalSize: undefined, block: new Uint8Array(0) },
  });
});

Deno.test("decodeMetadataMessage() ignores types that it does not know", () => {
  assertEquals(decodeMetadataMessage(ascii("d8:msg_typei3e5:piecei0ee")), undefined);
  assertEquals(decodeMetadataMessage(ascii("d5:piecei0ee")), undefined);
});

for (
  const [what, payload] of [
    ["nothing", ascii("")],
    ["a list", ascii("le")],
    ["no part", ascii("d8:msg_typei0ee")],
    ["a negative part", ascii("d8:msg_typei0e5:piecei-1ee")],
    ["a part that is text", ascii("d8:msg_typei0e5:piece1:0e")],
    ["too many bytes", concatBytes([request, new Uint8Array(extensionBytesMax)])],
  ] as const
) {
  Deno.test(`decodeMetadataMessage() refuses ${what}`, () => {
    assertThrows(() => decodeMetadataMessage(payload), ProtocolError);
  });
}

Deno.test("decodeMetadataMessage() refuses every truncation and lets nothing but ProtocolError out of mutations", () => {
  for (const part of truncationsOf(request)) assertThrows(() => decodeMetadataMessage(part), ProtocolError);
  let takenCount = 0;
  for (const mutated of mutationsOf(data, { seed: 9, count: 5_000 })) {
    if (isTaken(() => decodeMetadataMessage(mutated), "mutated")) takenCount++;
  }
  assert(takenCount > 100);
});
