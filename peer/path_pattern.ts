/**
 * Patterns for names of files, as in `--exclude '*.tmp'`: `*` and `?` stay within a name, `**` crosses folders, `[a-z]`
 * and `[!a-z]` are one character of a set. A pattern without `/` is matched with the last name of a path, one with `/`
 * with the whole path below the root; a `/` at its end means folders only.
 */
export class PathPattern {
  readonly #expression: RegExp;
  readonly #isWholePath: boolean;
  readonly #isFolderOnly: boolean;

  /** @param pattern as the user wrote it; with `/`, also on Windows */
  constructor(pattern: string) {
    const body = pattern.replace(/\/+$/, "").replace(/^\.?\//, "");
    this.#isFolderOnly = pattern.endsWith("/");
    this.#isWholePath = /^\.?\//.test(pattern) || body.includes("/");
    this.#expression = new RegExp(`^${translate(body)}$`, "su");
  }

  /** @param path names below the root */
  matches(path: readonly string[], { isFolder }: { isFolder: boolean }): boolean {
    if (this.#isFolderOnly && !isFolder) return false;
    return this.#expression.test(this.#isWholePath ? path.join("/") : path[path.length - 1] ?? "");
  }
}

/** The pattern as the source of a regular expression. */
function translate(pattern: string): string {
  let source = "";
  for (let i = 0; i < pattern.length;) {
    const rest = pattern.slice(i);
    const token = /^\*\*\/|^\*\*|^\*|^\?|^\[[!^]?\]?[^\]]*\]|^./su.exec(rest)![0];
    source += translateToken(token);
    i += token.length;
  }
  return source;
}

function translateToken(token: string): string {
  if (token === "**/") return "(?:[^/]+/)*";
  if (token === "**") return ".*";
  if (token === "*") return "[^/]*";
  if (token === "?") return "[^/]";
  if (token.length > 2 && token.startsWith("[")) {
    const inner = token.slice(1, -1).replace(/^[!^]/, "");
    const isNegated = inner.length < token.length - 2;
    if (inner !== "") return `(?!/)[${isNegated ? "^" : ""}${inner.replace(/[\\\]\[^&~|]/g, "\\$&")}]`;
  }
  return token.replace(/[\\^$.*+?()[\]{}|/]/gu, "\\$&");
}
