import { assertEquals, assertNotEquals } from "@std/assert";
import { parseInfoHash } from "../../lib/ids.ts";
import { PeerTable } from "../../tracker/peer_table.ts";
import { SwarmBook } from "../../tracker/swarm_book.ts";
import { seededRandom } from "../lib/mutations.ts";

const [a, b, c] = ["a", "b", "c"].map((digit) => parseInfoHash(digit.repeat(40))!);

Deno.test("SwarmBook finds swarms by hash and by number, and gives the numbers of those that went again", () => {
  const table = new PeerTable(seededRandom(1));
  const book = new SwarmBook();
  const [first, second] = [book.add(a, table), book.add(b, table)];
  assertNotEquals(first.number, second.number);
  assertEquals([book.find(a), book.find(c), book.numbered(second.number)], [first, undefined, second]);
  book.remove(first);
  assertEquals([book.find(a), book.count], [undefined, 1]);
  const third = book.add(c, table);
  assertEquals([third.number, book.numbered(third.number), book.count], [first.number, third, 2]);
});
