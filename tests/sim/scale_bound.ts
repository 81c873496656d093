/**
 * How soon a crowd could have everything at best: T >= max(F/d_min, F/u_s, N·F/(u_s + sum u_i)).
 *
 * One copy must enter the slowest receiver, one copy must leave the source, and all copies must leave somebody.
 */

/** A source and its receivers; rates are bytes a second, moments milliseconds since the source is there. */
export interface Crowd {
  /** Bytes of the file. */
  readonly length: number;
  readonly sourceRate: number;
  readonly receivers: readonly { readonly up: number; readonly down: number; readonly joinsAt: number }[];
}

/** Milliseconds before which not all receivers can have the file. */
export function boundOf({ length, sourceRate, receivers }: Crowd): number {
  const upRates = receivers.reduce((sum, { up }) => sum + up, sourceRate);
  const takers = receivers.map(({ down, joinsAt }) => joinsAt + (length / down) * 1000);
  return Math.max(...takers, (length / sourceRate) * 1000, (receivers.length * length / upRates) * 1000);
}
