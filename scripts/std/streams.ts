/** `@std/streams` from npm, typed. Only what the project uses. */
import * as untyped from "deno-std/streams/mod.js";

interface Streams {
  LimitedBytesTransformStream: new (
    size: number,
    options?: { error?: boolean },
  ) => TransformStream<Uint8Array, Uint8Array>;
  toBytes(stream: ReadableStream<Uint8Array>): Promise<Uint8Array>;
}

const typed: Streams = untyped;

export const LimitedBytesTransformStream: Streams["LimitedBytesTransformStream"] = typed.LimitedBytesTransformStream;
export const toBytes: Streams["toBytes"] = typed.toBytes;
