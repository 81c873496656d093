import { assert, assertEquals } from "@std/assert";
import { VirtualSwarm } from "./torrent_harness.ts";
import { makeContent } from "./virtual_disk.ts";

Deno.test("Torrent moves a file to another Torrent in one synchronous test", () => {
  const swarm = new VirtualSwarm(makeContent({ totalLength: 1_000_001, pieceLength: 100_000 }));
  const seed = swarm.seed();
  const leecher = swarm.join();
  swarm.introduce(leecher, [seed]);
  swarm.runUntil(() => leecher.torrent.isComplete);
  assert(leecher.disk.stored.isFull);
  assertEquals(leecher.disk.writtenBytes, 1_000_001);
  assertEquals(seed.sentBytes, 1_000_001);
});
