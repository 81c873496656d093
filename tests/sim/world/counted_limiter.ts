/** A rate limiter that can be audited. */
import { RateLimiter } from "../../../lib/rate_limiter.ts";

/** A limiter that tells how much it let pass. */
export class CountedLimiter extends RateLimiter {
  passedBytes = 0;

  override take(bytes: number, now: number): boolean {
    const passes = super.take(bytes, now);
    if (passes) this.passedBytes += bytes;
    return passes;
  }
}
