/** Trackers that could not be asked, in words that hold no passkey. */
import { UserError } from "../../lib/errors.ts";

/** @param why follows the word "it" or stands alone: `it gives no answer`, `connection refused` */
export function unreachable(tracker: string, why: string): UserError {
  return new UserError(`announce to ${trackerName(tracker)}`, why);
}

/** Scheme, host and port: path and query may hold a passkey, and the user part a password. Of paths the usual one alone. */
export function trackerName(tracker: string): string {
  const url = URL.parse(tracker);
  if (url === null) return "the tracker";
  return `${url.protocol}//${url.host}${url.pathname === "/announce" ? url.pathname : ""}`;
}
