/** What is fuzzed: a reader of foreign bytes, how its inputs are drawn, and what must be true of what it reads. */

import { ProtocolError } from "../../lib/errors.ts";
import { mutated, swollen } from "../lib/mutations.ts";
import { Draw } from "./draw.ts";

/** Whether the reader took the input. */
export type Outcome = "taken" | "refused";

export interface FuzzTarget {
  readonly name: string;
  /** Called once, before anything else. */
  prepare?(): Promise<void>;
  /** An input that is good, or bad in a way that its format knows; the bytes are changed now and then after that. */
  generate(draw: Draw): Uint8Array;
  /** Bytes of an input at most, where the cost of one may grow with its length; 64 KiB and more unless it is given. */
  readonly inputBytesMax?: number;
  /** Of the inputs that are asked for, this target takes one in so many: it is more than a reader, and slow. */
  readonly oneIn?: number;
  /** Inputs of foreign programs. */
  readonly corpus?: readonly Uint8Array[];
  /** Reads the input and looks at what came of it. Whatever it throws is a finding. */
  run(input: Uint8Array): Outcome | Promise<Outcome>;
}

/** What the function makes of foreign bytes; undefined where it refuses them, which it may by a ProtocolError only. */
export function readOrRefuse<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof ProtocolError) {
      if (error.message.length > 500) throw new RangeError("a refusal of many words");
      return undefined;
    }
    throw error;
  }
}

/** The input of a target by its number: the same for the same seed. */
export function inputOf(target: FuzzTarget, seed: number, index: number): Uint8Array {
  return drawnInput(target, seed, index).subarray(0, target.inputBytesMax);
}

function drawnInput(target: FuzzTarget, seed: number, index: number): Uint8Array {
  const draw = new Draw(Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
  const { corpus = [] } = target;
  const base = () => corpus.length > 0 && draw.oneIn(10) ? draw.pick(corpus) : target.generate(draw);
  const input = base();
  if (draw.oneIn(300)) return swollen(input, draw.random);
  return draw.oneIn(3) ? mutated(input, draw.random, draw.oneIn(4) ? base() : input) : input;
}
