import { assert, assertEquals } from "@std/assert";
import { type Bytes, bytesFromLatin1, writeUint16, writeUint32 } from "../../lib/bytes.ts";
import { encodeCompact } from "../../lib/endpoint.ts";
import { noSlot, type Slot } from "../../tracker/peer_index.ts";
import { peerFlag, PeerTable } from "../../tracker/peer_table.ts";
import { seededRandom } from "../lib/mutations.ts";

const peerId = bytesFromLatin1("-XX0000-abcdefghijkl");

function endpointOf(address: number, port: number): Bytes {
  const endpoint = new Uint8Array(6);
  writeUint32(endpoint, 0, address);
  writeUint16(endpoint, 4, port);
  return endpoint;
}

const makeTable = (seed = 1) => new PeerTable(seededRandom(seed));

Deno.test("PeerTable finds a peer by swarm, address and port together", () => {
  const table = makeTable();
  const endpoint = encodeCompact({ host: "10.0.0.2", port: 6881 });
  const slot = table.insert({ swarmNumber: 0, endpoint, peerId, flags: peerFlag.isSeed, now: 5 });
  assertEquals(table.find(0, endpoint), slot);
  assertEquals(table.find(1, endpoint), noSlot);
  assertEquals(table.find(0, encodeCompact({ host: "10.0.0.2", port: 6882 })), noSlot);
  assertEquals(table.find(0, encodeCompact({ host: "10.0.0.3", port: 6881 })), noSlot);
});

Deno.test("PeerTable keeps what it was given, for both families", () => {
  const table = makeTable();
  for (const host of ["10.0.0.2", "fd00::2"]) {
    const endpoint = encodeCompact({ host, port: 6881 });
    const slot = table.insert({ swarmNumber: 7, endpoint, peerId, flags: peerFlag.isLinkLocal, now: 5.5 });
    assertEquals(table.swarmNumberOf(slot), 7);
    assertEquals(table.silenceOf(slot, 12.5), 7);
    assertEquals(table.portOf(slot), 6881);
    assert(table.hasPeerId(slot, peerId));
    assert(!table.hasPeerId(slot, bytesFromLatin1("-XX0000-abcdefghijkm")));
    const copy = new Uint8Array(1 + endpoint.length);
    table.copyEndpoint(slot, copy, 1);
    assertEquals(copy.subarray(1), endpoint);
  }
});

Deno.test("PeerTable tells how long a peer has been silent, also when the clock passes 2^31 and 2^32 ms", () => {
  const table = makeTable();
  const endpoint = encodeCompact({ host: "10.0.0.2", port: 6881 });
  const slot = table.insert({ swarmNumber: 0, endpoint, peerId, flags: 0, now: 0 });
  for (const moment of [2 ** 31 - 10, 2 ** 32 - 10, 5 * 2 ** 32 - 1]) {
    table.setSeenAt(slot, moment);
    assertEquals([table.silenceOf(slot, moment), table.silenceOf(slot, moment + 400_000)], [0, 400_000]);
  }
});

Deno.test("PeerTable does the same as a Map through inserts, removals and growth", () => {
  const random = seededRandom(7);
  const table = makeTable(3);
  const model = new Map<string, { swarmNumber: number; endpoint: Bytes; slot: Slot }>();
  for (let step = 0; step < 30_000; step++) {
    const swarmNumber = Math.floor(random() * 3);
    // Few addresses and ports, so that peers come back and runs of probes are long.
    const endpoint = endpointOf(0x0a000000 + Math.floor(random() * 40), 1 + Math.floor(random() * 100));
    const key = `${swarmNumber} ${endpoint}`;
    const known = model.get(key);
    assertEquals(table.find(swarmNumber, endpoint), known?.slot ?? noSlot, `step ${step}`);
    // More come than go in the first half, more go than come in the second.
    const isRemoval = random() < (step < 15_000 ? 0.2 : 0.8);
    if (known !== undefined && isRemoval) {
      table.remove(known.slot);
      model.delete(key);
    } else if (known === undefined && !isRemoval) {
      const slot = table.insert({ swarmNumber, endpoint, peerId, flags: 0, now: step });
      model.set(key, { swarmNumber, endpoint, slot });
    }
    assertEquals(table.count, model.size);
  }
  assert(model.size > 100);
  for (const { swarmNumber, endpoint, slot } of model.values()) assertEquals(table.find(swarmNumber, endpoint), slot);
});

Deno.test("PeerTable uses the slots of removed peers again, through several blocks", () => {
  const table = makeTable();
  for (let round = 0; round < 3; round++) {
    const slots = Array.from({ length: 10_000 }, (_, i) => {
      const endpoint = endpointOf(round, 1 + i);
      return table.insert({ swarmNumber: 0, endpoint, peerId, flags: 0, now: 0 });
    });
    for (const slot of slots) table.remove(slot);
    assertEquals(slots.map((slot) => table.swarmNumberOf(slot)), slots.map(() => undefined));
  }
  assertEquals([table.count, table.slotEnd], [0, 10_000]);
});
