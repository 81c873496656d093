/** The exit code of a command that was told to stop before its end. */
import { ExitCode } from "../../lib/errors.ts";

/** @param stop the context's signal, aborted with the name of a signal as its reason */
export function stopCode(stop: AbortSignal): ExitCode {
  return stop.reason === "SIGTERM" ? ExitCode.terminated : ExitCode.interrupted;
}
