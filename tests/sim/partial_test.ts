/** Swarms in which hardly anybody wants, or has, everything. */
import { assert } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import { Layout } from "../../lib/layout.ts";
import { blockLength } from "../../lib/limits/wire.ts";
import { FileSelection } from "../../peer/file_selection.ts";
import type { PickStrategy } from "../../peer/piece_picker.ts";
import { seededRandom } from "../lib/mutations.ts";
import { type VirtualPeer, VirtualSwarm } from "../peer/torrent_harness.ts";
import { type Content, makeContent } from "../peer/virtual_disk.ts";

const pieceLength = 2 * blockLength;

/** Files of all sizes, drawn from the seed; few end where a piece does. */
function makeFiles(random: () => number, seed: number): Content {
  const fileLengths = Array.from(
    { length: 3 + Math.floor(random() * 8) },
    () => Math.floor(random() ** 2 * 8 * pieceLength),
  );
  fileLengths.push(1);
  const totalLength = fileLengths.reduce((sum, length) => sum + length);
  return { ...makeContent({ totalLength, pieceLength, seed }), layout: new Layout({ pieceLength, fileLengths }) };
}

/** What a peer has that wants this and is done. */
function isServed({ torrent, disk, options }: VirtualPeer): boolean {
  const { selection } = options;
  return torrent.isComplete && !(selection?.pieces ?? Bitfield.full(disk.stored.length)).hasAnyMissingFrom(disk.stored);
}

for (let seed = 1; seed <= 40; seed++) {
  Deno.test(`partial swarm ${seed}: all get what they want, nobody takes anything else, and who is done parts`, () => {
    const random = seededRandom(seed * 104_729);
    const content = makeFiles(random, seed);
    const { pieceCount, layout } = { pieceCount: content.layout.pieceCount, layout: content.layout };
    const swarm = new VirtualSwarm(content, { seed, latencyMs: random() < 0.5 ? 0.1 : 20 });
    // two partial seeds that have everything between them
    const parts = [Bitfield.empty(pieceCount), Bitfield.empty(pieceCount)];
    for (let piece = 0; piece < pieceCount; piece++) parts[random() < 0.5 ? 0 : 1].set(piece);
    for (const have of parts) swarm.join({ have, isSeedOnly: true, uplink: 1e6 });
    const strategy = (["rarest-first", "sequential", "random"] as PickStrategy[])[seed % 3];
    for (let count = 0; count < 4; count++) {
      const wanted = Uint8Array.from({ length: 12 }, () => random() < 0.4 ? 1 : 0);
      const have = Bitfield.empty(pieceCount);
      for (let piece = 0; piece < pieceCount; piece++) if (random() < 0.1) have.set(piece);
      swarm.join({ have, strategy, ...(random() < 0.8 && { selection: FileSelection.of(layout, wanted) }) });
    }
    const leechers = swarm.peers.slice(2);
    const atStart = leechers.map(({ options }) => options.have!.clone());
    swarm.introduceAll();
    if (seed % 2 === 0) loseSome(swarm, leechers, random);
    swarm.runUntil(() => leechers.every(isServed), { maxMs: 120_000 });
    leechers.forEach(({ disk, options, name }, i) => {
      const { selection } = options;
      for (let piece = 0; piece < pieceCount; piece++) {
        const isExpected = selection === undefined || selection.pieces.has(piece) || atStart[i].has(piece);
        assert(isExpected || !disk.stored.has(piece), `${name} took piece ${piece}`);
      }
    });
    // Now and then they meet again, since their addresses are known; that ends at once.
    swarm.runUntil(() => swarm.peers.every(({ torrent }) => torrent.peers.length === 0), { maxMs: 10_000 });
  });
}

/** Disks lose pieces while they are wanted. */
function loseSome(swarm: VirtualSwarm, leechers: readonly VirtualPeer[], random: () => number): void {
  for (let count = 0; count < 10; count++) {
    swarm.runFor(random() * 40);
    const peer = leechers[Math.floor(random() * leechers.length)];
    const piece = swarm.content.layout.toPieceIndex(Math.floor(random() * peer.disk.stored.length))!;
    if (peer.torrent.isComplete || !peer.disk.stored.clear(piece)) continue;
    swarm.apply(peer, { kind: "readFailed", connection: -1, ranges: [], lost: [piece], why: "lost" });
  }
}
