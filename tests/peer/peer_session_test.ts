import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Bitfield } from "../../lib/bitfield.ts";
import { type Bytes, concatBytes } from "../../lib/bytes.ts";
import { ProtocolError } from "../../lib/errors.ts";
import { infoHashFromBytes } from "../../lib/ids.ts";
import { keepAliveMs, keepAliveRqbitMs } from "../../lib/limits/transfer.ts";
import { outboxBytesMax } from "../../lib/limits/wire.ts";
import { encodeExtensionHandshake } from "../../lib/wire/extended.ts";
import { FrameReader } from "../../lib/wire/frame.ts";
import { encodeHandshake } from "../../lib/wire/handshake.ts";
import { decodeMessage, type Message, MessageId } from "../../lib/wire/message.ts";
import { MessageWriter } from "../../lib/wire/message_writer.ts";
import { PeerSession } from "../../peer/peer_session.ts";
import { testPeerId } from "./scripted_peer.ts";
import { bitfieldOf } from "./virtual_disk.ts";

const infoHash = infoHashFromBytes(new Uint8Array(20).fill(0xab));
const pieceCount = 10;

/** A session on its own, with all that it says taken apart. */
class SessionStage {
  readonly session: PeerSession;
  readonly unflushed = new Set<PeerSession>();
  readonly received: Message[] = [];
  handshakeCount = 0;
  now = 0;
  readonly #frames = new FrameReader();

  constructor({ isOutgoing = false } = {}) {
    const endpoint = { host: "10.0.0.9", port: 50_000 };
    const { unflushed, now } = this;
    this.session = new PeerSession({ connection: 1, endpoint, isOutgoing, pieceCount, now, unflushed });
    const handshake = { infoHash, peerId: testPeerId(0), supportsExtensions: true, supportsFast: true };
    this.#frames.push(encodeHandshake(handshake), () => {}); // the tests look at what comes behind it
  }

  say(bytes: Uint8Array): void {
    this.session.receive(bytes, this.now, {
      onHandshake: () => void this.handshakeCount++,
      onMessage: (_, message) => void this.received.push(message),
    });
  }

  sayHandshake({ supportsFast = true, supportsExtensions = true, peerId = testPeerId(9) } = {}): this {
    this.say(encodeHandshake({ infoHash, peerId, supportsFast, supportsExtensions }));
    return this;
  }

  message(write: (out: MessageWriter) => void): void {
    const out = new MessageWriter();
    write(out);
    this.say(out.take());
  }

  /** What the session has to say, and has said with this. */
  takeSent(): Message[] {
    const bytes = this.session.takeOutbox(this.now);
    if (bytes === undefined) return [];
    const messages: Message[] = [];
    this.#frames.push(bytes.slice(), (buffer, start, end) => {
      messages.push(decodeMessage(buffer.slice(start, end), 0, end - start));
    });
    this.session.written(bytes);
    return messages;
  }

  /** What it says after both handshakes. */
  opening(have: Bitfield, options: { supportsFast?: boolean; supportsExtensions?: boolean } = {}): Message[] {
    this.session.sendHandshake({ infoHash, peerId: testPeerId(0) });
    this.session.written(this.session.takeOutbox(this.now)!);
    this.sayHandshake(options);
    this.session.sendOpening({ have, extensions: { extensionIds: new Map() } });
    return this.takeSent();
  }
}

const kinds = (messages: Message[]) => messages.map(({ kind }) => kind);

Deno.test("PeerSession says its handshake in one write, with the bits of BEP 6 and BEP 10", () => {
  const { session } = new SessionStage({ isOutgoing: true });
  session.sendHandshake({ infoHash, peerId: testPeerId(0) });
  assertEquals(
    session.takeOutbox(0),
    encodeHandshake({ infoHash, peerId: testPeerId(0), supportsExtensions: true, supportsFast: true }),
  );
});

const openings: [what: string, have: string, options: { supportsFast?: boolean }, wanted: Message["kind"][]][] = [
  ["have-all", "*".repeat(10), {}, ["extended", "haveAll"]],
  ["have-none", " ".repeat(10), {}, ["extended", "haveNone"]],
  ["a bitfield", "*  *      ", {}, ["extended", "bitfield"]],
  ["a full bitfield without fast", "*".repeat(10), { supportsFast: false }, ["extended", "bitfield"]],
  ["nothing without fast", " ".repeat(10), { supportsFast: false }, ["extended"]],
];
for (const [what, have, options, wanted] of openings) {
  Deno.test(`PeerSession opens with the extension handshake, then ${what}`, () => {
    assertEquals(kinds(new SessionStage().opening(bitfieldOf(have), options)), wanted);
  });
}

Deno.test("PeerSession says no extension handshake to who did not set the bit", () => {
  const opening = new SessionStage().opening(bitfieldOf("*         "), { supportsExtensions: false });
  assertEquals(opening, [{ kind: "bitfield", payload: Uint8Array.of(0x80, 0) }]);
});

Deno.test("PeerSession learns name, port and queue depth of its peer, and repeated handshakes merge", () => {
  const stage = new SessionStage().sayHandshake();
  const extensionIds = new Map<string, number>();
  assertEquals(stage.session.client, "");
  stage.message((out) =>
    out.extended(0, encodeExtensionHandshake({ extensionIds, client: "aria2/1", listenPort: 6000 }))
  );
  stage.message((out) => out.extended(0, encodeExtensionHandshake({ extensionIds, requestQueueMax: 3 })));
  assertEquals(stage.session.client, "aria2/1");
  assertEquals(stage.session.listenEndpoint, { host: "10.0.0.9", port: 6000 });
  assertEquals(stage.session.requests.room(0), 1);
});

Deno.test("PeerSession ignores extended messages whose ids it never gave", () => {
  const stage = new SessionStage().sayHandshake();
  stage.message((out) => out.extended(7, new TextEncoder().encode("garbage")));
  assertEquals(stage.received.length, 1);
});

Deno.test("PeerSession takes bitfield, have-all or have-none as the first word", () => {
  const first = (write: (out: MessageWriter) => void) => {
    const stage = new SessionStage().sayHandshake();
    stage.message(write);
    return stage.session.has;
  };
  assertEquals(first((out) => out.bitfield(Uint8Array.of(0x80, 0x40))).encode(), Uint8Array.of(0x80, 0x40));
  assert(first((out) => out.bare(MessageId.haveAll)).isFull);
  assert(first((out) => out.bare(MessageId.haveNone)).isEmpty);
});

Deno.test("PeerSession takes the extension handshake and a keep-alive before the bitfield", () => {
  const stage = new SessionStage().sayHandshake();
  stage.message((out) => {
    out.keepAlive();
    out.extended(0, new TextEncoder().encode("de"));
    out.bitfield(Uint8Array.of(0xff, 0xc0));
  });
  assert(stage.session.has.isFull);
});

Deno.test("PeerSession takes a further bitfield as so many haves, as aria2 means it", () => {
  const stage = new SessionStage().sayHandshake();
  stage.message((out) => out.bitfield(Uint8Array.of(0x80, 0)));
  stage.message((out) => out.bitfield(Uint8Array.of(0xa0, 0x40)));
  assertEquals(stage.received.slice(1), [{ kind: "have", piece: 2 }, { kind: "have", piece: 9 }]);
});

Deno.test("PeerSession takes no piece back from a peer whose later bitfield lacks it", () => {
  const stage = new SessionStage().sayHandshake();
  stage.message((out) => out.bitfield(Uint8Array.of(0x80, 0)));
  stage.message((out) => out.bare(MessageId.haveNone));
  assertEquals([stage.session.has.count, stage.received.length], [1, 1]);
});

const refused: [what: string, write: (out: MessageWriter) => void, options?: { supportsFast: boolean }][] = [
  ["a bitfield that is too short", (out) => out.bitfield(Uint8Array.of(0))],
  ["a bitfield that is too long", (out) => out.bitfield(Uint8Array.of(0, 0, 0))],
  ["a bitfield with spare bits set", (out) => out.bitfield(Uint8Array.of(0, 0x20))],
  ["have-all without fast", (out) => out.bare(MessageId.haveAll), { supportsFast: false }],
  ["have-none without fast", (out) => out.bare(MessageId.haveNone), { supportsFast: false }],
  ["suggest without fast", (out) => out.piece(MessageId.suggest, 1), { supportsFast: false }],
  ["allowed-fast without fast", (out) => out.piece(MessageId.allowedFast, 1), { supportsFast: false }],
  ["reject without fast", (out) => out.range(MessageId.reject, 0, 0, 1), { supportsFast: false }],
  ["an extension handshake that is no dictionary", (out) => out.extended(0, new TextEncoder().encode("le"))],
];
for (const [what, write, options] of refused) {
  Deno.test(`PeerSession refuses ${what}`, () => {
    const stage = new SessionStage().sayHandshake(options);
    assertThrows(() => stage.message(write), ProtocolError);
  });
}

Deno.test("PeerSession follows the flags that the peer sets", () => {
  const stage = new SessionStage().sayHandshake();
  const { session } = stage;
  const flags = () => [session.peerChoking, session.peerInterested];
  assertEquals(flags(), [true, false]);
  stage.message((out) => (out.bare(MessageId.unchoke), out.bare(MessageId.interested)));
  assertEquals(flags(), [false, true]);
  stage.message((out) => (out.bare(MessageId.choke), out.bare(MessageId.notInterested)));
  assertEquals(flags(), [true, false]);
});

Deno.test("PeerSession says choke and interest only when they change", () => {
  const stage = new SessionStage().sayHandshake();
  const { session } = stage;
  session.setChoking(true, 5);
  session.setInterested(false);
  assertEquals(stage.takeSent(), []);
  session.setChoking(false, 7);
  session.setChoking(false, 8);
  session.setInterested(true);
  session.setInterested(true);
  assertEquals(kinds(stage.takeSent()), ["unchoke", "interested"]);
  assertEquals(session.chokeChangedAt, 7);
});

Deno.test("PeerSession answers by silence where the peer knows no reject", () => {
  const range = { piece: 1, begin: 0, length: 16_384 };
  const fast = new SessionStage().sayHandshake();
  fast.session.sendReject(range);
  assertEquals(fast.takeSent(), [{ kind: "reject", ...range }]);
  const plain = new SessionStage().sayHandshake({ supportsFast: false });
  plain.session.sendReject(range);
  assertEquals(plain.takeSent(), []);
});

Deno.test("PeerSession writes one write at a time and enters itself again for what came meanwhile", () => {
  const { session, unflushed } = new SessionStage().sayHandshake();
  session.sendHave(1);
  const first = session.takeOutbox(0)!;
  unflushed.clear();
  session.sendHave(2);
  assertEquals(session.takeOutbox(0), undefined);
  unflushed.clear();
  session.written(first);
  assert(unflushed.has(session));
  assertEquals(session.takeOutbox(0)?.length, 9);
  session.written(new Uint8Array(0) as Bytes);
  assertEquals(session.takeOutbox(0), undefined);
});

Deno.test("PeerSession uses a write's memory again", () => {
  const { session } = new SessionStage().sayHandshake();
  const nextBuffer = () => {
    session.sendBlock(0, 0, new Uint8Array(16_384), 0);
    const bytes = session.takeOutbox(0)!;
    session.written(bytes);
    return bytes.buffer;
  };
  assert(nextBuffer() === nextBuffer());
});

Deno.test("PeerSession is congested while its outbox is above its bound", () => {
  const { session } = new SessionStage().sayHandshake();
  const block = new Uint8Array(16_384);
  while (session.outboxBytes <= outboxBytesMax) {
    assertEquals(session.isCongested, false);
    session.sendBlock(0, 0, block, 0);
  }
  assert(session.isCongested);
  session.takeOutbox(0);
  assertEquals(session.isCongested, false);
});

Deno.test("PeerSession.keepAlive() speaks after the silence of BEP 3, and not more often", () => {
  const stage = new SessionStage();
  stage.now = 1_000;
  stage.opening(bitfieldOf(" ".repeat(10)));
  const spokenAt: number[] = [];
  for (; stage.now < 400_000; stage.now += 500) {
    stage.session.keepAlive(stage.now);
    if (kinds(stage.takeSent()).includes("keepAlive")) spokenAt.push(stage.now);
  }
  assertEquals(spokenAt.slice(0, 3), [1, 2, 3].map((n) => 1_000 + n * keepAliveMs));
});

Deno.test("PeerSession.keepAlive() speaks every 8 s to rqbit, which leaves after 10", () => {
  const stage = new SessionStage().sayHandshake({ peerId: testPeerId(3, "-rQ0801-") });
  stage.session.keepAlive(keepAliveRqbitMs - 1);
  assertEquals(stage.takeSent(), []);
  stage.session.keepAlive(keepAliveRqbitMs);
  assertEquals(kinds(stage.takeSent()), ["keepAlive"]);
});

Deno.test("PeerSession.keepAlive() is silent before the handshake and while something is being written", () => {
  const stage = new SessionStage();
  stage.session.keepAlive(1e6);
  assertEquals(stage.takeSent(), []);
  stage.sayHandshake();
  stage.session.sendHave(1);
  stage.session.keepAlive(1e6);
  assertEquals(kinds(stage.takeSent()), ["have"]);
});

Deno.test("PeerSession keeps no view of the bytes that it received", () => {
  const stage = new SessionStage().sayHandshake();
  const out = new MessageWriter();
  out.extended(0, encodeExtensionHandshake({ extensionIds: new Map(), client: "aria2" }));
  out.bitfield(Uint8Array.of(0x80, 0));
  const bytes = concatBytes([out.take()]);
  stage.say(bytes);
  bytes.fill(0xee);
  assertEquals([stage.session.client, stage.session.has.count], ["aria2", 1]);
});

Deno.test("PeerSession sends a message of an extension under the id that its peer gave, and none to who turned it off", () => {
  const stage = new SessionStage().sayHandshake();
  const say = (id: number) =>
    stage.message((out) =>
      out.extended(0, encodeExtensionHandshake({ extensionIds: new Map([["ut_metadata", id], ["made_up", 9]]) }))
    );
  stage.session.sendExtended("ut_metadata", Uint8Array.of(1));
  assertEquals(stage.takeSent(), []);
  say(77);
  stage.session.sendExtended("ut_metadata", Uint8Array.of(2));
  stage.session.sendExtended("ut_pex", Uint8Array.of(3));
  assertEquals(stage.takeSent(), [{ kind: "extended", id: 77, payload: Uint8Array.of(2) }]);
  say(0);
  stage.session.sendExtended("ut_metadata", Uint8Array.of(4));
  assertEquals(stage.takeSent(), []);
});
