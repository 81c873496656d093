/** Errors of the file system as one plain sentence with the path. Owns the words; the callers own what they attempted. */
import { reasonOf, UserError } from "../errors.ts";

/** A failure of the file system that can cross a worker's border. */
export interface DiskFailure {
  /** What was attempted, to stand before the path: `write`. */
  readonly doing: string;
  readonly path: string;
  /** The system's code, such as ENOSPC; empty when there was none. */
  readonly code: string;
  readonly message: string;
}

/** Stands for the system's code where it was Deno that refused. */
const notCapable = "NOTCAPABLE";

const reasons: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EBUSY: "another program is using it",
  EDQUOT: "the disk quota is used up",
  EEXIST: "it exists already",
  EFBIG: "the file system takes no file this large (FAT32 ends at 4 GiB)",
  EIO: "the disk reports an input/output error",
  EISDIR: "it is a folder",
  ELOOP: "it is a link, and links are not followed here",
  EMFILE: "too many files are open",
  ENAMETOOLONG: "the name is too long for the file system",
  ENFILE: "too many files are open",
  ENODEV: "the disk is gone",
  ENOENT: "there is no such file or folder",
  ENOSPC: "the disk is full",
  ENOTDIR: "a file is in the way of a folder of that name",
  ENXIO: "the disk is gone",
  // Deno does so for a program that gave up a right; main.ts keeps all where a path of the command line leads there.
  [notCapable]: "this program may not open files in /dev, /proc and /sys",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ESTALE: "the file server does not know it any more",
  ETIMEDOUT: "the disk does not answer",
};

/** The system's code of a failed call (`ENOENT`); empty for other errors. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (typeof code === "string") return code;
  return error instanceof Deno.errors.NotCapable ? notCapable : "";
}

/** Whether the error says that nothing is there. */
export function isAbsence(error: unknown): boolean {
  const code = codeOf(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

/** What went wrong, as a value that can be sent to another thread. */
export function describeFailure(doing: string, path: string, error: unknown): DiskFailure {
  return { doing, path, code: codeOf(error), message: reasonOf(error) };
}

/** A failed call of the file system, as a person reads it. */
class DiskError extends UserError {
  constructor({ doing, path, code, message }: DiskFailure) {
    super(`${doing} ${path}`, reasons[code] ?? message);
    this.code = code;
  }
  /** The system's code. */
  readonly code: string;
}

/** The sentence that a person reads, with the path. */
export function errorOfFailure(failure: DiskFailure): UserError {
  return new DiskError(failure);
}

/** How long a write that failed is tried again. */
export type Patience =
  /** Until somebody makes room. */
  | "long"
  /** A few times. */
  | "brief"
  /** Not at all. */
  | "none";

/**
 * Faults of a write that may pass. A full disk or a used-up quota is for a person to mend, who need not hurry; what a
 * cable, a file server or a busy system does may be over in a moment. All else (no permission, read-only, a folder that is
 * gone) stays as it is until somebody has done something about it: the download ends and says so.
 */
const patience: Readonly<Record<string, Patience>> = {
  EDQUOT: "long",
  ENOSPC: "long",
  EAGAIN: "brief",
  EBUSY: "brief",
  EINTR: "brief",
  EIO: "brief",
  EMFILE: "brief",
  ENFILE: "brief",
  ENOMEM: "brief",
  ESTALE: "brief",
  ETIMEDOUT: "brief",
};

/** How long a write that failed with this error is worth another try. */
export function patienceWith(error: unknown): Patience {
  return error instanceof DiskError ? patience[error.code] ?? "none" : "none";
}

/** What says nothing about a file but that the machine has too little to open it just now. */
const shortages: ReadonlySet<string> = new Set(["EAGAIN", "EINTR", "EMFILE", "ENFILE", "ENOMEM"]);

/** Whether the file itself cannot be had: it is gone, cut, forbidden, or its disk is broken. */
export function isLoss(error: unknown): boolean {
  return error instanceof DiskError && !shortages.has(error.code);
}

/**
 * A UserError for a failed call on `path`; a UserError passes through as it is.
 *
 * @param doing what was attempted, to stand before the path: `write`
 */
export function diskError(doing: string, path: string, error: unknown): UserError {
  return error instanceof UserError ? error : errorOfFailure(describeFailure(doing, path, error));
}
