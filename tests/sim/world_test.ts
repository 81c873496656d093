import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { runSeed } from "./world/run_seed.ts";

/** More of them: `deno task sim`. */
const seedCount = 60;

for (let first = 1; first <= seedCount; first += 10) {
  Deno.test(`worlds ${first} to ${first + 9}: every rule holds after every step, and all honest peers become whole`, () => {
    const faults = Array.from({ length: 10 }, (_, i) => runSeed(first + i).fault ?? "").filter((fault) => fault !== "");
    assert(faults.length === 0, faults.join("\n\n"));
  });
}

Deno.test("runSeed() makes the same world of the same seed, step by step, and another of another", () => {
  const [first, again, other] = [runSeed(7), runSeed(7), runSeed(8)];
  assertEquals(again, first);
  assert(other.hash !== first.hash);
});

Deno.test("runSeed() says how a fault can be seen again, and what led to it", () => {
  const { fault } = runSeed(7, (line) => {
    if (line.includes("peerJoined")) throw new Error("a fault of the test");
  });
  assertStringIncludes(fault!, "a fault of the test");
  assertStringIncludes(fault!, "again: SEED=7 deno task sim");
  assertStringIncludes(fault!, "<- connected");
});
