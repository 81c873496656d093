import { assertEquals } from "@std/assert";
import { bytesFromLatin1 } from "../../lib/bytes.ts";
import { encodeCompact } from "../../lib/endpoint.ts";
import { PeerList } from "../../tracker/peer_list.ts";
import { peerFlag, peerIdTag, PeerTable } from "../../tracker/peer_table.ts";
import type { Slot } from "../../tracker/peer_index.ts";
import { seededRandom } from "../lib/mutations.ts";

const peerId = bytesFromLatin1("-XX0000-abcdefghijkl");

function makeTable() {
  const table = new PeerTable(seededRandom(1));
  const insert = (host: string, port: number, flags = 0): Slot =>
    table.insert({ swarmNumber: 0, endpoint: encodeCompact({ host, port }), peerId, flags, now: 0 });
  return { table, insert };
}

Deno.test("PeerList repeats what the table has of a peer", () => {
  const { table, insert } = makeTable();
  const list = new PeerList(table);
  const rows = [insert("192.168.1.7", 65535, peerFlag.isSeed), insert("fd00::2", 1)].map((slot) => {
    const position = list.push(slot);
    return {
      slot,
      seenSlot: list.slotAt(position),
      ipv4: list.ipv4At(position) >>> 0,
      port: list.portAt(position),
      flags: list.flagsAt(position),
      tag: list.peerIdTagAt(position),
    };
  });
  const tag = peerIdTag(peerId, 0);
  assertEquals(rows, [
    { slot: 0, seenSlot: 0, ipv4: 0xc0a80107, port: 65535, flags: peerFlag.isSeed, tag },
    { slot: 1, seenSlot: 1, ipv4: 0, port: 1, flags: peerFlag.isIpv6, tag },
  ]);
});

Deno.test("PeerList.remove() fills the gap with the last and says which one moved", () => {
  const { table, insert } = makeTable();
  const list = new PeerList(table);
  const slots = Array.from({ length: 200 }, (_, i) => insert("10.0.0.2", 1 + i));
  for (const slot of slots) list.push(slot);
  assertEquals([list.remove(3), list.slotAt(3), list.portAt(3)], [slots[199], slots[199], 200]);
  assertEquals([list.remove(198), list.length], [slots[198], 198]);
  while (list.length > 0) list.remove(0);
  assertEquals(list.push(slots[5]), 0);
  assertEquals(list.portAt(0), 6);
});

Deno.test("PeerList does the same as an array, beside others that take and give back the same room", () => {
  const { table, insert } = makeTable();
  const random = seededRandom(4);
  const slots = Array.from({ length: 20_000 }, (_, i) => insert("10.0.0.2", 1 + i));
  const lists = Array.from({ length: 5 }, () => ({ list: new PeerList(table), model: [] as Slot[] }));
  // Three times up to far above a block's 4,096 rows and down to nothing again.
  for (let step = 0; step < 120_000; step++) {
    const { list, model } = lists[Math.floor(random() * lists.length)];
    const isGrowing = step % 40_000 < 25_000;
    if (random() < (isGrowing ? 0.95 : 0.02)) {
      const slot = slots[Math.floor(random() * slots.length)];
      assertEquals(list.push(slot), model.push(slot) - 1);
    } else if (model.length > 0) {
      const position = Math.floor(random() * model.length);
      const last = model.pop()!;
      if (position < model.length) model[position] = last;
      assertEquals(list.remove(position), last);
    }
    assertEquals(list.length, model.length);
  }
  for (const { list, model } of lists) {
    assertEquals(model.map((_, i) => [list.slotAt(i), list.portAt(i)]), model.map((slot) => [slot, 1 + slot]));
  }
});
