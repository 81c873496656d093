/** Trackers that could not be asked, in words that hold no passkey. */
import { UserError } from "../../lib/errors.ts";

/** @param why follows the word "it" or stands alone: `it gives no answer`, `connection refused` */
export function unreachable(tracker: string, why: string): UserError {
  return new UserError(`announce to ${nameOf(tracker)}`, why);
}

/** Scheme, host and port: path and query may hold a passkey, and the user part a password. */
function nameOf(tracker: string): string {
  const url = URL.parse(tracker);
  return url === null ? "the tracker" : `${url.protocol}//${url.host}`;
}
