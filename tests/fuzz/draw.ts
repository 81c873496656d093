/** What a seed draws: numbers at the edges, nasty texts, runs of bytes. The same seed draws the same. */
import { bytesFromLatin1 } from "../../lib/bytes.ts";
import { seededRandom } from "../lib/mutations.ts";

/** Where arithmetic of other programs, and of this one, changes its mind. */
const edges = [
  ...[0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 19, 20, 21, 63, 64, 65, 100, 101, 127, 128, 200, 240, 241, 255, 256, 257],
  ...[1000, 2000, 4096, 16_383, 16_384, 16_385, 32_767, 32_768, 65_534, 65_535, 65_536, 1_000_000, 2 ** 20, 2 ** 21],
  ...[2 ** 24, 2 ** 26, 2 ** 28, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1],
  ...[2 ** 53 - 2, 2 ** 53 - 1],
];

/** Numbers as others may spell them. */
const oddNumbers = [
  ...["-0", "00", "01", "-1", "-01", "+1", " 1", "1 ", "1.5", "1e5", "0x10", "", "-", "--1", "NaN", "Infinity"],
  ...["9007199254740992", "-9007199254740991", "-9007199254740992", "18446744073709551615", "18446744073709551616"],
  ...["99999999999999999999", "100000000000000000000", "-2147483648", "-2147483649", "\u0661", "1_000"],
];

/** Pieces of text that have done harm somewhere. */
const nasty = [
  ...["", ".", "..", "...", "/", "\\", "../", "..\\", "/etc/passwd", "C:\\x", "C:", "\\\\host\\x", "a/b", "a\\b", "~"],
  ...["\0", "\n", "\r\n", "\t", "\x1b[31m", "\x07", "\x7f", "\x9b", "\u202e", "\u2066", "\u200b", "\ufeff", "\u00ad"],
  ...["\u2028", "\ufffd", "\u{e0041}", "\ud800", "\udc00", "e\u0301", "\u00e9", "\u212b", "\u0130", "\ufb01", "\u00df"],
  ...["CON", "con.txt", "NUL", "aux .c", "COM1", "LPT9.tar.gz", "name.", "name ", "name. . .", "NAME", "name", "Name"],
  ...[
    "<script>",
    "&amp;",
    "%00",
    "%2e%2e",
    "%",
    "%zz",
    "$(x)",
    "`x`",
    "'",
    '"',
    "|",
    "*",
    "?",
    ":",
    ";",
    "-",
    "--help",
  ],
  ...["\u{1f600}", "\u4f60\u597d", "\u0915\u094d\u0937", "a".repeat(239), "a".repeat(241), "\u{1f600}".repeat(61)],
  ...["__proto__", "constructor", "toString", "hasOwnProperty"],
];

const letters = "abcdefghijklmnopqrstuvwxyz0123456789 ._-ABCXYZ";

export class Draw {
  /** A number in [0, 1). */
  readonly random: () => number;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  /** A whole number in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  /** True once in so many times. */
  oneIn(count: number): boolean {
    return this.below(count) === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  /** A whole number of 0 or more, small or at an edge. */
  count(): number {
    return this.oneIn(3) ? this.pick(edges) : this.below(50);
  }

  /** How somebody spells a number: mostly well. */
  digits(): string {
    return this.oneIn(8) ? this.pick(oddNumbers) : String(this.count());
  }

  /** One char code a byte. */
  bytes(length: number): string {
    let text = "";
    for (let i = 0; i < length; i++) text += String.fromCharCode(this.below(256));
    return text;
  }

  /** Few bytes, seldom many. */
  someBytes(): string {
    return this.bytes(this.oneIn(20) ? this.below(400) : this.below(24));
  }

  hex(length: number): string {
    let text = "";
    for (let i = 0; i < length; i++) text += "0123456789abcdef"[this.below(16)];
    return text;
  }

  word(): string {
    let text = "";
    for (let length = 1 + this.below(10); length > 0; length--) text += letters[this.below(letters.length)];
    return text;
  }

  /** Characters, harmless or not. */
  text(): string {
    switch (this.below(8)) {
      case 0:
        return this.pick(nasty);
      case 1:
        return this.word() + this.pick(nasty) + this.word();
      case 2:
        return this.pick(nasty) + this.pick(nasty);
      case 3:
        return String.fromCodePoint(this.below(0x3000), 0x20 + this.below(0x10fe00));
      default:
        return this.word();
    }
  }

  /** The UTF-8 bytes of a text, seldom cut inside a character; one char code a byte. */
  utf8(): string {
    const text = latin1Of(this.text());
    return this.oneIn(12) ? text.slice(0, this.below(text.length + 1)) + this.pick(["\xc3", "\xe2\x82", "\xff"]) : text;
  }

  host(): string {
    switch (this.below(9)) {
      case 0:
        return `[${this.ipv6()}]`;
      case 1:
        return this.ipv6();
      case 2:
        return this.pick([
          "localhost",
          "a.local",
          "evil.test",
          "xn--a",
          "host_name",
          "a..b",
          "-a",
          "1.2.3",
          "1.2.3.4.5",
        ]);
      case 3:
        return this.pick([
          "0x7f.1",
          "017700000001",
          "127.1",
          "256.1.1.1",
          "01.2.3.4",
          "fe80::1%eth0",
          "[fe80::1%25eth0]",
          "fe8::1",
          "febf::1",
        ]);
      case 4:
        return this.text();
      default:
        return Array.from({ length: 4 }, () => this.below(256)).join(".");
    }
  }

  ipv6(): string {
    const groups = Array.from({ length: this.below(9) }, () => this.below(0x10000).toString(16));
    if (this.oneIn(2)) groups.splice(this.below(groups.length + 1), 0, "");
    return this.oneIn(4) ? `::ffff:${Array.from({ length: 4 }, () => this.below(256)).join(".")}` : groups.join(":");
  }

  port(): string {
    return this.oneIn(5) ? this.digits() : String(1 + this.below(65_535));
  }

  /** An address of 4 or 16 bytes and its port. */
  compact(stride: number): string {
    return this.bytes(stride - 2) + (this.oneIn(8) ? "\0\0" : this.bytes(2));
  }

  url(): string {
    const scheme = this.oneIn(6)
      ? this.pick(["ftp", "file", "javascript", "HTTP", "ws", "", "http:"])
      : this.pick(["http", "https", "udp"]);
    const path = this.pick(["/announce", "/", "", "/a?b=c", "/announce#x", "/announce?passkey=1&", "/%2e%2e/x"]);
    const rest = this.oneIn(6) ? this.text() : "";
    return `${scheme}://${this.oneIn(10) ? "user:secret@" : ""}${this.host()}:${this.port()}${path}${rest}`;
  }

  /** Items in another order. */
  shuffled<T>(items: readonly T[]): T[] {
    const shuffled = [...items];
    for (let i = shuffled.length - 1; i > 0; i--) {
      const other = this.below(i + 1);
      [shuffled[i], shuffled[other]] = [shuffled[other], shuffled[i]];
    }
    return shuffled;
  }

  /** The items, some of them left out, twice or in another order: mostly as they are. */
  mangled<T>(items: readonly T[]): T[] {
    const kept = this.oneIn(4) ? items.filter(() => !this.oneIn(5)) : [...items];
    if (this.oneIn(6) && kept.length > 0) kept.splice(this.below(kept.length), 0, this.pick(kept));
    return this.oneIn(6) ? this.shuffled(kept) : kept;
  }

  /** As many as are drawn, seldom very many. */
  several<T>(make: () => T, most = 6): T[] {
    return Array.from({ length: this.oneIn(200) ? this.below(60 * most) : this.below(most) }, make);
  }
}

const encoder = new TextEncoder();

/** The UTF-8 of a text, one char code a byte. */
export function latin1Of(text: string): string {
  let latin1 = "";
  for (const byte of encoder.encode(text)) latin1 += String.fromCharCode(byte);
  return latin1;
}

/** The bytes of what was built with one char code a byte. */
export function bytesOf(latin1: string): Uint8Array<ArrayBuffer> {
  return bytesFromLatin1(latin1);
}

/** 16 and 32 bits, big-endian, one char code a byte. */
export function uint16(value: number): string {
  return String.fromCharCode((value >>> 8) & 255, value & 255);
}
export function uint32(value: number): string {
  return uint16(Math.floor(value / 65_536)) + uint16(value);
}
