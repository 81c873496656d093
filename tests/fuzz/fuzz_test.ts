import { assert, assertEquals } from "@std/assert";
import { fuzz } from "./campaign.ts";
import { Draw } from "./draw.ts";
import { tryInput } from "./rules.ts";
import { inputOf } from "./target.ts";
import { targets } from "./targets.ts";

/** Inputs of each target here, of the slow ones fewer; `deno task fuzz` reads as many as one likes. */
const inputs = 600;

for (const target of targets) {
  Deno.test(`fuzz: ${target.name} keeps the rules on drawn inputs, takes some and refuses some`, async () => {
    const { inputs: count, taken, findings } = await fuzz(target, { seed: 1, inputs });
    assertEquals(findings.map(({ what, index }) => `input ${index} of seed 1: ${what}`), []);
    assert(taken > count / 100 && taken < count * 0.995, `${taken} of ${count} were taken`);
  });
}

Deno.test("fuzz: every target has a name of its own, and the same seed draws the same", () => {
  assertEquals(new Set(targets.map(({ name }) => name)).size, targets.length);
  for (const target of targets) {
    for (let index = 0; index < 5; index++) assertEquals(inputOf(target, 7, index), inputOf(target, 7, index));
  }
});

Deno.test("tryInput() finds a throw, a slow input and one that takes memory", async () => {
  const whatOf = async (run: () => void) => {
    const result = await tryInput({
      name: "x",
      generate: (draw: Draw) => Uint8Array.of(draw.below(2)),
      run: () => (run(), "taken"),
    }, new Uint8Array(1));
    return "what" in result ? result.what : "nothing";
  };
  const kept: unknown[] = [];
  assertEquals(await whatOf(() => {}), "nothing");
  assert((await whatOf(() => [].at(0)!["x"])).startsWith("TypeError"));
  const slow = await whatOf(() => {
    let sum = 0;
    for (let i = 0; i < 3e8; i++) sum ^= Math.imul(i, i);
    kept.push(sum);
  });
  assert(slow.startsWith("took ") && slow.endsWith(" ms"), slow);
  assert((await whatOf(() => kept.push(new Uint8Array(70e6)))).endsWith(" MB"));
  assert((await whatOf(() => kept.push(new Array(9e6).fill(0)))).endsWith(" MB"));
});
