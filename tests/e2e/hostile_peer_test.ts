import { Buffer } from "node:buffer";
import { assert, assertEquals } from "@std/assert";
import type { Child } from "../interop/child.ts";
import { eventsOf } from "../interop/localbt.ts";
import { join } from "../interop/path.ts";
import { bytesFrom, singleFile } from "../interop/payload.ts";
import { Scene } from "../interop/scene.ts";
import { expectDone, makeShare, seedShare, type Share, startDownload } from "./swarm.ts";
import { id, uint32, Wire } from "./wire.ts";
import { honestBlock, type SeederBends, type SeederData, serveAsSeeder, WirePeer } from "./wire_peer.ts";

const kind = singleFile(4 * 2 ** 20, 64 * 1024);

function dataOf(share: Share): SeederData {
  const content = Deno.readFileSync(join(share.payload.directory, share.payload.name));
  return { infoHash: share.infoHash, content, pieceLength: share.payload.pieceLength };
}

/** Downloads from one hostile and one honest peer; the download must finish and be right. */
async function downloadBeside(
  serve: (wire: Wire, data: SeederData) => Promise<void>,
  check: (download: Child, hostile: WirePeer, honest: string) => void = () => {},
): Promise<void> {
  await using scene = await Scene.open();
  const share = makeShare(scene, kind);
  const data = dataOf(share);
  await using hostile = new WirePeer((wire) => serve(wire, data));
  // the honest one is slow, so that the hostile one has its turn
  const honest = await seedShare(scene, share, ["--upload-limit", "3M"]);
  const target = scene.newFolder("target");
  const peers = ["--peer", hostile.endpoint, "--peer", honest.endpoint];
  const download = startDownload(scene, share.torrent, target, peers);
  await expectDone(download, share.payload, target);
  assert(hostile.connectionCount > 0, "the hostile peer had its turn");
  check(download, hostile, honest.endpoint);
}

function bend(bends: (wire: Wire, data: SeederData) => SeederBends) {
  return (wire: Wire, data: SeederData) => serveAsSeeder(wire, data, bends(wire, data));
}

function banned(download: Child): unknown[] {
  return eventsOf(download, "peer").filter((event) => event.state === "banned").map((event) => event.address);
}

Deno.test("a peer that lies is banned, the honest one is kept, and the file is right", () =>
  downloadBeside(
    bend(() => ({ block: (request) => bytesFrom(request.begin + 1, request.length) })),
    (download, hostile, honest) => {
      assertEquals(banned(download), [hostile.endpoint]);
      assert(!banned(download).includes(honest));
    },
  ));

Deno.test("a peer that lies now and then is banned, and the honest one is not", () =>
  downloadBeside(
    bend((_wire, data) => ({
      block: (request) => request.piece % 3 > 0 ? honestBlock(data, request) : bytesFrom(7, request.length),
    })),
    (download, hostile) => assertEquals(banned(download), [hostile.endpoint]),
  ));

Deno.test("a peer that talks nonsense is dropped", () =>
  downloadBeside(async (wire) => {
    await wire.write(bytesFrom(99, 100_000));
    await wire.isClosedByPeer();
  }));

Deno.test("a peer that answers in HTTP is dropped", () =>
  downloadBeside(async (wire) => {
    await wire.write(
      Buffer.from("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".repeat(3)),
    );
    await wire.isClosedByPeer();
  }));

Deno.test("a peer with another info hash is dropped", () =>
  downloadBeside(async (wire) => {
    await wire.greeting();
    await wire.greet("00".repeat(20));
    await wire.isClosedByPeer();
  }));

Deno.test("blocks that nobody asked for are not taken", () =>
  downloadBeside(bend(() => ({
    async afterUnchoke(wire) {
      for (let piece = 0; piece < 20; piece++) await wire.send(id.piece, piece, 0, bytesFrom(piece, 16_384));
    },
    block: () => undefined,
  }))));

Deno.test("blocks longer than asked for are not taken", () =>
  downloadBeside(bend((_wire, data) => ({
    block: (request) => Buffer.concat([honestBlock(data, request), new Uint8Array(16_384)]),
  }))));

Deno.test("blocks shorter than asked for are not taken for whole", () =>
  downloadBeside(bend((_wire, data) => ({
    block: (request) => honestBlock(data, request).subarray(0, request.length - 1),
  }))));

Deno.test("a message that claims 4 GiB is dropped before it is believed", () =>
  downloadBeside(bend(() => ({
    async afterUnchoke(wire) {
      await wire.write(Buffer.concat([uint32(0xffff_ffff), Buffer.from([id.piece]), new Uint8Array(100_000)]));
    },
    block: () => undefined,
  }))));

for (
  const [what, bitfield] of [
    ["too short", Buffer.alloc(3, 0xff)],
    ["too long", Buffer.alloc(5_000, 0xff)],
  ] as const
) {
  Deno.test(`a bitfield that is ${what} ends the connection`, () =>
    downloadBeside(async (wire, data) => {
      await wire.greeting();
      await wire.greet(data.infoHash);
      await wire.send(id.bitfield, bitfield);
      await wire.isClosedByPeer();
    }));
}

Deno.test("a have beyond the last piece ends the connection", () =>
  downloadBeside(async (wire, data) => {
    await wire.greeting();
    await wire.greet(data.infoHash);
    await wire.send(id.have, 0xffff_fff0);
    await wire.isClosedByPeer();
  }));

Deno.test("a peer that takes requests and never answers does not hold up the end", () =>
  downloadBeside(bend(() => ({ block: () => undefined }))));

Deno.test("a peer that chokes and unchokes all the time does not hold up the end", () =>
  downloadBeside(bend((wire) => ({
    block() {
      wire.send(id.choke).then(() => wire.send(id.unchoke));
      return undefined;
    },
  }))));

/** Runs hostile downloaders against our seeder, then an honest one. */
async function seedBeside(attack: (endpoint: string, data: SeederData) => Promise<void>): Promise<void> {
  await using scene = await Scene.open();
  const share = makeShare(scene, kind);
  const seeder = await seedShare(scene, share);
  await attack(seeder.endpoint, dataOf(share));
  assert(seeder.child.isRunning, "the seeder lives");
  const target = scene.newFolder("target");
  const download = startDownload(scene, share.torrent, target, ["--peer", seeder.endpoint]);
  await expectDone(download, share.payload, target);
  assert(!seeder.child.text("stderr").includes("    at "), seeder.child.text("stderr"));
}

/** A connection that has greeted and is unchoked. */
async function unchoked(endpoint: string, data: SeederData): Promise<Wire> {
  const wire = await Wire.connect(endpoint);
  await wire.greet(data.infoHash);
  await wire.greeting();
  await wire.send(id.interested);
  await wire.nextOf(id.unchoke);
  return wire;
}

for (
  const [what, numbers] of [
    ["beyond the last piece", [64, 0, 16_384]],
    ["beyond the end of a piece", [0, 65_536, 16_384]],
    ["across the end of a piece", [0, 60_000, 16_384]],
    ["of 1 MiB", [0, 0, 1_048_576]],
    ["of 0 bytes", [0, 0, 0]],
    ["with numbers near 2^32", [0xffff_ffff, 0xffff_ffff, 0xffff_ffff]],
  ] as const
) {
  Deno.test(`our seeder answers no request ${what}, and goes on`, () =>
    seedBeside(async (endpoint, data) => {
      const wire = await unchoked(endpoint, data);
      for (let i = 0; i < 400; i++) await wire.send(id.request, ...numbers);
      // an honest request behind them is answered, unless the connection is ended: both are fair
      await wire.send(id.request, 1, 0, 16_384);
      const block = await wire.nextOf(id.piece);
      if (block) {
        assertEquals([block.body.readUInt32BE(0), block.body.readUInt32BE(4), block.body.length], [1, 0, 16_392]);
      }
      wire.close();
    }));
}

Deno.test("our seeder answers no request while it chokes, and goes on", () =>
  seedBeside(async (endpoint, data) => {
    const wire = await Wire.connect(endpoint);
    await wire.greet(data.infoHash);
    await wire.greeting();
    for (let i = 0; i < 1_000; i++) await wire.send(id.request, 0, 0, 16_384);
    wire.close();
  }));

Deno.test("our seeder outlives peers that ask for much and read nothing", () =>
  seedBeside(async (endpoint, data) => {
    const wires = [];
    for (let i = 0; i < 20; i++) {
      const wire = await unchoked(endpoint, data);
      for (let piece = 0; piece < 64; piece++) {
        for (let begin = 0; begin < 65_536; begin += 16_384) await wire.send(id.request, piece, begin, 16_384);
      }
      wires.push(wire);
    }
    for (const wire of wires) wire.close();
  }));

Deno.test("our seeder outlives connections that say nothing, half a hello, or nonsense", () =>
  seedBeside(async (endpoint, data) => {
    const wires = await Promise.all(Array.from({ length: 60 }, () => Wire.connect(endpoint)));
    for (const [i, wire] of wires.entries()) {
      if (i % 3 === 1) await wire.write(Buffer.from("\x13BitTorrent prot", "latin1"));
      if (i % 3 === 2) await wire.write(bytesFrom(i, 500));
    }
    const wire = await unchoked(endpoint, data);
    for (const other of [...wires, wire]) other.close();
  }));
