import { assertAlmostEquals, assertEquals, assertLess } from "@std/assert";
import { makeContent } from "../peer/virtual_disk.ts";
import { boundOf } from "./scale_bound.ts";
import { runCrowd } from "./scale_crowd.ts";
import { scenarioNamed } from "./scale_scenarios.ts";

const content = makeContent({ totalLength: 3_000_000, pieceLength: 32_768 });
const crowd = { content, count: 50, strategy: "rarest-first", maxPeers: 20, seed: 1 } as const;

Deno.test("boundOf() is what the slowest receiver, the source, or all that leaves takes, whichever is most", () => {
  const receiver = { up: 10, down: 10, joinsAt: 0 };
  const boundWith = (sourceRate: number, ...receivers: (typeof receiver)[]) =>
    boundOf({ length: 1_000, sourceRate, receivers });
  assertEquals(boundWith(20, receiver, { ...receiver, down: 5 }), 200_000, "the slowest takes 200 s");
  assertEquals(boundWith(4, receiver), 250_000, "the source gives it once in 250 s");
  assertEquals(boundWith(10, { ...receiver, up: 0 }, { ...receiver, up: 0 }), 200_000, "it gives it twice");
  assertAlmostEquals(boundWith(10, { ...receiver, joinsAt: 7_000 }), 107_000, 1, "who comes late has it later");
});

// Virtual times: a run is the same on every machine, so the bounds are what was measured and a little more.
for (
  const { name, timesBound, sourceCopies, copiesEach } of [
    { name: "flash crowd", timesBound: 1.55, sourceCopies: 4.1, copiesEach: 1.17 },
    { name: "slow source, told so", timesBound: 1.35, sourceCopies: 1.35, copiesEach: 1.03 },
  ]
) {
  Deno.test(`crowd of 50, ${name}: all have it within ${timesBound} times the bound`, () => {
    const outcome = runCrowd(scenarioNamed(name), crowd);
    assertLess(outcome.lastMs / outcome.boundMs, timesBound);
    assertLess(outcome.sourceCopies, sourceCopies);
    assertLess(outcome.copiesEach, copiesEach);
  });
}

Deno.test("crowd: who comes after others that are full of each other is let in by those who have something", () => {
  const outcome = runCrowd(scenarioNamed("flash crowd"), { ...crowd, maxPeers: 12 });
  assertLess(outcome.lastMs / outcome.firstMs, 1.65, "the last ones were left out");
});
