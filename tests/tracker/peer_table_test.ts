import { assert, assertEquals } from "@std/assert";
import { type Bytes, bytesFromLatin1, writeUint16, writeUint32 } from "../../lib/bytes.ts";
import { encodeCompact } from "../../lib/endpoint.ts";
import { parseInfoHash } from "../../lib/ids.ts";
import { noSlot, peerFlag, PeerTable, type Slot } from "../../tracker/peer_table.ts";
import { Swarm } from "../../tracker/swarm.ts";
import { seededRandom } from "../lib/mutations.ts";

const infoHash = parseInfoHash("ab".repeat(20))!;
const peerId = bytesFromLatin1("-XX0000-abcdefghijkl");

function endpointOf(address: number, port: number): Bytes {
  const endpoint = new Uint8Array(6);
  writeUint32(endpoint, 0, address);
  writeUint16(endpoint, 4, port);
  return endpoint;
}

function makeTable(seed = 1): { table: PeerTable; swarms: Swarm[] } {
  const table = new PeerTable(seededRandom(seed));
  return { table, swarms: [0, 1, 2].map((number) => new Swarm(infoHash, number, table)) };
}

Deno.test("PeerTable finds a peer by swarm, address and port together", () => {
  const { table, swarms: [swarm, other] } = makeTable();
  const endpoint = encodeCompact({ host: "10.0.0.2", port: 6881 });
  const slot = table.insert({ swarm, endpoint, peerId, flags: peerFlag.isSeed, now: 5 });
  assertEquals(table.find(swarm, endpoint), slot);
  assertEquals(table.find(other, endpoint), noSlot);
  assertEquals(table.find(swarm, encodeCompact({ host: "10.0.0.2", port: 6882 })), noSlot);
  assertEquals(table.find(swarm, encodeCompact({ host: "10.0.0.3", port: 6881 })), noSlot);
});

Deno.test("PeerTable keeps what it was given, for both families", () => {
  const { table, swarms: [swarm] } = makeTable();
  for (const host of ["10.0.0.2", "fd00::2"]) {
    const endpoint = encodeCompact({ host, port: 6881 });
    const slot = table.insert({ swarm, endpoint, peerId, flags: peerFlag.isLinkLocal, now: 5 });
    assertEquals(table.swarmOf(slot), swarm);
    assertEquals(table.seenAtOf(slot), 5);
    assertEquals(table.portOf(slot), 6881);
    assert(table.hasPeerId(slot, peerId));
    assert(!table.hasPeerId(slot, bytesFromLatin1("-XX0000-abcdefghijkm")));
    const copy = new Uint8Array(1 + endpoint.length);
    table.copyEndpoint(slot, copy, 1);
    assertEquals(copy.subarray(1), endpoint);
  }
});

Deno.test("PeerTable does the same as a Map through inserts, removals and growth", () => {
  const random = seededRandom(7);
  const { table, swarms } = makeTable(3);
  const model = new Map<string, { swarm: Swarm; endpoint: Bytes; slot: Slot }>();
  for (let step = 0; step < 30_000; step++) {
    const swarm = swarms[Math.floor(random() * 3)];
    // Few addresses and ports, so that peers come back and runs of probes are long.
    const endpoint = endpointOf(0x0a000000 + Math.floor(random() * 40), 1 + Math.floor(random() * 100));
    const key = `${swarm.number} ${endpoint}`;
    const known = model.get(key);
    assertEquals(table.find(swarm, endpoint), known?.slot ?? noSlot, `step ${step}`);
    // More come than go in the first half, more go than come in the second.
    const isRemoval = random() < (step < 15_000 ? 0.2 : 0.8);
    if (known !== undefined && isRemoval) {
      table.remove(known.slot);
      model.delete(key);
    } else if (known === undefined && !isRemoval) {
      model.set(key, { swarm, endpoint, slot: table.insert({ swarm, endpoint, peerId, flags: 0, now: step }) });
    }
    assertEquals(table.count, model.size);
  }
  assert(model.size > 100);
  for (const { swarm, endpoint, slot } of model.values()) assertEquals(table.find(swarm, endpoint), slot);
});

Deno.test("PeerTable uses the slots of removed peers again", () => {
  const { table, swarms: [swarm] } = makeTable();
  for (let round = 0; round < 3; round++) {
    const slots = Array.from(
      { length: 2000 },
      (_, i) => table.insert({ swarm, endpoint: endpointOf(round, 1 + i), peerId, flags: 0, now: 0 }),
    );
    for (const slot of slots) table.remove(slot);
  }
  assertEquals([table.count, table.slotEnd], [0, 2000]);
});
