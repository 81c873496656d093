/** Reads the largest metadata in every shape: to be run with a small heap, which ends the process where it is too small. */
import { decodeBencode } from "../../lib/bencode.ts";
import { ProtocolError } from "../../lib/errors.ts";
import { metadataBytesMax } from "../../lib/limits/wire.ts";
import { decodeInfo } from "../../lib/metainfo.ts";
import { bencodeShapes } from "./shapes.ts";

const info = "6:lengthi5e4:name1:n12:piece lengthi16384e6:pieces20:xxxxxxxxxxxxxxxxxxxxe";

for (const [, input] of bencodeShapes(metadataBytesMax, info)) {
  for (const read of [decodeInfo, decodeBencode]) {
    try {
      read(input);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
  }
}
