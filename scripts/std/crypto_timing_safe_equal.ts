/** `@std/crypto/timing-safe-equal` from npm, typed. */
import { timingSafeEqual as untyped } from "npm:deno-std@1.4.0/crypto/timing_safe_equal.js";

type Buffer = ArrayBufferView | ArrayBufferLike | DataView;

export const timingSafeEqual: (a: Buffer, b: Buffer) => boolean = untyped;
