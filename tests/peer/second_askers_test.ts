import { assertEquals } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import type { PieceIndex } from "../../lib/ids.ts";
import { Layout } from "../../lib/layout.ts";
import { recheckSlackBytes, sentPiecesOpenMax, sentRecordsMax } from "../../lib/limits/transfer.ts";
import { MessageId } from "../../lib/wire/message.ts";
import { blockLength } from "../../lib/limits/wire.ts";
import type { CheckedBlockRange } from "../../peer/events.ts";
import { SecondAskers } from "../../peer/second_askers.ts";
import type { PeerSession } from "../../peer/peer_session.ts";
import { SentBlocks } from "../../peer/sent_blocks.ts";
import { TorrentStage } from "./scripted_peer.ts";
import { makeContent } from "./virtual_disk.ts";

const pieceLength = 4 * blockLength;
const layout = new Layout({ pieceLength, fileLengths: [1_000 * pieceLength] });

function block(piece: number, index: number, length = blockLength): CheckedBlockRange {
  return { piece: piece as PieceIndex, begin: index * blockLength, length };
}

/** As much of a session as is looked at. */
function peerAt(port: number | undefined): PeerSession {
  return { listenEndpoint: port && { host: "10.0.0.1", port } } as PeerSession;
}

Deno.test("SentBlocks tells blocks from others of the same piece, and pieces once they are behind", () => {
  const sent = new SentBlocks(layout);
  assertEquals(sent.has(block(3, 0)), false);
  sent.add(block(3, 0));
  sent.add(block(3, 2, 2 * blockLength)); // old clients ask for more at once
  assertEquals([0, 1, 2, 3].map((index) => sent.has(block(3, index))), [true, false, true, true]);
  assertEquals(sent.has({ ...block(3, 0), begin: 100 }), false, "who asks for parts of blocks asks for each part once");
  sent.add(block(3, 1));
  assertEquals(sent.has(block(3, 1)), true);
  sent.forget(3);
  assertEquals([0, 1, 2, 3].some((index) => sent.has(block(3, index))), false);
  for (let piece = 0; piece <= sentPiecesOpenMax; piece++) sent.add(block(piece, 1));
  assertEquals([sent.has(block(0, 0)), sent.has(block(1, 0))], [true, false], "the oldest piece counts as a whole");
  sent.closeAll();
  assertEquals(sent.has(block(1, 0)), true);
});

/** Judgements and the checks that were wished for. */
class Stage {
  readonly checks: number[] = [];
  readonly askers = new SecondAskers({
    layout,
    emit: (effect) => effect.kind === "checkPiece" && void this.checks.push(effect.piece),
  });

  ask(session: PeerSession, range: CheckedBlockRange): string {
    const when = this.askers.judge(session, range);
    if (when === "now") this.askers.sent(session, range);
    return when;
  }
}

Deno.test("SecondAskers lets blocks pass once, has the piece hashed before the second time, and holds it meanwhile", () => {
  const stage = new Stage();
  const [first, other] = [peerAt(1), peerAt(2)];
  assertEquals([stage.ask(first, block(5, 0)), stage.ask(first, block(5, 1))], ["now", "now"]);
  assertEquals(stage.ask(first, block(5, 0)), "later");
  assertEquals(stage.ask(other, block(5, 0)), "later", "what is in doubt goes to nobody");
  assertEquals(stage.ask(other, block(6, 0)), "now");
  assertEquals(stage.checks, [5], "once for all who wait");
  assertEquals(stage.askers.settle(5 as PieceIndex), [first, other]);
  assertEquals([0, 1, 2, 3].map((index) => stage.ask(first, block(5, index))), Array(4).fill("now"));
  assertEquals(stage.ask(first, block(5, 3)), "later");
  assertEquals(stage.checks, [5, 5]);
});

Deno.test("SecondAskers knows who comes again by where it listens, and of a bounded number", () => {
  const stage = new Stage();
  for (let port = 1; port <= sentRecordsMax + 1; port++) {
    const visitor = peerAt(port);
    stage.ask(visitor, block(1, 0));
    stage.askers.onGone(visitor);
  }
  const unknown = peerAt(undefined);
  stage.ask(unknown, block(1, 0));
  stage.askers.onGone(unknown);
  assertEquals(stage.ask(peerAt(3), block(1, 2)), "later", "which blocks it has is not known any more");
  stage.askers.settle(1 as PieceIndex);
  assertEquals([1, 2, sentRecordsMax + 1].map((port) => stage.ask(peerAt(port), block(1, 0))), [
    "now",
    "later",
    "later",
  ]);
  assertEquals(stage.ask(peerAt(undefined), block(1, 0)), "later", "while it is hashed all wait");
  stage.askers.settle(1 as PieceIndex);
  assertEquals(stage.ask(peerAt(undefined), block(1, 0)), "now");
});

Deno.test("SecondAskers refuses who has more hashed again than it was ever sent", () => {
  const long = new Layout({ pieceLength: recheckSlackBytes / 4, fileLengths: [recheckSlackBytes] });
  const askers = new SecondAskers({ layout: long, emit: () => {} });
  const peer = peerAt(1);
  const verdicts: string[] = [];
  for (let times = 0; times < 7; times++) {
    const when = askers.judge(peer, block(0, 0));
    verdicts.push(when);
    if (when === "now") askers.sent(peer, block(0, 0));
    else if (when === "later") askers.settle(0 as PieceIndex);
    if (when === "later") askers.sent(peer, block(0, 0));
  }
  assertEquals(verdicts, ["now", "later", "later", "later", "later", "never", "never"]);
});

const content = makeContent({ totalLength: 4 * 2 * blockLength, pieceLength: 2 * blockLength });

Deno.test("Torrent sends a block a second time only after its piece was found right, and no more when it is wrong", () => {
  const stage = new TorrentStage(content, { have: Bitfield.full(4) });
  const peer = stage.join();
  const ask = (piece: number, begin = 0) => peer.say((out) => out.range(MessageId.request, piece, begin, blockLength));
  const answers = () => [peer.heardOf("piece").length, peer.heardOf("reject").length];
  const checks = () => stage.effectsOf("checkPiece").map(({ piece }) => piece);
  const settle = (piece: number, ok: boolean) => stage.apply({ kind: "pieceChecked", piece: piece as PieceIndex, ok });
  peer.say((out) => out.bare(MessageId.interested));
  ask(1);
  ask(2);
  assertEquals([answers(), checks()], [[2, 0], []]);
  ask(1);
  ask(3); // behind it in the line
  assertEquals([answers(), checks()], [[2, 0], [1]]);
  settle(1, true);
  assertEquals(answers(), [4, 0]);
  ask(2);
  ask(2, blockLength);
  settle(2, false);
  assertEquals([answers(), checks()], [[4, 2], [1, 2]]);
  assertEquals(stage.torrent.stats(0).havePieces, 3);
  stage.apply({ kind: "piecesFound", pieces: [2 as PieceIndex] });
  assertEquals(peer.heardOf("have").map(({ piece }) => piece), [2]);
  ask(2, blockLength);
  assertEquals([answers(), stage.torrent.stats(0).havePieces], [[5, 2], 4]);
});

Deno.test("Torrent lets those go who would not hear that pieces were lost: what they hear anew is true", () => {
  const stage = new TorrentStage(content, { have: Bitfield.full(4) });
  const [bare, fast] = [stage.join({ supportsFast: false }), stage.join()];
  stage.apply({ kind: "piecesLost", pieces: [0, 3] as PieceIndex[] });
  assertEquals([bare.isClosed, fast.isClosed], [true, false]);
  stage.apply({ kind: "piecesLost", pieces: [0, 3] as PieceIndex[] });
  assertEquals(stage.torrent.stats(0).havePieces, 2);
  stage.apply({ kind: "piecesFound", pieces: [3, 2] as PieceIndex[] });
  assertEquals(stage.torrent.stats(0).havePieces, 3);
});

Deno.test("Torrent sends nothing of a piece that was lost while it was read", () => {
  const stage = new TorrentStage(content, { have: Bitfield.full(4) });
  const peer = stage.join();
  stage.read = ({ connection, ranges }) => {
    stage.apply({ kind: "piecesLost", pieces: [1 as PieceIndex] });
    const blocks = ranges.map(({ length }) => new Uint8Array(length));
    stage.apply({ kind: "blocksRead", connection, ranges, blocks });
  };
  peer.say((out) => out.bare(MessageId.interested));
  peer.say((out) => out.range(MessageId.request, 1, 0, blockLength));
  assertEquals([peer.heardOf("piece").length, peer.heardOf("reject").length], [0, 1]);
});
