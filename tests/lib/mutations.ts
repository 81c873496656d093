/** Broken forms of good bytes, the same in every run, for tests that no input but good input gets through. */
import { fail } from "@std/assert";
import { concatBytes } from "../../lib/bytes.ts";
import { ProtocolError } from "../../lib/errors.ts";

/** Numbers in [0, 1) that follow from the seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Every proper beginning of the bytes, the empty one included. */
export function* truncationsOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let length = 0; length < bytes.length; length++) yield bytes.subarray(0, length);
}

/** The characters that bencode is made of do the most harm. */
const harmful = "0123456789-:delis/.\\";

/**
 * A copy with 1 to 4 changes: a byte set, bits flipped, a run left out, doubled, or put in from elsewhere; an end cut off.
 *
 * @param other what the end of a splice is taken from
 */
export function mutated(bytes: Uint8Array, random: () => number, other = bytes): Uint8Array {
  const below = (limit: number) => Math.floor(random() * limit);
  let result: Uint8Array = bytes.slice();
  for (let changes = 1 + below(4); changes > 0; changes--) {
    const at = below(result.length);
    const runEnd = Math.min(result.length, at + 1 + below(below(8) === 0 ? 300 : 8));
    const run = result.subarray(at, runEnd);
    switch (below(9)) {
      case 0:
        result[at] = below(256);
        break;
      case 1:
        result[at] ^= 1 << below(8);
        break;
      case 2:
        result = spliced(result, at, runEnd);
        break;
      case 3:
        result = spliced(result, at, at, run);
        break;
      case 4:
        result = spliced(result, below(result.length), undefined, run);
        break;
      case 5:
        if (below(3) === 0) result = result.slice(0, at);
        else result[at] = 0xff * below(2);
        break;
      case 6:
        if (below(3) === 0) result = spliced(result, at, result.length, other.subarray(below(other.length + 1)));
        else result.fill(below(256), at, runEnd);
        break;
      default:
        result[at] = harmful.charCodeAt(below(harmful.length));
    }
  }
  return result;
}

/** A copy with a few bytes of it there thousands of times: what takes time for each pair of them shows. */
export function swollen(bytes: Uint8Array, random: () => number): Uint8Array {
  const below = (limit: number) => Math.floor(random() * limit);
  const at = below(bytes.length);
  const run = bytes.slice(at, at + 1 + below(below(2) === 0 ? 1 : 30));
  const middle = new Uint8Array(below(swollenBytesMax));
  if (run.length > 0) { for (let i = 0; i < middle.length; i++) middle[i] = run[i % run.length]; }
  return spliced(bytes, at, at + run.length * below(2), middle);
}

const swollenBytesMax = 64 * 1024;

/** The bytes with those in [start, end) replaced. */
function spliced(bytes: Uint8Array, start: number, end = start, middle: Uint8Array = bytes.subarray(0, 0)): Uint8Array {
  return concatBytes([bytes.subarray(0, start), middle, bytes.subarray(end)]);
}

/** Copies with 1 to 4 changes each. */
export function* mutationsOf(
  bytes: Uint8Array,
  { seed, count }: { seed: number; count: number },
): Generator<Uint8Array> {
  const random = seededRandom(seed);
  for (let i = 0; i < count; i++) yield mutated(bytes, random);
}

/** Runs what may refuse its input, but only by a ProtocolError; returns whether it took it. */
export function isTaken(run: () => unknown, what: string): boolean {
  try {
    run();
    return true;
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    return fail(`${what}: threw ${error}`);
  }
}
