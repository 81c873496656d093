import { assertEquals } from "@std/assert";
import { roomLookMs } from "../../../lib/limits/disk.ts";
import { RoomWatch } from "../../../peer/io/room_watch.ts";

Deno.test("RoomWatch tells once of room that was made since the disk was full, and that is worth a try", () => {
  let freeBytes: number | undefined = 0;
  let looks = 0;
  const room = new RoomWatch({ freeBytes: () => (looks++, freeBytes), neededBytes: 100 });
  const grown = (bytes: number | undefined, now: number) => (freeBytes = bytes, room.hasGrown(now));
  assertEquals(grown(1000, 0), false, "nobody waits");
  freeBytes = 10;
  room.begin(0);
  looks = 0;
  assertEquals([grown(1000, roomLookMs - 1), looks], [false, 0], "between two looks");
  assertEquals(grown(50, roomLookMs), false, "too little");
  assertEquals(grown(undefined, 2 * roomLookMs), false);
  assertEquals(grown(200, 3 * roomLookMs), true);
  assertEquals(grown(200, 4 * roomLookMs), false, "no more than there was");
  assertEquals(grown(20, 5 * roomLookMs), false);
  assertEquals(grown(150, 6 * roomLookMs), true, "it grew again");
  room.end();
  assertEquals(grown(1000, 9 * roomLookMs), false);
});
