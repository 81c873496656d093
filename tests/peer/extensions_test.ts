import { assert, assertEquals, assertLess } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import { concatBytes } from "../../lib/bytes.ts";
import {
  metadataOutboxBytesMax,
  metadataPartLength,
  metadataRequestsMax,
  metadataServingsMax,
  uploadQueueMax,
} from "../../lib/limits/wire.ts";
import { decodeExtensionHandshake } from "../../lib/wire/extended.ts";
import { decodeMetadataMessage, encodeMetadataRequest, type MetadataMessage } from "../../lib/wire/ut_metadata.ts";
import { type ScriptedPeer, TorrentStage } from "./scripted_peer.ts";
import { makeContent } from "./virtual_disk.ts";

const content = makeContent({ totalLength: 100_000, pieceLength: 20_000 });
const infoBytes = Uint8Array.from({ length: 40_000 }, (_, index) => index * 7);
const metadataId = 33;

function stageOf(options: ConstructorParameters<typeof TorrentStage>[1] = {}): TorrentStage {
  return new TorrentStage(content, { infoBytes, ...options });
}

/** A peer that wants the metadata. */
function join(stage: TorrentStage): ScriptedPeer {
  const peer = stage.join({ supportsExtensions: true });
  peer.sayExtensions({ ut_metadata: metadataId });
  return peer;
}

const ask = (peer: ScriptedPeer, part: number) => peer.sayExtended("ut_metadata", encodeMetadataRequest(part));
const answers = (peer: ScriptedPeer) =>
  peer.heardExtended(metadataId).map((payload) => decodeMetadataMessage(payload)) as MetadataMessage[];
const handshakeTo = (peer: ScriptedPeer) => decodeExtensionHandshake(peer.heardExtended(0)[0]);

Deno.test("Torrent tells in its extension handshake what it is, where it listens and what it has to give", () => {
  const { extensionIds, ...rest } = handshakeTo(join(stageOf({ client: "localbt 0.1" })));
  assert(extensionIds.get("ut_metadata")! > 0);
  assertEquals(rest, {
    client: "localbt 0.1",
    listenPort: 6881,
    metadataSize: infoBytes.length,
    requestQueueMax: uploadQueueMax,
    yourIp: "10.1.0.1",
  });
});

Deno.test("Torrent tells no port where nobody listens", () => {
  assertEquals(handshakeTo(join(stageOf({ listenPort: 0 }))).listenPort, undefined);
});

Deno.test("Torrent says when it only gives (BEP 21)", () => {
  const have = Bitfield.full(content.layout.pieceCount);
  assertEquals(handshakeTo(join(stageOf({ have }))).isUploadOnly, true);
  assertEquals(handshakeTo(join(stageOf({ isSeedOnly: true }))).isUploadOnly, true);
  assertEquals(handshakeTo(join(stageOf())).isUploadOnly, undefined);
});

Deno.test("Torrent greets a peer whose address has a zone", () => {
  const stage = stageOf();
  const peer = stage.join({ supportsExtensions: true, endpoint: { host: "fe80::1%eth0", port: 6881 } });
  assertEquals(handshakeTo(peer).yourIp, undefined);
});

Deno.test("Torrent gives the metadata, part by part (BEP 9)", () => {
  const peer = join(stageOf());
  for (const part of [2, 0, 1]) ask(peer, part);
  const parts = answers(peer).map((answer) => answer.kind === "data" ? answer : undefined!);
  assertEquals(parts.map(({ part, totalSize }) => [part, totalSize]), [[2, 40_000], [0, 40_000], [1, 40_000]]);
  assertEquals(concatBytes([1, 2, 0].map((index) => parts[index].block)), infoBytes);
});

Deno.test("Torrent rejects a part that is not there", () => {
  const peer = join(stageOf());
  for (const part of [3, 2 ** 31, Number.MAX_SAFE_INTEGER]) ask(peer, part);
  assertEquals(answers(peer).map(({ kind }) => kind), ["reject", "reject", "reject"]);
  assert(!peer.isClosed);
});

Deno.test("Torrent ignores metadata that it did not ask for, and types that it does not know", () => {
  const peer = join(stageOf());
  for (const type of [1, 2, 9]) {
    peer.sayExtended("ut_metadata", new TextEncoder().encode(`d8:msg_typei${type}e5:piecei0ee`));
  }
  assertEquals([answers(peer), peer.isClosed], [[], false]);
});

Deno.test("Torrent drops a peer whose request for metadata is garbage", () => {
  const peer = join(stageOf());
  peer.sayExtended("ut_metadata", new TextEncoder().encode("i1e"));
  assert(peer.isClosed);
});

Deno.test("Torrent of a private torrent offers no metadata and no exchange, and answers no request for it (BEP 27)", () => {
  const peer = join(stageOf({ isPrivate: true }));
  const { extensionIds, metadataSize } = handshakeTo(peer);
  assertEquals([[...extensionIds.keys()].sort(), metadataSize], [["lt_donthave", "upload_only"], undefined]);
  ask(peer, 0);
  assertEquals([answers(peer), peer.isClosed], [[], false]);
});

Deno.test("Torrent keeps little in the outbox of a peer that asks for much metadata at once, and answers it all", () => {
  const stage = stageOf({ infoBytes: new Uint8Array(600 * metadataPartLength) });
  const peer = join(stage);
  peer.isStuck = true;
  for (let part = 0; part < metadataRequestsMax; part++) ask(peer, part);
  assertLess(peer.session!.outboxBytes, metadataOutboxBytesMax + 2 * metadataPartLength);
  peer.unstick();
  assertEquals(answers(peer).map(({ kind }) => kind), Array(metadataRequestsMax).fill("data"));
});

Deno.test("Torrent drops a peer that asks for metadata without end and reads nothing", () => {
  const stage = stageOf({ infoBytes: new Uint8Array(600 * metadataPartLength) });
  const peer = join(stage);
  peer.isStuck = true;
  let count = 0;
  for (; !peer.isClosed && count < 100_000; count++) ask(peer, count % 600);
  assertLess(count, metadataRequestsMax + 100);
});

Deno.test("Torrent gives one connection the metadata only so often", () => {
  const peer = join(stageOf());
  for (let round = 0; round < metadataServingsMax + 2; round++) for (let part = 0; part < 3; part++) ask(peer, part);
  const kinds = answers(peer).map(({ kind }) => kind);
  assertEquals(kinds.filter((kind) => kind === "data").length, metadataServingsMax * 3);
  assertEquals(kinds.slice(metadataServingsMax * 3), Array(6).fill("reject"));
});
