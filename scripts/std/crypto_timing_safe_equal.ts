/** `@std/crypto/timing-safe-equal` from npm, typed. */
import { timingSafeEqual as untyped } from "deno-std/crypto/timing_safe_equal.js";

type Buffer = ArrayBufferView | ArrayBufferLike | DataView;

export const timingSafeEqual: (a: Buffer, b: Buffer) => boolean = untyped;
