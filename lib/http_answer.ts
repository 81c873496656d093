/**
 * What a server of somebody else answers, as bytes and in single headers (RFC 9110, RFC 9112): nothing of it is believed
 * that can be checked. Owns no connection.
 */
import { latin1FromBytes } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";
import { httpHeadBytesMax } from "./limits/http_server.ts";

/**
 * Takes apart all bytes of a connection that was answered once and then closed.
 *
 * @returns `body` as a view
 * @throws ProtocolError when this is no answer, or is not all of it
 */
export function readHttpAnswer(bytes: Uint8Array): { status: number; body: Uint8Array } {
  const head = latin1FromBytes(bytes.subarray(0, httpHeadBytesMax));
  const end = head.indexOf("\r\n\r\n");
  const status = /^HTTP\/1\.[01] ([1-5][0-9]{2})[ \r]/.exec(head);
  if (end === -1 || status === null) throw new ProtocolError("it does not speak HTTP");
  const length = /\r\ncontent-length:[ \t]*([0-9]{1,15})[ \t]*\r\n/i.exec(head.slice(0, end + 2));
  const body = bytes.subarray(end + 4);
  if (length !== null && Number(length[1]) > body.length) throw new ProtocolError("its answer is cut off");
  return { status: Number(status[1]), body: length === null ? body : body.subarray(0, Number(length[1])) };
}

/** The bytes of a file that a server sends: its first and its last, and how many the file has. */
export interface AnswerRange {
  readonly first: number | undefined;
  readonly last: number | undefined;
  /** Undefined where the server does not say. */
  readonly total: number | undefined;
}

/** `Content-Range: bytes 0-99/1000`; nothing is known from any other value. RFC 9110, 14.4 */
export function parseContentRange(value: string | null): AnswerRange {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(value?.trim() ?? "");
  if (match === null) return { first: undefined, last: undefined, total: undefined };
  return { first: Number(match[1]), last: Number(match[2]), total: match[3] === "*" ? undefined : Number(match[3]) };
}

/**
 * Milliseconds from `Retry-After`: seconds, or a date; undefined for anything else. RFC 9110, 10.2.3
 *
 * @param unixMs the time now
 */
export function parseRetryAfter(value: string | null, unixMs: number): number | undefined {
  if (value === null) return undefined;
  const ms = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - unixMs;
  return Number.isNaN(ms) ? undefined : ms;
}
