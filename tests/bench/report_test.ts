import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { contest } from "./contest.ts";
import { doubtAbout, median } from "./machine.ts";
import { fastest, formatRows, type Row, withGoal, withRivalGoal } from "./report.ts";

/** A row of one run at this rate. */
function row(contender: string, rate: number, more: Partial<Row> = {}): Row {
  const figures = { seconds: 1, secondsMin: 1, secondsMax: 1, rate };
  return { part: "p", contender, isOurs: false, runs: 1, figures, goals: [], ...more };
}

const calm = { otherCores: 0, stolenCores: 0 };

Deno.test("median() is the middle one, or the mean of the two in the middle", () => {
  assertEquals(median([3, 1, 2]), 2);
  assertEquals(median([4, 1, 2, 3]), 2.5);
  assert(Number.isNaN(median([])));
});

Deno.test("doubtAbout() doubts runs beside others, on a busy host, and far apart", () => {
  assertEquals(doubtAbout([{ seconds: 1, ...calm }, { seconds: 1.5, ...calm }]), undefined);
  assertStringIncludes(doubtAbout([{ seconds: 1, otherCores: 0.5, stolenCores: 0 }]) ?? "", "others kept 0.50");
  assertStringIncludes(doubtAbout([{ seconds: 1, otherCores: 0, stolenCores: 0.1 }]) ?? "", "the host took 0.10");
  assertStringIncludes(doubtAbout([{ seconds: 1, ...calm }, { seconds: 2, ...calm }]) ?? "", "2.0 times");
});

Deno.test("withRivalGoal() compares with the fastest rival", () => {
  const rival = fastest([row("slow", 100), row("fast", 200), row("absent", NaN, { runs: 0 })]);
  assertEquals(rival?.contender, "fast");
  const ours = withRivalGoal(row("ours", 390), rival, { times: 2 });
  assertEquals(ours.timesBestRival, 1.95);
  assertEquals(ours.goals.map(({ verdict }) => verdict), ["not reached"]);
  assertEquals(withRivalGoal(row("ours", 400), rival, { times: 2 }).goals[0]?.verdict, "reached");
});

Deno.test("withRivalGoal() gives no verdict without a rival or where one of the two is in doubt", () => {
  assertEquals(withRivalGoal(row("ours", 1), undefined, { times: 2 }).goals[0]?.verdict, "no rival");
  const noisy = row("rival", 1, { doubt: "others" });
  assertEquals(withRivalGoal(row("ours", 9), noisy, { times: 2 }).goals[0]?.verdict, "too noisy to tell");
});

Deno.test("withGoal() judges memory whatever the noise", () => {
  const noisy = row("ours", 1, { doubt: "others" });
  assertEquals(withGoal(noisy, "fast", () => true).goals[0]?.verdict, "too noisy to tell");
  assertEquals(withGoal(noisy, "small", () => false, { isOfSpeed: false }).goals[0]?.verdict, "not reached");
});

Deno.test("contest() runs the contenders in turn, leaves out the absent, and survives a rival's failure", async () => {
  const order: string[] = [];
  const contenderOf = (name: string, more: { absence?: string; isBroken?: boolean } = {}) => ({
    name,
    isOurs: name === "ours",
    absence: more.absence,
    run() {
      order.push(name);
      return more.isBroken ? Promise.reject(new Error("hangs")) : Promise.resolve({ seconds: order.length });
    },
  });
  const rows = await contest({ part: "p", rounds: 2 }, [
    contenderOf("ours"),
    contenderOf("rival"),
    contenderOf("broken", { isBroken: true }),
    contenderOf("gone", { absence: "not installed" }),
  ]);
  assertEquals(order, ["ours", "rival", "broken", "ours", "rival", "broken"]);
  assertEquals(rows.map(({ runs }) => runs), [2, 2, 0, 0]);
  assertEquals(rows.map(({ note }) => note), [undefined, undefined, "2 of 2 runs failed: hangs", "not installed"]);
  assertEquals(rows[0]?.figures.secondsMax, 4);
});

Deno.test("formatRows() shows spread, ratio, verdicts, doubts and absences", () => {
  const text = formatRows([
    withRivalGoal(
      { ...row("ours", 400), figures: { seconds: 2, secondsMin: 1, secondsMax: 3, rate: 400 } },
      row("rival", 100),
      {
        times: 2,
      },
    ),
    row("loud", 1, { doubt: "others" }),
    { ...row("gone", 1), runs: 0, figures: {}, note: "not installed" },
  ]);
  assertStringIncludes(text, "2.00 (1.00-3.00)");
  assertStringIncludes(text, "reached: ours at least 2 times as fast as rival: 4.00");
  assertStringIncludes(text, "loud ~");
  assertStringIncludes(text, "too noisy to tell in 1 of 3 rows");
  assertStringIncludes(text, "gone: not installed");
});
