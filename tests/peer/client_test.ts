import { assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../lib/errors.ts";
import { infoHashFromBytes } from "../../lib/ids.ts";
import { encodeHandshake, handshakeHeadLength } from "../../lib/wire/handshake.ts";
import { Client } from "../../peer/client.ts";
import { testPeerId } from "./scripted_peer.ts";

const hashOf = (fill: number) => infoHashFromBytes(new Uint8Array(20).fill(fill));
const handshakeFor = (fill: number) =>
  encodeHandshake({ infoHash: hashOf(fill), peerId: testPeerId(1), supportsExtensions: true, supportsFast: true });

function clientOf(...fills: number[]): Client<string> {
  const client = new Client<string>();
  for (const fill of fills) client.add(hashOf(fill), `torrent ${fill}`);
  return client;
}

Deno.test("Client.route() says which torrent a handshake is for, and that it knows none", () => {
  const client = clientOf(1, 2);
  assertEquals([1, 2, 3].map((fill) => client.route(handshakeFor(fill))), ["torrent 1", "torrent 2", undefined]);
});

Deno.test("Client.route() waits for the info hash and not for the peer id behind it", () => {
  const client = clientOf(1);
  const bytes = handshakeFor(1);
  for (let length = 0; length < handshakeHeadLength; length++) {
    assertEquals(client.route(bytes.subarray(0, length)), "more");
  }
  assertEquals(client.route(bytes.subarray(0, handshakeHeadLength)), "torrent 1");
});

Deno.test("Client.route() refuses garbage at its first byte", () => {
  assertThrows(() => clientOf(1).route(new TextEncoder().encode("G")), ProtocolError);
});

Deno.test("Client refuses the same torrent twice", () => {
  const client = clientOf(1);
  assertThrows(() => client.add(hashOf(1), "again"), Error, "is here already");
  assertEquals([client.has(hashOf(1)), client.has(hashOf(2)), [...client.entries()]], [true, false, ["torrent 1"]]);
});
