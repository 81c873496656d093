/** Whole cores that are told foreign things: a torrent and a fetch of metadata by peers, a run of blocks by a web server. */
import { Bitfield } from "../../../lib/bitfield.ts";
import { equalBytes, latin1FromBytes } from "../../../lib/bytes.ts";
import { blockLength } from "../../../lib/limits/wire.ts";
import { MessageId } from "../../../lib/wire/message.ts";
import { decodeLocalAnnounce } from "../../../lib/local_discovery.ts";
import { parseInfoHash, type PieceIndex } from "../../../lib/ids.ts";
import { Layout } from "../../../lib/layout.ts";
import { Discovery } from "../../../peer/discovery.ts";
import type { ActivePiece } from "../../../peer/piece_table.ts";
import { WebRun } from "../../../peer/web_run.ts";
import { WebStream } from "../../../peer/web_stream.ts";
import { FetchStage } from "../../peer/fetch_stage.ts";
import { TorrentStage } from "../../peer/scripted_peer.ts";
import { bitfieldOf, makeContent, piecesOf } from "../../peer/virtual_disk.ts";
import { cutsOf } from "../cuts.ts";
import { bytesOf, type Draw, latin1Of, uint32 } from "../draw.ts";
import { holds, isEndpoint } from "../holds.ts";
import { type FuzzTarget, readOrRefuse } from "../target.ts";
import { framed, framesText } from "./wire.ts";

const content = makeContent({ totalLength: 37 * 1024, pieceLength: 1024 });
const infoBytes = new Uint8Array(20_000);
const half = "* ".repeat(18) + "*";

/** A peer that asks for pieces and gives some, right or wrong, whoever asked for them. */
function givesAndTakes(draw: Draw): string {
  const pieces = draw.shuffled(piecesOf(content.layout));
  const given = pieces.map((piece) => {
    const bytes = draw.oneIn(4)
      ? "x".repeat(1024)
      : latin1FromBytes(content.bytes.subarray(1024 * piece, 1024 * (piece + 1)));
    return framed(MessageId.piece, uint32(piece) + uint32(0) + bytes);
  });
  const asked = draw.several(() => framed(MessageId.request, uint32(draw.below(38)) + uint32(0) + uint32(1024)), 9);
  const opening = [framed(MessageId.haveAll, ""), framed(MessageId.unchoke, ""), framed(MessageId.interested, "")];
  return [...draw.mangled(opening), ...draw.mangled([...asked, ...given.slice(0, draw.below(40))])].join("");
}

export const torrentPeer: FuzzTarget = {
  name: "torrent-peer",
  oneIn: 10,
  generate: (draw) => bytesOf(draw.oneIn(3) ? givesAndTakes(draw) : framesText(draw)),
  run(input) {
    const stage = new TorrentStage(content, { have: bitfieldOf(half), infoBytes });
    const honest = stage.join({ has: Bitfield.full(37) });
    const peer = stage.join({ supportsExtensions: true });
    const middle = Math.min(input.length, 60);
    for (const part of [input.subarray(0, middle), input.subarray(middle)]) {
      for (const bytes of cutsOf(part)) if (!peer.isClosed) peer.sayBytes(bytes.slice());
      stage.pass(1_000);
    }
    holds(!honest.isClosed, "an honest peer is sent away for what another says");
    for (const effect of stage.effectsOf("dial")) isEndpoint(effect.endpoint, "who is dialled");
    holds(stage.effectsOf("dial").length <= 400, "more are dialled than one may tell of");
    return peer.isClosed ? "refused" : "taken";
  },
};

export const metadataPeer: FuzzTarget = {
  name: "metadata-peer",
  oneIn: 10,
  generate(draw) {
    const part = () => `\x02d8:msg_typei1e5:piecei0e10:total_sizei300ee${draw.bytes(draw.oneIn(5) ? 299 : 300)}`;
    return bytesOf(draw.several(() => framed(MessageId.extended, part()), 3).join("") + framesText(draw));
  },
  run(input) {
    const stage = new FetchStage({ size: 300 });
    const peer = stage.join();
    for (const bytes of cutsOf(input)) if (!peer.isClosed) peer.sayBytes(bytes.slice());
    stage.pass(1_000);
    holds(stage.metadata === undefined, "metadata came of nothing");
    for (const effect of stage.effectsOf("dial")) isEndpoint(effect.endpoint, "who is dialled");
    return peer.isClosed ? "refused" : "taken";
  },
};

const wanted = "ab".repeat(20);

export const discovery: FuzzTarget = {
  name: "discovery",
  generate(draw) {
    const packet = `BT-SEARCH * HTTP/1.1\r\nHost: x\r\nPort: ${draw.port()}\r\nInfohash: ${
      draw.oneIn(5) ? draw.hex(40) : wanted
    }\r\n\r\n\r\n`;
    return bytesOf(latin1Of(`${draw.oneIn(3) ? "10.0.0.9" : "fe80::9"}\n${packet}`));
  },
  run(input) {
    const end = input.indexOf(10);
    const announce = readOrRefuse(() => decodeLocalAnnounce(input.subarray(end + 1)));
    if (announce === undefined) return "refused";
    const core = new Discovery({ random: () => 0.5 });
    core.add(parseInfoHash(wanted)!, 0);
    const networks = [{ host: "10.0.0.1", netmask: "255.255.255.0" }, {
      host: "fe80::1",
      netmask: "ffff:ffff:ffff:ffff::",
    }];
    const sender = input[0] === 0x31 ? "10.0.0.9" : "fe80::9";
    let foundCount = 0;
    for (let i = 0; i < 8; i++) {
      if (!core.accepts(sender, networks, i)) continue;
      for (const { infoHash, endpoint } of core.hear(announce, sender, i)) {
        holds(infoHash === wanted, "a torrent is found that nobody looks for");
        isEndpoint(endpoint, "a neighbour");
        foundCount++;
      }
    }
    holds(foundCount <= 8 && core.due(60_000).length <= 1, "a neighbour is heard too often");
    return foundCount > 0 ? "taken" : "refused";
  },
};

const layout = new Layout({ pieceLength: 40_000, fileLengths: [100_000] });

/** The pieces' blocks as they came, in order, where they began. */
export const webRun: FuzzTarget = {
  name: "web-run",
  generate: (draw) => bytesOf(draw.bytes(40).repeat(draw.oneIn(3) ? draw.below(3000) : draw.below(900))),
  run(input) {
    const active = (piece: number) => ({ piece: piece as PieceIndex }) as ActivePiece;
    const run = new WebRun(layout, [0, 1].map((piece) => ({ active: active(piece), firstBlock: 0, blockCount: 3 })));
    const last = layout.toPieceIndex(2)!;
    const stream = new WebStream(layout, {
      first: 0 as PieceIndex,
      last,
      claim: (piece) => piece === 1 ? undefined : active(piece),
    });
    const lengths: number[] = [];
    for (const part of cutsOf(input)) {
      run.push(part, ({ piece }, block, bytes) => {
        const at = piece * 40_000 + block * blockLength;
        holds(equalBytes(bytes, input.subarray(at, at + bytes.length)), "a block is not as it came");
        lengths.push(bytes.length);
      });
      stream.push(part, ({ piece }, block, bytes) => {
        holds(piece !== 1, "a block comes that nobody wants");
        holds(bytes[0] === input[piece * 40_000 + block * blockLength], "a block of a stream is not as it came");
      });
    }
    const sum = lengths.reduce((total, length) => total + length, 0);
    holds(sum <= input.length && input.length - sum < blockLength || run.isOver, "bytes are lost");
    holds([...run.rest()].length === 6 - lengths.length, "the rest is what has not come");
    return run.isOver ? "taken" : "refused";
  },
};
