/** What must be true of values that were read, whatever they were read from; cheap, since it is asked a million times. */
import { fail } from "@std/assert";
import { equalBytes } from "../../lib/bytes.ts";
import { canonicalHost } from "../../lib/endpoint.ts";

/** @throws when it is not */
export function holds(isTrue: boolean, what: string): asserts isTrue {
  if (!isTrue) fail(what);
}

/** Values of the same members, all the way down. */
export function same(actual: unknown, expected: unknown, what: string): void {
  if (!isSame(actual, expected)) fail(`${what}: ${shown(actual)} instead of ${shown(expected)}`);
}

function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && equalBytes(a, b);
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, i) => isSame(item, b[i]));
  if (a instanceof Map) return b instanceof Map && isSame([...a], [...b]);
  const [keys, others] = [a, b].map((value) => Object.keys(value).sort());
  return isSame(keys, others) && keys.every((key) => isSame(Reflect.get(a, key), Reflect.get(b, key)));
}

function shown(value: unknown): string {
  return Deno.inspect(value, { depth: 6, breakLength: Infinity }).slice(0, 1000);
}

/** A whole number within bounds. */
export function within(value: number, min: number, max: number, what: string): void {
  if (!(Number.isSafeInteger(value) && value >= min && value <= max)) {
    fail(`${what} is ${value}, not of ${min} to ${max}`);
  }
}

/** An address that can be dialled: canonical, with a port. */
export function isEndpoint({ host, port }: { readonly host: string; readonly port: number }, what: string): void {
  within(port, 1, 65_535, `the port of ${what}`);
  holds(canonicalHost(host) === host, `${what} has the host ${JSON.stringify(host)}`);
}

/** 40 lower-case hex digits. */
export function isId(id: string, what: string): void {
  holds(/^[0-9a-f]{40}$/.test(id), `${what} is ${JSON.stringify(id)}`);
}

/** A name that stays where it is put, on any system: said in other words than those of lib/file_path.ts. */
export function isSafeName(name: string): void {
  const show = () => JSON.stringify(name);
  holds(name !== "" && name !== "." && name !== "..", `a name is ${show()}`);
  for (const character of name) {
    const code = character.codePointAt(0)!;
    const isControl = code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0xd800 && code < 0xe000);
    const isDirection = code === 0x061c || (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
      (code >= 0x2066 && code <= 0x2069) || code === 0xfeff;
    holds(
      !isControl && !isDirection && !'/\\:*?"<>|'.includes(character),
      `a name has U+${code.toString(16)}: ${show()}`,
    );
  }
  holds(!/[. ]$/.test(name), `a name ends in a dot or a space: ${show()}`);
  const stem = name.split(".", 1)[0].trimEnd().toUpperCase();
  holds(!/^(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])$/.test(stem), `a name is that of a device: ${show()}`);
  holds(new TextEncoder().encode(name).length <= 240, `a name is too long: ${show()}`);
}

/** Paths of which none is another's, or another's folder, on any system. */
export function areApart(paths: readonly (readonly string[])[]): void {
  const folded = (parts: readonly string[]) => parts.map((part) => part.normalize("NFC").toLowerCase()).join("/");
  const files = new Set(paths.map(folded));
  holds(files.size === paths.length, "two files have the same path");
  for (const path of paths) {
    for (let depth = 1; depth < path.length; depth++) {
      holds(!files.has(folded(path.slice(0, depth))), `a file is a folder too: ${JSON.stringify(path)}`);
    }
  }
}
