/** Broken forms of good bytes, the same in every run, for tests that no input but good input gets through. */
import { fail } from "@std/assert";
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

/** Copies with 1 to 4 changes each: a byte set, bits flipped, a run left out, doubled, or put in from elsewhere. */
export function* mutationsOf(
  bytes: Uint8Array,
  { seed, count }: { seed: number; count: number },
): Generator<Uint8Array> {
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  for (let i = 0; i < count; i++) {
    let mutated = [...bytes];
    for (let changes = 1 + below(4); changes > 0; changes--) {
      const at = below(mutated.length);
      const run = mutated.slice(at, at + 1 + below(8));
      const kind = below(6);
      if (kind === 0) mutated[at] = below(256);
      else if (kind === 1) mutated[at] ^= 1 << below(8);
      else if (kind === 2) mutated = mutated.toSpliced(at, run.length);
      else if (kind === 3) mutated = mutated.toSpliced(at, 0, ...run);
      else if (kind === 4) mutated = mutated.toSpliced(below(mutated.length), 0, ...run);
      // The characters that bencode is made of do the most harm.
      else mutated[at] = "0123456789-:delis/.\\".charCodeAt(below(20));
    }
    yield Uint8Array.from(mutated);
  }
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
