/** Many peers on one seeder: how long until each has been served, and what it costs the seeder. */
import { assertEquals } from "@std/assert";
import { id, Wire } from "../e2e/wire.ts";
import { localbt } from "../interop/localbt.ts";
import { decodeMetainfo } from "../../lib/metainfo.ts";
import { contest } from "./contest.ts";
import { Meter } from "./meter.ts";
import { type Row, type Sample, withGoal } from "./report.ts";
import { MiB, openBenchScene, torrentOf, writeBigFile } from "./stage.ts";

const blockLength = 16_384;
const pieceLength = MiB / 4;
/** What each peer fetches; all stay connected until the last one has it. */
const piecesEach = 4;

export async function benchPeers({ peerCount, length }: { peerCount: number; length: number }): Promise<Row[]> {
  const name = `${peerCount} peers on localbt`;
  const rows = await contest({ part: "peers", rounds: 1 }, [{
    name,
    isOurs: true,
    run: () => servePeers({ peerCount, length }),
  }]);
  const isLight = ({ peakMB = NaN }: Row["figures"]) => peakMB < 400;
  return rows.map((row) => withGoal(row, "all served, under 400 MB", isLight, { isOfSpeed: false }));
}

/** From the first connection until the last peer has what it came for. */
async function servePeers({ peerCount, length }: { peerCount: number; length: number }): Promise<Sample> {
  await using scene = await openBenchScene();
  const share = await torrentOf(scene, writeBigFile(scene.newFolder("data"), length), { pieceLength });
  const { infoHash } = decodeMetainfo(Deno.readFileSync(share.torrent));
  const seeder = await localbt.start(scene, { mode: "seed", torrent: share.torrent, directory: share.directory });
  const meter = new Meter(seeder.pid);
  const wires: Wire[] = [];
  try {
    meter.mark();
    const content = Deno.readFileSync(share.path);
    const startedAt = performance.now();
    for (let i = 0; i < peerCount; i++) wires.push(await greeted(seeder.endpoint, infoHash));
    const connectedSeconds = (performance.now() - startedAt) / 1000;
    await Promise.all(wires.map((wire, i) => fetchSome(wire, content, i)));
    const seconds = (performance.now() - startedAt) / 1000;
    const cost = meter.stop();
    return {
      seconds,
      connectedSeconds,
      rate: peerCount * piecesEach * pieceLength / 1e6 / seconds,
      cpuSeconds: cost.cpuSeconds,
      peakMB: cost.peakMegabytes,
    };
  } finally {
    meter.stop();
    for (const wire of wires) wire.close();
    await seeder.stop();
  }
}

async function greeted(endpoint: string, infoHash: string): Promise<Wire> {
  const wire = await Wire.connect(endpoint);
  await wire.greet(infoHash);
  if (await wire.greeting() === undefined) throw new Error("the seeder does not greet");
  return wire;
}

/** Fetches some pieces, block by block with all of a piece under way, and gives up its slot. */
async function fetchSome(wire: Wire, content: Uint8Array, peer: number): Promise<void> {
  const pieceCount = Math.floor(content.length / pieceLength);
  await wire.send(id.interested);
  if (await wire.nextOf(id.unchoke) === undefined) throw new Error(`peer ${peer} was never unchoked`);
  for (let n = 0; n < piecesEach; n++) {
    const piece = (peer * 7 + n * 31) % pieceCount;
    for (let begin = 0; begin < pieceLength; begin += blockLength) {
      await wire.send(id.request, piece, begin, blockLength);
    }
    for (let left = pieceLength / blockLength; left > 0; left--) {
      const block = await wire.nextOf(id.piece);
      if (block === undefined) throw new Error(`peer ${peer} was dropped`);
      const at = block.body.readUInt32BE(0) * pieceLength + block.body.readUInt32BE(4);
      assertEquals(block.body.subarray(8).compare(content.subarray(at, at + blockLength)), 0);
    }
  }
  await wire.send(id.notInterested);
}
