import { assert, assertEquals } from "@std/assert";
import { qrCodeLines } from "../../../peer/io/qr_code.ts";

Deno.test("qrCodeLines() draws a square of half blocks with a border, which a terminal of 80 columns holds", async () => {
  const lines = await qrCodeLines("http://192.168.100.100:6969/", { color: false });
  const widths = new Set(lines.map((line) => line.length));
  assertEquals(widths.size, 1);
  const [width] = widths;
  assert(width < 60 && Math.abs(width - 2 - 2 * lines.length) <= 1, `${width} x ${lines.length}`);
  assert(lines.every((line) => /^ {2}[█▀▄ ]+$/.test(line)), lines.join("\n"));
});

Deno.test("qrCodeLines() sets both colours, so that a light terminal shows no negative", async () => {
  const lines = await qrCodeLines("http://10.0.0.1:6969/", { color: true });
  assert(lines.every((line) => line.startsWith("  \x1b[40;97m") && line.endsWith("\x1b[0m")));
});
