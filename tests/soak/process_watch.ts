/** A running process looked at once a second: memory, descriptors, threads, from /proc (Linux). */
import { type Child } from "../interop/child.ts";
import { type Sample } from "./trend.ts";

/** What one look sees. */
export interface Look {
  /** Seconds since all watches began. */
  readonly at: number;
  /** Bytes in memory, mapped files included. */
  readonly resident: number;
  /** Bytes that are the process's own: what it has taken and not given back. */
  readonly own: number;
  readonly descriptors: number;
  readonly threads: number;
}

export class ProcessWatch {
  readonly name: string;
  readonly looks: Look[] = [];
  readonly #child: Child;

  constructor(name: string, child: Child) {
    this.name = name;
    this.#child = child;
  }

  /** Takes a look; nothing of a process that has ended. */
  look(at: number): void {
    const look = lookAt(this.#child.pid, at);
    if (look !== undefined) this.looks.push(look);
  }

  /** Its own memory from a moment on. */
  ownSince(seconds: number): Sample[] {
    return this.looks.filter(({ at }) => at >= seconds).map(({ at, own }) => ({ at, value: own }));
  }

  /** Open descriptors now. @throws when the process has ended */
  get descriptors(): number {
    return countDescriptors(this.#child.pid);
  }
}

function lookAt(pid: number, at: number): Look | undefined {
  try {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    const number = (key: string) => Number(status.match(new RegExp(`^${key}:\\s+(\\d+)`, "m"))?.[1] ?? 0);
    return {
      at,
      resident: number("VmRSS") * 1024,
      own: number("RssAnon") * 1024,
      descriptors: countDescriptors(pid),
      threads: number("Threads"),
    };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function countDescriptors(pid: number): number {
  let count = 0;
  for (const _ of Deno.readDirSync(`/proc/${pid}/fd`)) count++;
  return count;
}
