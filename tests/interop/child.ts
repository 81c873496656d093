/**
 * A child process of a test: its output as lines, conditions to wait on, and an end by its own pid.
 *
 * Nothing here sleeps for a fixed time: every wait ends with a line, an exit, or the failure of its deadline.
 */
import { TextLineStream } from "./line_stream.ts";

/** How a child is started. */
export interface ChildOptions {
  /** Shown in failures: "aria2 (seeder)". */
  readonly name: string;
  /** The program and its arguments. */
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly clearEnv?: boolean;
  readonly cwd?: string;
  /** Sees each line before it is kept; false leaves it out of `lines`, for programs that log much. */
  readonly keep?: (text: string) => boolean;
}

/** One line of output. */
export interface OutputLine {
  readonly stream: "stdout" | "stderr";
  readonly text: string;
}

/** The exit code and signal of an ended child. */
export type ChildStatus = Deno.CommandStatus;

/** Milliseconds that a child gets after SIGTERM before SIGKILL. */
const stopGraceMs = 5_000;

export class Child {
  readonly name: string;
  readonly pid: number;
  /** Every line so far, both streams in the order of arrival. */
  readonly lines: OutputLine[] = [];
  /** Resolves once the child has ended and all of its output has been read. */
  readonly status: Promise<ChildStatus>;
  #ended: ChildStatus | undefined;
  readonly #process: Deno.ChildProcess;
  readonly #watchers = new Set<() => void>();

  constructor(options: ChildOptions) {
    const [program, ...args] = options.command;
    if (program === undefined) throw new Error("a child needs a program");
    this.name = options.name;
    this.#process = new Deno.Command(program, {
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      ...(options.env ? { env: options.env } : {}),
      ...(options.clearEnv ? { clearEnv: true } : {}),
      ...(options.cwd ? { cwd: options.cwd } : {}),
    }).spawn();
    this.pid = this.#process.pid;
    this.status = this.#run(options.keep ?? (() => true));
  }

  /** True until the child has ended. */
  get isRunning(): boolean {
    return this.#ended === undefined;
  }

  /** The lines of one stream, joined. */
  text(stream?: "stdout" | "stderr"): string {
    return this.lines.filter((line) => stream === undefined || line.stream === stream).map((line) => line.text)
      .join("\n");
  }

  /**
   * Waits until `find` gives a value; it is asked again after each line and at the end of the process.
   *
   * @throws when the deadline passes or the child ends first; the message carries the end of its output
   */
  async until<T>(what: string, find: () => T | undefined, deadlineMs: number): Promise<T> {
    const found = find();
    if (found !== undefined) return found;
    return await new Promise<T>((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        act();
      };
      const look = () => {
        const value = find();
        if (value !== undefined) settle(() => resolve(value));
        else if (!this.isRunning) settle(() => reject(this.failure(`ended before ${what}`)));
      };
      const timer = setTimeout(
        () => settle(() => reject(this.failure(`${what}: not within ${deadlineMs} ms`))),
        deadlineMs,
      );
      this.#watchers.add(look);
      look();
    });
  }

  /** Waits for a line that matches, those already there included. */
  line(pattern: RegExp, deadlineMs: number): Promise<RegExpMatchArray> {
    let seen = 0;
    return this.until(`a line like ${pattern}`, () => {
      for (; seen < this.lines.length; seen++) {
        const match = this.lines[seen]?.text.match(pattern);
        if (match) return match;
      }
      return undefined;
    }, deadlineMs);
  }

  /** Waits for the end of the process. */
  async exit(deadlineMs: number): Promise<ChildStatus> {
    return await this.until("its end", () => this.#ended, deadlineMs);
  }

  /** Sends a signal; a child that has ended already is left alone. */
  signal(signal: Deno.Signal): void {
    if (!this.isRunning) return;
    try {
      this.#process.kill(signal);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound) && !(error instanceof TypeError)) throw error;
    }
  }

  /** Ends the child: SIGTERM (or another signal), then SIGKILL when it does not go. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<ChildStatus> {
    this.signal(signal);
    const timer = setTimeout(() => this.signal("SIGKILL"), stopGraceMs);
    try {
      return await this.status;
    } finally {
      clearTimeout(timer);
    }
  }

  /** An error about this child that shows the end of its output. */
  failure(why: string): Error {
    const telling = this.lines.filter(({ text }) => !/"event":"(progress|piece)"/.test(text));
    const tail = telling.slice(-40).map((line) => `    ${line.text}`).join("\n");
    const ended = this.#ended ? ` (exit ${this.#ended.code}, signal ${this.#ended.signal ?? "none"})` : "";
    return new Error(`${this.name}: ${why}${ended}\n${tail || "    (no output)"}`);
  }

  async #run(keep: (text: string) => boolean): Promise<ChildStatus> {
    const [status] = await Promise.all([
      this.#process.status,
      this.#read("stdout", this.#process.stdout, keep),
      this.#read("stderr", this.#process.stderr, keep),
    ]);
    this.#ended = status;
    this.#wake();
    return status;
  }

  async #read(stream: "stdout" | "stderr", source: ReadableStream<Uint8Array>, keep: (text: string) => boolean) {
    for await (const text of source.pipeThrough(new TextLineStream())) {
      if (!keep(text)) continue;
      this.lines.push({ stream, text });
      this.#wake();
    }
  }

  #wake(): void {
    for (const look of [...this.#watchers]) look();
  }
}
