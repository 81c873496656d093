/** Where a client of a test lives: this machine's loopback, or a network namespace of a `Lan`. */

/** An address, and the command that puts a program on it. */
export interface Host {
  readonly address: string;
  /** Goes before a program and its arguments. */
  readonly prefix: readonly string[];
}

/** 127.0.0.1 of this machine. */
export const loopback: Host = { address: "127.0.0.1", prefix: [] };
