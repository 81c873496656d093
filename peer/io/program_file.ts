/**
 * The running program as a file that others can fetch: its size, its SHA-256, its bytes read while they are sent.
 *
 * Only a compiled program is one file; from source there is nothing to hand out. The digest is made once, in the
 * background, a piece at a time.
 */
import { createHash } from "node:crypto";
import { bytesFromLatin1, formatHex } from "../../lib/bytes.ts";
import type { HttpBody } from "../../lib/http_response.ts";
import { programSendsMax } from "../../lib/limits/shares.ts";
import { MiB } from "../../lib/limits/units.ts";

/** What the program is called where it is fetched. */
const fileName = Deno.build.os === "windows" ? "localbt.exe" : "localbt";

export class ProgramFile {
  /** `Linux x86_64`. */
  readonly platform = platformOf(Deno.build.os, Deno.build.arch);
  readonly fileName = fileName;
  /** Bytes. */
  readonly length: number;
  /** 64 hex digits, once they are known. */
  sha256: string | undefined;
  readonly #path: string;
  readonly #digest: Promise<string>;
  #sendCount = 0;

  private constructor(path: string, length: number) {
    this.#path = path;
    this.length = length;
    this.#digest = this.#makeDigest();
    this.#digest.catch(() => {});
  }

  /** Undefined when the program runs from source, or its file cannot be read. */
  static open(path: string | undefined = runningProgram()): ProgramFile | undefined {
    if (path === undefined) return undefined;
    try {
      const { isFile, size } = Deno.statSync(path);
      return isFile ? new ProgramFile(path, size) : undefined;
    } catch {
      return undefined;
    }
  }

  /**
   * The bytes [start, end) as a body; undefined when too many are being sent already.
   *
   * @throws when the file is gone
   */
  send(start = 0, end = this.length): HttpBody | undefined {
    if (this.#sendCount >= programSendsMax) return undefined;
    const file = Deno.openSync(this.#path);
    this.#sendCount++;
    file.seekSync(start, Deno.SeekMode.Start);
    return {
      length: end - start,
      read: async (into) => await file.read(into) ?? 0,
      close: () => {
        file.close();
        this.#sendCount--;
      },
    };
  }

  /** The line that `sha256sum -c` reads, as a body that waits until the digest is made. */
  sendDigest(): HttpBody {
    const length = `${"0".repeat(64)}  ${fileName}\n`.length;
    return {
      length,
      read: async (into) => {
        into.set(bytesFromLatin1(`${await this.#digest}  ${fileName}\n`));
        return length;
      },
      close: () => {},
    };
  }

  async #makeDigest(): Promise<string> {
    using file = await Deno.open(this.#path);
    const hash = createHash("sha256");
    const piece = new Uint8Array(1 * MiB);
    for (let count = await file.read(piece); count !== null; count = await file.read(piece)) {
      hash.update(piece.subarray(0, count));
    }
    this.sha256 = formatHex(hash.digest());
    return this.sha256;
  }
}

function runningProgram(): string | undefined {
  return Deno.build.standalone ? Deno.execPath() : undefined;
}

function platformOf(os: string, arch: string): string {
  const names: Record<string, string> = { linux: "Linux", darwin: "macOS", windows: "Windows" };
  return `${names[os] ?? os} ${arch}`;
}
