/** The peer port of the real program under attack, in small: what is refused, that it is counted, and who gets through. */
import { Buffer } from "node:buffer";
import { assert, assertEquals } from "@std/assert";
import { expectDone, interrupt, makeShare, type Seeder, seedShare, type Share, startDownload } from "../e2e/swarm.ts";
import { type SeederData, serveAsSeeder, WirePeer } from "../e2e/wire_peer.ts";
import { id, message, uint32, Wire } from "../e2e/wire.ts";
import { eventOf, eventsOf } from "../interop/localbt.ts";
import { join } from "../interop/path.ts";
import { bytesFrom, singleFile } from "../interop/payload.ts";
import { Scene } from "../interop/scene.ts";
import { crowd, extended, manyOf } from "./crowd.ts";

const kind = singleFile(2 * 2 ** 20, 64 * 1024);
const fastAndExtended = "0000000000100004";

/** What a program says that it refused. */
function refusedBy({ child }: Pick<Seeder, "child">): Record<string, number> {
  return eventsOf(child, "done").at(-1)?.refused as Record<string, number>;
}

/** Takes all of the share, as somebody honest. */
async function takeAll(scene: Scene, share: Share, { endpoint }: Seeder): Promise<void> {
  const target = scene.newFolder("target");
  await expectDone(startDownload(scene, share.torrent, target, ["--peer", endpoint]), share.payload, target);
}

/** What ends a connection: [what it is, the bytes behind the handshake, how the seeder calls it]. */
const useless = "it says too much that is of no use";
const bitfieldOf = (bytes: number[]) => message(id.bitfield, Uint8Array.from(bytes));
const attacks: readonly [what: string, bytes: Uint8Array, reason: string][] = [
  ["a length of ff ff ff ff", uint32(0xffff_ffff), "a message of N bytes"],
  ["a length of 7f ff ff ff", uint32(0x7fff_ffff), "a message of N bytes"],
  ["a length of 00 02 00 01", uint32(0x0002_0001), "a message of N bytes"],
  ["spare bits in a bitfield", bitfieldOf([0, 0, 0, 0, 1]), ""],
  ["keep-alives", Buffer.alloc(4 * 20_000), useless],
  ["haves of one piece", manyOf(message(id.have, 1), 20_000), useless],
  ["interest that comes and goes", manyOf(Buffer.concat([message(2), message(3)]), 5_000), useless],
  ["chokes and unchokes", manyOf(Buffer.concat([message(0), message(1)]), 5_000), useless],
  ["unknown messages", manyOf(message(99), 20_000), useless],
  ["extension handshakes", manyOf(extended(0, "de"), 5_000), useless],
  ["peer exchange", manyOf(extended(1, "d5:added6:\x7f\x09\x09\x09\x1a\xe1e"), 5_000), useless],
  ["rejects of nothing", manyOf(message(id.reject, 0, 0, 16_384), 20_000), useless],
  ["requests of one byte", manyOf(message(id.request, 0, 0, 1), 20_000), ""],
  ["a piece lost and found", manyOf(Buffer.concat([message(id.have, 1), extended(3, uint32(1))]), 20_000), useless],
  ["requests for metadata", manyOf(extended(2, "d8:msg_typei0e5:piecei0ee"), 20_000), useless],
];

Deno.test("a seeder closes whoever storms it, says why, and serves the honest all the while", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, kind);
  const seeder = await seedShare(scene, share);
  const storms = attacks.map(async ([, bytes]) => {
    const wire = await Wire.connect(seeder.endpoint);
    await wire.greet(share.infoHash, { reserved: fastAndExtended });
    await Promise.all([wire.write(bytes), wire.isClosedByPeer()]);
    wire.close();
  });
  await takeAll(scene, share, seeder);
  await Promise.all(storms);
  const wire = await Wire.connect(seeder.endpoint);
  await wire.greet("00".repeat(20));
  await wire.isClosedByPeer();
  wire.close();
  await interrupt(seeder.child);
  const refused = refusedBy(seeder);
  for (const reason of new Set(attacks.map(([, , reason]) => reason))) {
    if (reason === "") continue;
    const count = attacks.filter((attack) => attack[2] === reason).length;
    assert((refused[reason] ?? 0) >= count, `${reason}: ${JSON.stringify(refused)}`);
  }
  assertEquals(refused["its torrent is not here"], 1);
});

Deno.test("a crowd on all places of a seeder, interested or silent, keeps no honest peer out", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, kind);
  const seeder = await seedShare(scene, share, ["--max-peers", "60", "--host", "0.0.0.0"]);
  const [host, port] = seeder.endpoint.split(":");
  const target = { host, port: Number(port), infoHash: share.infoHash };
  const sockets: { destroy(): void }[] = [];
  await crowd(target, { count: 80, againMs: 500 }, (socket, index) => {
    sockets.push(socket);
    socket.resume();
    socket.write(
      Buffer.concat([greeting(share.infoHash, index), ...(index % 2 === 0 ? [message(id.interested)] : [])]),
    );
    return new Promise(() => {});
  });
  await takeAll(scene, share, seeder);
  for (const socket of sockets) socket.destroy();
  await interrupt(seeder.child);
  assert(refusedBy(seeder)["its place went to another"] >= 1, JSON.stringify(refusedBy(seeder)));
});

function greeting(infoHash: string, index: number): Buffer {
  const peerId = `-XX0001-${String(index).padStart(12, "0")}`;
  const head = Buffer.from("\x13BitTorrent protocol", "latin1");
  return Buffer.concat([head, Buffer.from(fastAndExtended + infoHash, "hex"), Buffer.from(peerId, "latin1")]);
}

function dataOf(share: Share): SeederData {
  const content = Deno.readFileSync(join(share.payload.directory, share.payload.name));
  return { infoHash: share.infoHash, content, pieceLength: share.payload.pieceLength };
}

Deno.test("who lies under the peer id of an honest seeder has itself banned, not the seeder", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, kind);
  const seeder = await seedShare(scene, share, ["--upload-limit", "2M"]);
  const wire = await Wire.connect(seeder.endpoint);
  await wire.greet(share.infoHash);
  const peerId = (await wire.greeting())!.peerId.toString("latin1");
  wire.close();
  const lies = { block: ({ length }: { length: number }) => bytesFrom(7, length) };
  await using liar = new WirePeer((wire) => serveAsSeeder(wire, dataOf(share), lies, peerId), "127.0.0.2");
  const target = scene.newFolder("target");
  const download = startDownload(scene, share.torrent, target, ["--peer", liar.endpoint, "--peer", seeder.endpoint]);
  await eventOf(download, "peer", 20_000, ({ state }) => state === "banned");
  await expectDone(download, share.payload, target);
});

Deno.test("a downloader that is told of thousands of peers knocks at few of their doors", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, kind);
  let knocks = 0;
  await using door = new WirePeer((wire) => {
    knocks++;
    wire.close();
    return Promise.resolve();
  }, "127.0.0.3");
  const address = Buffer.from([127, 0, 0, 3]);
  const told = Array.from({ length: 200 }, (_, i) => {
    const port = i === 0 ? Number(door.endpoint.split(":")[1]) : 20_000 + i;
    return Buffer.concat([address, Buffer.from([port >> 8, port & 255])]);
  });
  const pex = Buffer.concat([Buffer.from("d5:added1200:"), ...told, Buffer.from("e")]);
  await using gossip = new WirePeer(async (wire) => {
    await wire.greeting();
    await wire.greet(share.infoHash, { reserved: fastAndExtended });
    await wire.write(Buffer.concat([extended(0, "d1:md6:ut_pexi1eee"), extended(1, pex)]));
    await wire.isClosedByPeer();
  });
  const seeder = await seedShare(scene, share, ["--upload-limit", "1M"]);
  const target = scene.newFolder("target");
  const peers = ["--peer", gossip.endpoint, "--peer", seeder.endpoint];
  await expectDone(startDownload(scene, share.torrent, target, peers), share.payload, target);
  assert(knocks >= 1, "it did listen");
  assert(knocks <= 5, `${knocks} knocks at one door`);
});
