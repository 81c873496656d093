/** What a client makes of the numbers and texts of any tracker's reply: within the bounds of lib/limits, whatever it says. */
import { announceIntervalMaxMs, announceIntervalMinMs, trackerTextMax } from "../limits/tracker.ts";

/** Milliseconds between announces that a tracker wants, kept within 10 s … 2 h. */
export function clampInterval(seconds: number): number {
  return Math.min(Math.max(seconds * 1000, announceIntervalMinMs), announceIntervalMaxMs);
}

/** A tracker's words, cut to a length that can be shown. */
export function shortText(text: string): string {
  return text.length > trackerTextMax ? `${text.slice(0, trackerTextMax)}…` : text;
}
