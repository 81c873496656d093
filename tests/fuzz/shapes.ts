/** Documents as large as one likes that are full of one thing. */
import { bytesFromLatin1 } from "../../lib/bytes.ts";

/** As often as fits, between a beginning and an end; `#` is a number that is never the same, of 6 digits. */
export function filled(bytes: number, start: string, run: string, end = ""): Uint8Array {
  const count = Math.floor((bytes - start.length - end.length) / run.replace("#", "123456").length);
  const runs = run.includes("#")
    ? Array.from({ length: count }, (_, i) => run.replace("#", String(900_000 - i % 800_000)))
    : [run.repeat(count)];
  return bytesFromLatin1(start + runs.join("") + end);
}

/** Values that bencode can be full of. */
const bencodeRuns: Readonly<Record<string, readonly [start: string, run: string, end: string]>> = {
  "empty lists": ["d1:xl", "le", "e"],
  "empty dictionaries": ["d1:xl", "de", "e"],
  "empty strings": ["d1:xl", "0:", "e"],
  "integers": ["d1:xl", "i0e", "e"],
  "lists of 90 levels": ["d1:xl", "l".repeat(90) + "e".repeat(90), "e"],
  "keys that are not sorted": ["d1:xd", "6:#0:", "e"],
  "dictionaries that are not sorted": ["d1:xl", "d1:b0:1:a0:e", "e"],
};

/** @param behind ends the dictionary that the shape stands in */
export function bencodeShapes(bytes: number, behind: string): [what: string, input: Uint8Array][] {
  return Object.entries(bencodeRuns).map((
    [what, [start, run, end]],
  ) => [what, filled(bytes, start, run, end + behind)]);
}
