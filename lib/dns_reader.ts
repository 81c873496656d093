/**
 * Bytes -> a message of multicast DNS (RFC 1035 section 4, RFC 6762 section 18).
 *
 * Everybody on the network may send some, hundreds a second: every length is checked before it is used, a name follows
 * few pointers and only to what is in front of it, and a message has few records. What service discovery has no use for
 * is passed over. dns-packet, which writes what we send, does not read here: a packet of pointers to pointers took 24 ms.
 */
import { latin1FromBytes, readUint16, readUint32 } from "./bytes.ts";
import { comparable, type DnsMessage, type DnsQuestion, type DnsRecord } from "./dns_message.ts";
import { decodeAddress } from "./endpoint.ts";
import { ProtocolError } from "./errors.ts";
import { dnsNameBytesMax, dnsPointersMax, dnsRecordsMax } from "./limits/discovery.ts";

const headerLength = 12;
const responseFlag = 0x8000;
/** In the class of a record: what was known of its name before is void. */
const flushFlag = 0x8000;
/** By their numbers. */
const typeNames: Readonly<Record<number, DnsRecord["type"] | "ANY">> = {
  1: "A",
  12: "PTR",
  16: "TXT",
  28: "AAAA",
  33: "SRV",
  255: "ANY",
};

/**
 * Reads a message.
 *
 * @throws ProtocolError when it is none
 */
export function decodeDns(bytes: Uint8Array): DnsMessage {
  if (bytes.length < headerLength) fail("it is too short");
  const [questionCount, ...recordCounts] = [4, 6, 8, 10].map((at) => readUint16(bytes, at));
  if (recordCounts.reduce((sum, count) => sum + count, questionCount) > dnsRecordsMax) fail("it has too many records");
  const reader = new DnsReader(bytes);
  const questions = Array.from({ length: questionCount }, () => reader.question());
  const [answers, authorities, additionals] = recordCounts.map((count) =>
    Array.from({ length: count }, () => reader.record()).filter((record) => record !== undefined)
  );
  const isResponse = (readUint16(bytes, 2) & responseFlag) !== 0;
  return { id: readUint16(bytes, 0), isResponse, questions, answers, authorities, additionals };
}

class DnsReader {
  readonly #bytes: Uint8Array;
  #at = headerLength;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  question(): DnsQuestion {
    const name = comparable(this.#name());
    const type = this.#uint16();
    this.#uint16(); // its class
    return { name, type: typeNames[type] ?? `UNKNOWN_${type}` };
  }

  /** Undefined for what is of no use to service discovery. */
  record(): DnsRecord | undefined {
    const name = comparable(this.#name());
    const type = typeNames[this.#uint16()];
    const isUnique = (this.#uint16() & flushFlag) !== 0;
    const ttl = readUint32(this.#take(4), 0);
    const length = this.#uint16();
    const end = this.#at + length;
    if (end > this.#bytes.length) fail("a record is cut off");
    const data = type === undefined || type === "ANY" ? undefined : this.#data(type, end);
    if (this.#at > end) fail("a record is longer than it says");
    this.#at = end;
    return data && { name, ttl, isUnique, ...data };
  }

  /** What a record says, up to `end`. */
  #data(type: DnsRecord["type"], end: number) {
    switch (type) {
      case "PTR":
        return { type, target: this.#name() };
      case "SRV":
        this.#take(4); // priority and weight
        return { type, port: this.#uint16(), target: comparable(this.#name()) };
      case "TXT":
        return { type, entries: this.#entries(end) };
      default: {
        const length = type === "A" ? 4 : 16;
        const host = end - this.#at === length ? decodeAddress(this.#take(length)) : undefined;
        return host === undefined ? undefined : { type, host };
      }
    }
  }

  #entries(end: number): Uint8Array[] {
    const entries: Uint8Array[] = [];
    while (this.#at < end) entries.push(new Uint8Array(this.#take(this.#take(1)[0])));
    return entries;
  }

  /** A name, its labels joined by dots; `.` for the root. */
  #name(): string {
    const labels: string[] = [];
    const bytes = this.#bytes;
    let [at, behind, start, length, pointers] = [this.#at, -1, this.#at, 0, 0];
    for (;;) {
      const byte = bytes[at++];
      if (byte === undefined) fail("a name is cut off");
      if (byte === 0) break;
      if (byte < 0x40) {
        length += 1 + byte;
        if (length > dnsNameBytesMax || at + byte > bytes.length) fail("a name is too long");
        labels.push(textOf(bytes.subarray(at, at + byte)));
        at += byte;
        continue;
      }
      const target = (byte & 0x3f) << 8 | bytes[at++];
      // Only to what is in front of where this part of the name began: never in a circle.
      if (byte < 0xc0 || !(target < start) || ++pointers > dnsPointersMax) fail("a name leads nowhere");
      if (behind === -1) behind = at;
      at = start = target;
    }
    this.#at = behind === -1 ? at : behind;
    return labels.length === 0 ? "." : labels.join(".");
  }

  #uint16(): number {
    return readUint16(this.#take(2), 0);
  }

  /** A view of the next bytes. */
  #take(length: number): Uint8Array {
    const start = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) fail("it is cut off");
    return this.#bytes.subarray(start, this.#at);
  }
}

/** A label as UTF-8; most are ASCII, which needs no call of the decoder. */
function textOf(label: Uint8Array): string {
  return label.every((byte) => byte < 0x80) ? latin1FromBytes(label) : textDecoder.decode(label);
}

const textDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

function fail(why: string): never {
  throw new ProtocolError(`not a DNS message: ${why}`);
}
