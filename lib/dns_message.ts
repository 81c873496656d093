/**
 * Multicast DNS messages <-> the few kinds of records that service discovery needs (RFC 1035, 6762, 6763).
 *
 * What comes is read by lib/dns_reader.ts, which makes these few kinds of it and drops the rest; what is sent is written by
 * dns-packet. Names are compared without case, so they are kept in lower case but for their first label, which people read.
 */
import { Buffer } from "node:buffer";
import codec from "dns-packet";

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
const { encode } = codec as { encode(message: RawMessage): Uint8Array };

const authoritative = 1 << 10;

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
