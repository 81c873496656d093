/**
 * Multicast DNS messages <-> the few kinds of records that service discovery needs (RFC 1035, 6762, 6763).
 *
 * The bytes are dns-packet's matter; here they become typed and everything else in them is dropped. Names are compared
 * without case, so they are kept in lower case but for their first label, which people read.
 */
import { Buffer } from "node:buffer";
import codec from "dns-packet";
import { readUint16 } from "./bytes.ts";
import { canonicalHost } from "./endpoint.ts";
import { ProtocolError } from "./errors.ts";

export interface DnsQuestion {
  readonly name: string;
  readonly type: string;
}

export type DnsRecord =
  & {
    readonly name: string;
    /** Seconds; 0 takes the record back. */
    readonly ttl: number;
    /** The only holder of this name speaks: what was known of it before is void ("cache flush"). */
    readonly isUnique: boolean;
  }
  & (
    | { readonly type: "PTR"; readonly target: string }
    | { readonly type: "SRV"; readonly target: string; readonly port: number }
    | { readonly type: "TXT"; readonly entries: readonly Uint8Array[] }
    | { readonly type: "A" | "AAAA"; readonly host: string }
  );

export interface DnsMessage {
  /** 0 in all multicast; an answer by unicast repeats that of its question. */
  readonly id: number;
  readonly isResponse: boolean;
  readonly questions: readonly DnsQuestion[];
  readonly answers: readonly DnsRecord[];
  /** In a probe: what the prober wants to say of the name. */
  readonly authorities: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
}

/** A record as dns-packet has it. */
interface RawRecord {
  name: string;
  type: string;
  ttl?: number;
  flush?: boolean;
  data?: unknown;
}
interface RawMessage {
  id?: number;
  type?: string;
  flags?: number;
  questions?: RawRecord[];
  answers?: RawRecord[];
  authorities?: RawRecord[];
  additionals?: RawRecord[];
}
const { decode, encode } = codec as {
  decode(bytes: Uint8Array): RawMessage;
  encode(message: RawMessage): Uint8Array;
};

const authoritative = 1 << 10;
/** Bytes of the header, and at least of a question (a root name, type, class) and of a record (TTL and length too). */
const [headerLength, questionLengthMin, recordLengthMin] = [12, 5, 11];

/**
 * Reads a message.
 *
 * @throws ProtocolError when it is none
 */
export function decodeDns(bytes: Uint8Array): DnsMessage {
  checkCounts(bytes);
  let raw: RawMessage;
  try {
    raw = decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch {
    throw new ProtocolError("not a DNS message");
  }
  return {
    id: raw.id ?? 0,
    isResponse: raw.type === "response",
    questions: (raw.questions ?? []).map(({ name, type }) => ({ name: comparable(name), type })),
    answers: readRecords(raw.answers),
    authorities: readRecords(raw.authorities),
    additionals: readRecords(raw.additionals),
  };
}

/** dns-packet makes room for as many records as the header tells of, however few bytes follow. @throws ProtocolError */
function checkCounts(bytes: Uint8Array): void {
  if (bytes.length < headerLength) throw new ProtocolError("not a DNS message: it is too short");
  const questionCount = readUint16(bytes, 4);
  const recordCount = readUint16(bytes, 6) + readUint16(bytes, 8) + readUint16(bytes, 10);
  if (headerLength + questionLengthMin * questionCount + recordLengthMin * recordCount > bytes.length) {
    throw new ProtocolError("not a DNS message: it tells of more records than it can hold");
  }
}

/** The bytes of a message. */
export function encodeDns(message: DnsMessage): Uint8Array {
  return encode({
    id: message.id,
    type: message.isResponse ? "response" : "query",
    flags: message.isResponse ? authoritative : 0,
    questions: message.questions.map(({ name, type }) => ({ name, type })),
    answers: message.answers.map(writeRecord),
    authorities: message.authorities.map(writeRecord),
    additionals: message.additionals.map(writeRecord),
  });
}

/** The name in the form in which two equal names are equal strings. */
export function comparable(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function readRecords(raw: readonly RawRecord[] = []): DnsRecord[] {
  return raw.flatMap((record) => readRecord(record) ?? []);
}

/** Undefined for what is of no use to service discovery. */
function readRecord({ name, type, ttl = 0, flush = false, data }: RawRecord): DnsRecord | undefined {
  const common = { name: comparable(name), ttl, isUnique: flush };
  switch (type) {
    case "PTR":
      return typeof data === "string" ? { ...common, type, target: data } : undefined;
    case "SRV": {
      const { target, port } = (data ?? {}) as { target?: unknown; port?: unknown };
      if (typeof target !== "string" || typeof port !== "number") return undefined;
      return { ...common, type, target: comparable(target), port };
    }
    case "TXT": {
      const entries = (Array.isArray(data) ? data : [data]).flatMap((entry) =>
        entry instanceof Uint8Array ? [new Uint8Array(entry)] : []
      );
      return { ...common, type, entries };
    }
    case "A":
    case "AAAA": {
      const host = typeof data === "string" ? canonicalHost(data) : undefined;
      return host === undefined ? undefined : { ...common, type, host };
    }
    default:
      return undefined;
  }
}

function writeRecord(record: DnsRecord): RawRecord {
  const common = { name: record.name, type: record.type, class: "IN", ttl: record.ttl, flush: record.isUnique };
  switch (record.type) {
    case "PTR":
      return { ...common, data: record.target };
    case "SRV":
      return { ...common, data: { priority: 0, weight: 0, port: record.port, target: record.target } };
    case "TXT":
      return { ...common, data: record.entries.map((entry) => Buffer.from(entry)) };
    default:
      return { ...common, data: record.host };
  }
}
