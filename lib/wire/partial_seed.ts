/**
 * What partial seeds tell each other by extension messages: `lt_donthave`, a piece was lost (BEP 54: its index as uint32),
 * and `upload_only`, nothing more is wanted (BEP 21: one byte, 0 or 1; libtorrent's way to say so after the handshake).
 */
import { type Bytes, readUint32, writeUint32 } from "../bytes.ts";
import { ProtocolError } from "../errors.ts";

export function encodeDontHave(piece: number): Bytes {
  const payload = new Uint8Array(4);
  writeUint32(payload, 0, piece);
  return payload;
}

/** The index, not yet checked against the torrent. @throws ProtocolError */
export function decodeDontHave(payload: Uint8Array): number {
  if (payload.length !== 4) throw new ProtocolError(`lt_donthave with ${payload.length} bytes, wanted 4`);
  return readUint32(payload, 0);
}

/** @throws ProtocolError */
export function decodeUploadOnly(payload: Uint8Array): boolean {
  if (payload.length !== 1) throw new ProtocolError(`upload_only with ${payload.length} bytes, wanted 1`);
  return payload[0] !== 0;
}
