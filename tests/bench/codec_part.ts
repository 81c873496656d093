/** What formats, frames and the picker cost, in this process and without sockets. */
import { decodeAnnounceQuery } from "../../lib/announce/http_query.ts";
import { ReplyEncoder } from "../../lib/announce/http_reply.ts";
import { decodeBencode, encodeBencode } from "../../lib/bencode.ts";
import { Bitfield } from "../../lib/bitfield.ts";
import { infoHashFromBytes, peerIdFromBytes, type PieceIndex } from "../../lib/ids.ts";
import { decodeMetainfo } from "../../lib/metainfo.ts";
import { buildTorrent } from "../../lib/torrent_builder.ts";
import { FrameReader } from "../../lib/wire/frame.ts";
import { encodeHandshake } from "../../lib/wire/handshake.ts";
import { decodeMessage, MessageId } from "../../lib/wire/message.ts";
import { MessageWriter } from "../../lib/wire/message_writer.ts";
import { PiecePicker } from "../../peer/piece_picker.ts";
import { bytesFrom, wordsFrom } from "../interop/payload.ts";
import { contest } from "./contest.ts";
import type { Row, Sample } from "./report.ts";
import { MiB } from "./stage.ts";

const blockLength = 16_384;
/** Milliseconds of one round of one work: many times what the clock and the collector of garbage blur. */
const roundMs = 300;

/** A piece of work: `run` does `count` operations, of `bytes` bytes each where that says something. */
interface Work {
  readonly name: string;
  readonly count: number;
  readonly bytes?: number;
  run(): void;
}

export async function benchCodec({ rounds }: { rounds: number }): Promise<Row[]> {
  const works = [...formatWorks(), ...wireWorks(), ...pickerWorks()];
  return await contest(
    { part: "codec", rounds },
    works.map((work) => ({ name: work.name, isOurs: true, run: () => Promise.resolve(measure(work)) })),
  );
}

/** Repeats the work for a while; `seconds` is the time of a million operations. */
function measure({ count, bytes, run }: Work): Sample {
  run(); // what is compiled now is not compiled while the clock runs
  const startedAt = performance.now();
  let done = 0;
  let elapsed = 0;
  while (elapsed < roundMs) {
    run();
    done += count;
    elapsed = performance.now() - startedAt;
  }
  const microseconds = elapsed * 1000 / done;
  return {
    seconds: microseconds,
    perSecond: 1e6 / microseconds,
    ...(bytes !== undefined && { rate: bytes / microseconds }),
  };
}

function formatWorks(): Work[] {
  const files = Array.from({ length: 2000 }, (_, i) => ({ path: [`d${i % 20}`, `file ${i}.dat`], length: 30_000 + i }));
  const totalLength = files.reduce((sum, file) => sum + file.length, 0);
  const pieceLength = MiB / 4;
  const { bytes: torrent } = buildTorrent({
    name: "small",
    files,
    isMultiFile: true,
    pieceLength,
    pieces: bytesFrom(1, 20 * Math.ceil(totalLength / pieceLength)),
  });
  const tree = {
    files: files.map(({ path, length }) => ({ length, path })),
    name: "small",
    pieces: bytesFrom(1, 5000),
  };
  const query = new TextEncoder().encode(
    `info_hash=${"%AB".repeat(20)}&peer_id=-LB0000-123456789012&port=6881&uploaded=0&downloaded=0&left=1000` +
      "&compact=1&numwant=50&event=started",
  );
  const encoder = new ReplyEncoder();
  const answer = {
    intervalMs: 60_000,
    minIntervalMs: 10_000,
    complete: 20,
    incomplete: 80,
    peers: bytesFrom(3, 300),
    peers6: new Uint8Array(0),
    peerIds: new Uint8Array(0),
    externalIp: undefined,
  };
  const repeat = (count: number, run: () => void) => () => {
    for (let i = 0; i < count; i++) run();
  };
  return [
    { name: "bencode: decode 2,000 files", count: 1, bytes: torrent.length, run: () => void decodeBencode(torrent) },
    {
      name: "bencode: encode 2,000 files",
      count: 1,
      bytes: encodeBencode(tree).length,
      run: () => void encodeBencode(tree),
    },
    { name: "metainfo: decode 2,000 files", count: 1, bytes: torrent.length, run: () => void decodeMetainfo(torrent) },
    { name: "announce: decode a question", count: 1000, run: repeat(1000, () => decodeAnnounceQuery(query)) },
    {
      name: "announce: encode an answer of 50",
      count: 1000,
      run: repeat(1000, () => encoder.encodeAnnounce(answer, { compact: true })),
    },
  ];
}

function wireWorks(): Work[] {
  const greeting = encodeHandshake({
    infoHash: infoHashFromBytes(bytesFrom(8, 20)),
    peerId: peerIdFromBytes(bytesFrom(9, 20)),
    supportsExtensions: true,
    supportsFast: true,
  });
  const block = bytesFrom(2, blockLength);
  const [blocks, haves] = [new MessageWriter(), new MessageWriter()];
  const blockCount = MiB / blockLength;
  for (let i = 0; i < blockCount; i++) blocks.block(7, i * blockLength, block);
  for (let i = 0; i < 1000; i++) haves.piece(MessageId.have, i);
  const [blockBytes, haveBytes] = [blocks.take(), haves.take()];
  const reader = new FrameReader();
  reader.push(greeting, () => {});
  let seen = 0;
  const read = (bytes: Uint8Array) => () =>
    reader.push(bytes, (buffer, start, end) => {
      if (decodeMessage(buffer, start, end).kind !== "unknown") seen++;
    });
  const writer = new MessageWriter();
  return [
    { name: "wire: read a block of 16 KiB", count: blockCount, run: read(blockBytes) },
    { name: "wire: read a have", count: 1000, run: read(haveBytes) },
    {
      name: "wire: write a block of 16 KiB",
      count: blockCount,
      bytes: blockLength,
      run: () => {
        for (let i = 0; i < blockCount; i++) writer.block(7, i * blockLength, block);
        writer.recycle(writer.take());
      },
    },
    {
      name: "wire: write a request",
      count: 1000,
      run: () => {
        for (let i = 0; i < 1000; i++) writer.range(MessageId.request, 7, i * blockLength, blockLength);
        writer.recycle(writer.take());
      },
    },
  ];
}

function pickerWorks(): Work[] {
  const pieceCount = 100_000;
  const next = wordsFrom(5);
  const random = () => next() / 2 ** 32;
  const full = Bitfield.full(pieceCount);
  const halves = Array.from({ length: 20 }, () => {
    const half = Bitfield.empty(pieceCount);
    for (let piece = 0; piece < pieceCount; piece++) if (random() < 0.5) half.set(piece);
    return half;
  });
  const picker = new PiecePicker({ pieceCount, strategy: "rarest-first", random, isMissing: () => true });
  for (const half of halves) picker.countPeer(half, 1);
  const pickAll = (has: Bitfield) => () => {
    const picked: PieceIndex[] = [];
    for (let i = 0; i < 1000; i++) {
      const piece = picker.pick(has);
      if (piece === -1) break;
      picker.remove(piece);
      picked.push(piece);
    }
    for (const piece of picked) picker.add(piece);
  };
  const piece = (index: number) => index as PieceIndex;
  return [
    { name: "picker: choose and put back, of a seed", count: 1000, run: pickAll(full) },
    { name: "picker: choose and put back, of half a seed", count: 1000, run: pickAll(halves[0]!) },
    {
      name: "picker: count a have",
      count: 2000,
      run: () => {
        for (let i = 0; i < 1000; i++) picker.increase(piece(i * 97));
        for (let i = 0; i < 1000; i++) picker.decrease(piece(i * 97));
      },
    },
  ];
}

/** What nothing here can be faster than. */
