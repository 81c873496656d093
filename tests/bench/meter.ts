/** What a process costs: CPU seconds and peak memory, read from /proc while it lives (Linux). */

/** What was measured of a process. */
export interface Cost {
  readonly cpuSeconds: number;
  /** Peak resident memory, mapped files included. */
  readonly peakMegabytes: number;
  /** Peak of the memory that is the process's own. */
  readonly privateMegabytes: number;
}

/** Milliseconds between two looks; what a process does after the last one before its end is not seen. */
const lookEveryMs = 20;
/** Ticks a second of the CPU times in /proc; 100 on every Linux that Deno runs on. */
const ticksPerSecond = 100;

/** Watches one process from its start until `stop`. */
export class Meter {
  readonly #pid: number;
  readonly #timer: ReturnType<typeof setInterval>;
  #cpuSeconds = 0;
  #cpuAtMark = 0;
  #peakKilobytes = 0;
  #privateKilobytes = 0;

  constructor(pid: number) {
    this.#pid = pid;
    this.#look();
    this.#timer = setInterval(() => this.#look(), lookEveryMs);
  }

  /** CPU time is counted from here on. */
  mark(): void {
    this.#look();
    this.#cpuAtMark = this.#cpuSeconds;
  }

  /** Ends the watch. */
  stop(): Cost {
    this.#look();
    clearInterval(this.#timer);
    return {
      cpuSeconds: this.#cpuSeconds - this.#cpuAtMark,
      peakMegabytes: this.#peakKilobytes * 1024 / 1e6,
      privateMegabytes: this.#privateKilobytes * 1024 / 1e6,
    };
  }

  #look(): void {
    const stat = read(`/proc/${this.#pid}/stat`);
    const status = read(`/proc/${this.#pid}/status`);
    if (stat === undefined || status === undefined) return;
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const cpuSeconds = (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
    // a process that has just ended reads as one without memory
    this.#cpuSeconds = Math.max(this.#cpuSeconds, cpuSeconds);
    this.#peakKilobytes = Math.max(this.#peakKilobytes, kilobytes(status, "VmHWM"));
    this.#privateKilobytes = Math.max(this.#privateKilobytes, kilobytes(status, "RssAnon"));
  }
}

function kilobytes(status: string, key: string): number {
  return Number(status.match(new RegExp(`^${key}:\\s+(\\d+)`, "m"))?.[1] ?? 0);
}

function read(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined; // it has ended
  }
}

/** The memory that a process has now, mapped files included, in bytes; 0 when it has ended. */
export function residentBytes(pid: number): number {
  return kilobytes(read(`/proc/${pid}/status`) ?? "", "VmRSS") * 1024;
}
