import { assertEquals } from "@std/assert";
import { RowStore, rowWords } from "../../tracker/row_store.ts";

Deno.test("RowStore gives each run room of its own, and the room of those that were given back again", () => {
  const store = new RowStore();
  interface Entry {
    run: number;
    readonly shift: number;
    readonly mark: number;
  }
  const runs: Entry[] = Array.from({ length: 200 }, (_, i) => ({ run: 0, shift: 1 + i % 14, mark: 1 + i }));
  const fill = (entry: Entry) => {
    entry.run = store.take(entry.shift);
    const start = store.startOf(entry.run);
    store.wordsOf(entry.run).fill(entry.mark, start, start + (rowWords << entry.shift));
  };
  const isWhole = ({ run, shift, mark }: Entry) => {
    const start = store.startOf(run);
    const words = store.wordsOf(run).subarray(start, start + (rowWords << shift));
    return words.length === rowWords << shift && words.every((word) => word === mark);
  };
  runs.forEach(fill);
  assertEquals(runs.filter((entry) => !isWhole(entry)), []);
  const gone = runs.filter((_, i) => i % 3 === 0);
  const numbers = gone.map(({ run, shift }) => (store.release(run, shift), run));
  const taken = gone.map(({ shift }, i) => ({ run: 0, shift, mark: 5000 + i }));
  taken.forEach(fill);
  assertEquals(taken.map(({ run }) => run).sort(), numbers.sort());
  const kept = runs.filter((_, i) => i % 3 !== 0);
  assertEquals([...kept, ...taken].filter((entry) => !isWhole(entry)), []);
});
