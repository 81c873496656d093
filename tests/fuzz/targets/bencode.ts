/** Bencode, beside a reader that was written for this: recursive, on strings, without a thought for its cost. */
import {
  type BencodeInput,
  type BencodeNode,
  decodeBencode,
  decodeBencodePrefix,
  encodeBencode,
} from "../../../lib/bencode.ts";
import { latin1FromBytes } from "../../../lib/bytes.ts";
import { anyTree, bent, spell } from "../bencode_draft.ts";
import { bytesOf } from "../draw.ts";
import { holds, same } from "../holds.ts";
import { type FuzzTarget, readOrRefuse } from "../target.ts";

export const bencode: FuzzTarget = {
  name: "bencode",
  // It is read many times here, and written: how long the reader alone takes, worst_shapes_test.ts finds out.
  inputBytesMax: 100_000,
  generate: (draw) => bytesOf(spell(bent(draw, anyTree(draw)), draw)),
  run(input) {
    const text = latin1FromBytes(input);
    const expected = input.length < 5000 ? referenceRead(text) : undefined;
    const node = readOrRefuse(() => decodeBencodePrefix(input));
    const whole = readOrRefuse(() => decodeBencode(input));
    if (expected !== undefined) {
      same(node?.end, expected === "bad" ? undefined : expected.end, "the end by the two readers");
      if (expected !== "bad") same(plain(node!), expected.value, "the value by the two readers");
    }
    holds(
      (whole !== undefined) === (node?.end === input.length),
      "decodeBencode() is decodeBencodePrefix() of all bytes",
    );
    if (node === undefined) return "refused";
    checkSpans(node, input);
    const encoded = encodeBencode(plain(node));
    holds(encoded.length === node.end, "the canonical form has as many bytes");
    same(encodeBencode(plain(decodeBencode(encoded))), encoded, "the canonical form of the canonical form");
    return "taken";
  },
};

function plain(node: BencodeNode): BencodeInput {
  if (node.kind === "list") return Array.from(node, plain);
  if (node.kind === "dictionary") return new Map(Array.from(node, ([key, value]) => [key, plain(value)]));
  return node.value;
}

/** Members lie one behind the other inside their parent, and what lies there is what is read by itself. */
function checkSpans(node: BencodeNode, input: Uint8Array): void {
  if (node.kind === "integer" || node.kind === "bytes") return;
  const members: BencodeNode[] = node.kind === "list" ? [...node] : Array.from(node, ([, value]) => value);
  let at = node.start + 1;
  for (const member of members) {
    holds(member.start >= at && member.end > member.start, "a member begins behind the one before it");
    at = member.end;
    checkSpans(member, input);
  }
  holds(at < node.end, "members end before their parent");
  if (node.kind === "list") holds(node.length === members.length, "a list knows its length");
  else if (members.length < 30) {
    for (const [key, value] of node) holds(node.get(key)?.start === value.start, "get() finds what iteration gives");
  }
  if (node.end - node.start < 60) {
    same(plain(decodeBencode(input.slice(node.start, node.end))), plain(node), "a part read by itself");
  }
}

/** The value and its end; "bad" where a rule is broken. */
function referenceRead(text: string): { value: BencodeInput; end: number } | "bad" {
  let at = 0;
  const bad = () => {
    throw new RangeError("bad");
  };
  const match = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) return undefined;
    at = pattern.lastIndex;
    return found[1] ?? found[0];
  };
  const readString = () => {
    const digits = match(/(0|[1-9][0-9]{0,19}):/y);
    if (digits === undefined || Number(digits) > text.length - at) bad();
    const from = at;
    at += Number(digits);
    return text.slice(from, at);
  };
  const read = (depth: number): BencodeInput => {
    const number = match(/i(0|-?[1-9][0-9]{0,19})e/y);
    if (number !== undefined) return Number.isSafeInteger(Number(number)) ? Number(number) : bad();
    const mark = match(/[ld]/y);
    if (mark === undefined) return bytesOf(readString());
    if (depth === 100) bad();
    const items: BencodeInput[] = [];
    const entries = new Map<string, BencodeInput>();
    while (match(/e/y) === undefined) {
      if (mark === "l") items.push(read(depth + 1));
      else {
        const key = readString();
        if (entries.has(key) || key.length > 4096) bad();
        entries.set(key, read(depth + 1));
      }
    }
    return mark === "l" ? items : entries;
  };
  try {
    return { value: read(0), end: at };
  } catch (error) {
    if (error instanceof RangeError && error.message === "bad") return "bad";
    throw error;
  }
}
