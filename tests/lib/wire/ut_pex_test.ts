import { assert, assertEquals, assertThrows } from "@std/assert";
import { concatBytes } from "../../../lib/bytes.ts";
import { ProtocolError } from "../../../lib/errors.ts";
import { extensionBytesMax, pexTakenMax } from "../../../lib/limits/wire.ts";
import { decodePexMessage, encodePexMessage } from "../../../lib/wire/ut_pex.ts";
import { isTaken, mutationsOf, truncationsOf } from "../mutations.ts";

const ascii = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));

/** All six lists of BEP 11, as libtorrent sends them too: two peers, one of them a seed, and one that left. */
const golden = ascii(
  "d5:added12:\x0a\x00\x00\x01\x1a\xe1\x0a\x00\x00\x02\x1a\xe27:added.f2:\x12\x106:added60:8:added6.f0:" +
    "7:dropped6:\x0a\x00\x00\x03\x1a\xe38:dropped60:e",
);
const message = {
  added: [
    { endpoint: { host: "10.0.0.1", port: 6881 }, flags: 0x12 },
    { endpoint: { host: "10.0.0.2", port: 6882 }, flags: 0x10 },
  ],
  dropped: [{ host: "10.0.0.3", port: 6883 }],
};
const sixes = {
  added: [{ endpoint: { host: "2001:db8::1", port: 1 }, flags: 2 }],
  dropped: [{ host: "2001:db8::2", port: 65_535 }],
};

Deno.test("encodePexMessage() and decodePexMessage() agree with the golden bytes", () => {
  assertEquals(encodePexMessage(message), golden);
  assertEquals(decodePexMessage(golden), message);
});

Deno.test("encodePexMessage() keeps the families apart and each peer with its flags", () => {
  const both = { added: [...sixes.added, ...message.added], dropped: [...sixes.dropped, ...message.dropped] };
  assertEquals(decodePexMessage(encodePexMessage(both)), {
    added: [...message.added, ...sixes.added],
    dropped: [...message.dropped, ...sixes.dropped],
  });
});

Deno.test("decodePexMessage() takes an empty dictionary, lists without flags, and leaves port 0 out with its flag", () => {
  assertEquals(decodePexMessage(ascii("de")), { added: [], dropped: [] });
  const two = "\x0a\x00\x00\x01\x00\x00\x0a\x00\x00\x02\x1a\xe2";
  assertEquals(decodePexMessage(ascii(`d5:added12:${two}e`)).added, [{ ...message.added[1], flags: 0 }]);
  assertEquals(decodePexMessage(ascii(`d5:added12:${two}7:added.f2:\x02\x10e`)).added, [message.added[1]]);
});

Deno.test("decodePexMessage() looks at so many peers of a list only", () => {
  const run = concatBytes(Array.from({ length: 2_000 }, () => ascii("\x0a\x00\x00\x01\x1a\xe1")));
  assertEquals(decodePexMessage(concatBytes([ascii("d5:added12000:"), run, ascii("e")])).added.length, pexTakenMax);
});

for (
  const [what, payload] of [
    ["a list", ascii("le")],
    ["a compact list of 7 bytes", ascii("d5:added7:1234567e")],
    ["dropped6 of 6 bytes", ascii("d8:dropped66:123456e")],
    ["too many bytes", concatBytes([ascii("de"), new Uint8Array(extensionBytesMax)])],
  ] as const
) {
  Deno.test(`decodePexMessage() refuses ${what}`, () => {
    assertThrows(() => decodePexMessage(payload), ProtocolError);
  });
}

Deno.test("decodePexMessage() refuses every truncation and lets nothing but ProtocolError out of mutations", () => {
  for (const part of truncationsOf(golden)) assertThrows(() => decodePexMessage(part), ProtocolError);
  let takenCount = 0;
  for (const mutated of mutationsOf(golden, { seed: 11, count: 5_000 })) {
    if (isTaken(() => decodePexMessage(mutated), "mutated")) takenCount++;
  }
  assert(takenCount > 100);
});
