import { assert, assertEquals } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import { type Endpoint, formatEndpoint } from "../../lib/endpoint.ts";
import { hearsayDialsMax } from "../../lib/limits/transfer.ts";
import {
  pexAddressesPerPeerMax,
  pexEntriesMax,
  pexFirstDelayMs,
  pexIntervalMs,
  pexReceiveMinMs,
} from "../../lib/limits/wire.ts";
import { decodeExtensionHandshake } from "../../lib/wire/extended.ts";
import { decodePexMessage, encodePexMessage, PexFlag, type PexMessage } from "../../lib/wire/ut_pex.ts";
import { type ScriptedPeer, type ScriptedPeerOptions, testPeerId, TorrentStage } from "./scripted_peer.ts";
import { makeContent } from "./virtual_disk.ts";

const content = makeContent({ totalLength: 100_000, pieceLength: 20_000 });
const pexId = 21;

function join(stage: TorrentStage, options: ScriptedPeerOptions & { listenPort?: number } = {}): ScriptedPeer {
  const { listenPort, ...rest } = options;
  const peer = stage.join({ supportsExtensions: true, isOutgoing: true, ...rest });
  peer.sayExtensions({ ut_pex: pexId }, listenPort === undefined ? {} : { listenPort });
  return peer;
}

const told = (peer: ScriptedPeer): PexMessage[] => peer.heardExtended(pexId).map(decodePexMessage);
const hostsOf = (endpoints: readonly Endpoint[]) => endpoints.map(({ host }) => host).sort();
const addedTo = (peer: ScriptedPeer) =>
  hostsOf(told(peer).flatMap(({ added }) => added.map(({ endpoint }) => endpoint)));
/** The peer tells of these addresses. */
const tell = (peer: ScriptedPeer, endpoints: readonly Endpoint[], flags = 0) =>
  peer.sayExtended(
    "ut_pex",
    encodePexMessage({ added: endpoints.map((endpoint) => ({ endpoint, flags })), dropped: [] }),
  );
const at = (number: number): Endpoint => ({ host: `10.8.${number >>> 8}.${number & 255}`, port: 6881 });
const range = (count: number, from = 0) => Array.from({ length: count }, (_, index) => at(from + index));
const dialled = (stage: TorrentStage) => stage.effectsOf("dial").map(({ endpoint }) => formatEndpoint(endpoint));

Deno.test("PeerExchange tells a newcomer soon who else is here, and nobody of himself (BEP 11)", () => {
  const stage = new TorrentStage(content);
  const [a, b] = [join(stage), join(stage)];
  stage.pass(pexFirstDelayMs + 1_000);
  assertEquals([addedTo(a), addedTo(b)], [["10.1.0.2"], ["10.1.0.1"]]);
  assertEquals(told(a)[0].added[0].endpoint.port, 6881);
});

Deno.test("PeerExchange tells what is new once a minute, and who left", () => {
  const stage = new TorrentStage(content);
  const [a, b] = [join(stage), join(stage)];
  stage.pass(pexFirstDelayMs + 1_000);
  b.leave();
  join(stage);
  stage.pass(pexIntervalMs - 2_000);
  assertEquals(told(a).length, 1);
  stage.pass(2_000);
  assertEquals(told(a).slice(1), [{
    added: [{ endpoint: { host: "10.1.0.3", port: 6881 }, flags: PexFlag.reachable }],
    dropped: [{ host: "10.1.0.2", port: 6881 }],
  }]);
  stage.pass(5 * pexIntervalMs);
  assertEquals(told(a).length, 2, "no news is no message");
});

Deno.test("PeerExchange tells nothing to who does not speak it, or turned it off", () => {
  const stage = new TorrentStage(content);
  join(stage);
  const [plain, off] = [stage.join({ supportsExtensions: true }), join(stage)];
  off.sayExtensions({ ut_pex: 0 });
  stage.pass(10_000);
  assertEquals([plain, off].map((peer) => peer.heardOf("extended").filter(({ id }) => id !== 0)), [[], []]);
});

Deno.test("PeerExchange tells the port that a peer said, and leaves out who can only dial out", () => {
  const stage = new TorrentStage(content);
  const witness = join(stage);
  join(stage, { isOutgoing: false });
  join(stage, { isOutgoing: false, listenPort: 7_000 });
  stage.pass(5_000);
  assertEquals(told(witness), [{ added: [{ endpoint: { host: "10.1.0.3", port: 7_000 }, flags: 0 }], dropped: [] }]);
});

Deno.test("PeerExchange marks who has everything or wants nothing", () => {
  const stage = new TorrentStage(content);
  const witness = join(stage);
  join(stage).say((out) => out.bitfield(Bitfield.full(content.layout.pieceCount).encode()));
  join(stage).sayExtensions({}, { isUploadOnly: true });
  join(stage);
  stage.pass(5_000);
  const flags = told(witness)[0].added.map(({ endpoint, flags }) => [endpoint.host, flags & PexFlag.seed]);
  assertEquals(flags.sort(), [["10.1.0.2", 2], ["10.1.0.3", 2], ["10.1.0.4", 0]]);
});

Deno.test("PeerExchange tells so many at a time only, the others later, and not everybody the same", () => {
  const stage = new TorrentStage(content);
  const peers = Array.from({ length: 80 }, (_, index) => join(stage, { number: index + 1 }));
  stage.pass(5_000);
  assertEquals(new Set(peers.map((peer) => told(peer)[0].added.length)), new Set([pexEntriesMax]));
  assert(new Set(peers.map((peer) => addedTo(peer).join())).size > 10);
  stage.pass(pexIntervalMs);
  assertEquals(new Set(peers.map((peer) => addedTo(peer).length)), new Set([79]));
});

Deno.test("PeerExchange tells loopback addresses on loopback only, and none that mean nothing elsewhere", () => {
  const stage = new TorrentStage(content);
  const far = join(stage, { number: 1 });
  const near = join(stage, { endpoint: { host: "127.0.0.1", port: 6882 } });
  join(stage, { number: 3, endpoint: { host: "127.0.0.1", port: 6883 } });
  join(stage, { number: 4, endpoint: { host: "fe80::4%eth0", port: 6881 } });
  stage.pass(5_000);
  assertEquals([addedTo(far), addedTo(near)], [[], ["10.1.0.1", "127.0.0.1"]]);
});

Deno.test("PeerExchange dials whom a peer tells of", () => {
  const stage = new TorrentStage(content);
  tell(join(stage), [at(1), { host: "2001:db8::7", port: 7_000 }]);
  assertEquals(dialled(stage), ["10.8.0.1:6881", "[2001:db8::7]:7000"]);
});

Deno.test("PeerExchange takes a message a minute of each peer, and no more", () => {
  const stage = new TorrentStage(content);
  const peer = join(stage);
  tell(peer, [at(1)]);
  for (let i = 2; i < 200; i++) tell(peer, [at(i)]);
  assertEquals([dialled(stage), peer.isClosed], [["10.8.0.1:6881"], false]);
  stage.pass(pexReceiveMinMs);
  tell(peer, [at(1_000)]);
  assertEquals(dialled(stage).includes("10.8.3.232:6881"), true);
});

Deno.test("PeerExchange takes so many addresses of one peer only: forged ones change little", () => {
  const stage = new TorrentStage(content);
  const liar = join(stage);
  for (let minute = 0; minute < 20; minute++) {
    tell(liar, range(50, 50 * minute));
    stage.pass(pexReceiveMinMs);
    liar.say((out) => out.keepAlive());
  }
  const distinct = new Set(dialled(stage));
  assert(distinct.size <= pexAddressesPerPeerMax, `${distinct.size} addresses were dialled`);
});

Deno.test("PeerExchange leaves dials free for the addresses of trackers and the user", () => {
  const stage = new TorrentStage(content);
  tell(join(stage), range(100));
  assertEquals(dialled(stage).length, hearsayDialsMax);
  stage.apply({ kind: "peersFound", endpoints: [{ host: "10.7.0.1", port: 1 }], source: "user" });
  assertEquals(dialled(stage).at(-1), "10.7.0.1:1");
});

Deno.test("PeerExchange gives nothing for addresses that can be nobody's", () => {
  const stage = new TorrentStage(content);
  const hosts = ["127.0.0.1", "0.0.0.0", "224.0.0.1", "239.192.152.143", "255.255.255.255", "::", "::1", "ff15::1"];
  tell(join(stage), [...hosts, "fe80::1"].map((host) => ({ host, port: 6881 })));
  assertEquals(dialled(stage), []);
});

Deno.test("PeerExchange leads to no dial of ourselves twice", () => {
  const peerId = testPeerId(77);
  const stage = new TorrentStage(content, { peerId });
  tell(join(stage), [at(1)]);
  const self = stage.connect({ isOutgoing: true, endpoint: at(1), peerId });
  self.sayHandshake();
  assert(self.isClosed);
  stage.pass(300_000);
  assertEquals(dialled(stage), ["10.8.0.1:6881"]);
});

Deno.test("PeerExchange of a torrent that wants nothing dials no seeds", () => {
  const stage = new TorrentStage(content, { have: Bitfield.full(content.layout.pieceCount) });
  const peer = join(stage);
  tell(peer, [at(1)], PexFlag.seed);
  stage.pass(pexReceiveMinMs);
  tell(peer, [at(2)]);
  assertEquals(dialled(stage), ["10.8.0.2:6881"]);
});

Deno.test("PeerExchange drops who sends garbage", () => {
  const stage = new TorrentStage(content);
  const peer = join(stage);
  peer.sayExtended("ut_pex", Uint8Array.of(1, 2, 3));
  assert(peer.isClosed);
});

Deno.test("PeerExchange is neither offered, listened to nor spoken by a private torrent (BEP 27)", () => {
  const stage = new TorrentStage(content, { isPrivate: true });
  const [a, b] = [join(stage), join(stage)];
  assertEquals(decodeExtensionHandshake(a.heardExtended(0)[0]).extensionIds.has("ut_pex"), false);
  tell(a, [at(1)]);
  stage.pass(10_000);
  assertEquals([told(a), told(b), dialled(stage)], [[], [], []]);
});
