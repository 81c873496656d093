/** The `Range` of a request for one stretch of bytes (RFC 9110): what `curl -C -` sends. Owns no body. */

/**
 * The bytes [start, end) that are wanted of so many.
 *
 * @param range the header's value; undefined, several ranges, other units and nonsense ask for all
 * @returns "unsatisfiable" when the range begins behind the last byte
 */
export function readRange(
  range: string | undefined,
  length: number,
): { readonly start: number; readonly end: number } | undefined | "unsatisfiable" {
  const match = /^bytes=([0-9]{0,15})-([0-9]{0,15})$/.exec(range ?? "");
  if (match === null) return undefined;
  const [, first, last] = match;
  if (first === "") {
    if (last === "") return undefined;
    return Number(last) === 0 || length === 0
      ? "unsatisfiable"
      : { start: Math.max(0, length - Number(last)), end: length };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return undefined;
  if (start >= length) return "unsatisfiable";
  return { start, end: last === "" ? length : Math.min(length, Number(last) + 1) };
}
