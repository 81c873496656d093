/** `@std/streams` from npm, typed. Only what the project uses. */
import * as untyped from "deno-std/streams/mod.js";

interface Streams {
  LimitedBytesTransformStream: new (
    size: number,
    options?: { error?: boolean },
  ) => TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>;
  toBytes(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Uint8Array<ArrayBuffer>>;
}

const typed: Streams = untyped;

export const LimitedBytesTransformStream: Streams["LimitedBytesTransformStream"] = typed.LimitedBytesTransformStream;
export const toBytes: Streams["toBytes"] = typed.toBytes;
