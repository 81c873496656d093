import { assert, assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import { handshakeTimeoutMs, keepAliveMs, silenceMaxMs } from "../../lib/limits/transfer.ts";
import { encodeExtensionHandshake } from "../../lib/wire/extended.ts";
import { MessageId } from "../../lib/wire/message.ts";
import { testPeerId, TorrentStage } from "./scripted_peer.ts";
import { type VirtualPeer, VirtualSwarm } from "./torrent_harness.ts";
import { makeContent } from "./virtual_disk.ts";

const content = makeContent({ totalLength: 400_000, pieceLength: 50_000 });

/** The peers that both ends think are connected. */
function links(a: VirtualPeer, b: VirtualPeer): [number, number] {
  const count = (of: VirtualPeer, other: VirtualPeer) =>
    of.torrent.peers.filter((session) => session.peerId === other.peerId).length;
  return [count(a, b), count(b, a)];
}

Deno.test("PeerRoster keeps exactly one connection on both ends of a simultaneous dial", () => {
  for (let seed = 0; seed < 20; seed++) {
    const swarm = new VirtualSwarm(content, { seed, latencyMs: seed % 2 === 0 ? 0.1 : 30 });
    const a = swarm.join();
    const b = swarm.join();
    swarm.introduce(a, [b]);
    swarm.introduce(b, [a]);
    swarm.runFor(3_000);
    assertEquals(links(a, b), [1, 1]);
    assertEquals([a.pipes.size, b.pipes.size], [1, 1]);
  }
});

Deno.test("PeerRoster does not dial again who it is connected to by the other's dial", () => {
  const swarm = new VirtualSwarm(content, { latencyMs: 5 });
  const a = swarm.join();
  const b = swarm.join();
  swarm.introduce(a, [b]);
  swarm.introduce(b, [a]);
  swarm.runFor(1_000);
  const dials = () => [a, b].map((peer) => peer.eventsOf("close").length);
  const before = dials();
  swarm.runFor(600_000);
  assertEquals(dials(), before, "connections were made and closed for nothing");
  assertEquals(links(a, b), [1, 1]);
});

for (const supportsExtensions of [true, false]) {
  const how = supportsExtensions ? "that says its port" : "that does not say its port";
  Deno.test(`PeerRoster does not dial a peer again and again ${how}, of two simultaneous dials`, () => {
    for (const [ours, theirs] of [[1, 9], [9, 1]]) {
      const stage = new TorrentStage(content, { peerId: testPeerId(ours) });
      const endpoint = { host: "10.9.9.9", port: 6881 };
      const far = { peerId: testPeerId(theirs), supportsExtensions };
      const sayOpening = (peer: ReturnType<TorrentStage["connect"]>) => {
        peer.sayHandshake();
        if (peer.isClosed || !supportsExtensions) return;
        peer.say((out) => out.extended(0, encodeExtensionHandshake({ extensionIds: new Map(), listenPort: 6881 })));
      };
      stage.apply({ kind: "peersFound", endpoints: [endpoint], source: "user" });
      const outgoing = stage.connect({ ...far, endpoint, isOutgoing: true });
      const incoming = stage.connect({ ...far, endpoint: { host: "10.9.9.9", port: 51_000 } });
      for (const peer of ours < theirs ? [incoming, outgoing] : [outgoing, incoming]) sayOpening(peer);
      assertEquals([outgoing, incoming].filter(({ isClosed }) => isClosed).length, 1);
      const kept = outgoing.isClosed ? incoming : outgoing;
      for (let ms = 0; ms < 120_000; ms += 10_000) {
        stage.pass(10_000);
        kept.say((out) => out.keepAlive());
      }
      assertEquals(stage.effectsOf("dial").length, 1);
      assertEquals(kept.isClosed, false);
    }
  });
}

Deno.test("PeerRoster refuses a second connection of a peer that is here, and keeps the first", () => {
  const stage = new TorrentStage(content);
  const first = stage.join();
  const second = stage.join({ peerId: first.peerId });
  assertEquals([first.isClosed, second.closedBecause], [false, "the peer is connected twice"]);
  assertEquals(stage.torrent.peers.length, 1);
  assertEquals(stage.effectsOf("peerJoined").length, 1);
  assertEquals(stage.effectsOf("peerLeft").length, 0);
});

Deno.test("PeerRoster keeps an old connection whoever has the greater peer id", () => {
  for (const isOutgoing of [true, false]) {
    for (const theirs of [1, 9]) {
      const stage = new TorrentStage(content, { peerId: testPeerId(5) });
      const first = stage.join({ peerId: testPeerId(theirs), isOutgoing });
      stage.pass(8_000);
      const second = stage.join({ peerId: testPeerId(theirs), isOutgoing: !isOutgoing });
      assertEquals([first.isClosed, second.isClosed], [false, true]);
    }
  }
});

Deno.test("PeerRoster bans a liar at its own address, whatever name it took and whoever had it before", () => {
  for (const isTwin of [false, true]) {
    const stage = new TorrentStage(content, { peerId: testPeerId(9) });
    const honest = { peerId: testPeerId(1), endpoint: { host: "10.1.0.1", port: 40_001 }, supportsExtensions: true };
    const listening = { ...honest, endpoint: { host: "10.1.0.1", port: 6881 }, isOutgoing: true };
    stage.apply({ kind: "peersFound", endpoints: [listening.endpoint], source: "user" });
    // Of two dialled at once the one of the greater peer id stays: the one that we dialled, which is the liar's.
    if (isTwin) stage.join(honest).sayExtensions({}, { listenPort: 6881 });
    const stolen = { peerId: testPeerId(1), endpoint: { host: "10.6.0.1", port: 40_001 }, isOutgoing: isTwin };
    const liar = stage.joinSeed(stolen);
    liar.answerAll((range) => liar.sayWrongBlock(range));
    assertEquals(stage.effectsOf("peerBanned").map(({ endpoint }) => endpoint.host), ["10.6.0.1"]);
    assert(stage.join(stolen).isClosed, "the liar is let in again");
    const again = stage.join(honest);
    assertEquals(again.closedBecause, undefined);
    again.leave();
    assertEquals(stage.join(listening).closedBecause, undefined);
  }
});

Deno.test("PeerRoster takes several peers behind one address", () => {
  const stage = new TorrentStage(content);
  for (let port = 1; port <= 5; port++) stage.join({ endpoint: { host: "10.0.0.1", port } });
  assertEquals(stage.torrent.peers.length, 5);
});

Deno.test("PeerRoster drops a connection to itself and never dials there again", () => {
  const swarm = new VirtualSwarm(content);
  const peer = swarm.join();
  swarm.introduce(peer, [peer]);
  swarm.runFor(600_000);
  assertEquals([peer.torrent.peers.length, peer.pipes.size], [0, 0]);
  assertEquals(peer.eventsOf("close").length, 2, "one connection, two ends");
  assertEquals(peer.eventsOf("peerJoined"), []);
});

Deno.test("PeerRoster refuses a handshake for another torrent", () => {
  const stage = new TorrentStage(content);
  const peer = stage.connect();
  peer.sayHandshake({ infoHash: makeContent({ totalLength: 1, pieceLength: 1, seed: 9 }).infoHash });
  assertEquals(peer.closedBecause, "a handshake for another torrent");
  assertEquals(stage.torrent.peers.length, 0);
});

Deno.test("PeerRoster drops garbage at its first byte", () => {
  const stage = new TorrentStage(content);
  const peer = stage.connect();
  peer.sayBytes(new TextEncoder().encode("GET /"));
  assertEquals(peer.closedBecause, "the connection does not speak BitTorrent");
});

Deno.test("PeerRoster drops who says no handshake in time", () => {
  const stage = new TorrentStage(content);
  const silent = stage.connect();
  const speaking = stage.join();
  stage.pass(handshakeTimeoutMs - 1_000);
  assertEquals(silent.isClosed, false);
  stage.pass(2_000);
  assertEquals([silent.closedBecause, speaking.isClosed], ["no handshake came", false]);
});

Deno.test("PeerRoster drops who is silent for minutes and keeps who says a keep-alive", () => {
  const stage = new TorrentStage(content);
  const silent = stage.join();
  const living = stage.join();
  for (let ms = 0; ms < silenceMaxMs + 10_000; ms += 60_000) {
    living.say((out) => out.keepAlive());
    stage.pass(60_000);
  }
  assertEquals([silent.closedBecause, living.isClosed], ["nothing came for minutes", false]);
});

Deno.test("Torrent says keep-alives where there is nothing to say, often enough and not too often", () => {
  const stage = new TorrentStage(content);
  const peers = [stage.join(), stage.join({ peerId: testPeerId(50, "-rQ0001-") })];
  for (let ms = 0; ms < 200_000; ms += 1_000) {
    stage.pass(1_000);
    for (const peer of peers) peer.say((out) => out.keepAlive());
  }
  const counts = peers.map((peer) => peer.heardOf("keepAlive").length);
  assertEquals(counts[0], Math.floor(200_000 / keepAliveMs));
  assert(counts[1] >= 22 && counts[1] <= 25, `rqbit heard ${counts[1]}`);
});

Deno.test("Torrent dials an address again whose peer said that it listens elsewhere, once that is gone", () => {
  const stage = new TorrentStage(content);
  const endpoint = { host: "10.2.0.1", port: 7_000 };
  stage.apply({ kind: "peersFound", endpoints: [endpoint], source: "user" });
  const peer = stage.join({ endpoint, isOutgoing: true, supportsExtensions: true });
  peer.sayExtensions({}, { listenPort: 6_881 });
  stage.pass(10_000);
  const dialsOf = () => stage.effectsOf("dial").length;
  assertEquals(dialsOf(), 1);
  peer.leave();
  stage.pass(10_000);
  assertEquals(dialsOf(), 2);
});

Deno.test("Torrent dials again after a failure", () => {
  const stage = new TorrentStage(content);
  const endpoint = { host: "10.2.0.1", port: 6881 };
  stage.apply({ kind: "peersFound", endpoints: [endpoint], source: "user" });
  stage.apply({ kind: "dialFailed", endpoint });
  assertEquals(stage.effectsOf("dial").length, 1);
  stage.pass(10_000);
  assertEquals(stage.effectsOf("dial").length, 2);
});

Deno.test("Torrent dials a peer again soon that it gave blocks to, however often it goes", () => {
  const stage = new TorrentStage(content, { have: Bitfield.full(8) });
  const endpoint = { host: "10.2.0.1", port: 6881 };
  stage.apply({ kind: "peersFound", endpoints: [endpoint], source: "user" });
  for (let visits = 1; visits <= 5; visits++) {
    assertEquals(stage.effectsOf("dial").length, visits);
    const peer = stage.join({ endpoint, isOutgoing: true });
    peer.say((out) => (out.bare(MessageId.interested), out.range(MessageId.request, visits, 0, 16_384)));
    peer.leave();
    stage.pass(2_500);
  }
});

for (const { maxPeers, most } of [{ maxPeers: 30, most: 15 }, { maxPeers: 6, most: 6 }, { maxPeers: 1, most: 1 }]) {
  Deno.test(`PeerRoster with room for ${maxPeers} dials ${most}, and lets in as many as there is room for`, () => {
    const swarm = new VirtualSwarm(content);
    const others = Array.from({ length: 40 }, () => swarm.join());
    const peer = swarm.join({ maxPeers });
    swarm.introduce(peer, others);
    swarm.runFor(10_000);
    assertEquals(peer.torrent.peers.length, most);
    for (const other of others) swarm.introduce(other, [peer]);
    swarm.runFor(1_000);
    assertEquals(peer.torrent.peers.length, maxPeers);
  });
}

Deno.test("PeerRoster dials a tenth of its room however many have dialled it", () => {
  const swarm = new VirtualSwarm(content);
  const peer = swarm.join({ maxPeers: 30 });
  for (let count = 0; count < 40; count++) swarm.introduce(swarm.join(), [peer]);
  swarm.runFor(5_000);
  const dialled = () => peer.torrent.peers.filter(({ isOutgoing }) => isOutgoing).length;
  assertEquals([peer.torrent.peers.length, dialled()], [27, 0]);
  swarm.introduce(peer, Array.from({ length: 10 }, () => swarm.join()));
  swarm.runUntil(() => dialled() === 3, { maxMs: 10_000 });
});

Deno.test("Torrent dials who it is told of within its bound of peers", () => {
  const stage = new TorrentStage(content, { maxPeers: 3 });
  const endpoints = Array.from({ length: 10 }, (_, index) => ({ host: `10.2.0.${index}`, port: 6881 }));
  stage.apply({ kind: "peersFound", endpoints, source: "user" });
  const dialled = stage.effectsOf("dial").length;
  assertLessOrEqual(dialled, 3);
  for (const { endpoint } of stage.effectsOf("dial")) stage.apply({ kind: "dialFailed", endpoint });
  stage.pass(60_000);
  assert(stage.effectsOf("dial").length > dialled);
});

Deno.test("Torrent refuses connections above its bound of peers", () => {
  const stage = new TorrentStage(content, { maxPeers: 2 });
  const peers = [stage.join(), stage.join(), stage.connect()];
  assertEquals(peers.map(({ closedBecause }) => closedBecause), [undefined, undefined, "there are enough peers"]);
});

Deno.test("Torrent hands on what it knows of peers: name, joining and leaving", () => {
  const stage = new TorrentStage(content);
  const peer = stage.join({ number: 5 });
  peer.leave();
  const { endpoint } = peer;
  assertEquals(stage.effectsOf("peerJoined"), [{ kind: "peerJoined", endpoint, client: "10.1.0.5:40005" }]);
  assertEquals(stage.effectsOf("peerLeft"), [{ kind: "peerLeft", endpoint, why: "it left" }]);
});

Deno.test("Torrent closes everything when it stops, and takes part in nothing any more", () => {
  const stage = new TorrentStage(content);
  const peers = [stage.joinSeed(), stage.join(), stage.connect()];
  stage.apply({ kind: "stop" });
  assertEquals(peers.map(({ closedBecause }) => closedBecause), peers.map(() => "the transfer ends"));
  const late = stage.connect();
  assertEquals(late.isClosed, true);
  stage.apply({ kind: "peersFound", endpoints: [{ host: "10.0.0.1", port: 1 }], source: "user" });
  stage.pass(60_000);
  assertEquals(stage.effectsOf("dial"), []);
});

Deno.test("Torrent parts from a seed when it has everything itself, and from nobody else", () => {
  const stage = new TorrentStage(content, { have: Bitfield.full(8) });
  const seed = stage.join({ has: Bitfield.full(8) });
  const fast = stage.join();
  fast.say((
    out,
  ) => (out.bare(MessageId.haveAll), out.bare(MessageId.interested), out.range(MessageId.request, 0, 0, 1)));
  const leecher = stage.join({ has: Bitfield.empty(8) });
  assertEquals([seed, fast, leecher].map(({ isClosed }) => isClosed), [true, true, false]);
  for (let piece = 0; piece < 7; piece++) leecher.say((out) => out.piece(MessageId.have, piece));
  assertEquals(leecher.isClosed, false);
  leecher.say((out) => out.piece(MessageId.have, 7));
  assertEquals(leecher.closedBecause, "neither wants anything");
  assertEquals(stage.effectsOf("readBlocks"), []);
});

Deno.test("Torrent parts from the seeds at the moment when it has become one", () => {
  const swarm = new VirtualSwarm(content);
  const seeds = [swarm.seed(), swarm.seed()];
  const leecher = swarm.join();
  swarm.introduce(leecher, seeds);
  swarm.runUntil(() => leecher.torrent.isComplete);
  swarm.runFor(10);
  assertEquals(leecher.torrent.peers.length, 0);
  assertEquals(seeds.map((seed) => seed.torrent.peers.length), [0, 0]);
  swarm.runFor(3_600_000);
  assertLess(leecher.eventsOf("close").length, 50, "seeds dial each other again and again");
});

Deno.test("Torrent takes addresses of a private torrent from its trackers and the user only (BEP 27)", () => {
  const dialled = (isPrivate: boolean) => {
    const stage = new TorrentStage(content, { isPrivate });
    for (const [index, source] of (["discovery", "exchange", "user"] as const).entries()) {
      stage.apply({ kind: "peersFound", endpoints: [{ host: `10.0.0.${index + 1}`, port: 1 }], source });
    }
    return stage.effectsOf("dial").map(({ endpoint }) => endpoint.host).sort();
  };
  assertEquals(dialled(true), ["10.0.0.3"]);
  assertEquals(dialled(false), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
});
