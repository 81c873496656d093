/**
 * Which functions read foreign bytes or text, by the source, and which of them the targets reach, by what ran.
 *
 * Run by itself it feeds every target some inputs and nothing else: `deno run --coverage` notes what was called.
 */
import { blankOut } from "../architecture/source_code.ts";
import { inputOf } from "./target.ts";
import { targets } from "./targets.ts";

const root = new URL("../../", import.meta.url);

/** A function that takes bytes or text from its caller. */
export interface Reader {
  /** `lib/magnet.ts parseMagnet`. */
  readonly name: string;
  readonly path: string;
  readonly functionName: string;
}

/** What makes bytes or text out of values is no reader. */
const writers = /^(?:encode|format|write|append|make|build|#|constructor$)/;

/** The exported functions of a source, and the methods of its exported classes, that take bytes or text. */
export function readersIn(path: string, source: string): Reader[] {
  const code = blankOut(source);
  const readers: Reader[] = [];
  const head =
    /^export (?:async )?function (\w+)(?:<[^(]*>)?\(|^export (?:abstract )?class \w+|^ {2}(?:static |async )*(\w+)\(|^\}/gm;
  let isInClass = false;
  for (const match of code.matchAll(head)) {
    const [text, functionName, methodName] = match;
    if (text.includes("class ")) isInClass = true;
    else if (text === "}") isInClass = false;
    const name = functionName ?? (isInClass ? methodName : undefined);
    if (name === undefined || writers.test(name)) continue;
    const parameters = parametersAt(code, match.index + text.length);
    if (/\b(?:Uint8Array|Bytes|string)\b/.test(parameters)) {
      readers.push({ name: `${path} ${name}`, path, functionName: name });
    }
  }
  return readers;
}

/** The text up to the bracket that ends the parameters. */
function parametersAt(code: string, start: number): string {
  let depth = 1;
  let at = start;
  for (; at < code.length && depth > 0; at++) {
    if (code[at] === "(") depth++;
    else if (code[at] === ")") depth--;
  }
  return code.slice(start, at - 1);
}

/** All readers outside of sockets and disks. */
export function allReaders(): Reader[] {
  const folders = ["lib/", "lib/announce/", "lib/wire/", "lib/cli/", "peer/"];
  return folders.flatMap((folder) => {
    const names = [...Deno.readDirSync(new URL(folder, root))].map(({ name }) => name).filter((name) =>
      name.endsWith(".ts")
    );
    return names.sort().flatMap((name) =>
      readersIn(folder + name, Deno.readTextFileSync(new URL(folder + name, root)))
    );
  });
}

/** Inputs of each target that are enough to get everywhere. */
const inputs = 150;

if (import.meta.main) {
  for (const target of targets) {
    await target.prepare?.();
    for (let index = 0; index < inputs; index++) await target.run(inputOf(target, 1, index));
  }
}
