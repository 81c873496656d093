/**
 * What samples of memory and descriptors say: a line through them that outliers do not bend, and whether it is a leak.
 *
 * A heap that is collected now and then looks like a saw: only what stays after a collection can be a leak. So the line
 * goes through the lowest sample of each stretch of time, by Theil and Sen: its slope is the median of the slopes
 * between all pairs, which a third of wild samples does not move.
 */

/** One look at a process. */
export interface Sample {
  /** Seconds since the watch began. */
  readonly at: number;
  readonly value: number;
}

/** Seconds of one stretch whose lowest sample counts: longer than collections of an idle heap lie apart. */
export const stretchSeconds = 20;
/** A short watch has at least so many stretches. */
const stretchesMin = 8;
/** Points of the line at most: the pairs grow with their square. */
const pointsMax = 400;

/**
 * Megabytes that memory may grow by while it is watched: what allocators and the compiler of JavaScript still take
 * after the warm-up, as a process that is left alone does too.
 */
export const growthAllowedMB = 6;
/** Megabytes an hour: a program that is left running for a day and grows faster than this would not be let alone. */
export const slopeAllowedMB = 12;
/** Descriptors that may be open at the end beyond those of the beginning: a dial or a file that is just being given back. */
export const descriptorsAllowed = 2;

/** The lowest samples of stretches of time, in order. */
export function floorOf(samples: readonly Sample[]): Sample[] {
  if (samples.length === 0) return [];
  const start = samples[0].at;
  const span = samples.at(-1)!.at - start;
  const stretch = Math.max(Math.min(stretchSeconds, span / stretchesMin), span / pointsMax);
  const lowest = new Map<number, Sample>();
  for (const sample of samples) {
    const key = stretch === 0 ? 0 : Math.floor((sample.at - start) / stretch);
    const best = lowest.get(key);
    if (best === undefined || sample.value < best.value) lowest.set(key, sample);
  }
  return [...lowest.values()].toSorted((a, b) => a.at - b.at);
}

/** The median slope between all pairs, in units of the value a second; 0 of fewer than two samples. */
export function slopeOf(samples: readonly Sample[]): number {
  const slopes: number[] = [];
  for (let i = 0; i < samples.length; i++) {
    for (let j = i + 1; j < samples.length; j++) {
      const seconds = samples[j].at - samples[i].at;
      if (seconds > 0) slopes.push((samples[j].value - samples[i].value) / seconds);
    }
  }
  return medianOf(slopes);
}

/** The middle value; 0 of none. */
export function medianOf(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** How memory went after the warm-up. */
export interface MemoryTrend {
  /** Megabytes an hour. */
  readonly slopeMB: number;
  /** What the line says of the whole watch, in megabytes. */
  readonly growthMB: number;
  readonly firstMB: number;
  readonly lastMB: number;
  readonly peakMB: number;
  readonly isLeak: boolean;
}

/**
 * The trend of a process's own memory.
 *
 * It is a leak when it is steep and large: a short watch sees steep slopes of small steps, and a long one may see a
 * large growth that is slow enough to end. A leak of 1 KB a connection is 12 MB an hour at 3.4 connections a second.
 *
 * @param samples bytes, after the warm-up
 */
export function memoryTrend(samples: readonly Sample[]): MemoryTrend {
  const floor = floorOf(samples);
  const slope = slopeOf(floor) / 1e6;
  const seconds = floor.length < 2 ? 0 : floor.at(-1)!.at - floor[0].at;
  const growthMB = slope * seconds;
  const slopeMB = slope * 3600;
  return {
    slopeMB,
    growthMB,
    firstMB: (floor[0]?.value ?? 0) / 1e6,
    lastMB: (floor.at(-1)?.value ?? 0) / 1e6,
    peakMB: samples.reduce((most, { value }) => Math.max(most, value), 0) / 1e6,
    isLeak: growthMB > growthAllowedMB && slopeMB > slopeAllowedMB,
  };
}
