/**
 * The errors of localbt and what becomes of each.
 *
 * Three fates, three kinds: bytes from outside that break a protocol or a format are a `ProtocolError` (one connection
 * closes, or one file is refused); what the user can mend is a `UserError` with its exit code; anything else is our own
 * bug and is caught only in main.ts.
 */

/** Exit codes of the program, as CLI users see them. */
export const ExitCode = {
  done: 0,
  failed: 1,
  usage: 2,
  notATorrent: 3,
  dataMismatch: 4,
  timeout: 5,
  interrupted: 130,
  terminated: 143,
} as const;
export type ExitCode = typeof ExitCode[keyof typeof ExitCode];

/** Foreign bytes broke a rule of a BEP, a bound of lib/limits, or a format; the message says which, without the bytes. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/**
 * Something that the user can understand and mend.
 *
 * Printed as `localbt: cannot <doing>: <why>`, with the hint on the next line.
 */
export class UserError extends Error {
  override readonly name = "UserError";
  readonly exitCode: ExitCode;
  readonly hint: string | undefined;

  /**
   * @param doing what was attempted, to follow the word "cannot": `read holiday.torrent`
   * @param why the cause, in plain words, without a final stop
   */
  constructor(doing: string, why: string, options: { exitCode?: ExitCode; hint?: string } = {}) {
    super(`cannot ${doing}: ${why}`);
    this.exitCode = options.exitCode ?? ExitCode.failed;
    this.hint = options.hint;
  }
}

/** The words of any thrown value, for a message that a person reads. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message.replace(/ \(os error \d+\)/, "").replace(/:? ?'[^']*'$/, "");
}
