import { assertEquals } from "@std/assert";
import { TurnQueue } from "../../../lib/io/turn_queue.ts";

Deno.test("TurnQueue gives one turn at a time, first come, first served, and others have theirs between", async () => {
  const queue = new TurnQueue();
  const told: string[] = [];
  const own = ["a", "b", "c"].map((name) => queue.turn().then(() => told.push(name)));
  const others = (async () => {
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => setTimeout(resolve));
      told.push("other");
    }
  })();
  await Promise.all([...own, others]);
  assertEquals(told.filter((name) => name !== "other"), ["a", "b", "c"]);
  assertEquals(told.indexOf("other") < told.indexOf("b"), true, told.join(" "));
  await queue.turn();
});
