/**
 * How many files and sockets the system lets this process have open at once.
 *
 * Deno raises its own limit to what it may be; a compiled program keeps that of its shell, usually 1024, on macOS 256. At
 * that limit nothing can be accepted, and no file opened either, so what others can make us open has to end well below it.
 */

/** Undefined where the system does not tell. To be asked before rights are given up: /proc needs them all. */
export function openFilesMax(): number | undefined {
  if (Deno.build.os === "darwin") return macOsDefault;
  if (Deno.build.os !== "linux") return undefined;
  try {
    return parseOpenFiles(Deno.readTextFileSync("/proc/self/limits"));
  } catch {
    return undefined;
  }
}

const macOsDefault = 256;

/** The soft limit in the text of /proc/self/limits; undefined where there is none. */
export function parseOpenFiles(limits: string): number | undefined {
  const soft = /^Max open files +(\d+) /m.exec(limits)?.[1];
  return soft === undefined ? undefined : Number(soft);
}
