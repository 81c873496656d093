/**
 * A light reading of TypeScript: enough to know what a file imports, which words it uses, and how long its functions are.
 *
 * It knows comments, strings, templates and regular expressions, and matches braces; it does not parse types.
 */

/** One import or re-export. */
export interface Import {
  readonly specifier: string;
  /** `import type` or `export type`: nothing is loaded at run time. */
  readonly isTypeOnly: boolean;
}

/** One function body. */
export interface FunctionSpan {
  /** 1-based, of the line that opens the parameter list (or the body, for `x => {`). */
  readonly line: number;
  readonly lineCount: number;
}

const regexBefore =
  /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|do|else|void|delete|throw|await|yield))\s*$/;

/** The source with comments, regular expressions and the insides of strings and templates as spaces; lines stay. */
export function blankOut(source: string): string {
  let code = "";
  /** Depth of braces inside each open `${`. */
  const templates: number[] = [];
  let at = 0;
  const blank = (end: number) => {
    code += source.slice(at, end).replace(/[^\n]/g, " ");
    at = end;
  };
  // Quotes stay: what follows one is an operator, not a regular expression.
  const keep = () => {
    code += source[at++];
  };
  const string = (inside: RegExp) => {
    keep();
    blank(endOf(inside));
    if (/["']/.test(source[at] ?? "")) keep();
  };
  const endOf = (pattern: RegExp) => {
    pattern.lastIndex = at;
    return pattern.exec(source) === null ? source.length : pattern.lastIndex;
  };
  const template = () => {
    blank(endOf(/(?:\\[^]|[^\\`$]|\$(?!\{))*/y));
    if (source[at] === "`") return keep();
    blank(Math.min(at + 2, source.length));
    templates.push(0);
  };
  while (at < source.length) {
    const next = source[at];
    if (source.startsWith("//", at)) blank(endOf(/[^\n]*/y));
    else if (source.startsWith("/*", at)) blank(endOf(/[^]*?\*\//y));
    else if (next === '"') string(/(?:\\[^]|[^\\"\n])*/y);
    else if (next === "'") string(/(?:\\[^]|[^\\'\n])*/y);
    else if (next === "`") {
      keep();
      template();
    } else if (next === "/" && regexBefore.test(code.slice(-40))) {
      blank(endOf(/\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/y));
    } else if (next === "}" && templates.at(-1) === 0) {
      templates.pop();
      blank(at + 1);
      template();
    } else {
      if (templates.length > 0 && next === "{") templates[templates.length - 1]++;
      if (templates.length > 0 && next === "}") templates[templates.length - 1]--;
      keep();
    }
  }
  return code;
}

/** Everything that the source imports or re-exports, dynamic imports of a literal too. */
export function importsOf(source: string): Import[] {
  const code = blankOut(source);
  const imports: Import[] = [];
  const statement = /\b(?:import|export)\b([^;"'`=]*?)\bfrom\s*(?=["'])/g;
  const literalAt = (offset: number) => /^\s*["'`]([^"'`]*)["'`]/.exec(source.slice(offset))?.[1];
  for (const match of code.matchAll(statement)) {
    const specifier = literalAt(match.index + match[0].length);
    if (specifier !== undefined) imports.push({ specifier, isTypeOnly: /^\s*type\b/.test(match[1]) });
  }
  for (const match of code.matchAll(/\bimport\s*\(\s*(?=["'`])|\bimport\s*(?=["'])/g)) {
    const specifier = literalAt(match.index + match[0].length);
    if (specifier !== undefined) imports.push({ specifier, isTypeOnly: false });
  }
  return imports;
}

const closers: Readonly<Record<string, string>> = { ")": "(", "}": "{", "]": "[", ">": "<" };

/** Offset of the bracket that `code[at]` closes; -1 when there is none. */
function openingOf(code: string, at: number): number {
  const [close, open] = [code[at], closers[code[at]]];
  let depth = 0;
  for (let i = at; i >= 0; i--) {
    if (code[i] === close && !(close === ">" && code[i - 1] === "=")) depth++;
    else if (code[i] === open && --depth === 0) return i;
  }
  return -1;
}

/** Offset of the last character at or before `at` that is no space. */
function backOverSpace(code: string, at: number): number {
  while (at >= 0 && /\s/.test(code[at])) at--;
  return at;
}

/** Where the function begins whose body the brace at `brace` opens; undefined when it opens something else. */
function functionStart(code: string, brace: number): number | undefined {
  let at = backOverSpace(code, brace - 1);
  if (code.slice(at - 1, at + 1) === "=>") {
    at = backOverSpace(code, at - 2);
    return code[at] === ")" ? openingOf(code, at) : at;
  }
  // Over a return type, back to the `:` behind the parameters.
  let isTyped = code[at] === ")";
  for (let steps = 0; !isTyped || code[at] !== ")"; steps++) {
    if (steps > 60) return undefined;
    if (/[}>\]]/.test(code[at] ?? "")) at = openingOf(code, at) - 1;
    else if (
      /(?<![\w$])(?:class|interface|enum|namespace|try|finally|else|do)$/.test(code.slice(0, at + 1).slice(-12))
    ) {
      return undefined;
    } else if (/[\w$.|&"]/.test(code[at] ?? "")) at--;
    else if (code[at] === ":" && code[backOverSpace(code, at - 1)] === ")") [isTyped, at] = [true, at - 1];
    else return undefined;
    at = backOverSpace(code, at);
  }
  const open = openingOf(code, at);
  if (open < 0) return undefined;
  const before = code.slice(Math.max(0, open - 40), open);
  return /\b(?:if|for|while|switch|catch|with|await)\s*$/.test(before) ? undefined : open;
}

/** Every function with a body: declarations, methods, constructors and arrow functions. */
export function functionsOf(source: string): FunctionSpan[] {
  const code = blankOut(source);
  const lineStarts = [0, ...[...code.matchAll(/\n/g)].map((match) => match.index + 1)];
  const lineOf = (offset: number) => lineStarts.findLastIndex((start) => start <= offset) + 1;
  const open: number[] = [];
  const spans: FunctionSpan[] = [];
  for (let at = 0; at < code.length; at++) {
    if (code[at] === "{") open.push(at);
    if (code[at] !== "}") continue;
    const brace = open.pop();
    const start = brace === undefined ? undefined : functionStart(code, brace);
    if (start === undefined) continue;
    spans.push({ line: lineOf(start), lineCount: lineOf(at) - lineOf(start) + 1 });
  }
  return spans.sort((a, b) => a.line - b.line);
}
