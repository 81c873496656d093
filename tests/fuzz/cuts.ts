/** Where a stream is cut into reads: the same for the same bytes, so that an input is read again as it was. */
import { seededRandom } from "../lib/mutations.ts";

/** The bytes in reads of 1 byte, of a few, or of many; many bytes in large reads alone. */
export function* cutsOf(bytes: Uint8Array): Generator<Uint8Array> {
  let seed = bytes.length;
  for (let i = 0; i < Math.min(bytes.length, 64); i++) seed = Math.imul(seed ^ bytes[i], 0x01000193);
  const random = seededRandom(seed);
  const most = bytes.length > 2000
    ? [300, 20_000][Math.floor(random() * 2)]
    : [1, 3, 40, 5000][Math.floor(random() * 4)];
  for (let at = 0; at < bytes.length;) {
    const length = 1 + Math.floor(random() * most);
    yield bytes.subarray(at, at + length);
    at += length;
  }
}
