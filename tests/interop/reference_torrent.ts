/**
 * A torrent maker of the tests' own, so that a fault shared by our builder and our reader cannot hide.
 *
 * BEP 3, version 1 only; any piece length; no claim to speed or to hostile input.
 */
import { createHash } from "node:crypto";
import { join } from "./path.ts";
import type { Payload } from "./payload.ts";

/** What bencoding holds here; keys must be given in sorted order. */
type Value = number | string | Uint8Array | readonly Value[] | ReadonlyMap<string, Value>;

/** A torrent of a payload. */
export interface ReferenceTorrent {
  readonly bytes: Uint8Array;
  /** 40 hex digits. */
  readonly infoHash: string;
  readonly pieceCount: number;
}

/** Hashes the payload and describes it. */
export function referenceTorrent(payload: Payload, announce: readonly string[] = []): ReferenceTorrent {
  const pieces = hashPieces(payload);
  const single = payload.files.length === 1 && payload.files[0]?.path.length === 0;
  const info = new Map<string, Value>();
  if (!single) {
    info.set(
      "files",
      payload.files.map((file) => new Map<string, Value>([["length", file.length], ["path", file.path]])),
    );
  } else {
    info.set("length", payload.totalLength);
  }
  info.set("name", payload.name);
  info.set("piece length", payload.pieceLength);
  info.set("pieces", pieces);
  const torrent = new Map<string, Value>();
  if (announce[0] !== undefined) torrent.set("announce", announce[0]);
  if (announce.length > 1) torrent.set("announce-list", announce.map((url) => [url]));
  torrent.set("info", info);
  return {
    bytes: bencode(torrent),
    infoHash: createHash("sha1").update(bencode(info)).digest("hex"),
    pieceCount: pieces.length / 20,
  };
}

/** Writes the torrent of a payload and returns its path. */
export function writeReferenceTorrent(payload: Payload, directory: string, announce: readonly string[] = []): string {
  const path = join(directory, `${payload.name}.torrent`);
  Deno.writeFileSync(path, referenceTorrent(payload, announce).bytes);
  return path;
}

function hashPieces(payload: Payload): Uint8Array {
  const hashes: Uint8Array[] = [];
  let hash = createHash("sha1");
  let room = payload.pieceLength;
  for (const file of payload.files) {
    let bytes = Deno.readFileSync(join(payload.directory, payload.name, ...file.path));
    while (bytes.length > 0) {
      const part = bytes.subarray(0, room);
      hash.update(part);
      bytes = bytes.subarray(part.length);
      room -= part.length;
      if (room > 0) continue;
      hashes.push(hash.digest());
      hash = createHash("sha1");
      room = payload.pieceLength;
    }
  }
  if (room < payload.pieceLength) hashes.push(hash.digest());
  return join20(hashes);
}

function join20(hashes: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(hashes.length * 20);
  hashes.forEach((hash, i) => all.set(hash, i * 20));
  return all;
}

/** Bencodes a value; strings are UTF-8. */
export function bencode(value: Value): Uint8Array {
  const parts: Uint8Array[] = [];
  append(value, parts);
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function append(value: Value, parts: Uint8Array[]): void {
  const encoder = new TextEncoder();
  if (typeof value === "number") parts.push(encoder.encode(`i${value}e`));
  else if (typeof value === "string") append(encoder.encode(value), parts);
  else if (value instanceof Uint8Array) parts.push(encoder.encode(`${value.length}:`), value);
  else if (value instanceof Map) {
    parts.push(encoder.encode("d"));
    for (const [key, item] of value) {
      append(key, parts);
      append(item, parts);
    }
    parts.push(encoder.encode("e"));
  } else {
    parts.push(encoder.encode("l"));
    for (const item of value as readonly Value[]) append(item, parts);
    parts.push(encoder.encode("e"));
  }
}
