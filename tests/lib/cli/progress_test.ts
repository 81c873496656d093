import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { formatProgress, ProgressLine, type ProgressState } from "../../../lib/cli/progress.ts";
import { widthOfText } from "../../../lib/cli/text.ts";
import { makeContext } from "../../cli/test_context.ts";

const MiB = 1024 * 1024;
const state: ProgressState = {
  label: "holiday",
  bytes: 45 * MiB,
  totalBytes: 100 * MiB,
  bytesPerSecond: 12.5 * MiB,
  upBytesPerSecond: MiB,
  peers: 3,
  etaSeconds: 4.4,
  note: "endgame",
};
// deno-lint-ignore no-control-regex -- colours take no columns
const withoutColor = (line: string) => line.replace(/\x1b\[[0-9;]*[mK]/g, "");

Deno.test("formatProgress() shows bar, percent, bytes, rates, peers, time left and note", () => {
  assertEquals(
    formatProgress(state, { columns: 140, color: false }),
    "holiday  [###########-------------]   45 %  45 MiB of 100 MiB  12.5 MiB/s  up 1 MiB/s  3 peers  5s left  endgame",
  );
});

Deno.test("formatProgress() stays within the columns at every width, and keeps the percent longest", () => {
  for (const label of ["holiday", "写真とても長い名前のフォルダーです", ""]) {
    for (let columns = 1; columns <= 140; columns++) {
      for (const color of [false, true]) {
        const line = withoutColor(formatProgress({ ...state, label }, { columns, color }));
        assert(widthOfText(line) <= columns, `${columns}: ${line}`);
        if (columns >= 40) assertStringIncludes(line, "45 %");
      }
    }
  }
});

Deno.test("formatProgress() says 100 % only when all is there, and never divides by zero", () => {
  const options = { columns: 80, color: false };
  assertStringIncludes(formatProgress({ ...state, bytes: 100 * MiB - 1 }, options), " 99 %");
  assertStringIncludes(formatProgress({ ...state, bytes: 0, totalBytes: 0 }, options), "100 %");
  assert(!formatProgress({ ...state, etaSeconds: Infinity }, options).includes("left"));
});

Deno.test("ProgressLine repaints a terminal's line at most ten times a second and ends it once", () => {
  const context = makeContext({ terminal: { stderrIsTerminal: true, color: true, columns: () => 100 } });
  const line = new ProgressLine(context);
  for (let i = 0; i < 100; i++) {
    line.update({ ...state, bytes: i * MiB });
    context.advance(10);
  }
  const paints = context.stderr().split("\r").length - 1;
  assertEquals(paints, 10);
  line.finish();
  assertStringIncludes(context.stderr(), " 99 %");
  assert(context.stderr().endsWith("\n"));
  line.finish();
  assertEquals(context.stderr().split("\n").length, 2);
});

Deno.test("ProgressLine without colours overwrites the older, longer line with spaces", () => {
  const context = makeContext({ terminal: { stderrIsTerminal: true, columns: () => 100 } });
  const line = new ProgressLine(context);
  line.update(state);
  context.advance(200);
  line.update({ label: "x", bytes: 1, totalBytes: 2, bytesPerSecond: 0 });
  const [, first, second] = context.stderr().split("\r");
  assertEquals(first.length, 99);
  assertEquals(second.length, 99);
  assert(!context.stderr().includes("\x1b"));
});

Deno.test("ProgressLine prints a plain line every five seconds where there is no terminal", () => {
  const context = makeContext();
  const line = new ProgressLine(context);
  for (let second = 0; second <= 12; second++) {
    line.update(state);
    context.advance(1000);
  }
  assertEquals(context.stderr().split("\n").length - 1, 2);
  assertStringIncludes(context.stderr(), "holiday: 45 %, 45 MiB of 100 MiB, 12.5 MiB/s, up 1 MiB/s, 3 peers, 5s left");
  assert(!context.stderr().includes("\r") && !context.stderr().includes("\x1b"));
});

Deno.test("ProgressLine shows nothing of what is over before `afterMs`", () => {
  const context = makeContext({ terminal: { stderrIsTerminal: true } });
  const brief = new ProgressLine(context, { afterMs: 500 });
  brief.update(state);
  context.advance(499);
  brief.update(state);
  brief.finish();
  assertEquals(context.stderr(), "");
  const longer = new ProgressLine(context, { afterMs: 500 });
  context.advance(500);
  longer.update(state);
  longer.finish();
  assert(context.stderr().endsWith("\n") && context.stderr().includes("%"));
});

Deno.test("ProgressLine is silent with --quiet, and in a short run without a terminal", () => {
  const quiet = makeContext({ quiet: true, terminal: { stderrIsTerminal: true } });
  const short = makeContext();
  for (const context of [quiet, short]) {
    const line = new ProgressLine(context);
    line.update(state);
    line.finish();
    assertEquals(context.stderr(), "");
  }
});
