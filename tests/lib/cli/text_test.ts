import { assertEquals } from "@std/assert";
import {
  clipText,
  formatCount,
  formatDuration,
  formatRate,
  formatSize,
  parseDuration,
  parseRate,
  parseSize,
  safeText,
  widthOfText,
} from "../../../lib/cli/text.ts";

Deno.test("parseSize() reads powers of 1024, of 1000 and plain bytes", () => {
  const cases: [string, number][] = [
    ["0", 0],
    ["1024", 1024],
    ["512B", 512],
    ["256K", 262144],
    ["256KiB", 262144],
    ["256kib", 262144],
    ["1M", 1048576],
    ["4 MiB", 4194304],
    ["1.5G", 1610612736],
    ["2T", 2199023255552],
    ["20MB", 20000000],
    [" 7 ", 7],
  ];
  for (const [text, bytes] of cases) assertEquals(parseSize(text), bytes, text);
});

Deno.test("parseSize() refuses what is no size", () => {
  for (const text of ["", "K", "-1", "1e3", "0x10", "1,5M", "1KK", "12Q", "9007199254740993", "9999T9", "1 2"]) {
    assertEquals(parseSize(text), undefined, text);
  }
});

Deno.test("parseRate() reads sizes with or without /s", () => {
  assertEquals(parseRate("20M"), 20 * 1024 * 1024);
  assertEquals(parseRate("500KiB/s"), 512000);
  assertEquals(parseRate("fast"), undefined);
});

Deno.test("parseDuration() reads seconds and units", () => {
  const cases: [string, number][] = [
    ["90", 90_000],
    ["90s", 90_000],
    ["10m", 600_000],
    ["1h", 3_600_000],
    ["1h30m", 5_400_000],
    ["2d", 172_800_000],
    ["500ms", 500],
    ["0.5", 500],
    ["1H", 3_600_000],
  ];
  for (const [text, ms] of cases) assertEquals(parseDuration(text), ms, text);
  for (const text of ["", "s", "1x", "-5", "1 h 3", "10m junk", "1e9999"]) {
    assertEquals(parseDuration(text), undefined, text);
  }
});

Deno.test("formatSize() keeps one decimal below 100 and rolls over to the next unit", () => {
  const cases: [number, string][] = [
    [0, "0 B"],
    [1, "1 B"],
    [1023, "1023 B"],
    [1024, "1 KiB"],
    [1536, "1.5 KiB"],
    [102_400, "100 KiB"],
    [1024 * 1024 - 1, "1 MiB"],
    [1610612736, "1.5 GiB"],
    [99.97 * 1024, "100 KiB"],
    [2 ** 53 - 1, "8 PiB"],
  ];
  for (const [bytes, text] of cases) assertEquals(formatSize(bytes), text, String(bytes));
});

Deno.test("formatRate() adds the second", () => {
  assertEquals(formatRate(12.5 * 1024 * 1024), "12.5 MiB/s");
});

Deno.test("formatDuration() tells two units at most", () => {
  const cases: [number, string][] = [
    [0, "0ms"],
    [350, "350ms"],
    [5000, "5s"],
    [59_600, "1m 00s"],
    [65_000, "1m 05s"],
    [3_600_000, "1h 00m"],
    [7_380_000, "2h 03m"],
    [100 * 3_600_000, "4d 04h"],
  ];
  for (const [ms, text] of cases) assertEquals(formatDuration(ms), text, String(ms));
});

Deno.test("formatCount() chooses singular and plural", () => {
  assertEquals(formatCount(1, "file"), "1 file");
  assertEquals(formatCount(0, "file"), "0 files");
  assertEquals(formatCount(2, "entry", "entries"), "2 entries");
});

Deno.test("safeText() strips escapes, controls and direction marks, and keeps names of every script", () => {
  assertEquals(safeText("a\x1b[31mred\x1b[0m\r\n\tb\x00\x7f\x9b2J"), "a[31mred[0mb2J");
  assertEquals(safeText("invoice\u202egpj.exe"), "invoicegpj.exe");
  assertEquals(safeText("\u2066x\u2069\u200e\u061c\ufeff\u2028"), "x");
  assertEquals(safeText("übung 日本語 नमस्ते 👩‍👩‍👧"), "übung 日本語 नमस्ते 👩‍👩‍👧");
  assertEquals(safeText("half \ud800 pair"), "half \ufffd pair");
  assertEquals(safeText("tag\u{e0041}"), "tag");
});

Deno.test("widthOfText() counts wide characters twice and marks not at all", () => {
  assertEquals(widthOfText("abc"), 3);
  assertEquals(widthOfText("日本"), 4);
  assertEquals(widthOfText("e\u0301"), 1);
});

Deno.test("clipText() cuts to the columns and shows that it did", () => {
  assertEquals(clipText("holiday", 7), "holiday");
  assertEquals(clipText("holiday", 4), "hol…");
  assertEquals(clipText("日本語", 5), "日本…");
  assertEquals(clipText("日本語", 4), "日…");
  assertEquals(clipText("abc", 0), "");
});
