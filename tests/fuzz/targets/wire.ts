/** What peers say: handshakes, frames and messages in a stream, extensions, and a whole session that is told them. */
import { Bitfield } from "../../../lib/bitfield.ts";
import type { InfoHash } from "../../../lib/ids.ts";
import { decodeExtensionHandshake, encodeExtensionHandshake } from "../../../lib/wire/extended.ts";
import { FrameReader } from "../../../lib/wire/frame.ts";
import {
  checkHandshakeStart,
  decodeHandshake,
  decodeHandshakeInfoHash,
  encodeHandshake,
} from "../../../lib/wire/handshake.ts";
import { decodeMessage, type Message } from "../../../lib/wire/message.ts";
import { decodeDontHave, decodeUploadOnly } from "../../../lib/wire/partial_seed.ts";
import { decodeMetadataMessage, metadataPartCount } from "../../../lib/wire/ut_metadata.ts";
import { decodePexMessage, encodePexMessage } from "../../../lib/wire/ut_pex.ts";
import { PeerSession } from "../../../peer/peer_session.ts";
import { bent, dictionary, integer, spell, text, type Tree } from "../bencode_draft.ts";
import { cutsOf } from "../cuts.ts";
import { bytesOf, type Draw, uint32 } from "../draw.ts";
import { holds, isEndpoint, isId, same, within } from "../holds.ts";
import { type FuzzTarget, type Outcome, readOrRefuse } from "../target.ts";

function handshakeText(draw: Draw): string {
  const reserved = draw.oneIn(3) ? draw.bytes(8) : "\0\0\0\0\0\x10\0\x04";
  const name = draw.oneIn(60) ? "\x13BitTorrent protocoL" : "\x13BitTorrent protocol";
  return name + reserved + draw.bytes(40);
}

/** The payload of a message, of the right length or not. */
function payloadText(draw: Draw, id: number): string {
  const number = () => uint32(draw.oneIn(3) ? draw.count() : draw.below(40));
  if (draw.oneIn(20)) return draw.someBytes();
  if ([4, 13, 17].includes(id)) return number();
  if ([6, 8, 16].includes(id)) {
    return draw.oneIn(2) ? number() + uint32(0) + uint32(1024) : number() + number() + number();
  }
  if (id === 7 && draw.oneIn(2)) return number() + uint32(0) + "x".repeat(1024);
  if (id === 7) return number() + number() + draw.bytes(draw.oneIn(30) ? 2000 : draw.below(40));
  if (id === 5) return draw.oneIn(3) ? "\xff\xff\xff\xff\xf8" : draw.bytes(5).slice(0, 4) + "\0";
  if (id === 9) return draw.bytes(2);
  if (id === 20) return extendedText(draw);
  return "";
}

function extendedText(draw: Draw): string {
  const id = draw.oneIn(8) ? draw.below(256) : draw.below(5);
  const payloads = [
    () => spell(bent(draw, extensionTree(draw)), draw),
    () => spell(bent(draw, pexTree(draw)), draw),
    () => metadataText(draw),
    () => uint32(draw.below(50)),
    () => draw.pick(["\0", "\x01", "\x01\x01"]),
  ];
  return String.fromCharCode(id) + (payloads[id] ?? (() => draw.someBytes()))();
}

function frameText(draw: Draw): string {
  if (draw.oneIn(15)) return uint32(0);
  const id = draw.oneIn(15) ? draw.below(256) : draw.pick([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 20, 20]);
  const payload = payloadText(draw, id);
  const length = draw.oneIn(100) ? draw.count() % 2 ** 32 : 1 + payload.length;
  return uint32(length) + String.fromCharCode(id) + payload;
}

/** A message with its length in front. */
export const framed = (id: number, payload: string) => uint32(1 + payload.length) + String.fromCharCode(id) + payload;

/** Messages of a peer, one behind the other. */
export const framesText = (draw: Draw) => draw.several(() => frameText(draw), 8).join("");
const streamText = (draw: Draw) => handshakeText(draw) + framesText(draw);

/** Everything that a stream says until it ends or breaks a rule; with what is left over. */
function readStream(reads: Iterable<Uint8Array>): { said: string[]; isBroken: boolean; carriedBytes: number } {
  const reader = new FrameReader();
  const said: string[] = [];
  let readBytes = 0;
  const isBroken = readOrRefuse(() => {
    for (const read of reads) {
      readBytes += read.length;
      reader.push(read, (buffer, start, end) => {
        if (said.length === 0) said.push(JSON.stringify(decodeHandshake(buffer.subarray(start, end))));
        else said.push(spelled(decodeMessage(buffer, start, end)));
      });
      holds(reader.carriedBytes <= readBytes, "more is carried than came");
    }
    return true;
  }) === undefined;
  return { said, isBroken, carriedBytes: reader.carriedBytes };
}

function spelled(message: Message): string {
  return JSON.stringify(message, (_, value) => ArrayBuffer.isView(value) ? (value as Uint8Array).toHex() : value);
}

const wireStream: FuzzTarget = {
  name: "wire-stream",
  generate: (draw) => bytesOf(streamText(draw)),
  run(input) {
    const whole = readStream([input]);
    const cut = readStream(cutsOf(input));
    same(cut.said, whole.said, "what a stream says, cut into reads");
    holds(cut.isBroken === whole.isBroken, "a stream is broken wherever it is cut");
    if (!whole.isBroken) holds(cut.carriedBytes === whole.carriedBytes, "as much is left over");
    return whole.isBroken ? "refused" : "taken";
  },
};

const handshake: FuzzTarget = {
  name: "handshake",
  generate: (draw) => bytesOf(handshakeText(draw)),
  run(input) {
    const start = readOrRefuse(() => (checkHandshakeStart(input), true));
    const read = readOrRefuse(() => decodeHandshake(input));
    if (read === undefined) return "refused";
    holds(start === true, "a handshake begins like one");
    isId(read.infoHash, "the info hash");
    isId(read.peerId, "the peer id");
    holds(decodeHandshakeInfoHash(input.subarray(0, 48)) === read.infoHash, "the info hash of the beginning");
    same(decodeHandshake(encodeHandshake(read)), read, "a handshake that was written again");
    return "taken";
  },
};

function extensionTree(draw: Draw): Tree {
  const ids = () =>
    Object.fromEntries(
      draw.several(
        () => [draw.oneIn(4) ? draw.utf8() : draw.pick(["ut_pex", "ut_metadata"]), integer(draw.digits())],
        5,
      ),
    );
  return dictionary({
    m: dictionary(ids()),
    v: draw.oneIn(3) ? text(draw.utf8()) : undefined,
    p: draw.oneIn(2) ? integer(draw.port()) : undefined,
    reqq: draw.oneIn(2) ? integer(draw.digits()) : undefined,
    metadata_size: draw.oneIn(2) ? integer(draw.digits()) : undefined,
    upload_only: draw.oneIn(3) ? integer(draw.digits()) : undefined,
    yourip: draw.oneIn(2) ? text(draw.bytes(draw.pick([0, 3, 4, 4, 16, 17]))) : undefined,
    ipv6: draw.oneIn(5) ? text(draw.bytes(16)) : undefined,
  });
}

const extensionHandshake: FuzzTarget = {
  name: "extension-handshake",
  corpus: [
    bytesOf(
      "d12:complete_agoi1e1:md11:lt_donthavei7e10:share_modei8e11:upload_onlyi3e12:ut_holepunchi4e11:ut_metadatai2e6:ut_pexi1ee13:metadata_sizei132e4:reqqi500e11:upload_onlyi1e1:v17:libtorrent/2.0.8.6:yourip4:\x7f\0\0\x01e",
    ),
  ],
  generate: (draw) => bytesOf(spell(bent(draw, extensionTree(draw)), draw)),
  run(input) {
    const read = readOrRefuse(() => decodeExtensionHandshake(input));
    if (read === undefined) return "refused";
    for (const id of read.extensionIds.values()) within(id, 0, 255, "the id of an extension");
    holds((read.client?.length ?? 0) <= 64, "the name of a program is too long");
    if (read.requestQueueMax !== undefined) within(read.requestQueueMax, 1, 1_000_000, "reqq");
    if (read.listenPort !== undefined) within(read.listenPort, 1, 65_535, "the port");
    if (read.yourIp !== undefined) isEndpoint({ host: read.yourIp, port: 1 }, "our address");
    if (/[\ufffd\ufeff]/.test(read.client ?? "") || read.client?.length === 64) return "taken";
    const sorted = { ...read, extensionIds: new Map([...read.extensionIds].sort(([a], [b]) => a < b ? -1 : 1)) };
    same(decodeExtensionHandshake(encodeExtensionHandshake(read)), sorted, "a handshake that was written again");
    return "taken";
  },
};

function pexTree(draw: Draw): Tree {
  const compact = (stride: number) => text(draw.several(() => draw.compact(stride), 6).join(""));
  return dictionary({
    added: compact(6),
    "added.f": text(draw.bytes(draw.below(8))),
    added6: draw.oneIn(2) ? compact(18) : undefined,
    "added6.f": draw.oneIn(2) ? text(draw.bytes(draw.below(4))) : undefined,
    dropped: draw.oneIn(2) ? compact(6) : undefined,
    dropped6: draw.oneIn(3) ? compact(18) : undefined,
  });
}

const peerExchange: FuzzTarget = {
  name: "peer-exchange",
  generate: (draw) => bytesOf(spell(bent(draw, pexTree(draw)), draw)),
  run(input) {
    const read = readOrRefuse(() => decodePexMessage(input));
    if (read === undefined) return "refused";
    holds(read.added.length <= 400 && read.dropped.length <= 400, "a message names too many peers");
    for (const { endpoint, flags } of read.added) {
      isEndpoint(endpoint, "a peer");
      within(flags, 0, 255, "the flags of a peer");
    }
    for (const endpoint of read.dropped) isEndpoint(endpoint, "a peer that left");
    // an IPv4 address in IPv6 form comes back in the other list
    const count = ({ added, dropped }: typeof read) => [added.length, dropped.length];
    if (read.added.length <= 200 && read.dropped.length <= 200) {
      same(count(decodePexMessage(encodePexMessage(read))), count(read), "a message that was written again");
    }
    return "taken";
  },
};

function metadataText(draw: Draw): string {
  const head = dictionary({
    msg_type: integer(draw.oneIn(6) ? draw.digits() : draw.below(3)),
    piece: integer(draw.oneIn(4) ? draw.digits() : draw.below(4)),
    total_size: draw.oneIn(2) ? integer(draw.digits()) : undefined,
  });
  return spell(bent(draw, head), draw) + draw.bytes(draw.oneIn(4) ? 300 : draw.below(20));
}

const metadataMessage: FuzzTarget = {
  name: "metadata-message",
  generate: (draw) => bytesOf(metadataText(draw)),
  run(input) {
    let isUnknown = false;
    const read = readOrRefuse(() => {
      const message = decodeMetadataMessage(input);
      isUnknown = message === undefined;
      return message;
    });
    if (read === undefined) return isUnknown ? "taken" : "refused";
    within(read.part, 0, Number.MAX_SAFE_INTEGER, "the part");
    if (read.kind === "data") {
      const { block, totalSize } = read;
      holds(block.byteOffset + block.length === input.byteOffset + input.length, "the block is what is left");
      if (totalSize !== undefined) holds(metadataPartCount(totalSize) <= Number.MAX_SAFE_INTEGER, "a number of parts");
    }
    return "taken";
  },
};

const partialSeed: FuzzTarget = {
  name: "partial-seed",
  generate: (draw) => bytesOf(draw.bytes(draw.pick([0, 1, 1, 3, 4, 4, 5]))),
  run(input) {
    const index = readOrRefuse(() => decodeDontHave(input));
    if (index !== undefined) within(index, 0, 2 ** 32 - 1, "a piece");
    const isUploadOnly = readOrRefuse(() => decodeUploadOnly(input));
    return index !== undefined || isUploadOnly !== undefined ? "taken" : "refused";
  },
};

const bitfield: FuzzTarget = {
  name: "bitfield",
  /** The number of pieces in two bytes, then the payload. */
  generate(draw) {
    const length = draw.oneIn(20) ? draw.below(65_536) : draw.below(80);
    const bytes = [...draw.bytes(Math.ceil(length / 8))];
    if (length % 8 !== 0 && !draw.oneIn(6)) {
      bytes[bytes.length - 1] = String.fromCharCode(0xff << (8 - length % 8) & 0xff);
    }
    return bytesOf(String.fromCharCode(length >>> 8, length & 255) + bytes.join(""));
  },
  run(input) {
    if (input.length < 2) return "refused";
    const length = input[0] << 8 | input[1];
    const read = readOrRefuse(() => Bitfield.decode(input.subarray(2), length));
    if (read === undefined) return "refused";
    let count = 0;
    for (let piece = 0; piece < length; piece++) if (read.has(piece)) count++;
    holds(count === read.count, "a bitfield counts its pieces");
    holds(!read.has(length) && !read.has(length + 8), "a bitfield has a piece behind its end");
    same(read.encode(), input.slice(2), "a bitfield that was written again");
    holds(read.hasAnyMissingFrom(Bitfield.empty(length)) === count > 0, "it has what nobody has");
    return "taken";
  },
};

const pieceCount = 37;

/** A session of a torrent that is known, or is not until all was said. */
function sessionTarget(name: string, isKnown: boolean): FuzzTarget {
  return {
    name,
    generate: (draw) => bytesOf(streamText(draw)),
    run(input): Outcome {
      const session = new PeerSession({
        connection: 1,
        endpoint: { host: "10.0.0.9", port: 6881 },
        isOutgoing: true,
        pieceCount: isKnown ? pieceCount : undefined,
        now: 0,
        unflushed: new Set(),
      });
      let heard = 0;
      const sink = {
        onHandshake: (_: PeerSession, { infoHash }: { infoHash: InfoHash }) => isId(infoHash, "the info hash"),
        onMessage: (_: PeerSession, message: Message) => {
          heard++;
          if (message.kind === "have" && session.has.length > message.piece) session.has.set(message.piece);
        },
      };
      const isGood = readOrRefuse(() => {
        for (const read of cutsOf(input)) session.receive(read, 1, sink);
        if (!isKnown) session.begin(pieceCount, sink);
        return true;
      });
      holds(
        session.has.length === (isGood || isKnown ? pieceCount : session.has.length),
        "a session knows how many pieces",
      );
      holds(heard <= input.length * pieceCount, "a session hears more than was said");
      if (session.listenEndpoint !== undefined) isEndpoint(session.listenEndpoint, "where the peer listens");
      holds(session.client.length <= 64, "the name of a peer is too long");
      return isGood ? "taken" : "refused";
    },
  };
}

const peerSession = sessionTarget("peer-session", true);
const earlySession = sessionTarget("peer-session-early", false);

export const wireTargets: readonly FuzzTarget[] = [
  ...[wireStream, handshake, extensionHandshake, peerExchange, metadataMessage, partialSeed, bitfield],
  ...[peerSession, earlySession],
];
