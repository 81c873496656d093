/** An address as a QR code of half blocks, for the camera of a phone that looks at the terminal. */
import type { Terminal } from "../../lib/cli/context.ts";

/** Lines of text, a few columns in; on a terminal with colours the light is light whatever the theme. */
export async function qrCodeLines(url: string, { color }: Pick<Terminal, "color">): Promise<string[]> {
  const { renderUnicodeCompact } = await import("uqr");
  const lines = renderUnicodeCompact(url, { border: 1 }).split("\n");
  return lines.map((line) => color ? `  \x1b[40;97m${line}\x1b[0m` : `  ${line}`);
}
