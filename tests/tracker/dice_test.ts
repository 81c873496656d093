import { assert } from "@std/assert";
import { Dice } from "../../tracker/dice.ts";

Deno.test("Dice.next() stays within [0, 1) and falls everywhere, whatever it starts from", () => {
  for (const start of [0, 0.25, 0.5, 0.999_999_999]) {
    const dice = new Dice(start);
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) {
      const number = dice.next();
      assert(number >= 0 && number < 1, String(number));
      counts[Math.floor(number * 10)]++;
    }
    // 1000 are expected of each; five standard deviations are 150.
    for (const count of counts) assert(Math.abs(count - 1000) < 150, `from ${start}: ${counts}`);
  }
});
