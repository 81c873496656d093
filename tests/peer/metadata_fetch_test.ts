import { assert, assertEquals, assertLess } from "@std/assert";
import type { AnnounceReply } from "../../lib/announce/request.ts";
import type { Endpoint } from "../../lib/endpoint.ts";
import { infoHashFromBytes } from "../../lib/ids.ts";
import { unwantedBytesMax } from "../../lib/limits/transfer.ts";
import {
  earlyBytesMax,
  metadataAskAgainMs,
  metadataAssembliesMax,
  metadataBytesMax,
  metadataChangesMax,
  metadataPartLength,
  metadataPauseMs,
  metadataRequestsInFlightMax,
  metadataRequestTimeoutMs,
  metadataStallMs,
} from "../../lib/limits/wire.ts";
import { decodeExtensionHandshake } from "../../lib/wire/extended.ts";
import { MessageId } from "../../lib/wire/message.ts";
import { encodeDontHave } from "../../lib/wire/partial_seed.ts";
import { encodePexMessage } from "../../lib/wire/ut_pex.ts";
import { encodeMetadataData, encodeMetadataRequest } from "../../lib/wire/ut_metadata.ts";
import { FetchStage, makeInfo, spoil } from "./fetch_stage.ts";
import { bitfieldOf } from "./virtual_disk.ts";
import type { ScriptedPeer } from "./scripted_peer.ts";

const replyWith = (peers: Endpoint[]): AnnounceReply => ({
  ...{ intervalMs: 1_800_000, minIntervalMs: undefined, complete: undefined, incomplete: undefined, peers },
});
const banned = (stage: FetchStage) => stage.effectsOf("peerBanned").map(({ endpoint }) => endpoint.host);

Deno.test("MetadataFetch gets the metadata of one peer and gives it out once", () => {
  const stage = new FetchStage();
  const peer = stage.join();
  assertEquals(stage.serve(peer), [0, 1, 2]);
  assertEquals(stage.metadata, stage.infoBytes);
  stage.serve(stage.join());
  assertEquals(stage.effectsOf("metadata").length, 1);
});

Deno.test("MetadataFetch says to peers that it wants the metadata and has nothing", () => {
  const stage = new FetchStage();
  const peer = stage.join();
  const { extensionIds, metadataSize, listenPort } = decodeExtensionHandshake(peer.heardExtended(0)[0]);
  assert(extensionIds.get("ut_metadata")! > 0);
  assertEquals([metadataSize, listenPort], [undefined, 6881]);
  assertEquals(peer.heard.slice(0, 2).map(({ kind }) => kind), ["extended", "haveNone"]);
  const old = stage.join({ supportsFast: false });
  assertEquals(old.heard.filter(({ kind }) => kind !== "extended"), []);
});

Deno.test("MetadataFetch asks several peers at once, each for other parts", () => {
  const stage = new FetchStage({ size: 12 * metadataPartLength });
  const [a, b, c] = [stage.join(), stage.join(), stage.join()];
  const asked = [a, b, c].map((peer) => stage.takeRequests(peer));
  assertEquals(asked.map((parts) => parts.length), Array(3).fill(metadataRequestsInFlightMax));
  assertEquals(new Set(asked.flat()).size, 12);
});

Deno.test("MetadataFetch bans the peer whose metadata fails its hash and takes that of another", () => {
  const stage = new FetchStage();
  const liar = stage.join({ number: 1 });
  stage.serve(liar, spoil(stage.infoBytes, 1));
  assertEquals([banned(stage), stage.metadata], [["10.1.0.1"], undefined]);
  assert(liar.isClosed);
  stage.serve(stage.join({ number: 2 }));
  assertEquals(stage.metadata, stage.infoBytes);
});

Deno.test("MetadataFetch finds the liar among several that sent parts, and bans nobody else", () => {
  const stage = new FetchStage({ size: 12 * metadataPartLength });
  const peers = [1, 2, 3].map((number) => stage.join({ number }));
  const bytesOf = (peer: ScriptedPeer) => peer === peers[1] ? spoil(stage.infoBytes, 5) : stage.infoBytes;
  for (let round = 0; round < 20 && stage.metadata === undefined; round++) {
    for (const peer of peers) if (!peer.isClosed) stage.serve(peer, bytesOf(peer));
  }
  assertEquals(stage.metadata, stage.infoBytes);
  assertEquals(banned(stage), ["10.1.0.2"]);
});

Deno.test("MetadataFetch finds a liar by what it sent before, though the liar says nothing more", () => {
  const stage = new FetchStage({ size: 8 * metadataPartLength });
  const [liar, honest] = [stage.join({ number: 1 }), stage.join({ number: 2 })];
  for (const part of stage.takeRequests(liar)) {
    liar.sayExtended("ut_metadata", encodeMetadataData(spoil(stage.infoBytes, 0), part));
    stage.takeRequests(liar);
  }
  stage.serve(honest);
  assertEquals(stage.metadata, stage.infoBytes);
  assertEquals(banned(stage), ["10.1.0.1"]);
});

Deno.test("MetadataFetch holds sizes apart that peers disagree about", () => {
  const stage = new FetchStage();
  const [short, right, long] = [20_000, 40_000, 60_000].map((metadataSize, i) =>
    stage.join({ metadataSize, number: i })
  );
  assertEquals(stage.serve(short, makeInfo(20_000)), [0, 1]);
  assertEquals(banned(stage), ["10.1.0.0"]);
  assertEquals(stage.takeRequests(long), [0, 1, 2, 3]);
  assertEquals(stage.serve(right), [0, 1, 2]);
  assertEquals(stage.metadata, stage.infoBytes);
});

for (const metadataSize of [0, -1, -(2 ** 31), metadataBytesMax + 1, 2 ** 31, Number.MAX_SAFE_INTEGER]) {
  Deno.test(`MetadataFetch asks nothing of a peer that names a size of ${metadataSize}`, () => {
    const stage = new FetchStage();
    const peer = stage.join({ metadataSize });
    stage.pass(1_000);
    assertEquals([stage.takeRequests(peer), stage.fetch.stats.sourceCount, peer.isClosed], [[], 0, false]);
  });
}

Deno.test("MetadataFetch takes the largest size that is allowed", () => {
  const stage = new FetchStage();
  assertEquals(stage.takeRequests(stage.join({ metadataSize: metadataBytesMax })).length, metadataRequestsInFlightMax);
});

Deno.test("MetadataFetch is not held up by stalling liars of many sizes", () => {
  const stage = new FetchStage();
  for (let liar = 1; liar <= 10 * metadataAssembliesMax; liar++) stage.join({ metadataSize: 50_000 + liar });
  const honest = stage.join();
  for (let ms = 0; ms < 12 * metadataStallMs && stage.metadata === undefined; ms += 500) {
    stage.pass(500);
    stage.serve(honest);
  }
  assertEquals(stage.metadata, stage.infoBytes);
});

Deno.test("MetadataFetch believes the size that most name first", () => {
  const stage = new FetchStage();
  const liars = Array.from(
    { length: metadataAssembliesMax },
    (_, index) => stage.join({ metadataSize: 50_000 + index }),
  );
  const honest = [stage.join(), stage.join(), stage.join()];
  assertEquals(honest.flatMap((peer) => stage.takeRequests(peer)), []);
  liars[0].leave();
  stage.pass(500);
  assertEquals(honest.flatMap((peer) => stage.takeRequests(peer)).sort(), [0, 1, 2]);
});

Deno.test("MetadataFetch asks another peer when one rejects a part, and that one later again", () => {
  const stage = new FetchStage({ size: 10_000 });
  const first = stage.join();
  assertEquals(stage.takeRequests(first), [0]);
  stage.reject(first, 0);
  assertEquals(stage.takeRequests(first), []);
  const second = stage.join();
  assertEquals(stage.takeRequests(second), [0]);
  stage.reject(second, 0);
  stage.pass(metadataPauseMs - 500);
  assertEquals(stage.takeRequests(first), []);
  stage.pass(1_000);
  assertEquals(stage.serve(first), [0]);
  assertEquals(stage.metadata, stage.infoBytes);
});

Deno.test("MetadataFetch asks another peer soon when one does not answer, and takes its answer when it comes late", () => {
  const stage = new FetchStage({ size: 10_000 });
  const [slow, other] = [stage.join(), stage.join()];
  const asked = stage.takeRequests(slow);
  assertEquals([asked, stage.takeRequests(other)], [[0], []]);
  stage.pass(metadataAskAgainMs);
  assertEquals([stage.takeRequests(slow), stage.takeRequests(other)], [[], [0]]);
  slow.sayExtended("ut_metadata", encodeMetadataData(stage.infoBytes, 0));
  assertEquals(stage.metadata, stage.infoBytes);
});

Deno.test("MetadataFetch leaves a peer that lets requests time out in peace for a while", () => {
  const stage = new FetchStage({ size: 10_000 });
  const peer = stage.join();
  assertEquals(stage.takeRequests(peer), [0]);
  stage.pass(metadataRequestTimeoutMs + metadataPauseMs - 1_000);
  assertEquals(stage.takeRequests(peer), []);
  stage.pass(2_000);
  assertEquals(stage.takeRequests(peer), [0]);
});

Deno.test("MetadataFetch asks a peer that gets the metadata later than we connect to it", () => {
  const stage = new FetchStage();
  const peer = stage.connect();
  peer.sayHandshake();
  peer.sayExtensions({ ut_metadata: 5 });
  assertEquals(stage.takeRequests(peer), []);
  peer.sayExtensions({}, { metadataSize: stage.infoBytes.length });
  assertEquals(stage.serve(peer), [0, 1, 2]);
  assertEquals(stage.metadata, stage.infoBytes);
});

Deno.test("MetadataFetch drops a peer that storms it with handshakes of changing sizes and ids", () => {
  const stage = new FetchStage();
  const peer = stage.join();
  let count = 0;
  for (; !peer.isClosed && count < 2_000; count++) {
    peer.sayExtensions({ ut_metadata: count % 3 === 0 ? 0 : 5 }, {
      metadataSize: 1 + (count * 7919) % metadataBytesMax,
    });
  }
  assertLess(count, metadataChangesMax + 2);
  stage.serve(stage.join());
  assertEquals(stage.metadata, stage.infoBytes);
});

Deno.test("MetadataFetch takes a handshake that says the same again, however often", () => {
  const stage = new FetchStage();
  const peer = stage.join();
  for (let i = 0; i < 100; i++) peer.sayExtensions({ ut_metadata: 5 }, { metadataSize: stage.infoBytes.length });
  assertEquals(stage.serve(peer), [0, 1, 2]);
});

Deno.test("MetadataFetch rejects what peers ask of it", () => {
  const stage = new FetchStage();
  const peer = stage.join();
  stage.takeRequests(peer);
  peer.sayExtended("ut_metadata", encodeMetadataRequest(1));
  assertEquals(stage.takeAnswers(peer), [{ kind: "reject", part: 1 }]);
});

for (
  const [what, payload] of [
    ["too short", encodeMetadataData(makeInfo(40_000), 0).subarray(0, -1)],
    ["that is not there", encodeMetadataData(makeInfo(4 * metadataPartLength), 3)],
    ["of another size", encodeMetadataData(makeInfo(40_001), 0)],
    ["that is no dictionary", new TextEncoder().encode("le")],
  ] as const
) {
  Deno.test(`MetadataFetch drops a peer that sends a part ${what}`, () => {
    const stage = new FetchStage();
    const peer = stage.join();
    peer.sayExtended("ut_metadata", payload);
    assert(peer.isClosed);
  });
}

Deno.test("MetadataFetch drops a peer that floods it with parts that it has", () => {
  const stage = new FetchStage();
  const peer = stage.join();
  const part = encodeMetadataData(stage.infoBytes, 0);
  for (let sent = 0; sent < unwantedBytesMax + 4 * metadataPartLength && !peer.isClosed; sent += metadataPartLength) {
    peer.sayExtended("ut_metadata", part);
  }
  assert(peer.isClosed);
});

Deno.test("MetadataFetch keeps a bounded part of what a peer says before the torrent is known", () => {
  const stage = new FetchStage();
  const peer = stage.join();
  peer.say((out) => out.bitfield(new Uint8Array(earlyBytesMax - 1_000)));
  assert(!peer.isClosed);
  peer.say((out) => out.bitfield(new Uint8Array(1_000)));
  assert(peer.isClosed);
});

Deno.test("MetadataFetch announces as a downloader, and the torrent goes on with the same announces", () => {
  const stage = new FetchStage({ tiers: [["http://tracker.test/announce"]] });
  const [{ call }] = stage.effectsOf("announce");
  assertEquals([call.request.event, call.request.left > 0], ["started", true]);
  stage.apply({
    kind: "announced",
    id: call.id,
    reply: replyWith([{ host: "10.9.0.1", port: 1 }]),
  });
  assertEquals(stage.effectsOf("dial").map(({ endpoint }) => endpoint.host), ["10.9.0.1"]);
  stage.serve(stage.join());
  stage.handOver();
  stage.pass(2_000);
  stage.apply({ kind: "stop" });
  const events = stage.effectsOf("announce").map(({ call }) => call.request.event);
  assertEquals(events.filter((event) => event === "started").length, 1);
  assertEquals(events.at(-1), "stopped");
});

Deno.test("MetadataFetch dials whom its peers tell of (BEP 11)", () => {
  const stage = new FetchStage();
  const added = [{ endpoint: { host: "10.8.0.1", port: 6881 }, flags: 0 }];
  stage.join().sayExtended("ut_pex", encodePexMessage({ added, dropped: [] }));
  assertEquals(stage.effectsOf("dial").map(({ endpoint }) => endpoint.host), ["10.8.0.1"]);
});

Deno.test("MetadataFetch says goodbye at its stop and closes everything", () => {
  const stage = new FetchStage({ tiers: [["http://tracker.test/announce"]] });
  const [{ call }] = stage.effectsOf("announce");
  stage.apply({ kind: "announced", id: call.id, reply: replyWith([]) });
  const peer = stage.join();
  stage.apply({ kind: "stop" });
  assert(peer.isClosed);
  assertEquals(stage.effectsOf("announce").at(-1)!.call.request.event, "stopped");
  assertEquals(stage.fetch.wakeAt(), Infinity);
});

Deno.test("MetadataFetch drops who never says who it is", () => {
  const stage = new FetchStage();
  const silent = stage.connect();
  stage.pass(11_000);
  assert(silent.isClosed);
});

Deno.test("MetadataFetch drops a handshake for another torrent", () => {
  const stage = new FetchStage();
  const peer = stage.connect();
  peer.sayHandshake({ infoHash: infoHashFromBytes(new Uint8Array(20)) });
  assert(peer.isClosed);
});

// The handover to the Torrent

const somePieces = () => bitfieldOf(" * * ");

function seedSays(peer: ScriptedPeer): void {
  peer.say((out) => {
    out.bare(MessageId.haveAll);
    out.bare(MessageId.unchoke);
  });
}

Deno.test("Torrent takes over the peers of the fetch and downloads over the same connection", () => {
  const stage = new FetchStage();
  const peer = stage.join();
  seedSays(peer);
  stage.serve(peer);
  const torrent = stage.handOver();
  assertEquals(torrent.peers.length, 1);
  assert(peer.session!.has.isFull);
  peer.serve();
  assert(torrent.isComplete);
  assertEquals(stage.effectsOf("peerJoined").length, 1);
});

Deno.test("Torrent tells the peers of the fetch the size of the metadata, and the pieces of an earlier run by have", () => {
  const stage = new FetchStage();
  const peer = stage.join();
  stage.serve(peer);
  const have = somePieces();
  stage.handOver({ have });
  const handshakes = peer.heardExtended(0).map((payload) => decodeExtensionHandshake(payload).metadataSize);
  assertEquals(handshakes, [undefined, stage.infoBytes.length]);
  assertEquals(peer.heardOf("have").map(({ piece }) => piece), [1, 3]);
  assertEquals(peer.heardOf("bitfield"), []);
});

Deno.test("Torrent greets a peer of the fetch that has not said its handshake yet as any other", () => {
  const stage = new FetchStage();
  const late = stage.connect();
  stage.serve(stage.join());
  stage.handOver({ have: somePieces() });
  late.sayHandshake();
  assertEquals(late.heard.map(({ kind }) => kind).slice(0, 2), ["extended", "bitfield"]);
});

Deno.test("Torrent believes that a peer of the fetch lost a piece after it had said that it has it (BEP 54)", () => {
  const stage = new FetchStage();
  const peer = stage.join();
  peer.say((out) => (out.piece(MessageId.have, 1), out.piece(MessageId.have, 2)));
  peer.sayExtended("lt_donthave", encodeDontHave(1));
  stage.serve(peer);
  stage.handOver();
  assertEquals([1, 2].map((piece) => peer.session!.has.has(piece)), [false, true]);
});

Deno.test("Torrent drops a peer of the fetch whose early words do not fit the torrent", () => {
  const stage = new FetchStage();
  const peer = stage.join();
  peer.say((out) => out.bitfield(new Uint8Array(7)));
  stage.serve(peer);
  stage.handOver();
  assert(peer.isClosed);
});

Deno.test("Torrent that turns out to be private keeps the peers of trackers and the user only (BEP 27)", () => {
  const stage = new FetchStage({ tiers: [["http://tracker.test/announce"]] });
  const endpointOf = (number: number) => ({ host: `10.1.0.${number}`, port: 6881 });
  const [{ call }] = stage.effectsOf("announce");
  stage.apply({ kind: "announced", id: call.id, reply: replyWith([endpointOf(1)]) });
  stage.apply({ kind: "peersFound", endpoints: [endpointOf(2)], source: "user" });
  stage.apply({ kind: "peersFound", endpoints: [endpointOf(3), endpointOf(9)], source: "discovery" });
  const peers = [1, 2, 3].map((number) => stage.join({ number }));
  const stranger = stage.join({ number: 4, isOutgoing: false });
  for (const peer of peers) stage.serve(peer);
  stage.handOver({ isPrivate: true });
  assertEquals([...peers, stranger].map(({ isClosed }) => isClosed), [false, false, true, true]);
  const dialled = stage.effectsOf("dial").length;
  stage.apply({ kind: "dialFailed", endpoint: endpointOf(9) });
  stage.pass(20_000);
  assertEquals(stage.effectsOf("dial").slice(dialled).map(({ endpoint }) => endpoint.host), []);
});
